package gbdt

import "churn/internal/parallel"

// grower grows one tree after another on the same rows.
type grower struct {
	*binned
	searcher
	sums    *accumulators
	scratch []int32
	free    [][]bin // histograms to use again
	splits  []split // by column
	use     []bool  // by column: may be split on in this tree
	packed  []uint64
}

// leaf is a node that may still be split.
type leaf struct {
	node
	rows  []int32
	hist  []bin // nil: cannot be split
	best  split
	depth int
	at    int // index into grown
}

// grown is a node of a tree that grows; children come after it in any order.
type grown struct {
	split       split
	left, right int  // 0: a leaf
	rows        leaf // of a leaf
}

// grow grows a tree leaf by leaf: the one whose split gains most is split next
// (best first; Shi 2007, Ke et al. 2017), until no split gains or there are
// MaxLeafNodes. It puts rows into the order of the leaves.
func (g *grower) grow(rows []int32) []grown {
	tree := []grown{{rows: leaf{rows: rows}}}
	first := &tree[0].rows
	hist := g.histogram()
	g.sums.sum(g.binned, rows, g.packed)
	parallel.Each(len(g.columns), func(c int) { g.sums.column(&g.columns[c], g.part(hist, c)) })
	first.node = root(total(g.part(hist, 0)))
	first.hist = hist
	g.searchBoth(first, nil)
	leaves := 1
	for ; leaves < g.params.MaxLeafNodes; leaves++ {
		next := widest(tree)
		if next < 0 {
			break
		}
		tree = g.split(tree, next, leaves+2 <= g.params.MaxLeafNodes)
	}
	for i := range tree {
		g.release(&tree[i].rows)
	}
	return tree
}

// widest returns the leaf with the largest gain, the first of equals; -1 if
// none gains.
func widest(tree []grown) int {
	best, at := 0.0, -1
	for i := range tree {
		if l := &tree[i].rows; tree[i].left == 0 && l.best.gain > best {
			best, at = l.best.gain, i
		}
	}
	return at
}

// split splits leaf i of the tree. search says whether its children are to be
// split in turn.
func (g *grower) split(tree []grown, i int, search bool) []grown {
	parent := tree[i].rows
	c := &g.columns[parent.best.column]
	n := partition(g.bytes[parent.best.column], parent.best.goesLeft(c), parent.rows, g.scratch[:len(parent.rows)])
	ln, rn := g.children(&parent.best, &parent.node, c.sign)
	left := leaf{node: ln, rows: parent.rows[:n:n], depth: parent.depth + 1}
	right := leaf{node: rn, rows: parent.rows[n:], depth: parent.depth + 1}
	if search && (g.splittable(&left) || g.splittable(&right)) {
		g.histograms(&left, &right, parent.hist)
	} else {
		g.free = append(g.free, parent.hist)
	}
	tree[i] = grown{split: parent.best, left: len(tree), right: len(tree) + 1}
	return append(tree, grown{rows: left}, grown{rows: right})
}

// splittable reports whether l may have children.
func (g *grower) splittable(l *leaf) bool {
	return (g.params.MaxDepth == 0 || l.depth < g.params.MaxDepth) &&
		l.sum.n >= 2*int64(g.params.MinSamplesLeaf) && float64(l.sum.h)*g.unitH >= 2*g.params.MinChildWeight
}

// histograms gives the smaller child a histogram of its rows and the larger one
// what remains of the parent's, and searches both for splits.
func (g *grower) histograms(left, right *leaf, parent []bin) {
	small, large := left, right
	if len(small.rows) > len(large.rows) {
		small, large = large, small
	}
	small.hist, large.hist = g.histogram(), parent
	g.sums.sum(g.binned, small.rows, g.packed)
	parallel.Each(len(g.columns), func(c int) {
		a, b := g.part(small.hist, c), g.part(large.hist, c)
		g.sums.column(&g.columns[c], a)
		for i, v := range a {
			b[i].sub(v)
		}
	})
	g.searchBoth(small, large)
}

// searchBoth finds the best split of each leaf and releases the histogram of
// one that has none.
func (g *grower) searchBoth(a, b *leaf) {
	for _, l := range []*leaf{a, b} {
		if l == nil {
			continue
		}
		if g.splittable(l) {
			parallel.Each(len(g.columns), func(c int) {
				g.splits[c] = split{}
				if g.use[c] {
					g.splits[c] = g.search(&g.columns[c], g.part(l.hist, c), &l.node)
				}
			})
			for c, s := range g.splits {
				if s.gain > l.best.gain {
					l.best = s
					l.best.column = c
				}
			}
		}
		if l.best.gain <= minGain {
			l.best.gain = 0
			g.release(l)
		}
	}
}

// minGain is the gain below which a split is rounding.
const minGain = 1e-12

// part returns the bins of column c of a histogram.
func (g *grower) part(hist []bin, c int) []bin {
	column := &g.columns[c]
	return hist[column.offset : column.offset+column.slots()]
}

// histogram returns an empty one.
func (g *grower) histogram() []bin {
	if last := len(g.free) - 1; last >= 0 {
		h := g.free[last]
		g.free = g.free[:last]
		clear(h)
		return h
	}
	return make([]bin, g.slots)
}

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

// newGrower returns a grower on b.
func newGrower(b *binned, rows int, p *Params) *grower {
	g := &grower{binned: b, searcher: searcher{params: p}, sums: b.newAccumulators(), scratch: make([]int32, rows)}
	g.splits, g.use = make([]split, len(b.columns)), make([]bool, len(b.columns))
	for _, c := range b.columns {
		g.bounded = g.bounded || c.sign != 0
	}
	return g
}
