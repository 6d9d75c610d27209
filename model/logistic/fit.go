package logistic

import (
	"context"
	"fmt"
)

const (
	// hessianRows is the least number of rows of the preconditioner, and
	// hessianFactor its least multiple of the dimension d. A leverage-weighted
	// sample of S rows is off by about √(d/S) in every direction: 0.16 at 40.
	hessianRows, hessianFactor = 8192, 40

	// drawBatches is the least number of mini-batches that an epoch draws, and
	// drawFactor the least multiple of d that its rows are, as far as there are
	// rows. SVRG needs as many steps as the condition number, which P brings near
	// 1, and not a pass over all rows: m drawn rows leave an error of about √(d/m)
	// of the way to the optimum, and 1/600 of the gap at 600.
	drawBatches, drawFactor = 16, 600

	// drawShare is the least part of all rows that an epoch draws: it costs little
	// beside the pass over all of them, and on 2·10⁶ rows saves one pass of four.
	drawShare = 16

	// maxDraw bounds the rows of an epoch, which are copied. Drawn by leverage,
	// these many stand for any number within √(d/maxDraw), 1% at 50 columns.
	maxDraw = 1 << 19

	// minRate is the step below which a fit has diverged: a step this small
	// along -P⁻¹∇f lowers any smooth objective unless rounding hides it.
	minRate = 1e-7

	// tolFloor is the relative gap that rounding of the objective hides; a fit
	// that reaches it has converged whatever Tol says.
	tolFloor = 1e-13
)

// Fit minimises the objective of the package comment and returns the best
// model found. progress, if not nil, is called with the state before every
// epoch and at the end. It returns an error if the parameters are invalid, if
// the data cannot be fitted (one class only, lengths that differ, a weight below
// 0, values that are not finite), or with ctx's.
//
// Data that a hyperplane separates has no optimum without a penalty: the status
// is then not Converged, since the gap falls no faster than the objective.
func Fit(ctx context.Context, in Input, p Params, progress func(epoch int, objective, gap float64)) (*Model, Report, error) {
	s, base, err := newSolver(in, p)
	if err != nil {
		return nil, Report{}, fmt.Errorf("fit logistic regression: %w", err)
	}
	best, report, err := s.run(ctx, s.first(in.Start, base), progress)
	if err != nil {
		return nil, Report{}, fmt.Errorf("fit logistic regression: %w", err)
	}
	cols := in.X.Cols()
	return &Model{Intercept: best.theta[cols], Coef: best.theta[:cols:cols]}, report, nil
}

// solver is the outer loop with what it adapts.
type solver struct {
	*problem
	params  Params
	sampler *sampler
	rate    float64 // first step of the next epoch
	growth  int     // factor of both sample sizes
	batches batches // of the present epoch
}

// newSolver checks everything that Fit is given. It also returns the optimum
// without features.
func newSolver(in Input, p Params) (*solver, *state, error) {
	if err := p.Validate(); err != nil {
		return nil, nil, err
	}
	prob, err := newProblem(in, p)
	if err != nil {
		return nil, nil, err
	}
	base, squares, err := prob.baseline()
	if err != nil {
		return nil, nil, err
	}
	return &solver{problem: prob, params: p, sampler: newSampler(prob, squares), rate: p.LearningRate, growth: 1}, base, nil
}

// run repeats epochs until one of the ends that Status names.
func (s *solver) run(ctx context.Context, snapshot *state, progress func(int, float64, float64)) (*state, Report, error) {
	for epoch := 0; ; epoch++ {
		if err := context.Cause(ctx); err != nil {
			return nil, Report{}, err
		}
		batches := s.draw(epoch, snapshot)
		metric := s.precondition(batches)
		gap := metric.gap(snapshot.theta, snapshot.grad)
		if progress != nil {
			progress(epoch, snapshot.objective, gap)
		}
		if status := s.status(epoch, snapshot.objective, gap); status != "" {
			return snapshot, Report{status, epoch, snapshot.objective, gap}, nil
		}
		next := s.at(s.epoch(ctx, snapshot, batches, metric))
		if s.adapt(snapshot.objective-next.objective, gap) {
			snapshot = next
		}
	}
}

// precondition returns the metric of the Hessian at the snapshot, estimated
// from the first of the drawn rows, which are in random order.
func (s *solver) precondition(b *batches) metric {
	all := len(b.weight)
	n := min(all, s.growth*max(hessianRows, hessianFactor*s.dim()))
	scale := float64(all) / float64(n)
	return s.newMetric(s.curvature(n, b.x.Row, func(k int) float64 {
		return scale * b.weight[k] * b.prob[k] * (1 - b.prob[k])
	}))
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
// Hessian: the samples grow fourfold.
func (s *solver) adapt(fall, gap float64) bool {
	if !(fall >= gap/2) {
		s.growth = min(4*s.growth, 1<<20)
	}
	if !(fall > 0) {
		s.rate /= 4
		return false
	}
	s.rate = min(2*s.rate, s.params.LearningRate)
	return true
}
