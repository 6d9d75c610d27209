package logistic

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"churn/model"
)

const (
	// minSteps is the least number of inner steps of an epoch: with fewer, a
	// small sample would not come near the noise floor that SVRG allows.
	minSteps = 16

	// minRate is the step below which a fit has diverged: a step this small
	// along -P⁻¹∇f lowers any smooth objective unless rounding hides it.
	minRate = 1e-7

	// tolFloor is the relative gap that rounding of the objective hides; a fit
	// that reaches it has converged whatever Tol says.
	tolFloor = 1e-13
)

// Fit minimises the objective of the package comment and returns the best
// model found. weights nil means 1 for every row; a weight of 0 is allowed.
// progress, if not nil, is called with the state before every epoch and at the
// end. It returns an error if the parameters are invalid, if the data cannot
// be fitted (one class only, lengths that differ, a weight below 0, values that
// are not finite), or with ctx's.
func Fit(ctx context.Context, x *model.Matrix, y []bool, weights []float64, p Params, progress func(epoch int, objective, gap float64)) (*Model, Report, error) {
	if err := p.Validate(); err != nil {
		return nil, Report{}, fmt.Errorf("fit logistic regression: %w", err)
	}
	prob, err := newProblem(x, y, weights, p)
	if err != nil {
		return nil, Report{}, fmt.Errorf("fit logistic regression: %w", err)
	}
	sampler, err := newSampler(prob, p.Seed)
	if err != nil {
		return nil, Report{}, fmt.Errorf("fit logistic regression: %w", err)
	}
	s := &solver{
		problem: prob, params: p, sampler: sampler,
		rate: p.LearningRate, sample: max(sampleRows, sampleFactor*prob.dim()),
	}
	best, report, err := s.run(ctx, progress)
	if err != nil {
		return nil, Report{}, fmt.Errorf("fit logistic regression: %w", err)
	}
	cols := x.Cols()
	return &Model{Intercept: best.theta[cols], Coef: best.theta[:cols:cols]}, report, nil
}

// solver is the outer loop with what it adapts.
type solver struct {
	*problem
	params  Params
	sampler *sampler
	rate    float64 // first step of the next epoch
	sample  int     // expected rows of the next Hessian
}

// run repeats epochs until one of the ends that Status names.
func (s *solver) run(ctx context.Context, progress func(int, float64, float64)) (*state, Report, error) {
	snapshot := s.at(s.start())
	for epoch := 0; ; epoch++ {
		if err := context.Cause(ctx); err != nil {
			return nil, Report{}, err
		}
		rows, factor := s.sampler.draw(s.sample)
		precond := cholesky(s.hessian(snapshot, rows, factor), s.dim())
		gap := decrement(precond, snapshot.grad)
		if progress != nil {
			progress(epoch, snapshot.objective, gap)
		}
		if status := s.status(epoch, snapshot.objective, gap); status != "" {
			return snapshot, Report{status, epoch, snapshot.objective, gap}, nil
		}
		next := s.at(s.epoch(ctx, epoch, snapshot, precond))
		if s.adapt(snapshot.objective-next.objective, gap) {
			snapshot = next
		}
	}
}

// status returns how the fit has ended, or "" if it goes on.
func (s *solver) status(epoch int, objective, gap float64) Status {
	switch {
	case gap <= max(s.params.Tol, tolFloor)*objective:
		return Converged
	case s.rate < minRate:
		return Diverged
	case epoch == s.params.MaxEpochs:
		return IterationLimit
	}
	return ""
}

// adapt judges an epoch by the fall of the objective, against the gap that the
// preconditioner promised. It reports whether to accept the new point: not if
// the objective rose (or is NaN), and then the step shrinks to a quarter. A
// fall short of half the promise means that P is a poor likeness of the
// Hessian: the sample grows fourfold.
func (s *solver) adapt(fall, gap float64) bool {
	if !(fall >= gap/2) {
		s.sample = min(4*s.sample, 1<<40)
	}
	if !(fall > 0) {
		s.rate /= 4
		return false
	}
	s.rate = min(2*s.rate, s.params.LearningRate)
	return true
}

// decrement returns ½ gᵀP⁻¹g, half the squared Newton decrement if P is the
// Hessian: the estimate of f - f*.
func decrement(f *factorization, g []float64) float64 {
	v := slices.Clone(g)
	f.solve(v)
	var sum float64
	for j := range g {
		sum += float64(g[j] * v[j])
	}
	return sum / 2
}

// epoch is the inner loop: it returns the point reached from the snapshot.
func (s *solver) epoch(ctx context.Context, epoch int, snapshot *state, precond *factorization) []float64 {
	n := s.x.Rows()
	batch := min(s.params.BatchSize, n)
	perPass := (n + batch - 1) / batch
	steps := (max(perPass, minSteps) + perPass - 1) / perPass * perPass
	rng := rand.New(rand.NewPCG(s.params.Seed, uint64(epoch)))
	order := make([]int32, n)
	for i := range order {
		order[i] = int32(i)
	}
	theta, v := slices.Clone(snapshot.theta), make([]float64, s.dim())
	for k := 0; k < steps && ctx.Err() == nil; k++ {
		at := k % perPass
		if at == 0 && batch < n {
			rng.Shuffle(n, func(a, b int) { order[a], order[b] = order[b], order[a] })
		}
		rows := order[at*n/perPass : (at+1)*n/perPass]
		s.direction(v, theta, snapshot, rows)
		precond.solve(v)
		addTo(theta, -s.rate*(1-float64(k)/float64(steps)), v)
	}
	return theta
}

// direction writes to v the variance-reduced gradient at theta,
//
//	(n/|B|) Σ_B w_i(σ_i - σ̃_i) x̂_i + λ(β - β̃) + ∇f(θ̃),
//
// where ~ marks the snapshot. Its mean over batches B is ∇f(θ).
func (s *solver) direction(v, theta []float64, snapshot *state, batch []int32) {
	cols := s.x.Cols()
	copy(v, snapshot.grad)
	for j := range cols {
		v[j] += float64(s.lambda * (theta[j] - snapshot.theta[j]))
	}
	scale := float64(s.x.Rows()) / float64(len(batch))
	for _, i := range batch {
		row := s.x.Row(int(i))
		sigma := model.Sigmoid(theta[cols] + row.Dot(theta[:cols]))
		r := scale * s.weight[i] * (sigma - snapshot.prob[i])
		row.AddScaled(r, v)
		v[cols] += r
	}
}
