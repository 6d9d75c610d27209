package gbdt

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// naive is the readable twin: the histogram of a column, row by row.
func naive(b *binned, c int, rows []int32, packed []uint64) []bin {
	out := make([]bin, b.columns[c].slots())
	for _, r := range rows {
		out[b.bytes[c][r]].add(unpack(packed[r]))
	}
	return out
}

// noise returns packed gradients of all sizes.
func noise(rng *rand.Rand, n int) []uint64 {
	out := make([]uint64, n)
	for i := range out {
		out[i] = pack(rng.Int64N(2*gradOne+1)-gradOne, rng.Int64N(hessOne/4+1))
	}
	return out
}

// Law: the fast histogram is the naive one, for nodes of one row up to all
// rows, dense and sparse, and for any choice of columns. The planted mutant
// leaves out a row.
func TestHistogramMatchesTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 4))
	d := random(40_000, 19, 5)
	_, b := d.bin(t, Defaults())
	packed := noise(rng, len(d.Label))
	sums := b.newAccumulators()
	for _, share := range []float64{1, 0.9, 0.4, 0.05, 0.001, 0.00003} {
		for _, columns := range []float64{1, 0.5, 0.1} {
			rows := drawRows(len(d.Label), share, 1, 2, nil)
			if len(rows) == 0 {
				rows = []int32{77}
			}
			use := make([]bool, len(b.columns))
			drawColumns(columns, 3, uint64(share*100), use)
			b.use(use)
			sums.sum(new(crew), b, rows, packed)
			for c := range use {
				got := make([]bin, b.columns[c].slots())
				if sums.column(b, c, got); !use[c] {
					continue
				}
				if !slices.Equal(got, naive(b, c, rows, packed)) {
					t.Fatalf("share %v of rows, %v of columns, column %d: not the sum of the rows", share, columns, c)
				}
				if slices.Equal(got, naive(b, c, rows[1:], packed)) {
					t.Errorf("column %d: the law does not see a row", c)
				}
			}
		}
	}
}

// Law: the histogram of a parent is exactly the sum of those of its children,
// so that subtracting one leaves the other. The planted mutant moves a row to
// the other child.
func TestParentIsTheSumOfItsChildren(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 5))
	d := random(5000, 9, 6)
	_, b := d.bin(t, Defaults())
	packed := noise(rng, len(d.Label))
	all := drawRows(len(d.Label), 1, 0, 0, nil)
	n := new(crew).partition(b.bytes[0], (&split{threshold: 90}).goesLeft(&b.columns[0]), all, make([]int32, len(all)))
	for c := range b.columns {
		whole, left, right := naive(b, c, all, packed), naive(b, c, all[:n], packed), naive(b, c, all[n:], packed)
		mutant := slices.Clone(whole)
		if subtract(whole, left); !slices.Equal(whole, right) {
			t.Fatalf("column %d: what remains is not the other child", c)
		}
		if subtract(mutant, naive(b, c, all[:n+1], packed)); slices.Equal(mutant, right) {
			t.Errorf("column %d: the law does not see a row", c)
		}
	}
}

// Law: the fields of a packed bin hold the sums of the most extreme rows that
// may come together. The planted mutant is one row more.
func TestPackedSumsFit(t *testing.T) {
	for _, g := range []int64{gradOne, -gradOne, 0} {
		sum := func(rows int64) bin { return unpack(uint64(rows) * pack(g, hessOne/4)) }
		if got, want := sum(narrowRows), (bin{g * narrowRows, hessOne / 4 * narrowRows, narrowRows}); got != want {
			t.Errorf("gradient %d: %+v, want %+v", g, got, want)
		}
		if got, want := sum(narrowRows+1), (bin{g * (narrowRows + 1), hessOne / 4 * (narrowRows + 1), narrowRows + 1}); got == want {
			t.Errorf("gradient %d: there is room for more rows", g)
		}
	}
}

// Law: rounding is right in the mean, however small the gradient, and exact
// where it can be. The planted mutant rounds to the nearest.
func TestRoundingIsNotBiased(t *testing.T) {
	r := newRounding(1, 1, 2)
	const rows, g, h = 200_000, -0.3 / gradOne, 0.2 / hessOne
	var sum bin
	for i := range rows {
		sum.add(unpack(r.pack(i, g, h)))
	}
	// four standard errors of a coin with these odds
	if a, b := float64(sum.g)/rows+0.3, float64(sum.h)/rows-0.2; max(a, -a) > 4*0.46/447 || max(b, -b) > 4*0.4/447 {
		t.Errorf("the means are off by %v and %v", a, b)
	}
	if nearest := 0.0; nearest == float64(sum.g) {
		t.Error("the law does not see rounding to the nearest")
	}
	for i := range 100 {
		if got := unpack(r.pack(i, -0.5, 0.25)); got != (bin{-gradOne / 2, hessOne / 4, 1}) {
			t.Fatalf("row %d: -½ and ¼ became %+v", i, got)
		}
	}
	for _, most := range []float64{1e-9, 0.7, 1, 3, 1e9} {
		if s := newRounding(most, 1, 1).scale * most; s > 1 || s <= 0.5 {
			t.Errorf("weights up to %v are scaled to %v", most, s)
		}
	}
}

// Law: a partition is stable and complete.
func TestPartitionMatchesTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 6))
	for _, n := range []int{1, 2, 100, partitionRows, 3*partitionRows + 5} {
		bins := make([]uint8, n)
		for i := range bins {
			bins[i] = uint8(rng.IntN(256))
		}
		goes := (&split{threshold: rng.IntN(250), missingLeft: true}).goesLeft(&column{bins: 255})
		rows := drawRows(n, 1, 0, 0, nil)
		want := slices.Clone(rows)
		slices.SortStableFunc(want, func(a, b int32) int { return int(goes[bins[b]]) - int(goes[bins[a]]) })
		left := new(crew).partition(bins, goes, rows, make([]int32, n))
		if !slices.Equal(rows, want) || left < n && goes[bins[rows[left]]] == 1 || left > 0 && goes[bins[rows[left-1]]] == 0 {
			t.Errorf("%d rows: not a stable partition", n)
		}
	}
}
