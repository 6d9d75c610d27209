package gbdt

import (
	"runtime"
	"sync/atomic"

	"churn/internal/parallel"
)

// bin is the rows of one bin, or of a node: the sums of their rounded
// gradients and hessians, and their number. Integers add up to the same in any
// order, so that neither the order of the rows nor the number of workers shows.
type bin struct{ g, h, n int64 }

func (a *bin) add(b bin) { a.g, a.h, a.n = a.g+b.g, a.h+b.h, a.n+b.n }
func (a *bin) sub(b bin) { a.g, a.h, a.n = a.g-b.g, a.h-b.h, a.n-b.n }

// narrow is the histograms of the columns of one word, of packed gradients.
type narrow [lanes][256]uint64

// accumulate adds the packed gradients of rows, which are gh in the same order,
// to the bins of one word of columns. words[row*stride] is the word.
func (h *narrow) accumulate(words []uint64, stride int, rows []int32, gh []uint64) {
	gh = gh[:len(rows)]
	for i, r := range rows {
		w, x := words[int(r)*stride], gh[i]
		h[0][uint8(w)] += x
		h[1][uint8(w>>8)] += x
		h[2][uint8(w>>16)] += x
		h[3][uint8(w>>24)] += x
		h[4][uint8(w>>32)] += x
		h[5][uint8(w>>40)] += x
		h[6][uint8(w>>48)] += x
		h[7][uint8(w>>56)] += x
	}
}

// accumulator is the histogram of one worker.
type accumulator struct {
	narrow []narrow // by word of columns: at most narrowRows rows
	wide   []bin    // all the others
	rows   int      // in narrow
	gh     []uint64 // of a chunk of rows
}

func (b *binned) newAccumulator() *accumulator {
	return &accumulator{narrow: make([]narrow, b.stride), wide: make([]bin, b.slots), gh: make([]uint64, narrowRows)}
}

// add adds rows, at most narrowRows of them.
func (a *accumulator) add(b *binned, rows []int32, packed []uint64) {
	if a.rows += len(rows); a.rows > narrowRows {
		a.flush(b)
		a.rows = len(rows)
	}
	gh := a.gh[:len(rows)]
	for i, r := range rows {
		gh[i] = packed[r]
	}
	const cached = 1024 // rows whose words stay in the second-level cache from one word to the next
	for from := 0; from < len(rows); from += cached {
		to := min(from+cached, len(rows))
		for w := range a.narrow {
			a.narrow[w].accumulate(b.words[w:], b.stride, rows[from:to], gh[from:to])
		}
	}
}

// flush moves the narrow bins to the wide ones.
func (a *accumulator) flush(b *binned) {
	for c := range b.columns {
		column := &b.columns[c]
		wide := a.wide[column.offset : column.offset+column.slots()]
		for i, v := range a.narrow[c/lanes][c%lanes][:len(wide)] {
			wide[i].add(unpack(v))
		}
	}
	clear(a.narrow)
}

// accumulators are the workers' histograms of one node.
type accumulators struct {
	all  []*accumulator
	used []*accumulator // of this node
}

func (b *binned) newAccumulators() *accumulators {
	s := &accumulators{}
	for range runtime.GOMAXPROCS(0) {
		s.all = append(s.all, b.newAccumulator())
	}
	return s
}

// leastChunk is the fewest rows worth a task.
const leastChunk = 512

// sum adds up the rows. The chunks depend on the number of workers, and the sum
// does not.
func (s *accumulators) sum(b *binned, rows []int32, packed []uint64) {
	chunk := min(max(len(rows)/(4*len(s.all)), leastChunk), narrowRows)
	chunks := (len(rows) + chunk - 1) / chunk
	s.used = s.all[:min(len(s.all), chunks)]
	var next atomic.Int64
	parallel.Each(len(s.used), func(w int) {
		a := s.used[w]
		clear(a.narrow)
		clear(a.wide)
		a.rows = 0
		for k := int(next.Add(1)) - 1; k < chunks; k = int(next.Add(1)) - 1 {
			a.add(b, rows[k*chunk:min((k+1)*chunk, len(rows))], packed)
		}
		a.flush(b)
	})
}

// column adds the workers' bins of a column to out.
func (s *accumulators) column(c *column, out []bin) {
	for _, a := range s.used {
		for i, v := range a.wide[c.offset : c.offset+c.slots()] {
			out[i].add(v)
		}
	}
}
