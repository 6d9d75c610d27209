package explain

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"churn/model"
	"churn/model/gbdt"
)

// explained is what the laws look at: a function that fills the contributions
// of a row, and their base.
type explained struct {
	fill func(r model.Row, out []float64)
	base float64
}

func explain(m *gbdt.Model) explained {
	t := NewTrees(m, nil)
	return explained{t.NewExplainer().Contributions, t.Base()}
}

// additive returns an error unless base and contributions sum to the margin.
func additive(m *gbdt.Model, x *model.Matrix, e explained) error {
	out := make([]float64, len(m.Features))
	for i := range x.Rows() {
		e.fill(x.Row(i), out)
		sum := e.base
		for _, v := range out {
			sum += v
		}
		if d := math.Abs(sum - margin(m, x.Row(i))); !(d < 1e-11) {
			return fmt.Errorf("row %d: the sum is off by %g", i, d)
		}
	}
	return nil
}

// same returns an error unless the contributions are within tolerance of want.
func same(m *gbdt.Model, x *model.Matrix, e explained, want func(*gbdt.Model, model.Row) []float64, tolerance float64) error {
	out := make([]float64, len(m.Features))
	for i := range x.Rows() {
		e.fill(x.Row(i), out)
		for j, w := range want(m, x.Row(i)) {
			if !(math.Abs(out[j]-w) < tolerance) {
				return fmt.Errorf("row %d, feature %d: %v, want %v", i, j, out[j], w)
			}
		}
	}
	return nil
}

// dummy returns an error unless a feature that no tree splits on gets 0.
func dummy(m *gbdt.Model, x *model.Matrix, e explained) error {
	out := make([]float64, len(m.Features))
	for i := range x.Rows() {
		if e.fill(x.Row(i), out); out[unused] != 0 {
			return fmt.Errorf("row %d: %v to the feature without a split", i, out[unused])
		}
	}
	return nil
}

// saabas is a planted mutant: what each split on the row's own path changes in
// the expectation. It is additive and gives nothing to a dummy, but is not the
// Shapley value.
func saabas(m *gbdt.Model) explained {
	return explained{func(r model.Row, out []float64) {
		clear(out)
		for k := range m.Trees {
			t := &m.Trees[k]
			for i := int32(0); t.Nodes[i].Feature != gbdt.Leaf; {
				n, next := &t.Nodes[i], i+1
				if !m.Left(t, n, r) {
					next = n.Right
				}
				out[n.Feature] += expectation(t, next) - expectation(t, i)
				i = next
			}
		}
	}, NewTrees(m, nil).Base()}
}

// blind is a planted mutant: it takes nulls for zeros.
func blind(m *gbdt.Model) explained {
	e := explain(m)
	return explained{func(r model.Row, out []float64) {
		r.Dense = slices.Clone(r.Dense)
		for j, v := range r.Dense {
			if math.IsNaN(v) {
				r.Dense[j] = 0
			}
		}
		e.fill(r, out)
	}, e.base}
}

// shared is a planted mutant: it spreads the contributions a little, so that
// only the sum stays.
func shared(m *gbdt.Model) explained {
	e := explain(m)
	return explained{func(r model.Row, out []float64) {
		e.fill(r, out)
		out[0] -= 1e-8
		out[unused] += 1e-8
	}, e.base}
}

// Law: base and contributions sum to the margin, nulls and any level included;
// they are the Shapley values of the definition and of the textbook's
// algorithm; a feature without a split gets 0.
func TestTreesAreShapley(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, leaves := range []int{1, 2, 4, 12, 40} {
		m, x := randomModel(rng, 6, leaves), randomMatrix(rng, 20)
		e := explain(m)
		for name, err := range map[string]error{
			"additivity": additive(m, x, e),
			"dummy":      dummy(m, x, e),
			"definition": same(m, x, e, bruteForce, 1e-11),
			"textbook":   same(m, x, e, textbook, 1e-9),
		} {
			if err != nil {
				t.Errorf("%d leaves: %s: %v", leaves, name, err)
			}
		}
	}
}

// The laws notice the planted mutants.
func TestLawsNotice(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	m, x := randomModel(rng, 6, 12), randomMatrix(rng, 20)
	for name, err := range map[string]error{
		"definition, the mutant of Saabas":    same(m, x, saabas(m), bruteForce, 1e-11),
		"textbook, the mutant of Saabas":      same(m, x, saabas(m), textbook, 1e-9),
		"additivity, the mutant without null": additive(m, x, blind(m)),
		"dummy, the mutant that spreads":      dummy(m, x, shared(m)),
		"definition, the mutant that spreads": same(m, x, shared(m), bruteForce, 1e-11),
	} {
		if err == nil {
			t.Errorf("not noticed by %s", name)
		}
	}
	if err := additive(m, x, saabas(m)); err != nil {
		t.Errorf("the mutant of Saabas must be additive: %v", err)
	}
}

