package logistic

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"churn/model"
)

// point returns a small problem and a random θ.
func point(t *testing.T, n int) (*problem, []float64) {
	t.Helper()
	d := windows(n, 5, 1e-1, 1, 20)
	for i := range d.y {
		d.w = append(d.w, 0.5+float64(i%3))
	}
	p, err := newProblem(d.input(), with(func(p *Params) { p.L2 = 50 }))
	if err != nil {
		t.Fatal(err)
	}
	rng, theta := rand.New(rand.NewPCG(20, 1)), make([]float64, p.dim())
	for j := range theta {
		theta[j] = rng.NormFloat64() / 2
	}
	return p, theta
}

// samplerOf returns the sampler of p.
func samplerOf(t *testing.T, p *problem) *sampler {
	t.Helper()
	_, squares, err := p.baseline()
	if err != nil {
		t.Fatal(err)
	}
	return newSampler(p, squares)
}

// Law: the optimum without features is the state of its own point.
func TestBaselineIsAState(t *testing.T) {
	p, _ := point(t, 10_000)
	base, _, err := p.baseline()
	if err != nil {
		t.Fatal(err)
	}
	want := p.at(base.theta)
	if math.Abs(base.objective-want.objective) > 1e-14 || distance(base.grad, want.grad) > 1e-12 {
		t.Errorf("%+v, want %+v", base, want)
	}
}

// shifted returns theta with h added to element j.
func shifted(theta []float64, j int, h float64) []float64 {
	out := slices.Clone(theta)
	out[j] += h
	return out
}

// Law: the gradient is the central difference of the objective (error O(h²)),
// and the objective is the naive twin's. The planted mutant, a penalised
// intercept, must be noticed.
func TestGradientIsFiniteDifference(t *testing.T) {
	p, theta := point(t, 10_000)
	s := p.at(theta)
	rows := data{x: p.x, y: p.y}.design()
	if want := naiveObjective(p, rows, theta); math.Abs(s.objective-want) > 1e-12 {
		t.Errorf("objective %v, want %v", s.objective, want)
	}
	const h = 1e-5
	for j := range theta {
		want := (p.at(shifted(theta, j, h)).objective - p.at(shifted(theta, j, -h)).objective) / (2 * h)
		if math.Abs(s.grad[j]-want) > 1e-8 {
			t.Errorf("gradient %d: %v, want %v", j, s.grad[j], want)
		}
		if last := j == len(theta)-1; last && math.Abs(s.grad[j]+p.l2*theta[j]-want) < 1e-8 {
			t.Error("the law does not see a penalised intercept")
		}
	}
}

// Law: the Hessian of all rows is the central difference of the gradient. The
// planted mutant penalises the intercept.
func TestHessianIsFiniteDifference(t *testing.T) {
	p, theta := point(t, 2000)
	const h = 1e-5
	dim := p.dim()
	m := newSandwich(p, &Model{Intercept: theta[dim-1], Coef: theta[:dim-1]}, nil).hessian
	for a := range dim {
		up, down := p.at(shifted(theta, a, h)), p.at(shifted(theta, a, -h))
		for b := range a + 1 {
			if want := (up.grad[b] - down.grad[b]) / (2 * h); math.Abs(m[a*dim+b]-want) > 1e-8 {
				t.Errorf("Hessian %d %d: %v, want %v", a, b, m[a*dim+b], want)
			} else if a+b == 2*dim-2 && math.Abs(m[a*dim+b]+p.l2-want) < 1e-8 {
				t.Error("the law does not see a penalised intercept")
			}
		}
	}
}

// Law: the mean of the stochastic directions over the batches of a pass is the
// full gradient at θ, which is not that of the snapshot.
func TestDirectionIsUnbiased(t *testing.T) {
	p, theta := point(t, 1000)
	s := &solver{problem: p, params: Defaults(), growth: 1, sampler: samplerOf(t, p)}
	snapshot := p.at(make([]float64, p.dim()))
	b := s.draw(0, snapshot)
	mean, v := make([]float64, p.dim()), make([]float64, p.dim())
	for k := range 10 {
		s.direction(v, theta, snapshot, b, 100*k, 100*(k+1))
		for j := range v {
			mean[j] += v[j] / 10
		}
	}
	want := p.at(theta).grad
	if d := distance(mean, want); d > 1e-12 {
		t.Errorf("mean direction is off by %.2g", d)
	}
	if distance(snapshot.grad, want) < 1e-3 {
		t.Error("the two points are too close for the law to mean anything")
	}
}

