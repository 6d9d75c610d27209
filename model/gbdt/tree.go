package gbdt

import "math"

// outcome is what the training rows say of a leaf.
type outcome struct {
	g, h  float64 // of the drawn rows
	cover float64 // weight of all rows
	value float64 // shrunken
}

// assign finds the value of every leaf, from the exact gradients, and moves the
// margins of all rows. It returns the leaves by index into nodes.
func (b *booster) assign(nodes []grown) []outcome {
	if len(b.rows) == len(b.margin) {
		b.mark(nodes)
	} else {
		b.walk(nodes)
	}
	out := b.outcomes(len(nodes))
	for i := range nodes {
		if n, o := &nodes[i], &out[i]; n.left == 0 && o.h+b.params.L2 > 0 {
			o.value = b.params.LearningRate * min(max(-o.g/(o.h+b.params.L2), n.leaf.low), n.leaf.high)
		}
	}
	eachChunk(len(b.margin), func(_, from, to int) {
		leafOf := b.leafOf[from:to]
		for i := range leafOf {
			b.margin[from+i] += out[leafOf[i]].value
		}
	})
	return out
}

// outcomes sums up the rows of every leaf.
func (b *booster) outcomes(nodes int) []outcome {
	parts := make([][]outcome, chunks(len(b.margin)))
	drawn := b.drawn()
	eachChunk(len(b.margin), func(k, from, to int) {
		part := make([]outcome, nodes)
		for i := from; i < to; i++ {
			o, d := &part[b.leafOf[i]], b.exact[i]
			if drawn == nil || drawn[i] {
				o.g, o.h = o.g+float64(d.g), o.h+float64(d.h)
			}
			o.cover += b.train.weightOf(i)
		}
		parts[k] = part
	})
	out := make([]outcome, nodes)
	for _, part := range parts {
		for i, o := range part {
			out[i].g, out[i].h, out[i].cover = out[i].g+o.g, out[i].h+o.h, out[i].cover+o.cover
		}
	}
	return out
}

// drawn returns which rows were drawn; nil if all were.
func (b *booster) drawn() []bool {
	if len(b.rows) == len(b.margin) {
		return nil
	}
	in := make([]bool, len(b.margin))
	for _, r := range b.rows {
		in[r] = true
	}
	return in
}

// mark writes the leaf of every drawn row to leafOf.
func (b *booster) mark(nodes []grown) {
	each(len(nodes), func(i int) {
		for _, r := range nodes[i].leaf.rows {
			b.leafOf[r] = uint16(i)
		}
	})
}

// walk writes the leaf of every row to leafOf.
func (b *booster) walk(nodes []grown) {
	w := b.newWalker(nodes)
	eachChunk(len(b.margin), func(_, from, to int) {
		for i := from; i < to; i++ {
			b.leafOf[i] = uint16(w.leaf(b.binned, i))
		}
	})
}

// walker finds leaves of a grown tree by bins.
type walker struct {
	nodes    []grown
	goesLeft []*[256]uint8
}

func (b *binned) newWalker(nodes []grown) *walker {
	w := &walker{nodes: nodes, goesLeft: make([]*[256]uint8, len(nodes))}
	for i := range nodes {
		if s := &nodes[i].split; nodes[i].left > 0 {
			w.goesLeft[i] = s.goesLeft(&b.columns[s.column])
		}
	}
	return w
}

func (w *walker) leaf(b *binned, row int) int {
	i := 0
	for w.nodes[i].left > 0 {
		n := &w.nodes[i]
		if w.goesLeft[i][b.bytes[n.split.column][row]] == 1 {
			i = n.left
		} else {
			i = n.right
		}
	}
	return i
}

// tree returns the grown tree in pre-order.
func (b *booster) tree(nodes []grown, leaves []outcome) Tree {
	var t Tree
	var add func(i int) float64
	add = func(i int) float64 {
		at, n := len(t.Nodes), &nodes[i]
		if n.left == 0 {
			t.Nodes = append(t.Nodes, Node{Feature: Leaf, Set: -1, Value: leaves[i].value, Cover: leaves[i].cover})
			return leaves[i].cover
		}
		s := &n.split
		c := &b.columns[s.column]
		x := Node{Feature: int32(c.feature), Set: -1, MissingLeft: s.missingLeft, Gain: s.gain}
		if c.levels {
			x.Set = int32(len(t.Sets))
			t.Sets = append(t.Sets, s.set)
		} else if s.threshold < len(c.cuts) {
			x.Value = c.cuts[s.threshold]
		} else {
			x.Value = math.MaxFloat64 // null against all others
		}
		t.Nodes = append(t.Nodes, x)
		cover := add(n.left)
		t.Nodes[at].Right = int32(len(t.Nodes))
		cover += add(n.right)
		t.Nodes[at].Cover = cover
		return cover
	}
	add(0)
	return t
}
