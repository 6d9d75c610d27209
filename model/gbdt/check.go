package gbdt

import (
	"errors"
	"fmt"
	"math"
)

// Check returns an error unless every walk through m ends at a leaf, on rows
// of its features: each tree is a binary tree in pre-order, its categorical
// splits own its sets one by one in that order, all indices are in range and
// all numbers are finite.
func (m *Model) Check() error {
	if !finite(m.Base) {
		return errors.New("boosted trees: the base is not finite")
	}
	numeric := true // numerics come first
	for _, f := range m.Features {
		if f.Levels < 0 || f.Levels > 256 || f.First < 0 || f.Levels == 0 && (!numeric || f.First != 0) {
			return fmt.Errorf("boosted trees: feature %q has a wrong shape", f.Name)
		}
		numeric = f.Levels == 0
	}
	for t := range m.Trees {
		if err := m.checkTree(&m.Trees[t]); err != nil {
			return fmt.Errorf("boosted trees: tree %d: %w", t, err)
		}
	}
	return nil
}

// checkTree returns what is wrong with t. open holds the right children to
// come, the next one last.
func (m *Model) checkTree(t *Tree) error {
	var open []int32
	sets := int32(0)
	for i := range t.Nodes {
		n := &t.Nodes[i]
		if err := m.checkNode(n, sets); err != nil {
			return fmt.Errorf("node %d: %w", i, err)
		}
		if n.Set >= 0 {
			sets++
		}
		if n.Feature != Leaf {
			open = append(open, n.Right)
			continue
		}
		if len(open) == 0 {
			if i+1 != len(t.Nodes) || int(sets) != len(t.Sets) {
				return fmt.Errorf("there are %d nodes and %d sets; the root has %d and %d", len(t.Nodes), len(t.Sets), i+1, sets)
			}
			return nil
		}
		if open[len(open)-1] != int32(i+1) {
			return fmt.Errorf("node %d is not the right child of its parent", i+1)
		}
		open = open[:len(open)-1]
	}
	return errors.New("a split has no children")
}

// checkNode returns what is wrong with n itself; set is the next one.
func (m *Model) checkNode(n *Node, set int32) error {
	switch {
	case !finite(n.Value) || !finite(n.Cover) || !finite(n.Gain) || n.Cover < 0 || n.Gain < 0:
		return errors.New("a number is not finite, or negative")
	case n.Feature == Leaf && (n.Right != 0 || n.Set != -1 || n.MissingLeft || n.Gain != 0):
		return errors.New("a leaf has the fields of a split")
	case n.Feature == Leaf:
		return nil
	case n.Feature < 0 || int(n.Feature) >= len(m.Features):
		return errors.New("there is no such feature")
	case m.Features[n.Feature].Levels == 0 && n.Set != -1:
		return errors.New("a numeric feature is split by a set")
	case m.Features[n.Feature].Levels > 0 && (n.Set != set || n.Value != 0):
		return errors.New("a categorical feature is split without a set of its own, or by a value")
	}
	return nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
