package gbdt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"churn/model"
)

// random returns n rows of d numerics (every third one whole numbers, every
// fourth one with nulls) and a categorical of six levels, and labels that
// depend on them.
func random(n, d int, seed uint64) Data {
	rng := rand.New(rand.NewPCG(seed, 7))
	x := &model.Matrix{Width: d, Groups: 1}
	for j := range d {
		x.Names = append(x.Names, fmt.Sprint("x", j))
	}
	for l := range 6 {
		x.Names = append(x.Names, fmt.Sprintf("c=%d", l))
	}
	out := Data{X: x}
	for range n {
		level := rng.IntN(6)
		margin := -0.5 + []float64{1, -1, 0, 2, 0, -1}[level]
		for j := range d {
			v := rng.NormFloat64()
			if j%3 == 2 {
				v = math.Floor(3 * v)
			}
			margin += math.Sin(v+float64(j)) / float64(1+j%3)
			if j%4 == 1 && rng.IntN(5) == 0 {
				v = math.NaN()
				margin++
			}
			x.Dense = append(x.Dense, v)
		}
		x.Codes = append(x.Codes, int32(d+level))
		out.Label = append(out.Label, rng.Float64() < model.Sigmoid(2*margin))
	}
	return out
}

// balanced returns d without the last rows of the class that has more, so that
// the base margin is 0 and the first gradients are ±½ and ¼, which rounding
// leaves as they are.
func balanced(d Data) Data {
	left := [2]int{}
	for _, y := range d.Label {
		left[index(y)]++
	}
	keep := min(left[0], left[1])
	left = [2]int{keep, keep}
	return d.where(func(i int) int {
		left[index(d.Label[i])]--
		return index(left[index(d.Label[i])] >= 0)
	})
}

// where returns row i of d as many times as times says.
func (d Data) where(times func(i int) int) Data {
	var rows []int
	for i := range d.Label {
		for range times(i) {
			rows = append(rows, i)
		}
	}
	return d.pick(rows)
}

// pick returns the rows of d in this order.
func (d Data) pick(rows []int) Data {
	x := *d.X
	x.Dense, x.Codes = nil, nil
	out := Data{X: &x}
	for _, i := range rows {
		r := d.X.Row(i)
		x.Dense, x.Codes, out.Label = append(x.Dense, r.Dense...), append(x.Codes, r.Codes...), append(out.Label, d.Label[i])
		if d.Weight != nil {
			out.Weight = append(out.Weight, d.Weight[i])
		}
	}
	return out
}

// withColumn returns d with one more numeric, before the others.
func (d Data) withColumn(value func(i int) float64) Data {
	x := *d.X
	x.Names, x.Width, x.Dense, x.Codes = slices.Insert(slices.Clone(x.Names), 0, "new"), x.Width+1, nil, nil
	for i := range d.Label {
		r := d.X.Row(i)
		x.Dense = append(append(x.Dense, value(i)), r.Dense...)
		for _, c := range r.Codes {
			x.Codes = append(x.Codes, c+1)
		}
	}
	d.X = &x
	return d
}

// with returns small parameters as change leaves them.
func with(change func(p *Params)) Params {
	p := Defaults()
	p.MaxIter, p.MaxLeafNodes, p.MinSamplesLeaf = 8, 12, 5
	change(&p)
	return p
}

// fit fails the test on an error.
func fit(t testing.TB, d Data, p Params) (*Model, Report) {
	t.Helper()
	m, r, err := Fit(t.Context(), Input{Train: d}, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Check(); err != nil {
		t.Fatal(err)
	}
	return m, r
}

// encoded returns the bytes of m.
func encoded(t testing.TB, m *Model) []byte {
	t.Helper()
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// same reports whether two models have the same bytes.
func same(t testing.TB, a, b *Model) bool {
	t.Helper()
	return bytes.Equal(encoded(t, a), encoded(t, b))
}

// farthest returns the largest difference between the margins of two models.
func farthest(a, b *Model, x, y *model.Matrix) (most float64) {
	for i := range x.Rows() {
		most = max(most, math.Abs(a.Margin(x.Row(i))-b.Margin(y.Row(i))))
	}
	return most
}

// bin puts all rows of d into bins.
func (d Data) bin(t testing.TB, p Params) (*problem, *binned) {
	t.Helper()
	prob, err := newProblem(Input{Train: d}, p)
	if err != nil {
		t.Fatal(err)
	}
	columns, slots := prob.columns()
	b := newBinned(&prob.train, columns, slots)
	all := make([]bool, len(columns))
	for c := range all {
		all[c] = true
	}
	b.use(all)
	return prob, b
}
