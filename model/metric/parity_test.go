package metric

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// golden is testdata/parity.json; its README says where it comes from.
type golden struct {
	Threshold    float64
	Tied, Smooth goldenSample
}

type goldenSample struct {
	Prob       []float64
	Label      []bool
	Values     map[string]float64
	EqualWidth float64 `json:"ece_equal_width"`
	Confusion  Confusion
	Rates      []float64
	Curves     struct{ FPR, TPR, Precision, Recall []float64 }
	Money      []struct {
		Value     Value
		MaxProfit float64 `json:"max_profit"`
		EMPC      float64
	}
}

func (g goldenSample) sample() Sample { return Sample{Score: g.Prob, Prob: g.Prob, Label: g.Label} }

func readGolden(t *testing.T) (g golden) {
	t.Helper()
	text, err := os.ReadFile("testdata/parity.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestMetricsAgreeWithScikitLearn(t *testing.T) {
	golden := readGolden(t)
	for name, g := range map[string]goldenSample{"tied": golden.Tied, "smooth": golden.Smooth} {
		r := Evaluate(g.sample(), EvalParams{Confidence: 0.9})
		for metric, want := range g.Values {
			if e, ok := r.Find(metric); !ok || math.Abs(e.Value-want) > 1e-10 {
				t.Errorf("%s, %s: %v, want %v", name, metric, e.Value, want)
			}
		}
	}
	if got := ECE(golden.Smooth.Prob, golden.Smooth.Label, 10); !same(got, golden.Smooth.EqualWidth) {
		t.Errorf("ECE of equal width %v, want %v", got, golden.Smooth.EqualWidth)
	}
}

func TestProfitAgreesWithEmpulse(t *testing.T) {
	golden := readGolden(t)
	for name, g := range map[string]goldenSample{"tied": golden.Tied, "smooth": golden.Smooth} {
		for _, m := range g.Money {
			if got := find(t, g.sample(), m.Value, "max_profit"); math.Abs(got-m.MaxProfit) > 1e-9 {
				t.Errorf("%s, %+v: maximum %v, want %v", name, m.Value, got, m.MaxProfit)
			}
			if got := find(t, g.sample(), m.Value, "empc"); math.Abs(got-m.EMPC) > 1e-9 {
				t.Errorf("%s, %+v: EMPC %v, want %v", name, m.Value, got, m.EMPC)
			}
		}
	}
}

func TestConfusionAgreesWithScikitLearn(t *testing.T) {
	golden := readGolden(t)
	for name, g := range map[string]goldenSample{"tied": golden.Tied, "smooth": golden.Smooth} {
		c := ConfusionAt(g.Prob, g.Label, golden.Threshold)
		if c != g.Confusion || !cmp.Equal([]float64{c.Precision(), c.Recall(), c.F1(), c.Specificity()}, g.Rates, near) {
			t.Errorf("%s: %+v, want %+v and %v", name, c, g.Confusion, g.Rates)
		}
	}
}

func TestCurvesAgreeWithScikitLearn(t *testing.T) {
	golden := readGolden(t)
	for name, g := range map[string]goldenSample{"tied": golden.Tied, "smooth": golden.Smooth} {
		gains := gainsCurve(g.Prob, g.Label)
		if diff := cmp.Diff([2][]float64{g.Curves.FPR, g.Curves.TPR}, pointsOf(rocPoints(gains)), near); diff != "" {
			t.Errorf("%s: ROC curve (-golden +ours):\n%s", name, diff)
		}
		if diff := cmp.Diff([2][]float64{g.Curves.Recall, g.Curves.Precision}, pointsOf(prPoints(gains)), near); diff != "" {
			t.Errorf("%s: PR curve (-golden +ours):\n%s", name, diff)
		}
	}
}

func pointsOf(curve []CurvePoint) (xy [2][]float64) {
	for _, p := range curve {
		xy[0], xy[1] = append(xy[0], p.X), append(xy[1], p.Y)
	}
	return xy
}
