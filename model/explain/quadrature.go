package explain

import "math"

// quadrature is a rule that integrates polynomials over [0, 1]:
// ∫ f(t) dt = Σ weight·f(point).
type quadrature struct {
	point, weight []float64
}

// gaussLegendre returns the rule of n ≥ 1 points, all inside (0, 1), which is
// exact for polynomials of degree 2n − 1. The points are the roots of the
// Legendre polynomial, by Newton's method from Chebyshev's estimate (Press et
// al., Numerical Recipes, section 4.6).
func gaussLegendre(n int) quadrature {
	q := quadrature{make([]float64, n), make([]float64, n)}
	for i := range n {
		x := math.Cos(math.Pi * (float64(i) + 0.75) / (float64(n) + 0.5))
		for range 8 { // quadratic from a good start: exact after four
			p, slope := legendre(n, x)
			x -= p / slope
		}
		_, slope := legendre(n, x)
		q.point[i] = (1 - x) / 2
		q.weight[i] = 1 / ((1 - x) * (1 + x) * slope * slope)
	}
	return q
}

// legendre returns the Legendre polynomial of degree n ≥ 1 and its slope at x,
// |x| < 1, by the three-term recurrence.
func legendre(n int, x float64) (p, slope float64) {
	p, before := x, 1.0
	for k := 2.0; k <= float64(n); k++ {
		next := (float64((2*k-1)*x*p) - float64((k-1)*before)) / k
		p, before = next, p
	}
	return p, float64(n) * (before - float64(x*p)) / ((1 - x) * (1 + x))
}
