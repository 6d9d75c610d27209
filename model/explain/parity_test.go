package explain

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"churn/model"
	"churn/model/gbdt"
)

// golden is testdata/parity.json; its README says where it comes from.
type golden struct {
	Levels        int
	Trees         [][]goldenNode
	Rows          [][]*float64
	Margins       []float64
	Contributions [][]float64
}

type goldenNode struct {
	feature, right int32
	value          float64
	levels         []int
	missingLeft    bool
	cover          float64
}

func (n *goldenNode) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&n.feature, &n.right, &n.value, &n.levels, &n.missingLeft, &n.cover})
}

func readGolden(t *testing.T) golden {
	data, err := os.ReadFile("testdata/parity.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// model returns the trees of LightGBM, whose base is in the leaves.
func (g *golden) model() *gbdt.Model {
	width := len(g.Rows[0]) - 1
	m := &gbdt.Model{Features: make([]gbdt.Feature, width+1)}
	m.Features[width] = gbdt.Feature{Levels: g.Levels, First: int32(width)}
	for _, nodes := range g.Trees {
		var t gbdt.Tree
		for _, n := range nodes {
			set := int32(-1)
			if n.levels != nil {
				set = int32(len(t.Sets))
				t.Sets = append(t.Sets, gbdt.Set{})
				for _, level := range n.levels {
					t.Sets[set][0] |= 1 << level
				}
			}
			t.Nodes = append(t.Nodes, gbdt.Node{
				Feature: n.feature, Right: n.right, Set: set, Value: n.value, MissingLeft: n.missingLeft, Cover: n.cover,
			})
		}
		m.Trees = append(m.Trees, t)
	}
	return m
}

// matrix returns the rows, encoded.
func (g *golden) matrix() *model.Matrix {
	width := len(g.Rows[0]) - 1
	x := &model.Matrix{Names: make([]string, width+g.Levels), Width: width, Groups: 1}
	for _, row := range g.Rows {
		for _, v := range row[:width] {
			if v == nil {
				v = new(float64)
				*v = math.NaN()
			}
			x.Dense = append(x.Dense, *v)
		}
		x.Codes = append(x.Codes, int32(width)+int32(*row[width]))
	}
	return x
}

// Law: the contributions are LightGBM's.
func TestParityWithLightGBM(t *testing.T) {
	g := readGolden(t)
	m, x := g.model(), g.matrix()
	trees := NewTrees(m, nil)
	e, out := trees.NewExplainer(), make([]float64, len(m.Features))
	for i, want := range g.Contributions {
		r := x.Row(i)
		if d := math.Abs(margin(m, r) - g.Margins[i]); !(d < 1e-12) {
			t.Fatalf("row %d: the trees were read wrong, their margin is off by %g", i, d)
		}
		e.Contributions(r, out)
		for j, got := range append(out, trees.Base()) {
			if !(math.Abs(got-want[j]) < 1e-9) {
				t.Errorf("row %d, feature %d: %v, want %v", i, j, got, want[j])
			}
		}
	}
}
