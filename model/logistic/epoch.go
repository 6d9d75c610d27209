package logistic

import (
	"context"
	"math/rand/v2"
	"slices"

	"churn/internal/parallel"
	"churn/model"
)

// batches are copies of the rows of one epoch, in the random order of its
// mini-batches: the inner loop then reads memory in order, which for rows
// scattered over a large matrix is several times faster.
type batches struct {
	x      model.Matrix
	weight []float64 // w_i over the probability of the draw
	prob   []float64 // σ̃_i, at the snapshot
}

// draw returns the rows of an epoch. They live until the next call.
func (s *solver) draw(epoch int, snapshot *state) *batches {
	seed := s.params.Seed + uint64(epoch)<<32
	d := s.sampler.draw(s.drawRows(), seed)
	b, cols := &s.batches, s.x.Cols()
	b.resize(s.x, len(d.rows))
	place := rand.New(rand.NewPCG(seed, 0)).Perm(len(d.rows))
	at := &Model{Intercept: snapshot.theta[cols], Coef: snapshot.theta[:cols]}
	parallel.Each(chunks(len(d.rows)), func(c int) {
		for k := c * chunkRows; k < min((c+1)*chunkRows, len(d.rows)); k++ {
			i, to := d.rows[k], place[k]
			from, row := s.x.Row(int(i)), b.x.Row(to)
			copy(row.Dense, from.Dense)
			copy(row.Codes, from.Codes)
			b.weight[to] = s.weight[i] * d.factor[k]
			b.prob[to] = at.probability(row)
		}
	})
	return b
}

// drawRows returns the expected number of rows of an epoch.
func (s *solver) drawRows() int {
	return min(s.growth*max(drawBatches*s.params.BatchSize, drawFactor*s.dim(), s.x.Rows()/drawShare), maxDraw)
}

// resize makes room for n rows of the shape of x.
func (b *batches) resize(x *model.Matrix, n int) {
	b.x.Names, b.x.Width, b.x.Groups = x.Names, x.Width, x.Groups
	b.x.Dense, b.x.Codes = room(b.x.Dense, n*x.Width), room(b.x.Codes, n*x.Groups)
	b.weight, b.prob = room(b.weight, n), room(b.prob, n)
}

// room returns a slice of length n, in the memory of s if that suffices. What
// it held is lost. The number of drawn rows varies a little, hence the margin.
func room[T any](s []T, n int) []T {
	if n > cap(s) {
		s = make([]T, n+n/16)
	}
	return s[:n]
}

// probability returns σ(margin).
func (m *Model) probability(r model.Row) float64 { return model.Sigmoid(m.Margin(r)) }

// minSteps is the least number of inner steps of an epoch: with fewer, a small
// sample would not come near the noise floor that SVRG allows.
const minSteps = 16

// epoch is the inner loop: it returns the point reached from the snapshot. It
// goes over the drawn rows once, or more often if that makes too few steps.
func (s *solver) epoch(ctx context.Context, snapshot *state, b *batches, m metric) []float64 {
	n := len(b.weight)
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
func (s *solver) direction(v, theta []float64, snapshot *state, b *batches, from, to int) {
	cols := s.x.Cols()
	copy(v, snapshot.grad)
	for j := range cols {
		v[j] += float64(s.l2 * (theta[j] - snapshot.theta[j]))
	}
	scale := float64(len(b.weight)) / float64(to-from)
	for k := from; k < to; k++ {
		row := b.x.Row(k)
		sigma := model.Sigmoid(theta[cols] + row.Dot(theta[:cols]))
		r := scale * b.weight[k] * (sigma - b.prob[k])
		row.AddScaled(r, v)
		v[cols] += r
	}
}
