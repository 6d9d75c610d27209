package gbdt

import "churn/model"

// Margin returns the log-odds of the positive class of one row. It does not
// allocate.
func (m *Model) Margin(r model.Row) float64 {
	margin := m.Base
	for t := range m.Trees {
		margin += m.leaf(&m.Trees[t], r)
	}
	return margin
}

// leaf returns the value of the leaf that r falls into.
func (m *Model) leaf(t *Tree, r model.Row) float64 {
	i := int32(0)
	for {
		n := &t.Nodes[i]
		switch {
		case n.Feature == Leaf:
			return n.Value
		case m.Left(t, n, r):
			i++
		default:
			i = n.Right
		}
	}
}

const (
	scoreRows = 4096 // rows of a task: the masks of a tree are read once for all of them
	// walkRows is the number of rows up to which walking costs less than making
	// the masks.
	walkRows = 1024
)

// Margins writes the margin of every row of x to out, which is as long: the
// same bits as Margin, on several cores. It panics if the lengths differ.
func (m *Model) Margins(x *model.Matrix, out []float64) {
	if len(out) != x.Rows() {
		panic("gbdt: margins for another number of rows")
	}
	score := func(from, to int) {
		for i := from; i < to; i++ {
			out[i] = m.Margin(x.Row(i))
		}
	}
	if len(out) > walkRows {
		s := newScorer(m)
		score = func(from, to int) { s.score(x, from, out[from:to]) }
	}
	each((len(out)+scoreRows-1)/scoreRows, func(k int) { score(k*scoreRows, min((k+1)*scoreRows, len(out))) })
}

// Importance returns by feature the total gain of the splits on it: twice the
// fall of the training loss that they were chosen for.
func (m *Model) Importance() []float64 {
	out := make([]float64, len(m.Features))
	for _, t := range m.Trees {
		for _, n := range t.Nodes {
			if n.Feature != Leaf {
				out[n.Feature] += n.Gain
			}
		}
	}
	return out
}
