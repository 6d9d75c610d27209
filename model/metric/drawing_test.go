package metric

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Laws: recall rises with the share and ends at 1, where lift is 1; the points
// agree with TopShare.
func TestGains(t *testing.T) {
	s := random(400, 25, 3)
	shares := []float64{0.05, 0.1, 0.3, 0.6, 1}
	gains := Gains(s, shares)
	var last float64
	for i, g := range gains {
		top := TopShare(s, shares[i])
		if g.Recall < last || !same(g.Lift, top.Lift()) || !same(g.Precision, top.Precision()) || g.Rows != top.Selected {
			t.Errorf("%+v", g)
		}
		last = g.Recall
	}
	if end := gains[4]; !same(end.Recall, 1) || !same(end.Lift, 1) || !same(end.Precision, BaseRate(s.Label)) {
		t.Errorf("everyone: %+v", end)
	}
	if gains[0].Lift <= 1 {
		t.Errorf("no lift: %+v", gains[0])
	}
}

// What reports hold can be encoded for any data: no rows, no positives, no
// negatives.
func TestReportsOfPoorData(t *testing.T) {
	for n, label := range [][]bool{nil, {false, false}, {true, true}} {
		s := Sample{Score: make([]float64, len(label)), Prob: make([]float64, len(label)), Label: label}
		all := []any{
			Gains(s, []float64{0.1, 1}), DecomposeBrier(s.Prob, label, 10), ReliabilityCurve(s, 10, 0.9),
			ROCCurve(s.Score, label, 9), PRCurve(s.Score, label, 9), ConfusionAt(s.Prob, label, 0.5), Evaluate(s, params()),
		}
		if _, err := json.Marshal(all); err != nil {
			t.Errorf("sample %d: %v", n, err)
		}
	}
}

// From 0.5 on: 0.9+ 0.5- are decided positive, 0.4+ 0.3- 0.2- negative.
func TestConfusionByHand(t *testing.T) {
	c := ConfusionAt([]float64{0.9, 0.5, 0.4, 0.3, 0.2}, []bool{true, false, true, false, false}, 0.5)
	if want := (Confusion{TruePositives: 1, FalsePositives: 1, FalseNegatives: 1, TrueNegatives: 2}); c != want {
		t.Errorf("%+v, want %+v", c, want)
	}
	if c.Precision() != 0.5 || c.Recall() != 0.5 || c.F1() != 0.5 || !same(c.Specificity(), 2.0/3) {
		t.Errorf("%v %v %v %v", c.Precision(), c.Recall(), c.F1(), c.Specificity())
	}
	if !math.IsNaN(Confusion{}.Precision()) {
		t.Error("no rows have a precision")
	}
}

// area is under a curve by trapezoids.
func area(curve []CurvePoint) (sum float64) {
	for i := range curve[1:] {
		sum += (curve[i+1].X - curve[i].X) * (curve[i+1].Y + curve[i].Y) / 2
	}
	return sum
}

// height is that of a curve at x.
func height(curve []CurvePoint, x float64) float64 {
	k := max(1, slices.IndexFunc(curve, func(p CurvePoint) bool { return p.X >= x }))
	a, b := curve[k-1], curve[k]
	if a.X == b.X {
		return b.Y
	}
	return a.Y + (b.Y-a.Y)*(x-a.X)/(b.X-a.X)
}

// Laws: a thinned curve has few points, all of the whole curve, its ends among
// them, and nearly its area; a curve of few points is left as it is. The planted
// mutant, every hundredth point, must lose more.
func TestThinnedCurvesKeepTheirShape(t *testing.T) {
	s := random(30000, 1<<20, 7)
	gains := gainsCurve(s.Score, s.Label)
	for name, whole := range map[string][]CurvePoint{"ROC": rocPoints(gains), "PR": prPoints(gains)} {
		few := thin(whole, 200)
		if len(few) > 200 || few[0] != whole[0] || few[len(few)-1] != whole[len(whole)-1] {
			t.Errorf("%s: %d points, from %v to %v", name, len(few), few[0], few[len(few)-1])
		}
		if !slices.IsSortedFunc(few, func(a, b CurvePoint) int { return int(math.Copysign(1, a.X-b.X)) }) {
			t.Errorf("%s: out of order", name)
		}
		if off := math.Abs(area(few) - area(whole)); off > 1e-3 {
			t.Errorf("%s: area %v off", name, off)
		}
		var worst, mutant float64
		var every []CurvePoint
		for i := 0; i < len(whole); i += len(whole) / 200 {
			every = append(every, whole[i])
		}
		every = append(every, whole[len(whole)-1])
		for _, p := range whole {
			if p.X > 0.01 {
				worst = max(worst, math.Abs(height(few, p.X)-p.Y))
				mutant = max(mutant, math.Abs(height(every, p.X)-p.Y))
			}
		}
		if worst > 0.01 || mutant < worst {
			t.Errorf("%s: %v off, evenly thinned %v", name, worst, mutant)
		}
	}
	if got, want := ROCCurve([]float64{3, 2, 1}, []bool{true, false, true}, 200), []CurvePoint{{0, 0}, {0, 0.5}, {1, 0.5}, {1, 1}}; !cmp.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got, want := ROCCurve([]float64{6, 5, 4, 3, 2, 1}, []bool{true, true, true, false, false, false}, 200), []CurvePoint{{0, 0}, {0, 1}, {1, 1}}; !cmp.Equal(got, want) {
		t.Errorf("perfect: %v, want %v", got, want)
	}
	if ROCCurve([]float64{1}, []bool{true}, 9) != nil || PRCurve([]float64{1}, []bool{false}, 9) != nil || PRCurve(nil, nil, 9) != nil {
		t.Error("a curve of one class")
	}
}
