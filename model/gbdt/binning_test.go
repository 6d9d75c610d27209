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

// Law: sorted is the standard library's sort of the values that are not null.
func TestSortedMatchesTwin(t *testing.T) {
	for seed := range uint64(5) {
		values := awkward(rand.New(rand.NewPCG(seed, 1)), 3000)
		want := slices.DeleteFunc(slices.Clone(values), math.IsNaN)
		slices.Sort(want)
		if got := sorted(values); !slices.Equal(got, want) {
			t.Fatalf("seed %d: not sorted", seed)
		}
	}
}

// Law: the bin of a value is the number of cuts below it, and the next one that
// of a null. The planted mutant counts a cut that is equal.
func TestTableMatchesTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	noticed := false
	for _, n := range []int{0, 1, 2, 7, 100, 254} {
		values := awkward(rng, 4000)
		cuts := slices.Compact(sorted(values))
		cuts = cuts[:min(n, len(cuts))]
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
		for _, values := range [][]float64{sorted(awkward(rng, 20_000)), sorted(awkward(rng, 10)), {1, 1, 1}, {-1, 2}} {
			cuts := findCuts(values, bins)
			if n := len(distinct(values)); n <= bins && len(cuts) != n-1 || len(cuts) >= bins {
				t.Fatalf("%d cuts for %d values in %d bins", len(cuts), n, bins)
			}
			if !slices.IsSorted(cuts) || len(slices.Compact(slices.Clone(cuts))) != len(cuts) {
				t.Fatalf("cuts do not ascend: %v", cuts)
			}
			table := newTable(cuts)
			rows, most := make([]int, bins), make([]int, bins) // of all values and of the most frequent
			for _, r := range distinct(values) {
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
