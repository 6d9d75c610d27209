package gbdt

import (
	"math"
	"math/bits"
	"slices"

	"churn/model"
)

// scorer scores many rows without walking (Lucchese et al., QuickScorer, SIGIR
// 2015). A split whose test fails rules out the leaves on its left; of those
// that no split has ruled out, a row falls into the leftmost. What all splits of
// a tree on one column rule out depends on the row's bin alone and is looked up:
//
//	leaf = first set bit of   masks[column 0][bin 0] & masks[column 1][bin 1] & …
//
// There is no branch to mispredict, and consecutive trees share the bits of a
// mask, and so the look-ups of the columns that they have in common: four trees
// with 15 splits each on 12 columns may take 25. A tree with more leaves than
// bits is walked.
type scorer struct {
	model  *Model
	inputs []input
	groups []group
}

// input is a column in the bins of the model's own thresholds. A feature with
// more thresholds than bins has several.
type input struct {
	feature int
	cuts    []float64 // of a numeric; at most maxCuts
	table   *table
}

// maxCuts leaves a bin for values above all cuts and one for nulls.
const maxCuts = 254

// maskBits is the number of leaves of a mask.
const maskBits = 64

// group is consecutive trees as masks, or one tree that is walked.
type group struct {
	trees  []Tree
	masks  []mask    // none: walk
	first  []uint    // bit of the leftmost leaf of each tree
	values []float64 // of the leaves, by bit
}

// mask is the leaves that are left by the bin of an input.
type mask struct {
	input int
	left  [256]uint64
}

func newScorer(m *Model) *scorer {
	s := &scorer{model: m, inputs: inputs(m), groups: groups(m.Trees)}
	each(len(s.groups), func(k int) {
		for t := range s.groups[k].trees {
			s.mask(&s.groups[k], t)
		}
	})
	return s
}

// groups divides the trees into as few groups as their leaves allow.
func groups(trees []Tree) (out []group) {
	bits := maskBits // of the last group
	for t := range trees {
		leaves := (len(trees[t].Nodes) + 1) / 2
		if bits += leaves; bits > maskBits {
			bits = leaves
			out = append(out, group{})
		}
		last := &out[len(out)-1]
		last.trees = append(last.trees, trees[t])
	}
	return out
}

// inputs returns the columns that m reads, by feature and then by threshold.
func inputs(m *Model) (out []input) {
	cuts := make([][]float64, len(m.Features))
	for _, t := range m.Trees {
		for _, n := range t.Nodes {
			if n.Feature != Leaf {
				cuts[n.Feature] = append(cuts[n.Feature], n.Value)
			}
		}
	}
	for f, all := range cuts {
		slices.Sort(all)
		for c := range slices.Chunk(slices.Compact(all), maxCuts) {
			in := input{feature: f, cuts: c}
			if m.Features[f].Levels == 0 {
				in.table = newTable(c)
			}
			out = append(out, in)
		}
	}
	return out
}

// input returns the index of the input that split n reads.
func (s *scorer) input(n *Node) int {
	return slices.IndexFunc(s.inputs, func(in input) bool {
		return in.feature == int(n.Feature) && n.Value <= in.cuts[len(in.cuts)-1]
	})
}

// mask adds the masks of tree t of a group, unless it has too many leaves.
func (s *scorer) mask(g *group, t int) {
	if tree := &g.trees[t]; len(tree.Nodes) < 2*maskBits {
		g.first = append(g.first, uint(len(g.values)))
		s.rule(g, tree, 0)
	}
}

// rule adds the masks of the subtree of node i of t, whose leaves begin at bit
// len(g.values).
func (s *scorer) rule(g *group, t *Tree, i int32) {
	n := &t.Nodes[i]
	if n.Feature == Leaf {
		g.values = append(g.values, n.Value)
		return
	}
	first := len(g.values)
	s.rule(g, t, i+1)
	leaves := uint64(1)<<len(g.values) - uint64(1)<<first // on the left
	input := s.input(n)
	left := g.of(input)
	for bin := range left {
		if !s.left(t, n, input, bin) {
			left[bin] &^= leaves
		}
	}
	s.rule(g, t, n.Right)
}

