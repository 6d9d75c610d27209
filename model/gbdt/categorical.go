package gbdt

import (
	"cmp"
	"slices"
)

// categorical returns the best split of a node on a categorical column: the
// levels are sorted by G/(H + cat_smooth), and prefixes of that order are tried
// from either end (Fisher, JASA 1958: the best set of levels is such a prefix;
// Ke et al. 2017). A level with few rows in the node stays on the right, where
// unseen ones go.
func (s *searcher) categorical(c *column, h []bin, n *node) split {
	order := s.order(h[:c.bins])
	var best split
	s.prefixes(order, h, n, &best)
	slices.Reverse(order)
	s.prefixes(order, h, n, &best)
	return best
}

// order returns the levels with enough rows, sorted.
func (s *searcher) order(h []bin) []int {
	var out []int
	for l, b := range h {
		if b.n >= int64(s.params.MinSamplesLevel) {
			out = append(out, l)
		}
	}
	ratio := func(b bin) float64 {
		return float64(b.g) * s.unitG / max(float64(float64(b.h)*s.unitH)+s.params.CatSmooth, 1e-300)
	}
	slices.SortStableFunc(out, func(a, b int) int { return cmp.Compare(ratio(h[a]), ratio(h[b])) })
	return out
}

// prefixes tries the first levels of order, up to half of them, as those that
// go left.
func (s *searcher) prefixes(order []int, h []bin, n *node, best *split) {
	var left bin
	var set Set
	for _, l := range order[:(len(order)+1)/2] {
		left.add(h[l])
		set[l>>6] |= 1 << (uint(l) & 63)
		if gain := s.gain(left, n, 0); gain > best.gain {
			*best = split{gain: gain, set: set, left: left}
		}
	}
}
