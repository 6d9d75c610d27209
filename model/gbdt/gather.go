package gbdt

const (
	// gatherRows is the number of rows whose words are copied at a time: those of
	// 64 columns are 64 KiB and stay in the second-level cache.
	gatherRows = 1024

	// sparse is the number of rows between two of a node from which reading by row
	// is faster. A cache line of the layout by word holds eight rows.
	sparse = 4
)

// copies holds the words and the packed gradients of some rows of a node in
// their order, so that the kernels read memory in order.
type copies struct {
	words [][]uint64 // by word: gatherRows; a multiple of wordGroup of them
	gh    []uint64
	views [][]uint64 // what gather returns
}

func (b *binned) newCopies() copies {
	c := copies{words: make([][]uint64, b.stride), gh: make([]uint64, gatherRows), views: make([][]uint64, len(b.byWord))}
	for w := range c.words {
		c.words[w] = make([]uint64, gatherRows)
	}
	return c
}

// gather returns the words of rows, by word, and their packed gradients: as
// they are if the rows follow one another, otherwise copied from the layout that
// has less to read.
func (c *copies) gather(b *binned, rows []int32, packed []uint64) ([][]uint64, []uint64) {
	first, n := int(rows[0]), len(rows)
	span := int(rows[n-1]) + 1 - first
	if span == n {
		for w, words := range b.byWord {
			c.views[w] = words[first : first+n]
		}
		return c.views, packed[first : first+n]
	}
	if span <= sparse*n {
		for w, words := range b.byWord {
			gather(words, rows, c.words[w])
		}
	} else {
		for w := 0; w < b.stride; w += wordGroup {
			gatherGroup(b.byRow[w:], b.stride, rows, c.words[w:])
		}
	}
	gather(packed, rows, c.gh)
	for w := range c.views {
		c.views[w] = c.words[w][:n]
	}
	return c.views, c.gh[:n]
}

// gather copies the values of rows.
func gather(from []uint64, rows []int32, to []uint64) {
	to = to[:len(rows)]
	for i, r := range rows {
		to[i] = from[r]
	}
}

// gatherGroup copies wordGroup neighbouring words of each row.
func gatherGroup(words []uint64, stride int, rows []int32, to [][]uint64) {
	n := len(rows)
	a, b, c, d := to[0][:n], to[1][:n], to[2][:n], to[3][:n]
	for i, r := range rows {
		s := words[int(r)*stride:][:wordGroup]
		a[i], b[i], c[i], d[i] = s[0], s[1], s[2], s[3]
	}
}
