package logistic

import "slices"

// metric is a preconditioner P ≈ ∇²f with the penalty that is not smooth. It
// measures steps by the quadratic model
//
//	q(u) = gᵀ(u-θ) + (1/2η)(u-θ)ᵀP(u-θ) + λρ‖u‖₁ .
type metric interface {
	// step replaces theta by the minimiser of q for slope g and step η = rate.
	// It may overwrite g.
	step(theta, g []float64, rate float64)
	// gap returns q(θ) - min q at η = 1, which estimates f(θ) - f*.
	gap(theta, g []float64) float64
}

// newMetric returns the metric of a preconditioner with lower triangle m.
func (p *problem) newMetric(m []float64) metric {
	if p.l1 == 0 {
		return smooth{cholesky(m, p.dim())}
	}
	return newProximal(m, p.dim(), p.l1)
}

// smooth is the metric without ‖β‖₁: the minimiser is θ - ηP⁻¹g.
type smooth struct{ *factorization }

func (m smooth) step(theta, g []float64, rate float64) {
	m.solve(g)
	addTo(theta, -rate, g)
}

// gap returns ½ gᵀP⁻¹g, half the squared Newton decrement.
func (m smooth) gap(_, g []float64) float64 {
	v := slices.Clone(g)
	m.solve(v)
	return dot(g, v) / 2
}

// dot returns aᵀb, summed in order.
func dot(a, b []float64) (sum float64) {
	for j := range a {
		sum += float64(a[j] * b[j])
	}
	return sum
}