// of returns the masks of an input.
func (g *group) of(input int) *[256]uint64 {
	k := slices.IndexFunc(g.masks, func(x mask) bool { return x.input == input })
	if k < 0 {
		k = len(g.masks)
		g.masks = append(g.masks, mask{input: input})
		for b := range g.masks[k].left {
			g.masks[k].left[b] = math.MaxUint64
		}
	}
	return &g.masks[k].left
}

// left reports whether a bin of the input of n goes to the left.
func (s *scorer) left(t *Tree, n *Node, input, bin int) bool {
	if n.Set >= 0 {
		return t.Sets[n.Set].Has(int32(bin))
	}
	cuts := s.inputs[input].cuts
	if bin > len(cuts) {
		return n.MissingLeft
	}
	return bin < len(cuts) && cuts[bin] <= n.Value
}

// score writes the margins of the rows from, from+1, … of x, at most scoreRows,
// to out.
func (s *scorer) score(x *model.Matrix, from int, out []float64) {
	bins := make([][scoreRows]uint8, len(s.inputs))
	for k := 0; k < len(out); k += binRows {
		for j := range s.inputs {
			s.bins(x, from+k, &s.inputs[j], bins[j][k:min(k+binRows, len(out))])
		}
	}
	left := make([]uint64, len(out))
	for i := range out {
		out[i] = s.model.Base
	}
	for k := range s.groups {
		if g := &s.groups[k]; len(g.values) == 0 {
			s.walk(&g.trees[0], x, from, out)
		} else {
			g.score(bins, left, out)
		}
	}
}

// bins writes the bins of an input in the rows from, from+1, … to out.
func (s *scorer) bins(x *model.Matrix, from int, in *input, out []uint8) {
	if in.table == nil {
		first := s.model.Features[in.feature].First
		for i := range out {
			out[i] = uint8(x.Codes[(from+i)*x.Groups+in.feature-x.Width] - first)
		}
		return
	}
	for i := range out {
		out[i] = in.table.bin(x.Dense[(from+i)*x.Width+in.feature])
	}
}

// walk adds a tree to the margins of the rows from, from+1, ….
func (s *scorer) walk(t *Tree, x *model.Matrix, from int, out []float64) {
	for i := range out {
		out[i] += s.model.leaf(t, x.Row(from+i))
	}
}

// score adds the trees to the margins of rows with these bins. left is scratch.
func (g *group) score(bins [][scoreRows]uint8, left []uint64, out []float64) {
	for i := range left {
		left[i] = math.MaxUint64
	}
	for k := 0; k < len(g.masks); k += 4 {
		var a [4]*mask
		for j := range a { // the last again in place of those that lack: it rules out nothing more
			a[j] = &g.masks[min(k+j, len(g.masks)-1)]
		}
		lookUp(left, a, [4]*[scoreRows]uint8{&bins[a[0].input], &bins[a[1].input], &bins[a[2].input], &bins[a[3].input]})
	}
	for _, first := range g.first {
		values := g.values[first:]
		for i, l := range left {
			out[i] += values[bits.TrailingZeros64(l>>(first&63))]
		}
	}
}

// lookUp takes from left what the bins rule out.
func lookUp(left []uint64, m [4]*mask, bins [4]*[scoreRows]uint8) {
	p, q, r, s := &m[0].left, &m[1].left, &m[2].left, &m[3].left
	a, b, c, d := bins[0][:len(left)], bins[1][:len(left)], bins[2][:len(left)], bins[3][:len(left)]
	for i := range left {
		left[i] &= p[a[i]] & q[b[i]] & r[c[i]] & s[d[i]]
	}
}