// Law: two features that play the same role in the trees and in the row get the
// same. The planted mutant goes by the order on the path.
func TestSymmetry(t *testing.T) {
	m := &gbdt.Model{Features: make([]gbdt.Feature, numerics+categoricals)}
	for _, pair := range [2][2]int32{{0, 1}, {1, 0}} { // 3 if both are positive
		m.Trees = append(m.Trees, gbdt.Tree{Nodes: []gbdt.Node{
			{Feature: pair[0], Right: 2, Set: -1, Cover: 10},
			{Feature: gbdt.Leaf, Set: -1, Cover: 4},
			{Feature: pair[1], Right: 4, Set: -1, Cover: 6},
			{Feature: gbdt.Leaf, Set: -1, Cover: 1},
			{Feature: gbdt.Leaf, Set: -1, Value: 3, Cover: 5},
		}})
	}
	unequal := func(m *gbdt.Model, e explained) bool {
		out := make([]float64, len(m.Features))
		e.fill(model.Row{Dense: []float64{1, 1, 0, 0, 0}}, out)
		return math.Abs(out[0]-out[1]) > 1e-12 || out[0] == 0
	}
	if unequal(m, explain(m)) {
		t.Error("two equal features got different contributions")
	}
	m.Trees[0].Nodes[3].Cover, m.Trees[0].Nodes[4].Cover = 5, 1
	if !unequal(m, explain(m)) {
		t.Error("the law does not notice covers that differ")
	}
}

// chain returns a model of one tree that splits on n features one below the
// other.
func chain(n int) (*gbdt.Model, model.Row) {
	m := &gbdt.Model{Features: make([]gbdt.Feature, n), Trees: make([]gbdt.Tree, 1)}
	r := model.Row{Dense: make([]float64, n)}
	t := &m.Trees[0]
	for i := range n {
		r.Dense[i] = float64(i % 3)
		t.Nodes = append(t.Nodes,
			gbdt.Node{Feature: int32(i), Right: int32(2*i + 2), Set: -1, Value: 0.5, Cover: math.Ldexp(1, n-i)},
			gbdt.Node{Feature: gbdt.Leaf, Set: -1, Value: float64(i), Cover: math.Ldexp(1, n-i-1)})
	}
	t.Nodes = append(t.Nodes, gbdt.Node{Feature: gbdt.Leaf, Set: -1, Value: 1, Cover: 1})
	return m, r
}

// Law: long paths, which need several passes, are as exact as short ones.
func TestLongPaths(t *testing.T) {
	for _, n := range []int{1, 4, 7, 8, 9, 16, 17, 25, 254} {
		m, r := chain(n)
		x := &model.Matrix{Names: make([]string, n), Width: n, Dense: r.Dense}
		e := explain(m)
		if err := additive(m, x, e); err != nil {
			t.Errorf("%d features: %v", n, err)
		}
		if n > 25 {
			continue // the textbook's unwinding loses its precision
		}
		if err := same(m, x, e, textbook, 1e-8); err != nil {
			t.Errorf("%d features: %v", n, err)
		}
	}
}

// Law: nodes that no training row reached do not spoil a contribution.
func TestEmptyNodes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 3))
	m, x := randomModel(rng, 6, 12), randomMatrix(rng, 50)
	for k := range m.Trees {
		for i := range m.Trees[k].Nodes {
			if rng.IntN(3) == 0 {
				m.Trees[k].Nodes[i].Cover = 0
			}
		}
	}
	if err := additive(m, x, explain(m)); err != nil {
		t.Error(err)
	}
}

// Law: features of one source are added up; a raw feature without a column
// gets 0.
func TestSource(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 4))
	m, x := randomModel(rng, 3, 12), randomMatrix(rng, 1)
	own, out := make([]float64, 7), make([]float64, 8)
	NewTrees(m, nil).NewExplainer().Contributions(x.Row(0), own)
	NewTrees(m, []int{7, 1, 2, 3, 4, 5, 1}).NewExplainer().Contributions(x.Row(0), out)
	want := []float64{0, own[1] + own[6], own[2], own[3], own[4], own[5], 0, own[0]}
	for j := range out {
		if math.Abs(out[j]-want[j]) > 1e-12 {
			t.Errorf("raw feature %d: %v, want %v", j, out[j], want[j])
		}
	}
}

// Law: a block has the bits of its rows one at a time, and rows leave no trace.
func TestTreesBlockHasTheBitsOfRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 5))
	m, x := randomModel(rng, 20, 31), randomMatrix(rng, 2*blockRows+5)
	checkBlock(t, x, len(m.Features), NewTrees(m, nil).NewExplainer())
}

func checkBlock(t *testing.T, x *model.Matrix, features int, e Explainer) {
	n := x.Rows()
	block, out := make([]float64, n*features), make([]float64, features)
	e.Block(x, block)
	for i := range n {
		e.Contributions(x.Row(i), out)
		if !slices.Equal(out, rowOf(block, n, i)) {
			t.Fatalf("row %d: %v in a block, %v alone", i, rowOf(block, n, i), out)
		}
	}
}

func TestTreesDoNotAllocate(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 6))
	m, x := randomModel(rng, 20, 31), randomMatrix(rng, 1)
	e, out := NewTrees(m, nil).NewExplainer(), make([]float64, len(m.Features))
	if n := testing.AllocsPerRun(10, func() { e.Contributions(x.Row(0), out); e.Block(x, out) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestNewTreesRefusesAnotherSource(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	NewTrees(&gbdt.Model{Features: make([]gbdt.Feature, 2)}, []int{0})
}

// Benchmarks: 250 trees of up to 31 leaves, alone and in blocks.
func BenchmarkTrees(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 7))
	m := randomModel(rng, 250, 31)
	e := NewTrees(m, nil).NewExplainer()
	for _, n := range []int{1e3, 1e5} {
		x := randomMatrix(rng, n)
		out := make([]float64, n*len(m.Features))
		b.Run(fmt.Sprintf("rows/%d", n), func(b *testing.B) {
			for b.Loop() {
				for i := range n {
					e.Contributions(x.Row(i), rowOf(out, n, i))
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
		b.Run(fmt.Sprintf("block/%d", n), func(b *testing.B) {
			for b.Loop() {
				e.Block(x, out)
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
