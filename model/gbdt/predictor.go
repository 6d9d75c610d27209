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

// Margins writes the margin of every row of x to out, which is as long: the
// same bits as Margin.
func (m *Model) Margins(x *model.Matrix, out []float64) {
	if len(out) != x.Rows() {
		panic("gbdt: margins for another number of rows")
	}
	eachChunk(len(out), func(_, from, to int) {
		for i := from; i < to; i++ {
			out[i] = m.Margin(x.Row(i))
		}
	})
}

// Importance returns the total gain of the splits on each feature.
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
