package gbdt

import (
	"runtime"
	"sync/atomic"
)

// bin is the rows of one bin, or of a node: the sums of their rounded
// gradients and hessians, and their number. Integers add up to the same in any
// order, so that neither the order of the rows nor the number of workers shows,
// and a parent is exactly the sum of its children.
type bin struct{ g, h, n int64 }

func (a *bin) add(b bin) { a.g, a.h, a.n = a.g+b.g, a.h+b.h, a.n+b.n }
func (a *bin) sub(b bin) { a.g, a.h, a.n = a.g-b.g, a.h-b.h, a.n-b.n }

// narrow is the histograms of the columns of one word, of packed gradients. Its
// 16 KiB fit in the first-level cache.
type narrow [lanes][256]uint64

// accumulate adds the packed gradients gh of rows, whose bins are words.
func (h *narrow) accumulate(words, gh []uint64) {
	gh = gh[:len(words)]
	for i, w := range words {
		x := gh[i]
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

// accumulatePair is accumulate for the columns of two lanes only.
func (h *narrow) accumulatePair(words, gh []uint64, a, b uint) {
	gh = gh[:len(words)]
	p, q := &h[a%lanes], &h[b%lanes]
	a, b = a%lanes*8, b%lanes*8
	for i, w := range words {
		x := gh[i]
		p[uint8(w>>(a&63))] += x
		q[uint8(w>>(b&63))] += x
	}
}

// accumulateOne is accumulate for the column of one lane only.
func (h *narrow) accumulateOne(words, gh []uint64, lane uint) {
	gh = gh[:len(words)]
	p := &h[lane%lanes]
	lane = lane % lanes * 8
	for i, w := range words {
		p[uint8(w>>(lane&63))] += gh[i]
	}
}

// add adds rows to the lanes that are used.
func (h *narrow) add(words, gh []uint64, used []uint) {
	if len(used) > 6 { // all eight cost less than seven in pairs
		h.accumulate(words, gh)
		return
	}
	for ; len(used) > 1; used = used[2:] {
		h.accumulatePair(words, gh, used[0], used[1])
	}
	if len(used) == 1 {
		h.accumulateOne(words, gh, used[0])
	}
}

// accumulator is the histogram of one worker.
type accumulator struct {
	narrow []narrow // by word of columns: at most narrowRows rows
	rows   int      // in narrow
	wide   []bin    // all the others
	spilt  bool     // there are others
	copies copies
}

func (b *binned) newAccumulator() *accumulator {
	return &accumulator{narrow: make([]narrow, len(b.used)), wide: make([]bin, b.slots), copies: b.newCopies()}
}

// reset empties a.
func (a *accumulator) reset() {
	clear(a.narrow)
	a.rows, a.spilt = 0, false
}

// add adds rows, at most narrowRows of them, to the columns in use.
func (a *accumulator) add(b *binned, rows []int32, packed []uint64) {
	if a.rows+len(rows) > narrowRows {
		a.spill(b)
	}
	a.rows += len(rows)
	for ; len(rows) > 0; rows = rows[min(gatherRows, len(rows)):] {
		words, gh := a.copies.gather(b, rows[:min(gatherRows, len(rows))], packed)
		for w, used := range b.used {
			a.narrow[w].add(words[w], gh, used)
		}
	}
}

// spill moves the narrow bins to the wide ones.
func (a *accumulator) spill(b *binned) {
	if !a.spilt {
		clear(a.wide)
	}
	for c := range b.columns {
		wide := a.wide[b.columns[c].offset:][:b.columns[c].slots()]
		for i, v := range a.narrow[c/lanes][c%lanes][:len(wide)] {
			wide[i].add(unpack(v))
		}
	}
	a.reset()
	a.spilt = true
}

// accumulators are the histograms of one node by worker.
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

// leastChunk is the fewest rows that are worth a worker of their own.
const leastChunk = 512

// sum adds up rows. The chunks depend on the number of workers; the sum does
// not.
func (s *accumulators) sum(crew *crew, b *binned, rows []int32, packed []uint64) {
	chunk := min(max(len(rows)/(4*len(s.all)), leastChunk), narrowRows)
	chunks := (len(rows) + chunk - 1) / chunk
	s.used = s.all[:min(len(s.all), chunks)]
	var next atomic.Int64
	crew.each(len(s.used), func(w int) {
		a := s.used[w]
		a.reset()
		for k := int(next.Add(1)) - 1; k < chunks; k = int(next.Add(1)) - 1 {
			a.add(b, rows[k*chunk:min((k+1)*chunk, len(rows))], packed)
		}
	})
}

// column writes the sum of the workers' histograms of column c to out.
func (s *accumulators) column(b *binned, c int, out []bin) {
	clear(out)
	for _, a := range s.used {
		for i, v := range a.narrow[c/lanes][c%lanes][:len(out)] {
			out[i].add(unpack(v))
		}
		if a.spilt {
			for i, v := range a.wide[b.columns[c].offset:][:len(out)] {
				out[i].add(v)
			}
		}
	}
}
