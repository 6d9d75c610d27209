package gbdt

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Streams of random numbers of a seed, beside that of the rounding.
const (
	rowStream    = 0x726f77
	columnStream = 0x636f6c
)

// drawRows writes the rows of a tree, ascending, to out: each of n is drawn
// with probability share, by its own hash, whatever the others do.
func drawRows(n int, share float64, seed, round uint64, out []int32) []int32 {
	if share == 1 {
		out = slices.Grow(out[:0], n)[:n]
		for i := range out {
			out[i] = int32(i)
		}
		return out
	}
	out = out[:0]
	key := mix(mix(seed^rowStream) + round)
	for i := range n {
		if float64(mix(key+uint64(i))>>11) < share*(1<<53) {
			out = append(out, int32(i))
		}
	}
	return out
}

// drawColumns marks the columns of a tree: the share of them, but at least one.
func drawColumns(share float64, seed, round uint64, use []bool) {
	clear(use)
	k := max(1, int(math.Round(share*float64(len(use)))))
	rng := rand.New(rand.NewPCG(seed^columnStream, round))
	for _, c := range rng.Perm(len(use))[:k] {
		use[c] = true
	}
}
