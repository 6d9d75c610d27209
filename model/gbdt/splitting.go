package gbdt

import "math"

// split is a way to divide the rows of a node.
type split struct {
	gain        float64 // 0: none
	column      int
	threshold   int  // a numeric: bins up to it go left
	missingLeft bool // a numeric: where nulls go
	set         Set  // a categorical: the levels that go left
	left        bin  // what goes left
}

// node is what the search for a split knows of a node.
type node struct {
	sum       bin
	low, high float64 // bounds of its value
}

// root returns the node of all rows.
func root(sum bin) node { return node{sum: sum, low: math.Inf(-1), high: math.Inf(1)} }

// searcher finds splits.
//
// With G and H the sums of gradients and hessians, a node of value v has the
// loss G·v + ½(H+λ)v² (Chen & Guestrin 2016, eq. 4), which v* = -G/(H+λ)
// minimises. The gain of a split is twice the fall of that loss, without bounds
//
//	G_L²/(H_L+λ) + G_R²/(H_R+λ) - G²/(H+λ) .
type searcher struct {
	params  *Params
	unitG   float64 // the gradient of 1 in a bin
	unitH   float64 // the hessian of 1 in a bin
	bounded bool    // some column is monotone
}

// newton returns G and H+λ.
func (s *searcher) newton(b bin) (g, h float64) {
	return float64(b.g) * s.unitG, float64(float64(b.h)*s.unitH) + s.params.L2
}

// value returns the value of rows b in node n. Rows without a hessian have no
// say.
func (s *searcher) value(b bin, n *node) float64 {
	g, h := s.newton(b)
	if h <= 0 {
		return 0
	}
	return min(max(-g/h, n.low), n.high)
}

// score returns -2·loss of rows b with the best value that node n allows.
func (s *searcher) score(b bin, n *node) float64 {
	g, h := s.newton(b)
	if h <= 0 {
		return 0
	}
	if !s.bounded {
		return g * g / h
	}
	v := min(max(-g/h, n.low), n.high)
	return -float64(2*g*v) - float64(h*v*v)
}

// parts returns the score of the children of n together, or -Inf if the
// constraint sign forbids them.
func (s *searcher) parts(left, right bin, n *node, sign int8) float64 {
	if sign != 0 && float64(sign)*(s.value(right, n)-s.value(left, n)) < 0 {
		return math.Inf(-1)
	}
	return s.score(left, n) + s.score(right, n)
}

// minGain is the share of a node's score below which a gain is rounding.
const minGain = 1e-12

// real returns b, or no split if its gain is rounding.
func (s *searcher) real(b split, whole float64) split {
	if b.gain <= minGain*whole {
		return split{}
	}
	return b
}

// limits are what a child needs: rows, and a hessian to divide by.
type limits struct{ rows, hess int64 }

func (s *searcher) limits() limits {
	return limits{int64(s.params.MinSamplesLeaf), max(1, int64(math.Ceil(s.params.MinChildWeight/s.unitH)))}
}

// best returns the best split of a node on column c, whose bins are h.
func (s *searcher) best(c *column, h []bin, n *node) split {
	if c.levels {
		return s.categorical(c, h, n)
	}
	return s.numeric(c, h, n)
}

// numeric tries all thresholds with the nulls on the right and then on the
// left, and nulls against values, which no constraint forbids. Where the node
// has none, those to come go to the child with more rows.
func (s *searcher) numeric(c *column, h []bin, n *node) split {
	null := h[c.bins]
	best := s.scan(h[:c.bins-1], bin{}, n, c.sign)
	if null.n == 0 {
		best.missingLeft = 2*best.left.n > n.sum.n
		return best
	}
	if left := s.scan(h[:c.bins-1], null, n, c.sign); left.gain > best.gain {
		best = left
		best.missingLeft = true
	}
	values := n.sum
	values.sub(null)
	if against := s.scan([]bin{values}, bin{}, n, 0); against.gain > best.gain {
		best = against
		best.threshold = c.bins - 1
	}
	return best
}

// scan tries the thresholds at every bin of h; left is what goes left anyway.
// Empty bins are passed over, since they change nothing.
func (s *searcher) scan(h []bin, left bin, n *node, sign int8) (best split) {
	if !s.bounded {
		return s.scanFree(h, left, n)
	}
	need, whole := s.limits(), s.score(n.sum, n)
	for i, b := range h {
		if b.n == 0 {
			continue
		}
		left.add(b)
		if left.n < need.rows || left.h < need.hess {
			continue
		}
		right := n.sum
		if right.sub(left); right.n < need.rows || right.h < need.hess {
			break
		}
		if gain := s.parts(left, right, n, sign) - whole; gain > best.gain {
			best.gain, best.threshold, best.left = gain, i, left
		}
	}
	return s.real(best, whole)
}

// scanFree is scan where no feature is monotone: in units of the integers, which
// are powers of two, and with a division only where the best so far is beaten.
func (s *searcher) scanFree(h []bin, left bin, n *node) (best split) {
	need, at := s.limits(), -1
	most := bin{n: n.sum.n - need.rows, h: n.sum.h - need.hess} // of left
	lambda, g, hess := s.params.L2/s.unitH, float64(n.sum.g), float64(n.sum.h)
	unit := s.unitG * s.unitG / s.unitH
	parts := s.score(n.sum, n) / unit // of the best
	for i := range h {
		b := &h[i]
		if b.n == 0 {
			continue
		}
		left.g, left.h, left.n = left.g+b.g, left.h+b.h, left.n+b.n
		if left.n < need.rows || left.h < need.hess {
			continue
		}
		if left.n > most.n || left.h > most.h {
			break
		}
		l, k := float64(left.g), float64(left.h)+lambda
		r, q := g-float64(left.g), hess-float64(left.h)+lambda
		num, den := float64(float64(l*l)*q)+float64(float64(r*r)*k), float64(k*q) // l²/k + r²/q
		if num > float64(parts*den) {
			parts, at, best.left = num/den, i, left
		}
	}
	if at < 0 {
		return split{}
	}
	whole := s.score(n.sum, n)
	best.threshold, best.gain = at, float64(parts*unit)-whole
	return s.real(best, whole)
}

// children returns the children of n by a split on column c. A monotone split
// keeps their values on either side of the mean of both, as scikit-learn and
// LightGBM's basic method do.
func (s *searcher) children(b *split, n *node, c *column) (left, right node) {
	left, right = *n, *n
	left.sum = b.left
	right.sum.sub(b.left)
	if b.threshold == c.bins-1 { // nulls against values
		return left, right
	}
	middle := (s.value(left.sum, n) + s.value(right.sum, n)) / 2
	switch c.sign {
	case 1:
		left.high, right.low = middle, middle
	case -1:
		left.low, right.high = middle, middle
	}
	return left, right
}