// Law: rows that are drawn stand for all: their directions have nearly the mean
// of all rows. The planted mutant forgets how likely the draw was.
func TestDrawnRowsStandForAll(t *testing.T) {
	p, theta := point(t, 40_000)
	s := &solver{problem: p, params: with(func(p *Params) { p.BatchSize = 1 << 8 }), growth: 1, sampler: samplerOf(t, p)}
	snapshot := p.at(make([]float64, p.dim()))
	b := s.draw(0, snapshot)
	n, want, v := len(b.weight), p.at(theta).grad, make([]float64, p.dim())
	if n > 20_000 {
		t.Fatalf("%d rows drawn: the law is dead", n)
	}
	off := func() float64 {
		s.direction(v, theta, snapshot, b, 0, n)
		return distance(v, want)
	}
	if d := off(); d > 0.1 {
		t.Errorf("direction is off by %.2g", d)
	}
	for k := range b.weight {
		b.weight[k] = 1.0 / 40_000
	}
	if off() < 0.1 {
		t.Error("the law does not see a draw that is not weighted")
	}
}

// Law: at the snapshot itself every batch gives the full gradient: no variance.
func TestDirectionHasNoVarianceAtTheSnapshot(t *testing.T) {
	p, theta := point(t, 1000)
	snapshot, v := p.at(theta), make([]float64, p.dim())
	s := &solver{problem: p, params: Defaults(), growth: 1, sampler: &sampler{make([]float64, 1000)}}
	s.direction(v, theta, snapshot, s.draw(0, snapshot), 3, 6)
	if d := distance(v, snapshot.grad); d > 1e-12 {
		t.Errorf("direction is off by %.2g", d)
	}
}

// Law: P·solve(v) = v, also for a matrix that needs a ridge.
func TestSolveInvertsTheMatrix(t *testing.T) {
	m := []float64{4, 0, 0, 2, 5, 0, 1, 3, 6} // lower triangle of a positive definite 3 × 3
	full := [][]float64{{4, 2, 1}, {2, 5, 3}, {1, 3, 6}}
	v := []float64{1, -2, 3}
	x := slices.Clone(v)
	cholesky(m, 3).solve(x)
	for i, row := range full {
		if got := naiveDot(row, x); math.Abs(got-v[i]) > 1e-12 {
			t.Errorf("row %d: %v, want %v", i, got, v[i])
		}
	}
	x = []float64{1, 1, 0} // twice the same column, and one of zeros
	cholesky([]float64{1, 0, 0, 1, 1, 0, 0, 0, 0}, 3).solve(x)
	if math.Abs(x[0]+x[1]-1) > 1e-6 || x[2] != 0 {
		t.Errorf("singular: %v, want x0+x1 = 1 and x2 = 0", x)
	}
}

// Law: the factors make the sample an unbiased estimate of all rows, a larger
// sample holds the smaller one, and a size of n takes every row once.
func TestSampler(t *testing.T) {
	p, _ := point(t, 20_000)
	s := samplerOf(t, p)
	d := s.draw(2000, 1)
	small, factor := d.rows, d.factor
	var total float64
	for _, f := range factor {
		total += f
	}
	if math.Abs(total/20_000-1) > 0.1 || math.Abs(float64(len(small))/2000-1) > 0.1 {
		t.Errorf("%d rows stand for %.0f, want 2000 for 20000", len(small), total)
	}
	large := s.draw(8000, 1).rows
	for _, i := range small {
		if _, ok := slices.BinarySearch(large, i); !ok {
			t.Fatalf("row %d left the sample when it grew", i)
		}
	}
	if all := s.draw(20_000, 1); len(all.rows) != 20_000 || slices.Max(all.factor) != 1 {
		t.Errorf("size n: %d rows, factor %v", len(all.rows), slices.Max(all.factor))
	}
}

func TestLogLossDoesNotOverflow(t *testing.T) {
	for _, c := range []struct {
		m    float64
		y    bool
		want float64
	}{{0, true, math.Ln2}, {1000, true, 0}, {-1000, true, 1000}, {1000, false, 1000}, {-1000, false, 0}} {
		p, got := logLoss(c.m, c.y)
		if math.Abs(got-c.want) > 1e-15 || p != model.Sigmoid(c.m) {
			t.Errorf("logLoss(%v, %v) = %v %v, want %v %v", c.m, c.y, p, got, model.Sigmoid(c.m), c.want)
		}
	}
}
