package logistic

import (
	"slices"

	"churn/internal/parallel"
	"churn/model"
)

// sampler draws rows: row i with probability min(1, size·share_i),
// independently (Poisson sampling).
//
// share_i is the row's diagonal leverage, w_i (1 + Σ_j x_ij²/D_j) with
// D_j = Σ_i w_i x_ij², normalised to sum 1. It is high for rows that carry a
// rare level or an extreme value, without which their direction would be
// missing from the sample: every column is present in S rows with at least
// S/(columns+1) expected draws. A larger size keeps every row of a smaller one.
type sampler struct {
	share []float64
}

// newSampler computes the leverages of the problem's rows, given D.
func newSampler(p *problem, squares []float64) *sampler {
	inverse := slices.Clone(squares)
	for j, d := range inverse {
		if d > 0 {
			inverse[j] = 1 / d
		}
	}
	share, totals := make([]float64, p.x.Rows()), make([]float64, chunks(p.x.Rows()))
	p.eachChunk(func(c, from, to int) {
		for i := from; i < to; i++ {
			share[i] = p.weight[i] * (1 + leverage(p.x.Row(i), inverse))
			totals[c] += share[i]
		}
	})
	var total float64
	for _, t := range totals {
		total += t
	}
	for i := range share {
		share[i] /= total
	}
	return &sampler{share}
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

// sample is some rows and the factor, one over its probability, that each
// counts for, in ascending order.
type sample struct {
	rows   []int32
	factor []float64
}

// draw returns a sample of an expected size, which follows from seed. A size of
// all rows takes all rows.
func (s *sampler) draw(size int, seed uint64) sample {
	n := len(s.share)
	parts := make([]sample, chunks(n))
	parallel.Each(len(parts), func(c int) {
		part := &parts[c]
		for i := c * chunkRows; i < min((c+1)*chunkRows, n); i++ {
			probability := min(1, float64(size)*s.share[i])
			if size >= n {
				probability = 1
			}
			if uniform(seed, uint64(i)) < probability {
				part.rows = append(part.rows, int32(i))
				part.factor = append(part.factor, 1/probability)
			}
		}
	})
	var out sample
	for _, part := range parts {
		out.rows, out.factor = append(out.rows, part.rows...), append(out.factor, part.factor...)
	}
	return out
}

// uniform returns a number in [0, 1) that depends on (seed, i) alone: the
// finaliser of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014).
func uniform(seed, i uint64) float64 {
	z := seed*0xd1342543de82ef95 + (i+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return float64((z^z>>31)>>11) / (1 << 53)
}
