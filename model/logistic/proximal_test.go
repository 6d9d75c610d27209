package logistic

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// quadraticModel returns a slope, the lower triangle of a P whose columns are
// correlated, and a point with zeros.
func quadraticModel(dim int, noise float64, seed uint64) (g, lower, theta []float64) {
	rng := rand.New(rand.NewPCG(seed, 3))
	lower = make([]float64, dim*dim)
	g, theta = make([]float64, dim), make([]float64, dim)
	for range 3 * dim {
		x, base := make([]float64, dim), rng.NormFloat64()
		for j := range x {
			x[j] = base + noise*rng.NormFloat64()
		}
		for a := range dim {
			for b := range a + 1 {
				lower[a*dim+b] += x[a] * x[b] / float64(3*dim)
			}
		}
	}
	for j := range dim {
		g[j] = rng.NormFloat64()
		if j%2 == 0 {
			theta[j] = rng.NormFloat64()
		}
	}
	return g, lower, theta
}

// naiveQuadratic is q of the interface metric.
func naiveQuadratic(g, lower, theta, u []float64, rate, l1 float64) (q float64) {
	dim := len(g)
	for a := range dim {
		d := u[a] - theta[a]
		q += g[a] * d
		for b := range dim {
			q += lower[max(a, b)*dim+min(a, b)] * d * (u[b] - theta[b]) / (2 * rate)
		}
		if a < dim-1 {
			q += l1 * math.Abs(u[a])
		}
	}
	return q
}

// proximalTwin minimises q by many plain sweeps of coordinate descent.
func proximalTwin(g, lower, theta []float64, rate, l1 float64) []float64 {
	dim, u := len(g), slices.Clone(theta)
	for range 4000 {
		for j := range dim {
			slope := rate * g[j]
			for k := range dim {
				if k != j {
					slope += lower[max(j, k)*dim+min(j, k)] * (u[k] - theta[k])
				}
			}
			p := lower[j*dim+j]
			u[j] = theta[j] - slope/p
			if j < dim-1 {
				u[j] = shrink(u[j], rate*l1/p)
			}
		}
	}
	return u
}

// Law: the proximal step is that of its twin, and the gap is the fall of q. The
// planted mutant is a penalised intercept.
func TestProximalStepIsItsTwins(t *testing.T) {
	for seed := range uint64(20) {
		for _, l1 := range []float64{1e-3, 0.3, 100} {
			g, lower, theta := quadraticModel(8, 0.5, seed)
			u, rate := slices.Clone(theta), 0.25+0.75*float64(seed%2)
			m := newProximal(lower, 8, l1)
			m.step(u, slices.Clone(g), rate)
			want := proximalTwin(g, lower, theta, rate, l1)
			if d := distance(u, want); d > 1e-6 {
				t.Errorf("seed %d, λρ %v: %v, want %v", seed, l1, u, want)
			}
			for j := range 7 {
				if (u[j] == 0) != (want[j] == 0) {
					t.Errorf("seed %d, λρ %v: element %d is %v, want %v", seed, l1, j, u[j], want[j])
				}
			}
			best := proximalTwin(g, lower, theta, 1, l1)
			fall := naiveQuadratic(g, lower, theta, theta, 1, l1) - naiveQuadratic(g, lower, theta, best, 1, l1)
			if got := m.gap(theta, g); math.Abs(got-fall) > 1e-7*fall {
				t.Errorf("seed %d, λρ %v: gap %v, want %v", seed, l1, got, fall)
			}
			if l1 == 100 && u[7] == 0 {
				t.Error("the law does not see a penalised intercept")
			}
		}
	}
}

