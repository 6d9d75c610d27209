package gbdt

import "math"

// The digits of the keys that sorted sorts by, the lowest first.
const (
	digitBits = 11
	digits    = 6 // 66 bits
)

// sorted returns the values but NaN in ascending order, -0 as 0. It counts the
// values by one digit of their order-preserving keys after the other (LSD radix
// sort, five times as fast as comparing), and leaves out digits that are all
// the same, as most are in whole numbers.
func sorted(values []float64) []float64 {
	keys := make([]uint64, 0, len(values))
	var counts [digits][1 << digitBits]int32
	for _, x := range values {
		if x == x {
			k := key(x + 0)
			keys = append(keys, k)
			for d := range digits {
				counts[d][digit(k, d)]++
			}
		}
	}
	next := make([]uint64, len(keys))
	for d := range digits {
		if starts(&counts[d], len(keys)) {
			for _, k := range keys {
				at := &counts[d][digit(k, d)]
				next[*at] = k
				*at++
			}
			keys, next = next, keys
		}
	}
	out := make([]float64, len(keys))
	for i, k := range keys {
		out[i] = unkey(k)
	}
	return out
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
