package gbdt

import (
	"math"
	"testing"
)

// Law: gradient and hessian are the finite differences of the loss. The planted
// mutant is the hessian of the squared loss.
func TestGradientsMatchFiniteDifferences(t *testing.T) {
	const step = 1e-4
	for _, y := range []bool{false, true} {
		for m := -12.0; m <= 12; m += 0.37 {
			low, at, high := logLoss(m-step, y), logLoss(m, y), logLoss(m+step, y)
			g, h := gradient(m, float64(index(y)))
			if want := (high - low) / (2 * step); math.Abs(g-want) > 1e-8 {
				t.Errorf("margin %v: gradient %v, want %v", m, g, want)
			}
			second := (high - 2*at + low) / (step * step)
			if math.Abs(h-second) > 1e-6 {
				t.Errorf("margin %v: hessian %v, want %v", m, h, second)
			}
			if math.Abs(1-second) < 1e-6 {
				t.Errorf("margin %v: the law does not see another hessian", m)
			}
		}
	}
}

// Law: exp is math.Exp within three units in the last place.
func TestExp(t *testing.T) {
	value := func(x float64) float64 { num, den := exp(x); return num / den }
	for x := -700.0; x < 700; x += 0.0173 {
		if want := math.Exp(x); math.Abs(value(x)-want) > 3*2.3e-16*want {
			t.Fatalf("exp(%v) = %v, want %v", x, value(x), want)
		}
	}
	if value(0) != 1 || value(-1e9) > 1e-300 || value(math.Inf(-1)) > 1e-300 || value(math.Inf(1)) < 1e300 {
		t.Error("the ends are wrong")
	}
}
