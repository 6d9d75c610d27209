package calibrate

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// golden is testdata/parity.json; its README says where it comes from.
type golden struct {
	Margin, Weight, At, Isotonic []float64
	Label                        []bool
	Unweighted                   []float64 `json:"isotonic_unweighted"`
	WithPrior                    []float64 `json:"isotonic_with_prior"`
	Line                         []float64 // slope and intercept
	Smoothed                     []float64 `json:"line_smoothed"`
}

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

// apart returns the greatest difference of m to the golden curve.
func apart(m Map, at, want []float64) (worst float64) {
	for i, margin := range at {
		worst = max(worst, math.Abs(m.Probability(margin)-want[i]))
	}
	return worst
}

func TestIsotonicAgreesWithScikitLearn(t *testing.T) {
	g := readGolden(t)
	weighted, err := withoutPrior(g.Margin, g.Label, g.Weight)
	if err != nil {
		t.Fatal(err)
	}
	plain, _ := withoutPrior(g.Margin, g.Label, nil)
	prior, err := FitIsotonic(g.Margin, g.Label, g.Weight)
	if err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string]float64{
		"weighted": apart(weighted, g.At, g.Isotonic), "plain": apart(plain, g.At, g.Unweighted), "with prior": apart(prior, g.At, g.WithPrior),
	} {
		if d > 1e-12 {
			t.Errorf("%s: %v apart", name, d)
		}
	}
	if apart(plain, g.At, g.Isotonic) < 1e-3 || apart(prior, g.At, g.Isotonic) < 1e-3 {
		t.Error("the goldens do not tell the variants apart")
	}
}

// The plain line is that of LogisticRegression without penalty. Platt's smoothed
// targets, which we leave out, are those of every row as two: with the weight of
// its smoothed target as a positive, with the rest as a negative.
func TestPlattAgreesWithScikitLearn(t *testing.T) {
	g := readGolden(t)
	m, err := FitPlatt(g.Margin, g.Label, g.Weight)
	if err != nil || math.Abs(m.Slope-g.Line[0]) > 1e-9 || math.Abs(m.Intercept-g.Line[1]) > 1e-9 {
		t.Errorf("%+v, %v; want %v", m, err, g.Line)
	}
	var total [2]float64
	for i, w := range g.Weight {
		total[int(number(g.Label[i]))] += w
	}
	target := [2]float64{1 / (total[0] + 2), (total[1] + 1) / (total[1] + 2)}
	var margin, weight []float64
	var label []bool
	for i, w := range g.Weight {
		p := target[int(number(g.Label[i]))]
		margin, label, weight = append(margin, g.Margin[i], g.Margin[i]), append(label, true, false), append(weight, w*p, w*(1-p))
	}
	m, err = FitPlatt(margin, label, weight) // the golden is good to its optimiser's tolerance
	if err != nil || math.Abs(m.Slope-g.Smoothed[0]) > 1e-4 || math.Abs(m.Intercept-g.Smoothed[1]) > 1e-4 {
		t.Errorf("smoothed: %+v, %v; want %v", m, err, g.Smoothed)
	}
}
