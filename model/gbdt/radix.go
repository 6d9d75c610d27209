package gbdt

import "math"

// run is a distinct value and how often it occurs.
type run struct {
	value float64
	count int
}

// The digits of the keys that a sorter sorts by, the lowest first.
const (
	digitBits = 11
	digits    = 6 // 66 bits
)

// sorter sorts the values of one column after the other.
type sorter struct {
	keys, next []uint64
	counts     [digits][1 << digitBits]int32
}

// runs returns the distinct values but NaN in ascending order, -0 as 0, and the
// number of values that are not NaN. It counts the values by one digit of their
// order-preserving keys after the other (LSD radix sort, five times as fast as
// comparing), and leaves out digits that are all the same, as most are in whole
// numbers.
func (s *sorter) runs(values []float64) (runs []run, known int) {
	s.count(values)
	for d := range digits {
		if starts(&s.counts[d], len(s.keys)) {
			s.distribute(d)
		}
	}
	n := 0
	for i, k := range s.keys {
		n += index(i == 0 || k != s.keys[i-1])
	}
	runs = make([]run, 0, n)
	for i, k := range s.keys {
		if i == 0 || k != s.keys[i-1] {
			runs = append(runs, run{value: unkey(k)})
		}
		runs[len(runs)-1].count++
	}
	return runs, len(s.keys)
}

// count fills in keys, and counts their digits.
func (s *sorter) count(values []float64) {
	s.keys, s.counts = s.keys[:0], [digits][1 << digitBits]int32{}
	for _, x := range values {
		if x != x {
			continue
		}
		k := key(x + 0)
		s.keys = append(s.keys, k)
		for d := range digits {
			s.counts[d][digit(k, d)]++
		}
	}
	if len(s.next) < len(s.keys) {
		s.next = make([]uint64, len(s.keys))
	}
}

// distribute sorts keys stably by digit d; counts are the starts.
func (s *sorter) distribute(d int) {
	counts := &s.counts[d]
	next := s.next[:len(s.keys)]
	for _, k := range s.keys {
		at := &counts[digit(k, d)]
		next[*at] = k
		*at++
	}
	s.keys, s.next = next, s.keys[:cap(s.keys)]
}

func digit(k uint64, d int) uint64 { return k >> (uint(d) * digitBits) & (1<<digitBits - 1) }

// starts replaces counts by the positions of the first of each digit. It
// returns false if all n have the same.
func starts(counts *[1 << digitBits]int32, n int) bool {
	var at int32
	for i, c := range counts {
		if int(c) == n {
			return false
		}
		counts[i] = at
		at += c
	}
	return true
}

// key maps floats to integers in the same order.
func key(x float64) uint64 {
	b := math.Float64bits(x)
	return b ^ (uint64(int64(b)>>63) | 1<<63)
}

// unkey is the inverse of key.
func unkey(k uint64) float64 {
	return math.Float64frombits(k ^ (uint64(^int64(k)>>63) | 1<<63))
}
