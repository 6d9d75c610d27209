package explain

import "churn/model/gbdt"

// compiled is a tree with all that does not depend on the row.
//
//	top      ┌─ split ─┐        visited by every row, down and up
//	      split       unit
//	     ┌──┴──┐                a subtree of at most unitSplits splits, whose
//	   unit   unit              effect is looked up by the ways of its splits
//
// The values that go down and up are held by slot: one for each split of the
// top and each unit, in pre-order.
type compiled struct {
	tests  []test // all splits of the tree, in pre-order
	passes []pass
	slots  int
}

// pass is a tree at some of the points of its quadrature rule.
type pass struct {
	splits []split // of the top, in pre-order
	units  []unit
}

// test decides the way of a row at one split. Positions are those of nodes.
type test struct {
	threshold    float64
	node         int32 // the left child is at node+1
	right, above int32 // above is the node below the last split above on the same feature; the root if none
	dense        int32 // column of a numeric; -1 for a categorical
	missingLeft  uint8
}

// split is an inner node of the top.
type split struct {
	test              int32 // its index in tests
	here, left, right int32 // slots
	out               int32 // raw feature
	factors           [ways]factors
}

// factors are what a split does to the products of its children (left, right),
// and to the contribution of its feature.
type factors struct {
	left, right       vector
	addLeft, addRight vector
}

// The ways a row can take at a split.
const (
	wentLeft = iota
	wentRight
	cutOff // a split above on the same feature has already led elsewhere
	ways
)

// compiler walks one tree.
type compiler struct {
	tree    *gbdt.Tree
	source  []int     // raw feature of each feature
	zero    []float64 // by node: fraction of the cover that passes all splits on the feature of the edge to it
	last    []int32   // by feature: the last node below a split on it, on the path from the root
	below   []int     // by node: splits of its subtree
	longest int       // most distinct features of a path
	tests   []test

	rule  quadrature // of the pass that is being built
	out   pass
	slots int32
}

// compile prepares a tree of a model whose features come from the raw features
// source.
func compile(t *gbdt.Tree, source []int) compiled {
	n := len(t.Nodes)
	c := &compiler{tree: t, source: source, zero: make([]float64, n), last: make([]int32, len(source)), below: make([]int, n)}
	c.zero[0] = 1
	c.measure(0, 0)
	out := compiled{tests: c.tests}
	for p, rule := 0, gaussLegendre(c.points()); p < len(rule.point); p += lanes {
		c.rule = quadrature{rule.point[p:][:lanes], rule.weight[p:][:lanes]}
		c.out, c.slots = pass{}, 0
		c.build(0, 0)
		out.passes = append(out.passes, c.out)
	}
	out.slots = int(c.slots)
	return out
}

// points returns the number of quadrature points that the tree needs, whole
// passes of them.
func (c *compiler) points() int {
	return max(1, (c.longest+2*lanes-1)/(2*lanes)) * lanes
}

// measure fills in what is known of each node, and tests, in the subtree of
// node i, which has distinct features above it.
func (c *compiler) measure(i int32, distinct int) {
	n := &c.tree.Nodes[i]
	if n.Feature == gbdt.Leaf {
		c.longest = max(c.longest, distinct)
		return
	}
	above := c.last[n.Feature]
	if above == 0 {
		distinct++
	}
	c.tests = append(c.tests, newTest(n, i, above))
	left, right := fractions(c.tree, i)
	c.zero[i+1], c.zero[n.Right] = c.zero[above]*left, c.zero[above]*right
	for _, child := range [2]int32{i + 1, n.Right} {
		c.last[n.Feature] = child
		c.measure(child, distinct)
	}
	c.last[n.Feature] = above
	c.below[i] = 1 + c.below[i+1] + c.below[n.Right]
}

// newTest returns the test of node n at position i.
func newTest(n *gbdt.Node, i, above int32) test {
	t := test{threshold: n.Value, node: i, right: n.Right, above: above, dense: n.Feature}
	if n.Set >= 0 {
		t.dense = -1
	}
	if n.MissingLeft {
		t.missingLeft = 1
	}
	return t
}

// fractions returns the shares of the cover of split i that went to either
// child; halves if no row ever came here.
func fractions(t *gbdt.Tree, i int32) (left, right float64) {
	a, b := t.Nodes[i+1].Cover, t.Nodes[t.Nodes[i].Right].Cover
	if !(a+b > 0) {
		return 0.5, 0.5
	}
	return a / (a + b), b / (a + b)
}

// build appends the top and the units of the subtree of node i, whose first
// test is tests[first], and returns its slot.
func (c *compiler) build(i int32, first int) int32 {
	slot := c.slots
	c.slots++
	if c.below[i] <= unitSplits {
		c.out.units = append(c.out.units, c.unit(i, first, slot))
		return slot
	}
	k := len(c.out.splits)
	c.out.splits = append(c.out.splits, split{})
	s := split{test: int32(first), here: slot, out: c.feature(i), factors: c.factors(&c.tests[first])}
	s.left = c.build(i+1, first+1)
	s.right = c.build(c.tree.Nodes[i].Right, first+1+c.below[i+1])
	c.out.splits[k] = s
	return slot
}

// feature returns the raw feature of split i.
func (c *compiler) feature(i int32) int32 { return int32(c.source[c.tree.Nodes[i].Feature]) }

// factors returns the factors of a split for each way and point.
//
// With z the fraction of a path's feature and t a quadrature point, the feature
// has the factor t + z(1−t) where the row follows the path, and z(1−t) where it
// does not; a feature that is not yet on the path has z = 1 and is followed.
func (c *compiler) factors(s *test) (by [ways]factors) {
	zero, left, right := c.zero[s.above], c.zero[s.node+1], c.zero[s.right]
	shareLeft, shareRight := fractions(c.tree, s.node)
	for p := range lanes {
		e := edge{t: c.rule.point[p], weight: c.rule.weight[p], above: zero}
		l, r, cut := &by[wentLeft], &by[wentRight], &by[cutOff]
		*l.left.lane(p), *l.addLeft.lane(p) = e.follow(left)
		*l.right.lane(p), *l.addRight.lane(p) = e.leave(right)
		*r.left.lane(p), *r.addLeft.lane(p) = e.leave(left)
		*r.right.lane(p), *r.addRight.lane(p) = e.follow(right)
		*cut.left.lane(p), *cut.right.lane(p) = shareLeft, shareRight
	}
	return by
}

// edge is an edge below a split at quadrature point t, for a row that has
// followed the feature so far; its fraction was above.
type edge struct{ t, weight, above float64 }

// follow returns, for a row that takes the edge, what the feature's fraction
// zero makes of the product, and the weight of the sum over leaves below in the
// feature's contribution, less what the split above counts.
func (e edge) follow(zero float64) (product, add float64) {
	before, now := e.factor(e.above), e.factor(zero)
	return now / before, e.weight * ((1-zero)/now - (1-e.above)/before)
}

// leave is follow for a row that takes the other edge.
func (e edge) leave(zero float64) (product, add float64) {
	before, missed := e.factor(e.above), 1-e.t
	return zero * missed / before, -e.weight * (1/missed + (1-e.above)/before)
}

// factor returns t + z(1−t).
func (e edge) factor(zero float64) float64 { return e.t + float64(zero*(1-e.t)) }
