package health

import (
	"math"
	"testing"
)

// naive is P(X ≤ k) by adding up the probabilities.
func naive(m model, k int) (sum float64) {
	for i := 0; i <= k; i++ {
		x := float64(i)
		logFactorial, _ := math.Lgamma(x + 1)
		p := x*math.Log(m.mean) - m.mean - logFactorial
		if m.dispersion > 0 {
			r := 1 / m.dispersion
			a, _ := math.Lgamma(x + r)
			b, _ := math.Lgamma(r)
			p = a - b - logFactorial + r*math.Log(r/(r+m.mean)) + x*math.Log(m.mean/(r+m.mean))
		}
		sum += math.Exp(p)
	}
	return sum
}

// The law: the tails by the incomplete functions are those of the sums.
func TestTails(t *testing.T) {
	for _, m := range []model{{0.3, 0}, {5, 0}, {80, 0}, {0.3, 0.2}, {5, 1}, {80, 0.01}, {400, 0.0025}} {
		for k := 0; k < int(2*m.mean)+5; k++ {
			want := naive(m, k)
			if got := m.atMost(float64(k)); math.Abs(got-want) > 1e-9 {
				t.Fatalf("%+v: P(X ≤ %d) = %v, the sum is %v", m, k, got, want)
			}
			if got := m.atLeast(float64(k + 1)); math.Abs(got+want-1) > 1e-9 {
				t.Fatalf("%+v: P(X ≥ %d) = %v, the rest is %v", m, k+1, got, 1-want)
			}
		}
	}
}

// scipy 1.17.1: nbinom.cdf(30, 20, 20/(20+50)), poisson.sf(69, 50).
func TestTailsOfScipy(t *testing.T) {
	for _, c := range []struct{ got, want float64 }{
		{model{50, 0.05}.atMost(30), 0.05448348131822599},
		{model{50, 0}.atLeast(70), 0.004334599852866794},
	} {
		if math.Abs(c.got/c.want-1) > 1e-9 {
			t.Errorf("%v, want %v", c.got, c.want)
		}
	}
}

// The law: a count lies in the band exactly if its p-value is alpha or more.
func TestBand(t *testing.T) {
	for _, m := range []model{{0.3, 0}, {5, 0}, {80, 0}, {5, 1}, {80, 0.01}, {4e6, 0.0025}} {
		for _, alpha := range []float64{0.05, 1e-4} {
			low, high := m.band(alpha)
			for _, k := range []float64{low - 1, low, low + 1, high - 1, high, high + 1, m.mean} {
				k = math.Floor(k)
				if in := k >= low && k <= high; k >= 0 && in != (m.odds(k) >= alpha) {
					t.Errorf("%+v: %v is in [%v, %v]: %v, p = %v, alpha = %v", m, k, low, high, in, m.odds(k), alpha)
				}
			}
		}
	}
}
