package gbdt

import "math"

// split is a way to divide the rows of a node.
type split struct {
	gain        float64 // 0: none
	column      int
	threshold   int // a numeric: bins up to it go left
	set         Set // a categorical: the levels that go left
	missingLeft bool
	left        bin // what goes left
	lower       float64
	upper       float64 // values of the children, left and right of the constraint
}

// node is what the search for a split knows of a node.
type node struct {
	sum  bin
	low  float64 // bounds of its values
	high float64
}

// searcher finds splits. Sums are those of a bin, in units of gradients.
//
// With G and H the sums of gradients and hessians, a node of value v has the
// loss G·v + ½(H+λ)v² (Chen & Guestrin 2016, eq. 4), which v* = -G/(H+λ)
// minimises. The gain of a split is twice the fall of the loss: for values
// without bounds
//
//	G_L²/(H_L+λ) + G_R²/(H_R+λ) - G²/(H+λ) .
type searcher struct {
	params  *Params
	unitG   float64 // gradient of 1
	unitH   float64
	bounded bool // some feature is monotone
}

// value returns the value of a node, within its bounds.
func (s *searcher) value(b bin, n *node) float64 {
	g, h := float64(b.g)*s.unitG, float64(float64(b.h)*s.unitH)+s.params.L2
	if h <= 0 {
		return 0
	}
	return min(max(-g/h, n.low), n.high)
}

// score returns -2·loss of a node with its best value.
func (s *searcher) score(b bin, n *node) float64 {
	g, h := float64(b.g)*s.unitG, float64(float64(b.h)*s.unitH)+s.params.L2
	if h <= 0 {
		return 0
	}
	if !s.bounded {
		return g * g / h
	}
	v := min(max(-g/h, n.low), n.high)
	return -float64(2*g*v) - float64(h*v*v)
}

// fits reports whether b may be a leaf.
func (s *searcher) fits(b bin) bool {
	return b.n >= int64(s.params.MinSamplesLeaf) && float64(b.h)*s.unitH >= s.params.MinChildWeight
}

// gain returns the gain of a split of n that sends left to the left, or 0 if
// that is not allowed. sign is the constraint of the column.
func (s *searcher) gain(left bin, n *node, sign int8) float64 {
	right := n.sum
	right.sub(left)
	if !s.fits(left) || !s.fits(right) {
		return 0
	}
	if sign != 0 && float64(sign)*(s.value(right, n)-s.value(left, n)) < 0 {
		return 0
	}
	return s.score(left, n) + s.score(right, n) - s.score(n.sum, n)
}

// numeric returns the best split of a node on a numeric column, whose bins are
// h. Nulls go right, then left; where the node has none, later nulls go to the
// child with more rows.
func (s *searcher) numeric(c *column, h []bin, n *node) split {
	var best split
	null := h[c.bins]
	s.scan(c, h, n, bin{}, &best)
	if null.n > 0 {
		s.scan(c, h, n, null, &best)
	} else {
		best.missingLeft = 2*best.left.n > n.sum.n
	}
	return best
}

// scan tries all thresholds with the nulls that start on the left.
func (s *searcher) scan(c *column, h []bin, n *node, start bin, best *split) {
	left, last := start, c.bins-1
	if start.n == 0 && h[c.bins].n > 0 {
		last++ // nulls against all others
	}
	for b, v := range h[:last] {
		left.add(v)
		if v.n == 0 {
			continue
		}
		if gain := s.gain(left, n, c.sign); gain > best.gain {
			*best = split{gain: gain, threshold: b, missingLeft: start.n > 0, left: left}
		}
	}
}

// search returns the best split of a node on column c.
func (s *searcher) search(c *column, h []bin, n *node) split {
	if c.levels {
		return s.categorical(c, h, n)
	}
	return s.numeric(c, h, n)
}

// children returns the bounds of the children of n. A monotone split keeps
// them on either side of the mean of their values (as scikit-learn and
// LightGBM's basic method do).
func (s *searcher) children(b *split, n *node, sign int8) (left, right node) {
	left, right = *n, *n
	left.sum = b.left
	right.sum.sub(b.left)
	middle := (s.value(left.sum, n) + s.value(right.sum, n)) / 2
	switch sign {
	case 1:
		left.high, right.low = middle, middle
	case -1:
		left.low, right.high = middle, middle
	}
	return left, right
}

// root returns the node of all rows.
func root(sum bin) node { return node{sum: sum, low: math.Inf(-1), high: math.Inf(1)} }
