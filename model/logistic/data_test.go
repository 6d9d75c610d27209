package logistic

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"churn/model"
)

// data is one generated problem.
type data struct {
	x *model.Matrix
	y []bool
	w []float64 // nil = 1
}

// input returns d as Fit wants it.
func (d data) input() Input { return Input{X: d.x, Label: d.y, Weight: d.w} }

// windows returns n rows of d dense columns and two one-hot groups. The dense
// columns are running sums, like counts over growing windows: neighbours
// differ by noise of relative size eps, so that the condition number of their
// Gram matrix is of the order (d/eps)². Labels follow a noisy linear margin;
// a strength of 30 or more makes them all but separable.
func windows(n, d int, eps, strength float64, seed uint64) data {
	rng := rand.New(rand.NewPCG(seed, 7))
	levels := []int{4, 12}
	m := &model.Matrix{Width: d, Groups: 2}
	for j := range d {
		m.Names = append(m.Names, fmt.Sprint("x", j))
	}
	for g, k := range levels {
		for l := range k {
			m.Names = append(m.Names, fmt.Sprintf("g%d=%d", g, l))
		}
	}
	coef := make([]float64, d)
	for j := range coef {
		coef[j] = rng.NormFloat64()
	}
	out := data{x: m}
	for range n {
		margin, base := -1.0, rng.NormFloat64()
		for j := range d {
			if j > 0 {
				base += eps * rng.NormFloat64()
			}
			m.Dense = append(m.Dense, base)
			margin += strength * coef[j] * base / math.Sqrt(float64(d))
		}
		first := d
		for _, k := range levels {
			l := min(int(rng.ExpFloat64()*float64(k)/6), k-1) // the last levels are rare
			m.Codes = append(m.Codes, int32(first+l))
			margin += 0.3 * float64(l)
			first += k
		}
		out.y = append(out.y, rng.Float64() < model.Sigmoid(margin))
	}
	return out
}

// withColumn returns the matrix with a last dense column.
func (d data) withColumn(value func(i int) float64) *model.Matrix {
	x := *d.x
	x.Names = slices.Insert(slices.Clone(x.Names), x.Width, "new")
	x.Width++
	x.Dense, x.Codes = nil, slices.Clone(x.Codes)
	for i := range d.y {
		x.Dense = append(append(x.Dense, d.x.Row(i).Dense...), value(i))
	}
	for k := range x.Codes {
		x.Codes[k]++
	}
	return &x
}

// repeated returns the rows, row i as often as times says.
func (d data) repeated(times func(i int) int) data {
	x := *d.x
	x.Dense, x.Codes = nil, nil
	out := data{x: &x}
	for i, y := range d.y {
		for range times(i) {
			r := d.x.Row(i)
			x.Dense, x.Codes = append(x.Dense, r.Dense...), append(x.Codes, r.Codes...)
			out.y = append(out.y, y)
		}
	}
	return out
}

// permuted returns d with its rows in another order.
func (d data) permuted(seed uint64) data {
	rng := rand.New(rand.NewPCG(seed, 8))
	x := *d.x
	x.Dense, x.Codes = nil, nil
	out := data{x: &x}
	for _, i := range rng.Perm(len(d.y)) {
		r := d.x.Row(i)
		x.Dense, x.Codes = append(x.Dense, r.Dense...), append(x.Codes, r.Codes...)
		out.y = append(out.y, d.y[i])
		if d.w != nil {
			out.w = append(out.w, d.w[i])
		}
	}
	return out
}

// design returns the densified rows with a last column of ones.
func (d data) design() [][]float64 {
	out := make([][]float64, len(d.y))
	for i := range out {
		out[i] = make([]float64, d.x.Cols()+1)
		d.x.Row(i).AddScaled(1, out[i])
		out[i][d.x.Cols()] = 1
	}
	return out
}

// newton is the readable twin: exact Newton steps with a halving line search
// on densified rows until nothing improves. It returns θ and f(θ).
func newton(d data, p *problem) ([]float64, float64) {
	rows, dim := d.design(), d.x.Cols()+1
	theta := make([]float64, dim)
	best := naiveObjective(p, rows, theta)
	for range 200 {
		g, h := make([]float64, dim), make([][]float64, dim)
		for a := range h {
			h[a] = make([]float64, dim)
			if a < dim-1 {
				g[a], h[a][a] = p.l2*theta[a], p.l2
			}
		}
		for i, x := range rows {
			s := model.Sigmoid(naiveDot(x, theta))
			for a, xa := range x {
				if xa == 0 {
					continue
				}
				g[a] += p.weight[i] * (s - float64(index(p.y[i]))) * xa
				for b, xb := range x[:a+1] {
					h[a][b] += p.weight[i] * s * (1 - s) * xa * xb
				}
			}
		}
		for a := range h {
			for b := range a {
				h[b][a] = h[a][b]
			}
		}
		step := gauss(h, g)
		improved := false
		for t := 1.0; t > 1e-9 && !improved; t /= 2 {
			try := make([]float64, dim)
			for j := range try {
				try[j] = theta[j] - t*step[j]
			}
			if f := naiveObjective(p, rows, try); f < best {
				theta, best, improved = try, f, true
			}
		}
		if !improved {
			break
		}
	}
	return theta, best
}

func naiveObjective(p *problem, rows [][]float64, theta []float64) float64 {
	var f float64
	for i, x := range rows {
		m := naiveDot(x, theta)
		if p.y[i] {
			m = -m
		}
		f += p.weight[i] * (math.Max(m, 0) + math.Log1p(math.Exp(-math.Abs(m))))
	}
	for _, b := range theta[:len(theta)-1] {
		f += p.l2/2*b*b + p.l1*math.Abs(b)
	}
	return f
}

func naiveDot(a, b []float64) (sum float64) {
	for j := range a {
		sum += a[j] * b[j]
	}
	return sum
}

// gauss solves a·x = b by elimination with partial pivoting.
func gauss(a [][]float64, b []float64) []float64 {
	n, x := len(b), append([]float64(nil), b...)
	for k := range n {
		pivot := k
		for i := k + 1; i < n; i++ {
			if math.Abs(a[i][k]) > math.Abs(a[pivot][k]) {
				pivot = i
			}
		}
		a[k], a[pivot], x[k], x[pivot] = a[pivot], a[k], x[pivot], x[k]
		for i := k + 1; i < n; i++ {
			f := a[i][k] / a[k][k]
			for j := k; j < n; j++ {
				a[i][j] -= f * a[k][j]
			}
			x[i] -= f * x[k]
		}
	}
	for k := n - 1; k >= 0; k-- {
		for j := k + 1; j < n; j++ {
			x[k] -= a[k][j] * x[j]
		}
		x[k] /= a[k][k]
	}
	return x
}
