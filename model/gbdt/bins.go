package gbdt

import "churn/internal/parallel"

// binRows is the number of rows that one task puts into bins: 50 columns of
// them fit in the second-level cache.
const binRows = 1024

// lanes is the number of columns of a word.
const lanes = 8

// binned is rows in bins, in two layouts: by row for histograms, which want all
// columns of a row at once, and by column for splits, which want one.
//
//	words   row 0: [c0 … c7][c8 … c15]…   row 1: …     column 8w+k in byte k of word w
//	bytes   column 0: [row 0, row 1, …]   column 1: …
type binned struct {
	columns []column
	slots   int       // of a histogram
	stride  int       // words of a row
	words   []uint64  // rows × stride
	bytes   [][]uint8 // by column
}

// newBinned puts the rows of s into the bins of columns.
func newBinned(s *sample, columns []column, slots int) *binned {
	n := len(s.rows)
	b := &binned{columns: columns, slots: slots, stride: (len(columns) + lanes - 1) / lanes, bytes: make([][]uint8, len(columns))}
	b.words = make([]uint64, n*b.stride)
	for c := range columns {
		b.bytes[c] = make([]uint8, n)
	}
	parallel.Each((n+binRows-1)/binRows, func(k int) {
		from, to := k*binRows, min((k+1)*binRows, n)
		for c := range columns {
			columns[c].fill(s, from, b.bytes[c][from:to])
			b.pack(c, from, to)
		}
	})
	return b
}

// fill writes the bins of rows from, from+1, … to out.
func (c *column) fill(s *sample, from int, out []uint8) {
	width, groups := s.x.Width, s.x.Groups
	for i, r := range s.rows[from : from+len(out)] {
		if c.levels {
			out[i] = uint8(s.x.Codes[int(r)*groups+c.feature-width] - c.first)
		} else {
			out[i] = c.bin(s.x.Dense[int(r)*width+c.feature])
		}
	}
}

// pack copies the bins of column c in rows [from, to) into the words.
func (b *binned) pack(c, from, to int) {
	shift := uint(c%lanes) * 8
	at := from*b.stride + c/lanes
	for _, bin := range b.bytes[c][from:to] {
		b.words[at] |= uint64(bin) << shift
		at += b.stride
	}
}
