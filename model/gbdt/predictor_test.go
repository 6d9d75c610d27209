package gbdt

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"churn/model"
)

// walk is the readable twin of a tree: from node i down by recursion.
func walk(m *Model, t *Tree, i int32, r model.Row) float64 {
	n := &t.Nodes[i]
	if n.Feature == Leaf {
		return n.Value
	}
	var left bool
	if f := &m.Features[n.Feature]; f.Levels > 0 {
		left = t.Sets[n.Set].Has(r.Codes[int(n.Feature)-len(r.Dense)] - f.First)
	} else if x := r.Dense[n.Feature]; math.IsNaN(x) {
		left = n.MissingLeft
	} else {
		left = x <= n.Value
	}
	if left {
		return walk(m, t, i+1, r)
	}
	return walk(m, t, n.Right, r)
}

// Law: Margins has the bits of Margin, and of the twin, for few rows and many,
// trees with more leaves than a mask has bits, and features with more
// thresholds than a byte has values. The planted mutant sends nulls elsewhere.
func TestMarginsMatchTwin(t *testing.T) {
	d := random(2000, 9, 10)
	for _, p := range []Params{
		with(func(p *Params) {}),
		with(func(p *Params) { p.MaxLeafNodes = 64 }),
		with(func(p *Params) { p.MaxLeafNodes, p.MinSamplesLeaf = 200, 1 }),
	} {
		m, _ := fit(t, d, p)
		other, _ := fit(t, random(2000, 9, 11), p) // with other cuts
		m.Trees = append(m.Trees, other.Trees...)
		for _, n := range []int{1, walkRows, walkRows + 1, 2000} {
			rows := d.where(func(i int) int { return index(i < n) })
			out, noticed := make([]float64, n), false
			m.Margins(rows.X, out)
			mutant := nullsElsewhere(m)
			for i, got := range out {
				r, want := rows.X.Row(i), m.Base
				for k := range m.Trees {
					want += walk(m, &m.Trees[k], 0, r)
				}
				if got != want || m.Margin(r) != want {
					t.Fatalf("%d rows, row %d: margins %v and %v, want %v", n, i, got, m.Margin(r), want)
				}
				noticed = noticed || mutant.Margin(r) != want
			}
			if n > 1 && !noticed {
				t.Error("the law does not see where nulls go")
			}
		}
	}
}

func nullsElsewhere(m *Model) *Model {
	out := &Model{Base: m.Base, Features: m.Features}
	for _, t := range m.Trees {
		t.Nodes = slices.Clone(t.Nodes)
		for i := range t.Nodes {
			t.Nodes[i].MissingLeft = !t.Nodes[i].MissingLeft
		}
		out.Trees = append(out.Trees, t)
	}
	return out
}

// Law: a feature with more thresholds than one input can tell apart is split
// among several.
func TestManyThresholds(t *testing.T) {
	m := &Model{Features: []Feature{{Name: "x"}}}
	for k := range 1000 {
		m.Trees = append(m.Trees, Tree{Nodes: []Node{{Set: -1, Right: 2, Value: float64(k)}, {Feature: Leaf, Set: -1, Value: 1}, {Feature: Leaf, Set: -1}}})
	}
	x := &model.Matrix{Names: []string{"x"}, Width: 1}
	for k := range 2001 {
		x.Dense = append(x.Dense, float64(k)/2)
	}
	out := make([]float64, 2001)
	m.Margins(x, out)
	for k, got := range out {
		if want := float64(1000 - (k+1)/2); got != max(want, 0) {
			t.Fatalf("x = %v: %v trees go left, want %v", x.Dense[k], got, want)
		}
	}
}

func TestMarginDoesNotAllocate(t *testing.T) {
	d := random(500, 4, 12)
	m, _ := fit(t, d, with(func(p *Params) {}))
	r := d.X.Row(3)
	if n := testing.AllocsPerRun(10, func() { m.Margin(r) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

// Law: importance is the gain by feature, and none of a column of noise comes
// near those that matter.
func TestImportance(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	d := random(4000, 3, 13).withColumn(func(int) float64 { return rng.Float64() })
	m, _ := fit(t, d, with(func(p *Params) {}))
	gain := m.Importance()
	var sum float64
	for _, tree := range m.Trees {
		for _, n := range tree.Nodes {
			sum += n.Gain
		}
	}
	if total := gain[0] + gain[1] + gain[2] + gain[3] + gain[4]; math.Abs(total-sum) > 1e-9*sum || gain[0] > 0.1*gain[1] {
		t.Errorf("gains %v of %v", gain, sum)
	}
}

func BenchmarkMargins(b *testing.B) {
	d := random(20_000, 50, 14)
	m, _ := fit(b, d, with(func(p *Params) { p.MaxIter, p.MaxLeafNodes = 250, 31 }))
	for _, n := range []int{1e3, 1e5, 1e6} {
		x := d.where(func(int) int { return n / 20_000 }).X
		if n < 20_000 {
			x = d.where(func(i int) int { return index(i < n) }).X
		}
		out := make([]float64, n)
		b.Run(fmt.Sprint("rows=", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.Margins(x, out)
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func BenchmarkMargin(b *testing.B) {
	d := random(20_000, 50, 14)
	m, _ := fit(b, d, with(func(p *Params) { p.MaxIter, p.MaxLeafNodes = 250, 31 }))
	i := 0
	for b.Loop() {
		m.Margin(d.X.Row(i % 20_000))
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
