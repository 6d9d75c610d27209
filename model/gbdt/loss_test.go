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

// Law: expNeg is math.Exp within two units in the last place.
func TestExpNeg(t *testing.T) {
	for x := 0.0; x < 700; x += 0.0173 {
		if want := math.Exp(-x); math.Abs(expNeg(x)-want) > 2*2.3e-16*want {
			t.Fatalf("exp(-%v) = %v, want %v", x, expNeg(x), want)
		}
	}
	if expNeg(0) != 1 || expNeg(1e9) > 1e-300 || expNeg(math.Inf(1)) > 1e-300 {
		t.Error("the ends are wrong")
	}
}
