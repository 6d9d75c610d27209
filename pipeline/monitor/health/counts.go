package health

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// model is the distribution of a count: negative binomial with a mean and a
// variance of mean + dispersion·mean² (Hilbe, Negative Binomial Regression,
// 2011, NB2), Poisson where the dispersion is 0.
type model struct{ mean, dispersion float64 }

// atMost returns P(X ≤ k).
func (m model) atMost(k float64) float64 {
	switch {
	case k < 0:
		return 0
	case m.mean <= 0:
		return 1
	case m.dispersion <= 0:
		return mathext.GammaIncRegComp(k+1, m.mean)
	}
	r := 1 / m.dispersion
	return mathext.RegIncBeta(r, k+1, r/(r+m.mean))
}

// atLeast returns P(X ≥ k).
func (m model) atLeast(k float64) float64 {
	switch {
	case k <= 0:
		return 1
	case m.mean <= 0:
		return 0
	case m.dispersion <= 0:
		return mathext.GammaIncReg(k, m.mean)
	}
	r := 1 / m.dispersion
	return mathext.RegIncBeta(k, r, m.mean/(r+m.mean))
}

// odds returns the two-sided p-value of a count.
func (m model) odds(k float64) float64 { return min(1, 2*min(m.atMost(k), m.atLeast(k))) }

// band returns the least and the greatest count whose p-value is alpha or more.
func (m model) band(alpha float64) (low, high float64) {
	low = first(func(k float64) bool { return 2*m.atMost(k) >= alpha })
	high = first(func(k float64) bool { return 2*m.atLeast(k) < alpha }) - 1
	return low, max(low, high)
}

// first returns the least k ≥ 0 from which on yes holds.
func first(yes func(k float64) bool) float64 {
	below, above := -1.0, 1.0
	for !yes(above) {
		below, above = above, 2*above
	}
	for above-below > 1 {
		if middle := math.Floor((below + above) / 2); yes(middle) {
			above = middle
		} else {
			below = middle
		}
	}
	return above
}
