package metric

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// The law: at another share of positives the average precision is that of rows
// whose positives are repeated, or whose negatives are, until they have the share.
func TestPRAUCAtRateIsThatOfRepeatedRows(t *testing.T) {
	s := random(120, 8, 5)
	s.User = singles(len(s.Label))
	var positives float64
	for _, positive := range s.Label {
		positives += number(positive)
	}
	for _, times := range []struct{ positive, negative int }{{1, 1}, {3, 1}, {1, 4}} {
		weight := make([]int, len(s.Label))
		for i, positive := range s.Label {
			weight[i] = times.negative
			if positive {
				weight[i] = times.positive
			}
		}
		rows := repeated(s, weight)
		rate, p := BaseRate(rows.Label), params()
		p.BaseRate, p.Bootstrap = rate, 0
		got, _ := Evaluate(s, p).Find(PRAUCAtRate)
		if want := AveragePrecision(rows.Score, rows.Label); !same(got.Value, want) {
			t.Errorf("at a rate of %v: %v, want %v", rate, got.Value, want)
		}
	}
}

// Where one class is missing there is nothing to rank, at any rate.
func TestPRAUCAtRateOfOneClass(t *testing.T) {
	p := params()
	p.BaseRate, p.Bootstrap = 0.2, 0
	for _, label := range [][]bool{{false, false}, nil} {
		got, _ := Evaluate(Sample{Score: make([]float64, len(label)), Label: label}, p).Find(PRAUCAtRate)
		if !math.IsNaN(got.Value) {
			t.Errorf("%v: %v, want undefined", label, got.Value)
		}
	}
}

var expected = []string{PRAUC, "roc_auc", PRAUCAtRate, "base_rate", "log_loss", "brier", "calibration_in_the_large", "ece", "lift_at_3", "lift_at_20pct"}

// expectation are params with the intervals off.
func expectation(draws int) EvalParams {
	p := params()
	p.BaseRate, p.Bootstrap = 0.25, draws
	return p
}

// The law: chances of 0 and 1 are labels.
func TestExpectOfCertaintyIsEvaluate(t *testing.T) {
	s := random(90, 6, 11)
	s.User = nil
	chances := make([]float64, len(s.Label))
	for i, positive := range s.Label {
		chances[i] = number(positive)
	}
	unlabelled := s
	unlabelled.Label = nil
	got, err := Expect(unlabelled, Chances{Of: chances}, expected, expectation(5))
	if err != nil {
		t.Fatal(err)
	}
	report := Evaluate(s, expectation(0))
	for k, name := range expected {
		want, _ := report.Find(name)
		if !same(got[k].Value, want.Value) {
			t.Errorf("%s: %v, want %v", name, got[k].Value, want.Value)
		}
		for _, draw := range got[k].Draws {
			if !same(draw, want.Value) {
				t.Errorf("%s: a draw is %v, want %v", name, draw, want.Value)
			}
		}
	}
}

// Scores 3, 2, 1 with chances 0.8, 0.5, 0.2: expected positives 1.5, negatives 1.5.
// The area is Σ over pairs of p_i(1-p_j), the higher score first, and half of a
// row against itself, over 1.5²:
// (0.8·0.5 + 0.8·0.8 + 0.5·0.8 + (0.16 + 0.25 + 0.16)/2) / 2.25 = 1.725/2.25.
// Precision at each row is Σp over rows: 0.8, 1.3/2, 1.5/3, so that
// AP = (0.8·0.8 + 0.5·0.65 + 0.2·0.5)/1.5.
func TestExpectByHand(t *testing.T) {
	s := Sample{Score: []float64{3, 2, 1}, Prob: []float64{0.8, 0.5, 0.2}}
	got, err := Expect(s, Chances{Of: s.Prob}, []string{"roc_auc", PRAUC, "brier", "calibration_in_the_large"}, expectation(0))
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range []float64{1.725 / 2.25, (0.8*0.8 + 0.5*0.65 + 0.2*0.5) / 1.5, (0.16 + 0.25 + 0.16) / 3, 0} {
		if !same(got[k].Value, want) && math.Abs(got[k].Value-want) > 1e-15 {
			t.Errorf("metric %d: %v, want %v", k, got[k].Value, want)
		}
	}
}

// A chance that is known with an error widens what is drawn.
func TestExpectRedraws(t *testing.T) {
	s := Sample{}
	for i := range 400 {
		s.Score = append(s.Score, float64(i))
	}
	s.Prob = slices.Repeat([]float64{0.3}, 400)
	width := func(redraw func(*rand.Rand, []float64)) float64 {
		got, err := Expect(s, Chances{Of: s.Prob, Redraw: redraw}, []string{"base_rate"}, expectation(400))
		if err != nil {
			t.Fatal(err)
		}
		return got[0].StdErr()
	}
	plain := width(nil)
	if want := math.Sqrt(0.3 * 0.7 / 400); math.Abs(plain/want-1) > 0.1 {
		t.Errorf("standard error %v, want about %v of a binomial", plain, want)
	}
	unsure := width(func(rng *rand.Rand, out []float64) {
		shift := 0.1 * rng.NormFloat64()
		for i := range out {
			out[i] += shift
		}
	})
	if want := math.Hypot(plain, 0.1); math.Abs(unsure/want-1) > 0.1 {
		t.Errorf("standard error %v, want about %v", unsure, want)
	}
}

func TestExpectRefuses(t *testing.T) {
	s := Sample{Score: []float64{1, 2}, Prob: []float64{0.1, 0.2}}
	if _, err := Expect(s, Chances{Of: s.Prob}, []string{"nonsense"}, expectation(0)); err == nil {
		t.Error("an unknown metric is expected")
	}
	defer func() {
		if recover() == nil {
			t.Error("one chance of two rows is taken")
		}
	}()
	Expect(s, Chances{Of: []float64{0.5}}, []string{PRAUC}, expectation(0)) //nolint:errcheck // it panics
}
