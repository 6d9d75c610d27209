package gbdt

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// awkward returns values with ties, zeros of both signs, extremes and nulls.
func awkward(rng *rand.Rand, n int) []float64 {
	out := []float64{0, math.Copysign(0, -1), math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, math.NaN(), math.Copysign(math.NaN(), -1)}
	for range n {
		switch x := rng.NormFloat64(); rng.IntN(4) {
		case 0:
			out = append(out, math.Floor(3*x))
		case 1:
			out = append(out, math.Exp(20*x))
		case 2:
			out = append(out, math.NaN())
		default:
			out = append(out, x)
		}
	}
	return out
}

// runs is the readable twin of a sorter.
func runs(values []float64) (out []run) {
	values = slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	slices.Sort(values)
	for i, x := range values {
		if i == 0 || x != values[i-1] {
			out = append(out, run{value: x})
		}
		out[len(out)-1].count++
	}
	return out
}

// Law: a sorter gives the runs of its twin, column after column. The planted
// mutant drops the last value.
func TestRunsMatchTwin(t *testing.T) {
	var s sorter
	for seed := range uint64(5) {
		values := awkward(rand.New(rand.NewPCG(seed, 1)), 3000-500*int(seed))
		got, known := s.runs(values)
		sum := 0
		for _, r := range got {
			sum += r.count
		}
		if !slices.Equal(got, runs(values)) || sum != known {
			t.Fatalf("seed %d: other runs", seed)
		}
		values[len(values)-1] = math.NaN()
		if mutant, _ := s.runs(append(values, 1e-7)); slices.Equal(got, mutant) {
			t.Error("the law does not see a value")
		}
	}
	if got, known := s.runs([]float64{math.NaN()}); len(got) != 0 || known != 0 {
		t.Error("nulls have runs")
	}
}

// Law: the bin of a value is the number of cuts below it, and the next one that
// of a null. The planted mutant counts a cut that is equal.
func TestTableMatchesTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	noticed := false
	for _, n := range []int{0, 1, 2, 7, 100, 254} {
		values := awkward(rng, 4000)
		var cuts []float64
		for _, r := range runs(values) {
			if len(cuts) < n {
				cuts = append(cuts, r.value)
			}
		}
		table := newTable(cuts)
		for _, x := range append(values, cuts...) {
			below, mutant := 0, 0
			for _, c := range cuts {
				below += index(c < x || x != x)
				mutant += index(c <= x || x != x)
			}
			below, mutant = below+index(x != x), mutant+index(x != x)
			if got := int(table.bin(x)); got != below {
				t.Fatalf("%d cuts, value %v: bin %d, want %d", len(cuts), x, got, below)
			}
			noticed = noticed || mutant != below
		}
	}
	if !noticed {
		t.Error("the law does not see on which side a cut lies")
	}
}

// Laws: cuts ascend and separate values; few distinct values get a bin each;
// otherwise no bin holds more than about twice the mean beside one value.
func TestFindCuts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 3))
	for _, bins := range []int{2, 3, 16, 64, 255} {
		for _, values := range [][]float64{awkward(rng, 20_000), awkward(rng, 10), {1, 1, 1}, {-1, 2}} {
			all := runs(values)
			cuts := findCuts(all, bins)
			if n := len(all); n <= bins && len(cuts) != n-1 || len(cuts) >= bins {
				t.Fatalf("%d cuts for %d values in %d bins", len(cuts), n, bins)
			}
			if !slices.IsSorted(cuts) || len(slices.Compact(slices.Clone(cuts))) != len(cuts) {
				t.Fatalf("cuts do not ascend: %v", cuts)
			}
			table := newTable(cuts)
			rows, most := make([]int, bins), make([]int, bins) // of all values and of the most frequent
			for _, r := range all {
				b := table.bin(r.value)
				rows[b], most[b] = rows[b]+r.count, max(most[b], r.count)
			}
			for b := range len(cuts) + 1 {
				if rows[b] == 0 {
					t.Errorf("%d bins: bin %d is empty", bins, b)
				}
				if limit := 2*len(values)/bins + 2; rows[b]-most[b] > limit {
					t.Errorf("%d bins: bin %d has %d rows beside its most frequent value, more than %d", bins, b, rows[b]-most[b], limit)
				}
			}
		}
	}
}

// Law: a cut lies midway between neighbours, unless there is no room.
func TestBetween(t *testing.T) {
	next := math.Nextafter(1, 2)
	for _, c := range [][3]float64{{1, 3, 2}, {-math.MaxFloat64, math.MaxFloat64, 0}, {1, next, 1}, {0, math.SmallestNonzeroFloat64, 0}} {
		if got := between(c[0], c[1]); got != c[2] {
			t.Errorf("between %v and %v: %v, want %v", c[0], c[1], got, c[2])
		}
	}
}

// Law: the three layouts hold the same bins, those of the values one by one.
func TestLayoutsAgree(t *testing.T) {
	d := random(3000, 21, 4)
	prob, b := d.bin(t, Defaults())
	for c := range b.columns {
		column := &b.columns[c]
		for i := range d.Label {
			want := uint8(column.bins)
			if column.levels {
				want = uint8(d.X.Row(i).Codes[0] - column.first)
			} else if x := d.X.Row(i).Dense[column.feature]; x == x {
				want = uint8(slices.IndexFunc(append(slices.Clone(column.cuts), math.Inf(1)), func(cut float64) bool { return x <= cut }))
			}
			word := b.byWord[c/lanes][i]
			if got := b.bytes[c][i]; got != want || uint8(word>>(c%lanes*8)) != want || b.byRow[i*b.stride+c/lanes] != word {
				t.Fatalf("%s, row %d: bin %d, want %d", prob.features[column.feature].Name, i, got, want)
			}
		}
	}
}
