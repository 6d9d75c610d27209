package explain

import "churn/model/gbdt"

// compiled is a tree with all that does not depend on the row. Positions are
// those of the tree's nodes.
type compiled struct {
	source *gbdt.Tree
	points int      // of the quadrature rule: half of the distinct features of the longest path
	splits []split  // in pre-order
	leaves []int32  // positions
	coef   []factor // of each split: points for each way
}

// split is an inner node.
type split struct {
	node, right int32 // positions; the left child is at node+1
	above       int32 // the node below the last split above on the same feature; the root if none
	out         int32 // raw feature
}

// factor is what a split does at one quadrature point: to the products of its
// children (left, right), and to the contribution of its feature.
type factor struct {
	left, right       float64
	addLeft, addRight float64
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
	tree  *gbdt.Tree
	zero  []float64 // by node: fraction of the cover that passes all splits on the feature of the edge to it
	last  []int32   // by feature: the last node below a split on it, on the path from the root
	out   compiled
	paths int // distinct features of the longest path
}

// compile prepares a tree of a model whose features come from the raw features
// source. rules[n] is the quadrature rule of n points; it grows as needed.
func compile(t *gbdt.Tree, source []int, rules *[]quadrature) compiled {
	c := &compiler{tree: t, zero: make([]float64, len(t.Nodes)), last: make([]int32, len(source))}
	c.out.source = t
	c.zero[0] = 1
	c.visit(0, 0, source)
	c.out.points = max(1, (c.paths+1)/2)
	for len(*rules) <= c.out.points {
		*rules = append(*rules, gaussLegendre(max(1, len(*rules))))
	}
	for _, s := range c.out.splits {
		c.factors(s, (*rules)[c.out.points])
	}
	return c.out
}

// visit walks the subtree of node i, which has distinct features above it.
func (c *compiler) visit(i int32, distinct int, source []int) {
	n := &c.tree.Nodes[i]
	if n.Feature == gbdt.Leaf {
		c.out.leaves = append(c.out.leaves, i)
		c.paths = max(c.paths, distinct)
		return
	}
	above := c.last[n.Feature]
	if above == 0 {
		distinct++
	}
	c.out.splits = append(c.out.splits, split{node: i, right: n.Right, above: above, out: int32(source[n.Feature])})
	left, right := fractions(c.tree, i)
	c.zero[i+1], c.zero[n.Right] = c.zero[above]*left, c.zero[above]*right
	for _, child := range [2]int32{i + 1, n.Right} {
		c.last[n.Feature] = child
		c.visit(child, distinct, source)
	}
	c.last[n.Feature] = above
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

// factors appends the factors of split s.
//
// With z the fraction of a path's feature and t a quadrature point, the feature
// has the factor t + z(1−t) where the row follows the path, and z(1−t) where it
// does not; a feature that is not yet on the path has z = 1 and is followed.
func (c *compiler) factors(s split, rule quadrature) {
	zero, left, right := c.zero[s.above], c.zero[s.node+1], c.zero[s.right]
	shareLeft, shareRight := fractions(c.tree, s.node)
	var by [ways][]factor
	for p, t := range rule.point {
		w, missed := rule.weight[p], 1-t
		followed := t + float64(zero*missed)
		before := (1 - zero) / followed
		stay := func(z float64) (product, add float64) {
			f := t + float64(z*missed)
			return f / followed, w * ((1-z)/f - before)
		}
		leave := func(z float64) (product, add float64) {
			return z * missed / followed, -w * (1/missed + before)
		}
		var l, r factor
		l.left, l.addLeft = stay(left)
		l.right, l.addRight = leave(right)
		r.left, r.addLeft = leave(left)
		r.right, r.addRight = stay(right)
		by[wentLeft] = append(by[wentLeft], l)
		by[wentRight] = append(by[wentRight], r)
		by[cutOff] = append(by[cutOff], factor{left: shareLeft, right: shareRight})
	}
	for _, f := range by {
		c.out.coef = append(c.out.coef, f...)
	}
}
