package logistic

import (
	"math"

	"churn/model"
)

// jitter is the relative amount first added to the diagonal when rounding
// leaves a matrix not positive definite; it grows tenfold until it is.
const jitter = 1e-14

// factorization is the Cholesky factor L of a matrix P = L Lᵀ.
type factorization struct {
	dim int
	l   []float64 // lower triangle, row-major dim × dim
}

// cholesky factors the matrix with lower triangle m. A diagonal element of 0 (a
// column that is 0 in every row, without a penalty) counts as 1.
func cholesky(m []float64, dim int) *factorization {
	for ridge := 0.0; ; ridge = max(jitter, 10*ridge) {
		if f, ok := factor(m, dim, ridge); ok {
			return f
		}
	}
}

// factor is cholesky with a given relative ridge. It returns false if a pivot
// has lost all its digits.
func factor(m []float64, dim int, ridge float64) (*factorization, bool) {
	f := &factorization{dim: dim, l: make([]float64, dim*dim)}
	copy(f.l, m)
	for j := range dim {
		d := &f.l[j*dim+j]
		if *d <= 0 {
			*d = 1
		}
		*d += float64(ridge * *d)
	}
	return f, f.eliminate()
}

// eliminate overwrites l with its Cholesky factor, row by row. It returns false
// if a pivot has lost all its digits.
func (f *factorization) eliminate() bool {
	d := f.dim
	for i := range d {
		row := f.l[i*d : i*d+i+1]
		diagonal := row[i]
		for j := range i {
			other := f.l[j*d : j*d+j+1]
			row[j] = (row[j] - model.Row{Dense: row[:j]}.Dot(other)) / other[j]
		}
		pivot := diagonal - model.Row{Dense: row[:i]}.Dot(row)
		if !(pivot > jitter*diagonal) {
			return false
		}
		row[i] = math.Sqrt(pivot)
	}
	return true
}

// solve overwrites v with P⁻¹v.
func (f *factorization) solve(v []float64) {
	d := f.dim
	for i := range d {
		row := f.l[i*d : i*d+i+1]
		v[i] = (v[i] - model.Row{Dense: row[:i]}.Dot(v)) / row[i]
	}
	for i := d - 1; i >= 0; i-- {
		row := f.l[i*d : i*d+i+1]
		v[i] /= row[i]
		addTo(v[:i], -v[i], row[:i])
	}
}
