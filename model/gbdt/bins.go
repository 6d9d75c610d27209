package gbdt

import (
	"math"
	"math/bits"
)

const (
	binRows   = 1024 // rows that one task puts into bins: 50 columns of them fit in the second-level cache
	lanes     = 8    // columns of a word
	wordGroup = 4    // the words of a row are a multiple of this
)

// binned is rows in bins, in three layouts. The histograms of a node want all
// columns of its rows: by word if it has most of the rows, by row if they lie
// far apart. Splits want one column.
//
//	byWord   word 0: [row 0: c0 … c7][row 1: c0 … c7]…   word 1: [row 0: c8 … c15]…
//	byRow    row 0: [c0 … c7][c8 … c15]…                 row 1: …
//	bytes    column 0: [row 0][row 1]…                   column 1: …
type binned struct {
	columns []column
	slots   int        // of a histogram
	byWord  [][]uint64 // column 8w+k in byte k of word w
	byRow   []uint64   // rows × stride
	stride  int        // words of a row
	bytes   [][]uint8
	used    [][]uint // by word: the lanes of columns that the tree may split on
}

// newBinned puts the rows of s into the bins of columns.
func newBinned(s *sample, columns []column, slots int) *binned {
	n, words := len(s.rows), (len(columns)+lanes-1)/lanes
	b := &binned{columns: columns, slots: slots, stride: (words + wordGroup - 1) / wordGroup * wordGroup, used: make([][]uint, words)}
	b.bytes, b.byWord, b.byRow = make([][]uint8, len(columns)), make([][]uint64, words), make([]uint64, n*b.stride)
	for c := range columns {
		b.bytes[c] = make([]uint8, n)
	}
	for w := range words {
		b.byWord[w] = make([]uint64, n)
	}
	each((n+binRows-1)/binRows, func(k int) {
		from, to := k*binRows, min((k+1)*binRows, n)
		for c := range columns {
			columns[c].fill(s, from, b.bytes[c][from:to])
			b.pack(c, from, to)
		}
		for w, words := range b.byWord {
			for i, v := range words[from:to] {
				b.byRow[(from+i)*b.stride+w] = v
			}
		}
	})
	return b
}

// use lists the lanes of the columns in use.
func (b *binned) use(columns []bool) {
	for w := range b.used {
		b.used[w] = b.used[w][:0]
	}
	for c, use := range columns {
		if use {
			b.used[c/lanes] = append(b.used[c/lanes], uint(c%lanes))
		}
	}
}

// pack copies the bins of column c in rows [from, to) into the words.
func (b *binned) pack(c, from, to int) {
	shift := uint(c%lanes) * 8
	words := b.byWord[c/lanes][from:to]
	for i, bin := range b.bytes[c][from:to] {
		words[i] |= uint64(bin) << shift
	}
}

// fill writes the bins of rows from, from+1, … to out.
func (c *column) fill(s *sample, from int, out []uint8) {
	rows := s.rows[from : from+len(out)]
	if c.levels {
		groups := s.x.Groups
		for i, r := range rows {
			out[i] = uint8(s.x.Codes[int(r)*groups+c.feature-s.x.Width] - c.first)
		}
		return
	}
	width, t := s.x.Width, newTable(c.cuts)
	for i, r := range rows {
		out[i] = t.bin(s.x.Dense[int(r)*width+c.feature])
	}
}

// table is the keys of cuts, then that of +Inf, then the largest integers.
type table [256]uint64

func newTable(cuts []float64) *table {
	var t table
	for i := range t {
		switch {
		case i < len(cuts):
			t[i] = key(cuts[i])
		case i == len(cuts):
			t[i] = key(math.Inf(1))
		default:
			t[i] = math.MaxUint64
		}
	}
	return &t
}

// bin returns the number of cuts below x, and the next number for NaN, by
// halving without branches: values are too random for them to be predicted.
func (t *table) bin(x float64) uint8 {
	k := key(x + 0)
	if x != x {
		k = math.MaxUint64
	}
	b := t.half(k, 0, 7) // a loop would shift by a variable, at twice the cost
	b = t.half(k, b, 6)
	b = t.half(k, b, 5)
	b = t.half(k, b, 4)
	b = t.half(k, b, 3)
	b = t.half(k, b, 2)
	b = t.half(k, b, 1)
	return uint8(t.half(k, b, 0))
}

// half finds one bit of the number of keys below k, of which below holds the
// higher ones.
func (t *table) half(k, below uint64, bit uint) uint64 {
	_, less := bits.Sub64(t[(below+1<<bit-1)&255], k, 0) // 1 if that key is below
	return below + less<<bit
}
