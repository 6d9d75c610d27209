package gbdt

import (
	"math"
	"testing"
)

// twin is the readable grower: it sums every node anew from its rows, by the
// same rounded gradients, and searches with the searcher, whose twins are its
// own.
type twin struct {
	*grower
	tree []twinNode
}

type twinNode struct {
	node
	rows        []int32
	depth       int
	best        split
	left, right int
}

func (w *twin) add(n node, rows []int32, depth int) {
	out := twinNode{node: n, rows: rows, depth: depth}
	for c := range w.columns {
		h := naive(w.binned, c, rows, w.packed)
		if c == 0 && depth == 0 {
			out.node = root(total(h))
		}
		s := w.best(&w.columns[c], h, &out.node)
		if s.column = c; w.inUse[c] && s.gain > out.best.gain && (w.params.MaxDepth == 0 || depth < w.params.MaxDepth) {
			out.best = s
		}
	}
	w.tree = append(w.tree, out)
}

func (w *twin) grow(rows []int32) {
	w.add(node{}, rows, 0)
	for leaves := 1; leaves < w.params.MaxLeafNodes; leaves++ {
		best := -1
		for i, n := range w.tree {
			if n.left == 0 && n.best.gain > 0 && (best < 0 || n.best.gain > w.tree[best].best.gain) {
				best = i
			}
		}
		if best < 0 {
			return
		}
		n := &w.tree[best]
		c := &w.columns[n.best.column]
		var sides [2][]int32
		for _, r := range n.rows {
			k := 1 - int(n.best.goesLeft(c)[w.bytes[n.best.column][r]])
			sides[k] = append(sides[k], r)
		}
		left, right := w.children(&n.best, &n.node, c)
		n.left, n.right = len(w.tree), len(w.tree)+1
		depth := n.depth + 1
		w.add(left, sides[0], depth)
		w.add(right, sides[1], depth)
	}
}

// prepare returns a grower with the gradients of a fit's first round.
func prepare(t *testing.T, d Data, p Params) *booster {
	t.Helper()
	prob, err := newProblem(Input{Train: d}, p)
	if err != nil {
		t.Fatal(err)
	}
	b, err := newBooster(prob)
	if err != nil {
		t.Fatal(err)
	}
	r := newRounding(b.most, p.Seed, 0)
	b.unitG, b.unitH = 1/(r.scale*gradOne), 1/(r.scale*hessOne)
	b.gradients(r)
	b.rows = drawRows(len(b.margin), p.Subsample, p.Seed, 0, b.rows)
	drawColumns(p.Colsample, p.Seed, 0, b.inUse)
	return b
}

// Law: the grower makes the tree of its twin, split by split. The planted mutant
// has other gradients.
func TestGrowerMatchesTwin(t *testing.T) {
	d := random(6000, 7, 8)
	for k, p := range []Params{
		with(func(p *Params) {}),
		with(func(p *Params) { p.MaxLeafNodes, p.MinSamplesLeaf, p.L2 = 60, 1, 3 }),
		with(func(p *Params) { p.MaxDepth, p.MinChildWeight = 3, 40 }),
		with(func(p *Params) { p.Subsample, p.Colsample = 0.5, 0.5 }),
		with(func(p *Params) { p.MonotoneIncreasing, p.MonotoneDecreasing = []string{"x0", "x1"}, []string{"x2"} }),
		with(func(p *Params) { p.MaxBins = 5 }),
	} {
		b := prepare(t, d, p)
		w := &twin{grower: b.grower}
		w.grow(drawRows(len(b.margin), p.Subsample, p.Seed, 0, nil))
		got := b.grow(b.rows)
		if !alike(got, w.tree) {
			t.Fatalf("parameters %d: not the tree of the twin", k)
		}
		p.Seed++
		b = prepare(t, d, p)
		for i := range b.packed {
			b.packed[i] = b.packed[len(b.packed)-1-i]
		}
		if alike(b.grow(b.rows), w.tree) {
			t.Errorf("parameters %d: the law does not see the gradients", k)
		}
	}
}

func alike(got []grown, want []twinNode) bool {
	if len(got) != len(want) {
		return false
	}
	for i, n := range got {
		w := &want[i]
		if n.left != w.left || n.right != w.right || n.left > 0 && n.split != w.best || n.left == 0 && (len(n.leaf.rows) != len(w.rows) || n.leaf.sum != w.sum) {
			return false
		}
	}
	return true
}

// Law: leaf values are the Newton steps of the exact gradients of their rows,
// and covers are their weights.
func TestLeavesMatchTwin(t *testing.T) {
	d := random(3000, 5, 9)
	for i := range d.Label {
		d.Weight = append(d.Weight, float64(i%4))
	}
	p := with(func(p *Params) { p.MaxIter, p.L2, p.LearningRate = 1, 2, 0.3 })
	m, _ := fit(t, d, p)
	tree := &m.Trees[0]
	sums := make([]outcome, len(tree.Nodes))
	for i, y := range d.Label {
		g, h := gradient(m.Base, float64(index(y)))
		r, w := d.X.Row(i), d.Weight[i]
		for k := int32(0); ; {
			n, o := &tree.Nodes[k], &sums[k]
			o.g, o.h, o.cover = o.g+w*g, o.h+w*h, o.cover+w
			if n.Feature == Leaf {
				break
			}
			if k++; !m.Left(tree, n, r) {
				k = n.Right
			}
		}
	}
	for k, n := range tree.Nodes {
		o := sums[k]
		if n.Cover != o.cover {
			t.Errorf("node %d: cover %v, want %v", k, n.Cover, o.cover)
		}
		if want := -p.LearningRate * o.g / (o.h + p.L2); n.Feature == Leaf && math.Abs(n.Value-want) > 1e-6*math.Abs(want) {
			t.Errorf("leaf %d: value %v, want %v", k, n.Value, want)
		}
		if n.Feature != Leaf {
			l, r := sums[k+1], sums[n.Right]
			score := func(o outcome) float64 { return o.g * o.g / (o.h + p.L2) }
			if want := score(l) + score(r) - score(o); math.Abs(n.Gain-want) > 1e-2*(1+want) {
				t.Errorf("split %d: gain %v, want %v", k, n.Gain, want)
			}
		}
	}
}
