package logistic

import (
	"math"
	"slices"
)

const (
	// maxRounds bounds the rounds of one proximal step. Each lowers q, so that
	// even the last is a valid, if short, step.
	maxRounds = 100

	// roundTol ends the rounds when a sweep lowers q by less than this share of
	// what all before it did.
	roundTol = 1e-13
)

// proximal is the metric with ‖β‖₁. One round of its step is
//
//	sweep   each coefficient in turn to its minimum, a soft threshold: 0 enters or leaves
//	polish  Newton on those that are not 0; who would change his sign becomes 0
//
// The sweep alone is glmnet's (Friedman, Hastie & Tibshirani, JSS 2010) and
// crawls where columns are correlated; the polish is exact once the signs are
// right (Lee, Battle, Raina & Ng, Efficient sparse coding algorithms, NIPS 2006:
// feature-sign search). Both lower q, so that no set of signs comes twice.
type proximal struct {
	dim    int
	p      []float64 // symmetric, row-major dim × dim
	l1     float64
	active []int // of the last polish
	factor *factorization
}

// newProximal takes the lower triangle of P.
func newProximal(lower []float64, dim int, l1 float64) *proximal {
	p := slices.Clone(lower)
	for a := range dim {
		if p[a*dim+a] <= 0 {
			p[a*dim+a] = 1 // as in cholesky
		}
		for b := range a {
			p[b*dim+a] = p[a*dim+b]
		}
	}
	return &proximal{dim: dim, p: p, l1: l1}
}

func (m *proximal) step(theta, g []float64, rate float64) {
	for j := range g {
		g[j] *= rate // q times η: slope ηg, threshold ηλρ
	}
	var fall float64
	for range maxRounds {
		f := m.sweep(theta, g, rate*m.l1)
		if f <= roundTol*fall {
			return
		}
		fall += f
		for done := false; !done; { // at most as often as there are signs
			f, done = m.polish(theta, g, rate*m.l1)
			fall += f
		}
	}
}

// gap returns q(θ) - q(u) = λρ(‖θ‖₁ - ‖u‖₁) - gᵀd - ½dᵀPd at the minimiser
// u = θ + d.
func (m *proximal) gap(theta, g []float64) float64 {
	u, slope := slices.Clone(theta), slices.Clone(g)
	m.step(u, slope, 1) // leaves g + Pd in slope
	var fall float64
	for j, t := range theta {
		d := u[j] - t
		fall -= float64((g[j] + slope[j]) / 2 * d)
		if j < m.dim-1 {
			fall += float64(m.l1 * (math.Abs(t) - math.Abs(u[j])))
		}
	}
	return max(fall, 0)
}

// sweep moves every element of u to its minimum, given the others. slope is
// that of the quadratic at u, and stays so. It returns the fall of ηq, or less.
func (m *proximal) sweep(u, slope []float64, threshold float64) (fall float64) {
	for j := range u {
		a := m.p[j*m.dim+j]
		next := u[j] - slope[j]/a
		if j < m.dim-1 {
			next = shrink(next, threshold/a)
		}
		if d := next - u[j]; d != 0 {
			u[j] = next
			addTo(slope, d, m.p[j*m.dim:(j+1)*m.dim])
			fall += float64(a / 2 * d * d)
		}
	}
	return fall
}

// shrink is the soft threshold: x moved towards 0 by t, and not beyond.
func shrink(x, t float64) float64 {
	if math.Abs(x) <= t {
		return 0
	}
	return x - math.Copysign(t, x)
}

// polish moves the elements of u that are not 0, and the intercept, to their
// joint minimum (done), or up to the first that would change its sign, which
// becomes 0. It returns the fall of ηq, or less.
func (m *proximal) polish(u, slope []float64, threshold float64) (fall float64, done bool) {
	m.activate(u)
	d := make([]float64, len(m.active))
	for k, j := range m.active {
		d[k] = -slope[j]
		if j < m.dim-1 {
			d[k] -= math.Copysign(threshold, u[j])
		}
	}
	g := slices.Clone(d)
	m.factor.solve(d)
	t, zero := m.crossing(u, d)
	for k, j := range m.active {
		step := t * d[k]
		if j == zero {
			step = -u[j]
		}
		u[j] += step
		addTo(slope, step, m.p[j*m.dim:(j+1)*m.dim])
	}
	return t * (1 - t/2) * dot(g, d), zero < 0
}

// activate notes which elements of u are not 0 and factors P among them.
func (m *proximal) activate(u []float64) {
	var active []int
	for j, v := range u {
		if v != 0 || j == m.dim-1 {
			active = append(active, j)
		}
	}
	if slices.Equal(active, m.active) {
		return
	}
	k := len(active)
	sub := make([]float64, k*k)
	for a, i := range active {
		for b, j := range active[:a+1] {
			sub[a*k+b] = m.p[i*m.dim+j]
		}
	}
	m.active, m.factor = active, cholesky(sub, k)
}

// crossing returns the largest share ≤ 1 of step d that keeps every sign of u,
// and the element that it brings to 0, or -1.
func (m *proximal) crossing(u, d []float64) (share float64, zero int) {
	share, zero = 1, -1
	for k, j := range m.active {
		if j == m.dim-1 || d[k] == 0 {
			continue
		}
		if t := -u[j] / d[k]; t >= 0 && t < share {
			share, zero = t, j
		}
	}
	return share, zero
}
