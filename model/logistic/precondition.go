package logistic

import (
	"fmt"
	"math"
	"slices"

	"churn/internal/parallel"
	"churn/model"
)

const (
	// sampleRows is the least expected size of the Hessian's sample, and
	// sampleFactor its least multiple of the dimension d. A leverage-weighted
	// sample of S rows is off by about √(d/S) in every direction: 0.16 at 40.
	sampleRows, sampleFactor = 8192, 40

	// hessianParts is the number of partial sums of the Hessian: constant, so
	// that their order is, and few, since each holds d² numbers.
	hessianParts = 8

	// jitter is the relative amount first added to the diagonal when rounding
	// leaves the Hessian not positive definite; it grows tenfold until it is.
	jitter = 1e-14
)

// sampler draws the rows of the Hessian: row i with probability
// min(1, size·share_i), independently.
//
// share_i is the row's diagonal leverage, w_i (1 + Σ_j x_ij²/D_j) with
// D_j = Σ_i w_i x_ij², normalised to sum 1. It is high for rows that carry a
// rare level or an extreme value, without which their direction would be
// missing from the sample. A larger size keeps every row of a smaller one.
type sampler struct {
	share []float64
	seed  uint64
}

// newSampler computes the leverages of the problem's rows. It returns an error
// if a feature is not finite, or so large that its square is not.
func newSampler(p *problem, seed uint64) (*sampler, error) {
	inverse := p.squares()
	if j := slices.IndexFunc(inverse, func(d float64) bool { return math.IsNaN(d) || math.IsInf(d, 0) }); j >= 0 {
		return nil, fmt.Errorf("feature %s is not finite or too large to square", p.x.Names[j])
	}
	for j, d := range inverse {
		if d > 0 {
			inverse[j] = 1 / d
		}
	}
	s := &sampler{share: make([]float64, p.x.Rows()), seed: seed}
	p.eachChunk(func(_, from, to int) {
		for i := from; i < to; i++ {
			s.share[i] = p.weight[i] * (1 + leverage(p.x.Row(i), inverse))
		}
	})
	var total float64
	for _, v := range s.share {
		total += v
	}
	for i := range s.share {
		s.share[i] /= total
	}
	return s, nil
}

// leverage returns Σ_j x_j²/D_j.
func leverage(r model.Row, inverse []float64) float64 {
	var sum float64
	for j, x := range r.Dense {
		sum += float64(x * x * inverse[j])
	}
	for _, c := range r.Codes {
		sum += inverse[c]
	}
	return sum
}

// squares returns D_j = Σ_i w_i x_ij² for every encoded column.
func (p *problem) squares() []float64 {
	cols, k := p.x.Cols(), chunks(p.x.Rows())
	parts := make([]float64, k*cols)
	p.eachChunk(func(c, from, to int) {
		part := parts[c*cols : (c+1)*cols]
		for i := from; i < to; i++ {
			row := p.x.Row(i)
			for j, x := range row.Dense {
				part[j] += float64(p.weight[i] * x * x)
			}
			for _, code := range row.Codes {
				part[code] += p.weight[i]
			}
		}
	})
	sum := make([]float64, cols)
	for i, v := range parts {
		sum[i%cols] += v
	}
	return sum
}

// eachChunk calls work for every chunk of rows, on several cores.
func (p *problem) eachChunk(work func(chunk, from, to int)) {
	n := p.x.Rows()
	parallel.Each(chunks(n), func(c int) {
		work(c, c*chunkRows, min((c+1)*chunkRows, n))
	})
}

// draw returns the sampled rows of an expected size and the factor, one over
// its probability, that each counts for. A size of all rows takes all rows.
func (s *sampler) draw(size int) (rows []int, factor []float64) {
	for i, share := range s.share {
		probability := min(1, float64(size)*share)
		if size >= len(s.share) {
			probability = 1
		}
		if uniform(s.seed, uint64(i)) < probability {
			rows = append(rows, i)
			factor = append(factor, 1/probability)
		}
	}
	return rows, factor
}

// uniform returns a number in [0, 1) that depends on (seed, i) alone: the
// finaliser of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014).
func uniform(seed, i uint64) float64 {
	z := seed*0xd1342543de82ef95 + (i+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return float64((z^z>>31)>>11) / (1 << 53)
}

// hessian returns the lower triangle (row-major d × d) of the Hessian at s,
// estimated from the sampled rows:
//
//	Σ factor_i w_i σ_i(1-σ_i) x̂_i x̂_iᵀ + λ diag(1 … 1, 0),   x̂ = (x, 1).
func (p *problem) hessian(s *state, rows []int, factor []float64) []float64 {
	dim := p.dim()
	parts := make([][]float64, hessianParts)
	parallel.Each(hessianParts, func(k int) {
		part := make([]float64, dim*dim)
		from, to := k*len(rows)/hessianParts, (k+1)*len(rows)/hessianParts
		for a := from; a < to; a++ {
			i := rows[a]
			addOuter(part, dim, p.x.Row(i), factor[a]*p.weight[i]*s.prob[i]*(1-s.prob[i]))
		}
		parts[k] = part
	})
	sum := parts[0]
	for _, part := range parts[1:] {
		for a, v := range part {
			sum[a] += v
		}
	}
	for j := range dim - 1 {
		sum[j*dim+j] += p.lambda
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

// factorization is the Cholesky factor L of a preconditioner P = L Lᵀ.
type factorization struct {
	dim int
	l   []float64 // lower triangle, row-major dim × dim
}

// cholesky factors the matrix with lower triangle m. A diagonal element of 0 (a
// column that is 0 in every row, without a penalty) counts as 1.
func cholesky(m []float64, dim int) *factorization {
	f := &factorization{dim: dim, l: make([]float64, dim*dim)}
	for ridge := 0.0; ; ridge = max(jitter, 10*ridge) {
		copy(f.l, m)
		for j := range dim {
			d := &f.l[j*dim+j]
			if *d <= 0 {
				*d = 1
			}
			*d += float64(ridge * *d)
		}
		if f.factor() {
			return f
		}
	}
}

// factor overwrites l with its Cholesky factor, row by row. It returns false if
// a pivot has lost all its digits.
func (f *factorization) factor() bool {
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
