package explain

import (
	"math"
	"math/rand/v2"

	"churn/model"
	"churn/model/gbdt"
)

// The features of random models: numerics, then categoricals of levels levels.
const (
	numerics     = 5
	categoricals = 2
	levels       = 4
)

// randomModel returns a model of trees with at most leaves leaves, whose covers
// are those of no data: any positive numbers that add up.
func randomModel(rng *rand.Rand, trees, leaves int) *gbdt.Model {
	m := &gbdt.Model{Base: rng.NormFloat64()}
	for range numerics {
		m.Features = append(m.Features, gbdt.Feature{})
	}
	for g := range categoricals {
		m.Features = append(m.Features, gbdt.Feature{Levels: levels, First: int32(numerics + levels*g)})
	}
	for range trees {
		t := gbdt.Tree{}
		grow(rng, &t, 1+rng.IntN(leaves), 1000*rng.Float64())
		m.Trees = append(m.Trees, t)
	}
	return m
}

// grow appends a subtree of leaves leaves. The last numeric is never split on,
// as a law needs one that is not.
func grow(rng *rand.Rand, t *gbdt.Tree, leaves int, cover float64) {
	i := len(t.Nodes)
	t.Nodes = append(t.Nodes, gbdt.Node{Feature: gbdt.Leaf, Set: -1, Value: rng.NormFloat64(), Cover: cover})
	if leaves == 1 {
		return
	}
	f := rng.IntN(numerics + categoricals - 1)
	if f >= unused {
		f++
	}
	n := gbdt.Node{Feature: int32(f), Set: -1, Value: rng.NormFloat64(), MissingLeft: rng.IntN(2) == 0, Cover: cover}
	if f >= numerics {
		n.Set = int32(len(t.Sets))
		t.Sets = append(t.Sets, gbdt.Set{rng.Uint64()})
	}
	left, share := 1+rng.IntN(leaves-1), rng.Float64()
	grow(rng, t, left, cover*share)
	n.Right = int32(len(t.Nodes))
	t.Nodes[i] = n
	grow(rng, t, leaves-left, cover*(1-share))
}

const unused = numerics - 1

// randomMatrix returns n rows for such models, some values null.
func randomMatrix(rng *rand.Rand, n int) *model.Matrix {
	x := &model.Matrix{Width: numerics, Groups: categoricals, Names: make([]string, numerics+levels*categoricals)}
	for range n {
		for range numerics {
			v := rng.NormFloat64()
			if rng.IntN(5) == 0 {
				v = math.NaN()
			}
			x.Dense = append(x.Dense, v)
		}
		for g := range categoricals {
			x.Codes = append(x.Codes, int32(numerics+levels*g+rng.IntN(levels)))
		}
	}
	return x
}

// margin is the margin of a model, by walking.
func margin(m *gbdt.Model, r model.Row) float64 {
	sum := m.Base
	for k := range m.Trees {
		t := &m.Trees[k]
		i := int32(0)
		for t.Nodes[i].Feature != gbdt.Leaf {
			if n := &t.Nodes[i]; m.Left(t, n, r) {
				i++
			} else {
				i = n.Right
			}
		}
		sum += t.Nodes[i].Value
	}
	return sum
}
