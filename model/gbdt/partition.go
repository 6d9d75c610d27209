package gbdt

// partitionRows is the number of rows that one task divides.
const partitionRows = 16384

// goesLeft returns 1 for every bin that goes left.
func (b *split) goesLeft(c *column) *[256]uint8 {
	var out [256]uint8
	for k := range c.bins {
		if c.levels && b.set.Has(int32(k)) || !c.levels && k <= b.threshold {
			out[k] = 1
		}
	}
	if b.missingLeft {
		out[c.bins] = 1
	}
	return &out
}

// partition sorts rows stably into those that go left, by the bins of one
// column, and the others, and returns the number of the former. scratch is as
// long as rows.
func (crew *crew) partition(bins []uint8, goesLeft *[256]uint8, rows, scratch []int32) int {
	chunks := (len(rows) + partitionRows - 1) / partitionRows
	counts := make([]int, chunks+1) // rows of the chunks before that go left
	crew.each(chunks, func(k int) {
		from, to := k*partitionRows, min((k+1)*partitionRows, len(rows))
		counts[k+1] = divide(bins, goesLeft, rows[from:to], scratch[from:to])
	})
	for k := range chunks {
		counts[k+1] += counts[k]
	}
	all := counts[chunks]
	crew.each(chunks, func(k int) {
		from, to := k*partitionRows, min((k+1)*partitionRows, len(rows))
		left := counts[k+1] - counts[k]
		copy(rows[counts[k]:], scratch[from:from+left])
		right := rows[all+from-counts[k]:]
		for i := range to - from - left {
			right[i] = scratch[to-1-i]
		}
	})
	return all
}

// divide writes the rows that go left to the front of out, in order, and the
// others to its back, in reverse. It returns the number of the former.
func divide(bins []uint8, goesLeft *[256]uint8, rows, out []int32) int {
	left, right := 0, len(out)-1
	for _, r := range rows {
		l := int(goesLeft[bins[r]])
		out[left], out[right] = r, r // one of them stays; no branch to mispredict
		left += l
		right -= 1 - l
	}
	return left
}
