package explain

import (
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
//
// Rejected: the textbook's Algorithm 2 (some 80 times slower here), and a table
// of contributions for each leaf by the features that the row follows, as Fast
// TreeSHAP v2 has (Yang 2021): leaf-wise trees have paths of 10 features and
// more, whose tables take 30 to 170 MB and a cache miss per leaf.
type Trees struct {
	model *gbdt.Model
	trees []compiled
	base  float64
	nodes int // of the largest tree
	slots int // of the largest tree
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
	for i := range m.Trees {
		c := compile(&m.Trees[i], source)
		t.nodes, t.slots = max(t.nodes, len(m.Trees[i].Nodes)), max(t.slots, c.slots)
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
