package gbdt

import (
	"math"

	"churn/model"
)

// Model is a sum of regression trees on raw encoded rows (encode.Options.Raw):
// the margin is Base plus the value of the leaf that the row falls into in each
// tree, summed in the order of the trees.
type Model struct {
	Base     float64   `json:"base"` // log-odds before the first tree
	Features []Feature `json:"features"`
	Trees    []Tree    `json:"trees"`
}

// Feature is a column that trees split on: first the Width dense columns of
// the matrix, then its Groups categoricals.
type Feature struct {
	Name   string `json:"name"`
	Levels int    `json:"levels,omitempty"` // codes of a categorical; 0 = numeric
	First  int32  `json:"first,omitempty"`  // code of its first level
}

// Tree is a binary tree in pre-order: Nodes[0] is the root, and the left child
// of node i is node i+1.
type Tree struct {
	Nodes []Node `json:"nodes"`
	Sets  []Set  `json:"sets,omitempty"` // of categorical splits
}

// Set is a set of level numbers 0…255.
type Set [4]uint64

// Has reports whether level is in the set; a level out of range is not.
func (s *Set) Has(level int32) bool {
	return uint32(level) < 256 && s[level>>6]>>(uint(level)&63)&1 == 1
}

// Leaf marks a node without children, in Node.Feature.
const Leaf = -1

// Node is a split or a leaf.
type Node struct {
	Feature     int32   `json:"feature"` // index into Features, or Leaf
	Right       int32   `json:"right"`   // index of the right child
	Set         int32   `json:"set"`     // of a categorical split: index into Sets; else -1
	MissingLeft bool    `json:"missing_left"`
	Value       float64 `json:"value"` // of a leaf: added to the margin; of a numeric split: the threshold
	Cover       float64 `json:"cover"` // total weight of the training rows that came here
	Gain        float64 `json:"gain"`  // of a split: twice the fall of the training loss that it was chosen for
}

// Left reports whether row r goes to the left child of split n: a numeric
// x ≤ Value, or a level in the set; a null goes where MissingLeft says.
func (m *Model) Left(t *Tree, n *Node, r model.Row) bool {
	if n.Set >= 0 {
		f := &m.Features[n.Feature]
		level := r.Codes[int(n.Feature)-len(r.Dense)] - f.First
		return t.Sets[n.Set].Has(level)
	}
	x := r.Dense[n.Feature]
	return x <= n.Value || n.MissingLeft && math.IsNaN(x)
}
