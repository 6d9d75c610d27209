package gbdt

import (
	"runtime"
)

// grower grows one tree after another on the same rows.
type grower struct {
	*binned
	searcher
	sums    *accumulators
	crew    crew
	packed  []uint64 // packed gradient of every row
	inUse   []bool   // by column: may be split on in this tree
	scratch []int32  // as many as rows
	splits  []split  // by column: the best
	free    [][]bin  // histograms to use again
}

// leaf is a node that may still be split.
type leaf struct {
	node
	rows  []int32
	hist  []bin // nil: cannot be split
	best  split
	depth int
}

// grown is a node of a growing tree. Children come after their parent.
type grown struct {
	split       split
	left, right int  // 0: a leaf
	leaf        leaf // of a leaf
}

// newGrower returns a grower on b.
func newGrower(b *binned, rows int, p *Params) *grower {
	g := &grower{binned: b, searcher: searcher{params: p}, sums: b.newAccumulators(), packed: make([]uint64, rows), scratch: make([]int32, rows)}
	g.splits, g.inUse = make([]split, 2*len(b.columns)), make([]bool, len(b.columns))
	for _, c := range b.columns {
		g.bounded = g.bounded || c.sign != 0
	}
	return g
}

// grow grows a tree leaf by leaf: the one whose split gains most is split next
// (best first; Shi, PhD thesis, Waikato 2007; Ke et al. 2017), until no split
// gains or there are MaxLeafNodes. It puts rows into the order of the leaves.
func (g *grower) grow(rows []int32) []grown {
	g.use(g.inUse)
	first := leaf{rows: rows, hist: g.histogram()}
	g.sums.sum(&g.crew, g.binned, rows, g.packed)
	c := g.anyColumn()
	g.sums.column(g.binned, c, g.part(first.hist, c))
	first.node = root(total(g.part(first.hist, c)))
	g.search(&first, nil)
	tree := []grown{{leaf: first}}
	for leaves := 1; leaves < g.params.MaxLeafNodes; leaves++ {
		next := widest(tree)
		if next < 0 {
			break
		}
		tree = g.split(tree, next, leaves+1 < g.params.MaxLeafNodes)
	}
	for i := range tree {
		g.release(&tree[i].leaf)
	}
	return tree
}

// anyColumn returns the first column in use.
func (g *grower) anyColumn() int {
	for c, use := range g.inUse {
		if use {
			return c
		}
	}
	panic("gbdt: no column in use")
}

// widest returns the leaf with the largest gain, the first of equals; -1 if
// none gains.
func widest(tree []grown) int {
	best, at := 0.0, -1
	for i := range tree {
		if t := &tree[i]; t.left == 0 && t.leaf.best.gain > best {
			best, at = t.leaf.best.gain, i
		}
	}
	return at
}

// split splits leaf i of the tree. more says whether its children may be split
// in turn.
func (g *grower) split(tree []grown, i int, more bool) []grown {
	parent := tree[i].leaf
	c := &g.columns[parent.best.column]
	n := g.crew.partition(g.bytes[parent.best.column], parent.best.goesLeft(c), parent.rows, g.scratch[:len(parent.rows)])
	left := leaf{rows: parent.rows[:n:n], depth: parent.depth + 1}
	right := leaf{rows: parent.rows[n:], depth: parent.depth + 1}
	left.node, right.node = g.children(&parent.best, &parent.node, c)
	if more && (g.splittable(&left) || g.splittable(&right)) {
		small, large := &left, &right
		if len(small.rows) > len(large.rows) {
			small, large = large, small
		}
		small.hist, large.hist = g.histogram(), parent.hist
		g.sums.sum(&g.crew, g.binned, small.rows, g.packed)
		g.search(small, large)
	} else {
		g.release(&parent)
	}
	tree[i] = grown{split: parent.best, left: len(tree), right: len(tree) + 1}
	return append(tree, grown{leaf: left}, grown{leaf: right})
}

// splittable reports whether l may have children.
func (g *grower) splittable(l *leaf) bool {
	return (g.params.MaxDepth == 0 || l.depth < g.params.MaxDepth) &&
		l.sum.n >= 2*int64(g.params.MinSamplesLeaf) && float64(l.sum.h)*g.unitH >= 2*g.params.MinChildWeight
}

// search makes the histogram of small from the sums of the workers, that of
// large, if not nil, by subtracting it from its parent's, which it holds, and
// finds the best split of both.
func (g *grower) search(small, large *leaf) {
	n := len(g.columns)
	tasks := min(n, 4*runtime.GOMAXPROCS(0))
	g.crew.each(tasks, func(k int) {
		for c := k * n / tasks; c < (k+1)*n/tasks; c++ {
			g.splits[c], g.splits[n+c] = split{}, split{}
			if !g.inUse[c] {
				continue
			}
			a := g.part(small.hist, c)
			g.sums.column(g.binned, c, a)
			g.splits[c] = g.column(c, a, small)
			if large != nil {
				b := g.part(large.hist, c)
				subtract(b, a)
				g.splits[n+c] = g.column(c, b, large)
			}
		}
	})
	g.choose(small, g.splits[:n])
	if large != nil {
		g.choose(large, g.splits[n:])
	}
}

// subtract takes the bins of one child from those of the parent.
func subtract(parent, child []bin) {
	parent = parent[:len(child)]
	for i, v := range child {
		parent[i].sub(v)
	}
}

// column returns the best split of l on column c, whose bins are h.
func (g *grower) column(c int, h []bin, l *leaf) split {
	if !g.splittable(l) {
		return split{}
	}
	s := g.best(&g.columns[c], h, &l.node)
	s.column = c
	return s
}

// choose keeps the split that gains most, the first of equals, and releases the
// histogram if none does.
func (g *grower) choose(l *leaf, splits []split) {
	for _, s := range splits {
		if s.gain > l.best.gain {
			l.best = s
		}
	}
	if l.best.gain == 0 {
		g.release(l)
	}
}

// part returns the bins of column c of a histogram.
func (g *grower) part(hist []bin, c int) []bin {
	return hist[g.columns[c].offset:][:g.columns[c].slots()]
}

// histogram returns one with any content.
func (g *grower) histogram() []bin {
	if last := len(g.free) - 1; last >= 0 {
		h := g.free[last]
		g.free = g.free[:last]
		return h
	}
	return make([]bin, g.slots)
}

// release keeps the histogram of l for another leaf.
func (g *grower) release(l *leaf) {
	if l.hist != nil {
		g.free = append(g.free, l.hist)
		l.hist = nil
	}
}

// total returns the sum of the bins of a column.
func total(h []bin) (sum bin) {
	for _, b := range h {
		sum.add(b)
	}
	return sum
}
