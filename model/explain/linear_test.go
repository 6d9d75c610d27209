package explain

import (
	"math"
	"math/rand/v2"
	"testing"

	"churn/model"
	"churn/model/logistic"
)

// randomLinear returns an explainer of rows like those of random models, but
// without nulls.
func randomLinear(rng *rand.Rand, n int) (*Linear, *model.Matrix) {
	x := randomMatrix(rng, n)
	for i, v := range x.Dense {
		if math.IsNaN(v) {
			x.Dense[i] = 0
		}
	}
	m := &logistic.Model{Intercept: rng.NormFloat64()}
	var reference []float64
	var source []int
	for j := range x.Cols() {
		m.Coef = append(m.Coef, rng.NormFloat64())
		reference = append(reference, rng.NormFloat64())
		if j < numerics {
			source = append(source, j)
		} else {
			source = append(source, numerics+(j-numerics)/levels)
		}
	}
	return NewLinear(m, reference, source), x
}

// Law: base and contributions sum to the margin, and the reference row itself
// gets nothing. The planted mutant, another reference, must be noticed.
func TestLinearIsAdditive(t *testing.T) {
	l, x := randomLinear(rand.New(rand.NewPCG(2, 1)), 50)
	off := func(base float64) (worst float64) {
		out := make([]float64, numerics+categoricals)
		for i := range x.Rows() {
			l.Contributions(x.Row(i), out)
			sum := base
			for _, v := range out {
				sum += v
			}
			worst = max(worst, math.Abs(sum-l.model.Margin(x.Row(i))))
		}
		return worst
	}
	if d := off(l.Base()); d > 1e-12 {
		t.Errorf("the sum is off by %g", d)
	}
	base := l.Base()
	l.reference[0] += 1e-9
	if off(base) < 1e-12 {
		t.Error("the law does not notice another reference")
	}
}

// Law: the twin, a loop over the densified row, gives the same.
func TestLinearMatchesDenseTwin(t *testing.T) {
	l, x := randomLinear(rand.New(rand.NewPCG(2, 2)), 50)
	out := make([]float64, numerics+categoricals)
	for i := range x.Rows() {
		r := x.Row(i)
		dense := make([]float64, x.Cols())
		copy(dense, r.Dense)
		for _, code := range r.Codes {
			dense[code] = 1
		}
		want := make([]float64, len(out))
		for j, v := range dense {
			want[l.source[j]] += l.model.Coef[j] * (v - l.reference[j])
		}
		l.Contributions(r, out)
		for j := range out {
			if math.Abs(out[j]-want[j]) > 1e-12 {
				t.Errorf("row %d, feature %d: %v, want %v", i, j, out[j], want[j])
			}
		}
	}
	checkBlock(t, x, len(out), l)
}
