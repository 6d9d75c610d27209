package logistic

import (
	"math"

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
	total  float64   // W
	base   float64   // weighted rate of positives
	l1, l2 float64   // λρ and λ(1-ρ)
}

// dim returns the length of a point: the coefficients and the intercept.
func (p *problem) dim() int { return p.x.Cols() + 1 }

// state is a point with everything that one pass over the rows tells about it.
type state struct {
	theta     []float64
	objective float64   // f(θ)
	grad      []float64 // gradient at θ of f without its ‖β‖₁, dim
}

// at evaluates the objective at theta, which it keeps.
func (p *problem) at(theta []float64) *state {
	dim, k := p.dim(), chunks(p.x.Rows())
	s := &state{theta: theta, grad: make([]float64, dim)}
	losses, grads := make([]float64, k), make([]float64, k*dim)
	p.eachChunk(func(c, from, to int) {
		losses[c] = p.sum(theta, from, to, grads[c*dim:(c+1)*dim])
	})
	for c := range k {
		s.objective += losses[c]
		for j, g := range grads[c*dim : (c+1)*dim] {
			s.grad[j] += g
		}
	}
	coef := theta[:dim-1]
	for j, b := range coef {
		s.grad[j] += float64(p.l2 * b)
	}
	s.objective += p.penalty(coef)
	return s
}

// penalty returns λ(ρ‖β‖₁ + ½(1-ρ)‖β‖²).
func (p *problem) penalty(coef []float64) float64 {
	var absolute, squared float64
	for _, b := range coef {
		absolute += math.Abs(b)
		squared += float64(b * b)
	}
	return float64(p.l1*absolute) + float64(p.l2/2*squared)
}

// sum adds the data gradients of rows [from, to) to grad and returns their
// weighted loss.
func (p *problem) sum(theta []float64, from, to int, grad []float64) (loss float64) {
	cols := p.x.Cols()
	coef, intercept := theta[:cols], theta[cols]
	for i := from; i < to; i++ {
		row := p.x.Row(i)
		m := intercept + row.Dot(coef)
		probability, l := logLoss(m, p.y[i])
		loss += float64(p.weight[i] * l)
		r := p.weight[i] * (probability - float64(index(p.y[i])))
		row.AddScaled(r, grad)
		grad[cols] += r
	}
	return loss
}

// logLoss returns σ(m), with the bits of model.Sigmoid, and the loss
// log(1+exp(m)) - y·m = log(1+exp(∓m)), both from one exponential that cannot
// overflow.
func logLoss(m float64, y bool) (probability, loss float64) {
	e := math.Exp(-math.Abs(m))
	probability = 1 / (1 + e)
	if m < 0 {
		probability = e / (1 + e)
	}
	if y {
		m = -m
	}
	return probability, max(m, 0) + math.Log1p(e)
}

// eachChunk calls work for every chunk of rows, on several cores.
func (p *problem) eachChunk(work func(chunk, from, to int)) {
	n := p.x.Rows()
	parallel.Each(chunks(n), func(c int) {
		work(c, c*chunkRows, min((c+1)*chunkRows, n))
	})
}

// chunks returns the number of chunks of n rows.
func chunks(n int) int { return (n + chunkRows - 1) / chunkRows }
