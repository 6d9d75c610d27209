package explain

import (
	"churn/model"
	"churn/model/gbdt"
)

// Trees explains a gbdt.Model by its Shapley values, where the value of a set
// of features is the path-dependent expectation: at a split on a feature of the
// set the row goes its way, at any other it goes both, weighted by the covers
// of the children (Lundberg, Erion & Lee 2018, Algorithm 1). Trees is immutable
// and safe for concurrent use.
//
// A leaf of value v whose path has D distinct features, with z_j the fraction
// of the cover and o_j = 1 if the row follows the path in j, else 0, gives
//
//	φ_j = v (o_j − z_j) ∫₀¹ Π_{k≠j} (o_k t + z_k (1−t)) dt
//
// since the Shapley weight of a set of s features is ∫ t^s (1−t)^{D−1−s} dt. The
// integrand is a polynomial of degree D−1, so ⌈D/2⌉ Gauss–Legendre points are
// exact. At each point the product is carried down the tree and the sum over
// leaves back up, as Linear TreeShap does with its points of interpolation (Yu
// et al. 2022): time ∝ nodes × points. All points,
// weights and factors are positive, so no product loses precision.
type Trees struct {
	model *gbdt.Model
	trees []compiled
	base  float64
	nodes int // of the largest tree
	cells int // nodes × points, at most
}

// NewTrees prepares the explanation of m, which has passed its Check and must
// not change. source[f] is the raw feature that m.Features[f] comes from; nil
// if they are the same. It panics if the length of source is another.
func NewTrees(m *gbdt.Model, source []int) *Trees {
	if source == nil {
		for f := range m.Features {
			source = append(source, f)
		}
	}
	if len(source) != len(m.Features) {
		panic("explain: source does not have one entry per feature of the trees")
	}
	t := &Trees{model: m, base: m.Base}
	var rules []quadrature
	for i := range m.Trees {
		c := compile(&m.Trees[i], source, &rules)
		n := len(m.Trees[i].Nodes)
		t.nodes, t.cells = max(t.nodes, n), max(t.cells, n*c.points)
		t.base += expectation(&m.Trees[i], 0)
		t.trees = append(t.trees, c)
	}
	return t
}

// Base returns the expected margin under the covers.
func (t *Trees) Base() float64 { return t.base }

// expectation returns the expected value of the subtree of node i.
func expectation(t *gbdt.Tree, i int32) float64 {
	n := &t.Nodes[i]
	if n.Feature == gbdt.Leaf {
		return n.Value
	}
	left, right := fractions(t, i)
	return float64(left*expectation(t, i+1)) + float64(right*expectation(t, n.Right))
}

// TreeExplainer explains single rows. It holds scratch space: one for each
// goroutine.
type TreeExplainer struct {
	trees    *Trees
	followed []bool    // by node: the row passes all splits on the feature of the edge to it
	way      []uint8   // by split
	value    []float64 // by node and point: products on the way down, sums on the way up
}

// NewExplainer returns an explainer for one goroutine.
func (t *Trees) NewExplainer() *TreeExplainer {
	return &TreeExplainer{
		trees:    t,
		followed: make([]bool, t.nodes),
		way:      make([]uint8, t.nodes),
		value:    make([]float64, t.cells),
	}
}

// Contributions fills out with the Shapley value of each raw feature. Base and
// they sum to the margin.
func (e *TreeExplainer) Contributions(r model.Row, out []float64) {
	clear(out)
	for k := range e.trees.trees {
		t := &e.trees.trees[k]
		e.descend(t, r)
		e.ascend(t, out)
	}
}

// descend sends the row down every path and fills value with the product of
// each node's path.
func (e *TreeExplainer) descend(t *compiled, r model.Row) {
	p := t.points
	e.followed[0] = true
	for i := range p {
		e.value[i] = 1
	}
	for i := range t.splits {
		s := &t.splits[i]
		way := e.choose(t, s, r)
		e.way[i] = uint8(way)
		here, left, right := e.at(s.node, p), e.at(s.node+1, p), e.at(s.right, p)
		for j, f := range t.coef[(i*ways+way)*p:][:p] {
			left[j] = here[j] * f.left
			right[j] = here[j] * f.right
		}
	}
}

// choose returns the way of the row at split s.
func (e *TreeExplainer) choose(t *compiled, s *split, r model.Row) int {
	left := e.trees.model.Left(t.source, &t.source.Nodes[s.node], r)
	above := e.followed[s.above]
	e.followed[s.node+1] = above && left
	e.followed[s.right] = above && !left
	switch {
	case !above:
		return cutOff
	case left:
		return wentLeft
	}
	return wentRight
}

// at returns the values of a node.
func (e *TreeExplainer) at(node int32, points int) []float64 {
	i := int(node) * points
	return e.value[i : i+points : i+points]
}

// ascend sums the leaves below each node and adds what every split gives.
func (e *TreeExplainer) ascend(t *compiled, out []float64) {
	p := t.points
	for _, leaf := range t.leaves {
		v := t.source.Nodes[leaf].Value
		for j := range e.at(leaf, p) {
			e.value[int(leaf)*p+j] *= v
		}
	}
	for i := len(t.splits) - 1; i >= 0; i-- {
		s := &t.splits[i]
		here, left, right := e.at(s.node, p), e.at(s.node+1, p), e.at(s.right, p)
		sum := 0.0
		for j, f := range t.coef[(i*ways+int(e.way[i]))*p:][:p] {
			l, r := left[j], right[j]
			sum += float64(f.addLeft*l) + float64(f.addRight*r)
			here[j] = l + r
		}
		out[s.out] += sum
	}
}
