package logistic

import (
	"context"
	"slices"

	"churn/internal/parallel"
	"churn/model"
)

// batches are the rows of one epoch, in the order of its mini-batches.
type batches struct {
	rows   []int32
	weight []float64 // w_i over the probability of the draw
	prob   []float64 // σ̃_i, at the snapshot
}

// draw returns the rows of an epoch.
func (s *solver) draw(epoch int, snapshot *state) batches {
	size := s.growth * max(epochSteps*s.params.BatchSize, hessianFactor*s.dim())
	d := s.sampler.draw(size, s.params.Seed+uint64(epoch)<<32)
	b := batches{d.rows, d.factor, make([]float64, len(d.rows))}
	at := &Model{Intercept: snapshot.theta[s.x.Cols()], Coef: snapshot.theta[:s.x.Cols()]}
	parallel.Each(chunks(len(b.rows)), func(c int) {
		for k := c * chunkRows; k < min((c+1)*chunkRows, len(b.rows)); k++ {
			b.weight[k] *= s.weight[b.rows[k]]
			b.prob[k] = at.probability(s.x.Row(int(b.rows[k])))
		}
	})
	return b
}

// probability returns σ(margin).
func (m *Model) probability(r model.Row) float64 { return model.Sigmoid(m.Margin(r)) }

// minSteps is the least number of inner steps of an epoch: with fewer, a small
// sample would not come near the noise floor that SVRG allows.
const minSteps = 16

// epoch is the inner loop: it returns the point reached from the snapshot. It
// goes over the drawn rows once, or more often if that makes too few steps.
func (s *solver) epoch(ctx context.Context, snapshot *state, b batches, m metric) []float64 {
	n := len(b.rows)
	perPass := (n + s.params.BatchSize - 1) / s.params.BatchSize
	steps := (max(perPass, minSteps) + perPass - 1) / perPass * perPass
	theta, v := slices.Clone(snapshot.theta), make([]float64, s.dim())
	for k := 0; k < steps && ctx.Err() == nil; k++ {
		at := k % perPass
		s.direction(v, theta, snapshot, b, at*n/perPass, (at+1)*n/perPass)
		m.step(theta, v, s.rate*(1-float64(k)/float64(steps)))
	}
	return theta
}

// direction writes to v the variance-reduced gradient at theta of f without its
// ‖β‖₁, from the batch B of drawn rows [from, to) of n,
//
//	(n/|B|) Σ_B w_i(σ_i - σ̃_i) x̂_i + λ(1-ρ)(β - β̃) + ∇f(θ̃),
//
// where ~ marks the snapshot. Its mean over batches B and draws is the gradient.
func (s *solver) direction(v, theta []float64, snapshot *state, b batches, from, to int) {
	cols := s.x.Cols()
	copy(v, snapshot.grad)
	for j := range cols {
		v[j] += float64(s.l2 * (theta[j] - snapshot.theta[j]))
	}
	scale := float64(len(b.rows)) / float64(to-from)
	for k := from; k < to; k++ {
		row := s.x.Row(int(b.rows[k]))
		sigma := model.Sigmoid(theta[cols] + row.Dot(theta[:cols]))
		r := scale * b.weight[k] * (sigma - b.prob[k])
		row.AddScaled(r, v)
		v[cols] += r
	}
}
