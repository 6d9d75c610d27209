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
	low := s.prefixes(order, h, n)
	slices.Reverse(order)
	if high := s.prefixes(order, h, n); high.gain > low.gain {
		return high
	}
	return low
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
func (s *searcher) prefixes(order []int, h []bin, n *node) (best split) {
	need, whole := s.limits(), s.score(n.sum, n)
	var left bin
	var set Set
	for _, l := range order[:(len(order)+1)/2] {
		left.add(h[l])
		set[l>>6] |= 1 << (uint(l) & 63)
		right := bin{n.sum.g - left.g, n.sum.h - left.h, n.sum.n - left.n}
		if min(left.n, right.n) < need.rows || min(left.h, right.h) < need.hess {
			continue
		}
		if gain := s.parts(left, right, n, 0) - whole; gain > best.gain {
			best = split{gain: gain, set: set, left: left}
		}
	}
	return s.real(best, whole)
}
