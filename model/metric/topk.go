package metric

import (
	"fmt"
	"math"
	"strconv"
)

// Top says what a list of the highest-scored rows of every group holds. The
// numbers are expectations: where the cut falls within rows of equal score, any
// of them is as likely to be on the list.
type Top struct {
	Selected float64 // rows on the lists
	Hits     float64 // positives among them
	Chance   float64 // positives on lists of the same lengths drawn at random within each group
}

// Precision returns the share of positives on the lists; NaN if they are empty.
func (t Top) Precision() float64 { return ratio(t.Hits, t.Selected) }

// Lift returns how many times as many positives the lists hold as lists drawn at
// random within each group; with one group, precision over base rate. NaN if
// those would hold none.
func (t Top) Lift() float64 { return ratio(t.Hits, t.Chance) }

// TopK takes the k highest-scored rows of every group, or all if it has fewer.
func TopK(s Sample, k int) Top { return top(s, cut{rows: k}) }

// TopShare takes the highest-scored share (0 … 1) of the rows of every group,
// rounded up to whole rows.
func TopShare(s Sample, share float64) Top { return top(s, cut{share: share}) }

// top takes one cut with weights of 1.
func top(s Sample, c cut) Top {
	n := len(s.Label)
	return take(rankGroups(s, singles(n)), []cut{c}, ones(n))[0]
}

// take returns what each of cuts takes of all groups, with weight[u] for the rows
// of user u.
func take(groups []ranking, cuts []cut, weight []float64) []Top {
	tops := make([]Top, len(cuts))
	for _, g := range groups {
		g.cut(cuts, weight, tops)
	}
	return tops
}

// cut is the length of a list: a number of rows, or else a share of the group.
type cut struct {
	rows  int
	share float64
}

// name returns the end of a metric's name: 50, 1pct, 0.5pct.
func (c cut) name() string {
	if c.share == 0 {
		return strconv.Itoa(c.rows)
	}
	percent := math.Round(c.share*1e6) / 1e4 // 0.07·100 is 7.000000000000001
	return fmt.Sprintf("%gpct", percent)
}

// length returns the rows to take of a group of total rows. The small amount
// keeps 0.07 · 100 at 7 rows in spite of rounding.
func (c cut) length(total float64) float64 {
	if c.share == 0 {
		return min(float64(c.rows), total)
	}
	return min(math.Ceil(float64(c.share*total)-1e-9), total)
}

// cut adds to tops[i] what cuts[i] takes of the group r, with weight[u] for the
// rows of user u. Of a block that a cut divides, it takes the same fraction of
// positives and negatives.
func (r ranking) cut(cuts []cut, weight []float64, tops []Top) {
	total, positives := r.totals(weight)
	if total == 0 {
		return
	}
	var longest float64
	for i, c := range cuts {
		length := c.length(total)
		longest = max(longest, length)
		tops[i].Selected += length
		tops[i].Chance += float64(length * (positives / total))
	}
	var before, block, hits float64 // rows above the block, in it, positives in it
	for _, e := range r {
		if before >= longest {
			break
		}
		w := weight[e.user]
		block += w
		if e.positive {
			hits += w
		}
		if !e.last {
			continue
		}
		if hits > 0 {
			for i, c := range cuts {
				taken := max(0, min(c.length(total)-before, block))
				tops[i].Hits += float64(hits * (taken / block))
			}
		}
		before, block, hits = before+block, 0, 0
	}
}

// totals returns the weighted rows and positives.
func (r ranking) totals(weight []float64) (rows, positives float64) {
	for _, e := range r {
		w := weight[e.user]
		rows += w
		if e.positive {
			positives += w
		}
	}
	return rows, positives
}