// Law: however correlated the columns, the step reaches the minimum: no
// element of the subgradient of q is left.
func TestProximalStepIsExact(t *testing.T) {
	for _, noise := range []float64{1, 1e-2, 1e-4} {
		g, lower, theta := quadraticModel(30, noise, 1)
		u, slope := slices.Clone(theta), slices.Clone(g)
		const l1 = 0.3
		newProximal(lower, 30, l1).step(u, slope, 1)
		for j := range 29 {
			left := max(0, math.Abs(slope[j])-l1)
			if u[j] != 0 {
				left = math.Abs(slope[j] + math.Copysign(l1, u[j]))
			}
			if left > 1e-6 {
				t.Errorf("noise %v: subgradient %d is %v", noise, j, left)
			}
		}
	}
}

// Law: without ‖β‖₁ both metrics are the same.
func TestMetricsAgreeWithoutL1(t *testing.T) {
	g, lower, theta := quadraticModel(8, 0.5, 3)
	a, b := slices.Clone(theta), slices.Clone(theta)
	plain, proximal := smooth{cholesky(lower, 8)}, newProximal(lower, 8, 0)
	plain.step(a, slices.Clone(g), 0.25)
	proximal.step(b, slices.Clone(g), 0.25)
	if d := distance(a, b); d > 1e-9 {
		t.Errorf("steps differ by %.2g", d)
	}
	if x, y := plain.gap(theta, g), proximal.gap(theta, g); math.Abs(x/y-1) > 1e-9 {
		t.Errorf("gaps %v and %v", x, y)
	}
}

// Law: at the elastic net's optimum the gradient of the smooth part is -λρ sign β
// where β is not 0, and no larger than λρ where it is; in a handful of epochs,
// however correlated the columns. The planted mutant is the optimum of a
// penalty 5% smaller.
func TestElasticNetIsOptimal(t *testing.T) {
	for _, eps := range []float64{1, 1e-2, 1e-4} {
		for _, ratio := range []float64{0.5, 0.9, 1} {
			t.Run(fmt.Sprintf("%v/%v", eps, ratio), func(t *testing.T) {
				d := windows(4000, 12, eps, 1, 2)
				p := with(func(p *Params) { p.L2, p.L1Ratio, p.Tol = 20, ratio, 1e-12 })
				m, r := fit(t, d, p)
				if left := subgradient(t, d, m, p); left > 1e-3 {
					t.Errorf("subgradient %v", left)
				}
				p.L2 *= 1.05
				if subgradient(t, d, m, p) < 1e-3 {
					t.Error("the law does not see another penalty")
				}
				if zeros := slices.Index(m.Coef, 0); zeros < 0 || r.Epochs > 8 {
					t.Errorf("%d epochs, coefficients %v", r.Epochs, m.Coef)
				}
			})
		}
	}
}

// subgradient returns the largest element of the least subgradient of f at m,
// relative to λ.
func subgradient(t *testing.T, d data, m *Model, p Params) (largest float64) {
	t.Helper()
	prob, err := newProblem(d.input(), p)
	if err != nil {
		t.Fatal(err)
	}
	s := prob.at(m.theta())
	for j, g := range s.grad {
		left := max(0, math.Abs(g)-prob.l1)
		if j == len(m.Coef) {
			left = math.Abs(g)
		} else if m.Coef[j] != 0 {
			left = math.Abs(g + math.Copysign(prob.l1, m.Coef[j]))
		}
		largest = max(largest, left)
	}
	return largest / (prob.l1 + prob.l2)
}

// A lasso stronger than every gradient leaves the base rate alone.
func TestLassoThatLeavesNothing(t *testing.T) {
	d := windows(2000, 5, 1, 1, 1)
	m, r := fit(t, d, with(func(p *Params) { p.L2, p.L1Ratio = 1e5, 1 }))
	var positives float64
	for _, y := range d.y {
		positives += float64(index(y))
	}
	want := math.Log(positives / (2000 - positives))
	if slices.ContainsFunc(m.Coef, func(b float64) bool { return b != 0 }) || math.Abs(m.Intercept-want) > 1e-6 || r.Epochs != 0 {
		t.Errorf("%+v after %d epochs, want %v alone", m, r.Epochs, want)
	}
}
