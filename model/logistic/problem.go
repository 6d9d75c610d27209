package logistic

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"churn/internal/parallel"
	"churn/model"
)

// chunkRows is the number of rows that one task sums up. It is a constant
// because the order of summation follows it.
const chunkRows = 4096

// problem is the objective of the package comment. A point θ is the Cols()
// coefficients followed by the intercept.
type problem struct {
	x      *model.Matrix
	y      []bool
	weight []float64 // w_i/W: they sum to 1
	lambda float64   // L2/W
}

// newProblem checks the data and normalises the weights (nil means 1).
func newProblem(x *model.Matrix, y []bool, weights []float64, p Params) (*problem, error) {
	n := x.Rows()
	if weights == nil {
		weights = slices.Repeat([]float64{1}, n)
	}
	if len(y) != n || len(weights) != n {
		return nil, fmt.Errorf("%d rows, %d labels and %d weights", n, len(y), len(weights))
	}
	if i := slices.IndexFunc(weights, func(w float64) bool { return !(w >= 0) || math.IsInf(w, 0) }); i >= 0 {
		return nil, fmt.Errorf("weight of row %d: %v is not a finite number ≥ 0", i, weights[i])
	}
	var class [2]float64 // total weight of the negatives and the positives
	for i, w := range weights {
		class[index(y[i])] += w
	}
	total := class[0] + class[1]
	switch {
	case total == 0:
		return nil, errors.New("no rows with a weight")
	case class[0] == 0:
		return nil, errors.New("every label is positive: nothing to tell apart")
	case class[1] == 0:
		return nil, errors.New("every label is negative: nothing to tell apart")
	}
	scale := [2]float64{1 / total, 1 / total}
	if p.ClassWeight == ClassWeightBalanced {
		scale = [2]float64{0.5 / class[0], 0.5 / class[1]}
	}
	normal := make([]float64, n)
	for i, w := range weights {
		normal[i] = w * scale[index(y[i])]
	}
	return &problem{x: x, y: y, weight: normal, lambda: p.L2 / total}, nil
}

// index returns 1 for a positive and 0 for a negative label.
func index(positive bool) int {
	if positive {
		return 1
	}
	return 0
}

// dim returns the length of a point: the coefficients and the intercept.
func (p *problem) dim() int { return p.x.Cols() + 1 }

// start returns the optimum without features: the intercept is the log-odds of
// the weighted base rate.
func (p *problem) start() []float64 {
	var class [2]float64
	for i, w := range p.weight {
		class[index(p.y[i])] += w
	}
	theta := make([]float64, p.dim())
	theta[p.x.Cols()] = math.Log(class[1] / class[0])
	return theta
}

// state is a point with everything that one pass over the rows tells about it.
type state struct {
	theta     []float64
	objective float64
	grad      []float64 // ∇f(θ), dim
	prob      []float64 // probability of every row
}

// at evaluates the objective at theta, which it keeps.
func (p *problem) at(theta []float64) *state {
	n, dim := p.x.Rows(), p.dim()
	s := &state{theta: theta, grad: make([]float64, dim), prob: make([]float64, n)}
	k := chunks(n)
	losses, grads := make([]float64, k), make([]float64, k*dim)
	parallel.Each(k, func(c int) {
		losses[c] = p.sum(s, c*chunkRows, min((c+1)*chunkRows, n), grads[c*dim:(c+1)*dim])
	})
	for c := range k {
		s.objective += losses[c]
		for j, g := range grads[c*dim : (c+1)*dim] {
			s.grad[j] += g
		}
	}
	coef := theta[:dim-1]
	var norm float64
	for j, b := range coef {
		norm += float64(b * b)
		s.grad[j] += float64(p.lambda * b)
	}
	s.objective += float64(p.lambda / 2 * norm)
	return s
}

// sum writes the probabilities of rows [from, to), adds their data gradients
// to grad and returns their weighted loss.
func (p *problem) sum(s *state, from, to int, grad []float64) (loss float64) {
	cols := p.x.Cols()
	coef, intercept := s.theta[:cols], s.theta[cols]
	for i := from; i < to; i++ {
		row := p.x.Row(i)
		m := intercept + row.Dot(coef)
		s.prob[i] = model.Sigmoid(m)
		loss += float64(p.weight[i] * logLoss(m, p.y[i]))
		r := p.weight[i] * (s.prob[i] - float64(index(p.y[i])))
		row.AddScaled(r, grad)
		grad[cols] += r
	}
	return loss
}

// logLoss returns log(1+exp(m)) - y·m = log(1+exp(∓m)) without overflow.
func logLoss(m float64, y bool) float64 {
	if y {
		m = -m
	}
	return max(m, 0) + math.Log1p(math.Exp(-math.Abs(m)))
}

// chunks returns the number of chunks of n rows.
func chunks(n int) int { return (n + chunkRows - 1) / chunkRows }
