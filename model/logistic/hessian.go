package logistic

import (
	"churn/internal/parallel"
	"churn/model"
)

// hessianParts is the number of partial sums of a Hessian: constant, so that
// their order is, and few, since each holds dim² numbers.
const hessianParts = 8

// curvature returns the lower triangle (row-major dim × dim) of
//
//	Σ_k h(k) x̂ x̂ᵀ + λ(1-ρ) diag(1 … 1, 0),   x̂ = (x, 1),
//
// over n rows, the k-th of which row names. With h = w_i σ_i(1-σ_i) it is the
// Hessian of the smooth part of f.
func (p *problem) curvature(n int, row func(k int) model.Row, h func(k int) float64) []float64 {
	dim := p.dim()
	parts := make([][]float64, hessianParts)
	parallel.Each(hessianParts, func(part int) {
		m := make([]float64, dim*dim)
		for k := part * n / hessianParts; k < (part+1)*n/hessianParts; k++ {
			addOuter(m, dim, row(k), h(k))
		}
		parts[part] = m
	})
	sum := parts[0]
	for _, part := range parts[1:] {
		for a, v := range part {
			sum[a] += v
		}
	}
	for j := range dim - 1 {
		sum[j*dim+j] += p.l2
	}
	return sum
}

// addOuter adds h x̂ x̂ᵀ to the lower triangle of m.
func addOuter(m []float64, dim int, r model.Row, h float64) {
	if h == 0 {
		return
	}
	for a, x := range r.Dense {
		if x != 0 {
			addTo(m[a*dim:a*dim+a+1], h*x, r.Dense)
		}
	}
	for k, c := range r.Codes {
		addTo(m[int(c)*dim:(int(c)+1)*dim], h, r.Dense)
		for _, b := range r.Codes[:k+1] {
			m[int(max(b, c))*dim+int(min(b, c))] += h
		}
	}
	last := m[(dim-1)*dim:]
	r.AddScaled(h, last)
	last[dim-1] += h
}

// addTo adds s·x to dst over the shorter length of the two.
func addTo(dst []float64, s float64, x []float64) {
	n := min(len(dst), len(x))
	model.Row{Dense: x[:n]}.AddScaled(s, dst)
}
