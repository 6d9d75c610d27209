package explain

import "churn/model"

// TreeExplainer explains single rows. It holds scratch space: one for each
// goroutine.
type TreeExplainer struct {
	trees    *Trees
	followed []uint8  // by node: 1 if the row passes all splits on the feature of the edge to it
	way      []uint8  // by test
	value    []vector // by slot: products on the way down, sums over leaves on the way up
}

// NewExplainer returns an explainer for one goroutine.
func (t *Trees) NewExplainer() *TreeExplainer {
	return &TreeExplainer{
		trees:    t,
		followed: make([]uint8, t.nodes),
		way:      make([]uint8, t.nodes),
		value:    make([]vector, t.slots),
	}
}

// Contributions fills out with the Shapley value of each raw feature. Base and
// they sum to the margin.
func (e *TreeExplainer) Contributions(r model.Row, out []float64) {
	clear(out)
	for k := range e.trees.trees {
		e.add(k, r, out)
	}
}

// blockRows is the number of rows that go through one tree before the next:
// the tables of one tree stay in cache, those of all trees do not.
const blockRows = 128

// Block is Contributions of every row of x.
func (e *TreeExplainer) Block(x *model.Matrix, out []float64) {
	clear(out)
	n := x.Rows()
	for from := 0; from < n; from += blockRows {
		for k := range e.trees.trees {
			for i := from; i < min(from+blockRows, n); i++ {
				e.add(k, x.Row(i), rowOf(out, n, i))
			}
		}
	}
}

// add adds what tree k gives to out.
func (e *TreeExplainer) add(k int, r model.Row, out []float64) {
	t := &e.trees.trees[k]
	e.choose(k, t, r)
	for i := range t.passes {
		p := &t.passes[i]
		e.descend(p.splits)
		e.lookUp(p.units, out)
		e.ascend(p.splits, out)
	}
}

// choose fills way for tree k.
func (e *TreeExplainer) choose(k int, t *compiled, r model.Row) {
	followed, way := e.followed, e.way[:len(t.tests)]
	followed[0] = 1
	for i := range t.tests {
		s := &t.tests[i]
		left := uint8(0)
		if s.dense >= 0 {
			x := r.Dense[s.dense]
			left = bit(x <= s.threshold) | s.missingLeft&bit(x != x)
		} else {
			m := e.trees.model
			left = bit(m.Left(&m.Trees[k], &m.Trees[k].Nodes[s.node], r))
		}
		above := followed[s.above]
		followed[s.node+1] = above & left
		followed[s.right] = above &^ left
		way[i] = cutOff - above*(1+left) // wentLeft = cutOff − 2, wentRight = cutOff − 1
	}
}

// bit returns 1 for true. The compiler makes it a flag, not a branch: the ways
// of rows are hard to predict.
func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// descend fills value with the product of the path of each slot.
func (e *TreeExplainer) descend(splits []split) {
	e.value[0] = vector{1, 1, 1, 1}
	for i := range splits {
		s := &splits[i]
		f, x := &s.factors[e.way[s.test]], e.value[s.here]
		e.value[s.left] = x.times(f.left)
		e.value[s.right] = x.times(f.right)
	}
}

// lookUp adds what the splits of each unit give, and turns its product into its
// sum over leaves.
func (e *TreeExplainer) lookUp(units []unit, out []float64) {
	for i := range units {
		u, pattern := &units[i], 0
		for _, w := range e.way[u.first:][:u.splits] {
			pattern = ways*pattern + int(w)
		}
		row := u.table[pattern*(1+len(u.features)):][:1+len(u.features)]
		x := e.value[u.slot]
		for j, f := range u.features {
			out[f] += x.dot(row[1+j])
		}
		e.value[u.slot] = x.times(row[0])
	}
}

// ascend sums the leaves below each split and adds what it gives.
func (e *TreeExplainer) ascend(splits []split, out []float64) {
	for i := len(splits) - 1; i >= 0; i-- {
		s := &splits[i]
		f := &s.factors[e.way[s.test]]
		left, right := e.value[s.left], e.value[s.right]
		out[s.out] += left.dot(f.addLeft) + right.dot(f.addRight)
		e.value[s.here] = left.plus(right)
	}
}
