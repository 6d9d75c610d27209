package metric

import (
	"cmp"
	"math"
	"slices"
)

// entry is one row of a ranking.
type entry struct {
	user     int32 // cluster: index of the weight
	positive bool
	last     bool // last of its block of equal scores (and group)
}

// ranking holds rows sorted once, so that metrics under any weights cost one
// pass.
type ranking []entry

// rank sorts all rows by falling score. user is the cluster of every row.
func rank(s Sample, user []int32) ranking {
	r, _ := s.sorted(user, func(a, b int32) int { return cmp.Compare(s.Score[b], s.Score[a]) })
	return r
}

// rankGroups sorts the rows of every group by falling score, and cuts the
// ranking into groups, in the order of their numbers. Of no rows there are none.
func rankGroups(s Sample, user []int32) []ranking {
	if len(s.Label) == 0 {
		return nil
	}
	if s.Group == nil {
		return []ranking{rank(s, user)}
	}
	r, _ := s.sorted(user, func(a, b int32) int {
		return cmp.Or(cmp.Compare(s.Group[a], s.Group[b]), cmp.Compare(s.Score[b], s.Score[a]))
	})
	sizes := map[int32]int{}
	for _, g := range s.Group {
		sizes[g]++
	}
	var groups []ranking
	for _, g := range distinct(s.Group) {
		groups = append(groups, r[:sizes[g]:sizes[g]])
		r = r[sizes[g]:]
	}
	return groups
}

// groups returns the number of groups.
func (s Sample) groups() int {
	if s.Group == nil {
		return min(len(s.Label), 1)
	}
	return len(distinct(s.Group))
}

// sorted returns the rows, and their indices, in the order of compare, whose
// equals are one block. Within a block the order is that of the rows, which no
// metric can see.
func (s Sample) sorted(user []int32, compare func(a, b int32) int) (r ranking, order []int32) {
	s.check()
	order = make([]int32, len(s.Label))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Or(compare(a, b), cmp.Compare(a, b)) })
	r = make(ranking, len(order))
	for k, i := range order {
		last := k == len(order)-1 || compare(i, order[k+1]) != 0
		r[k] = entry{user: user[i], positive: s.Label[i], last: last}
	}
	return r, order
}

// curves returns the average precision and the area under the ROC curve, with
// weight[u] for the rows of user u. At the end of a block with p positives and
// n negatives, of TP and FP so far,
//
//	average precision gains p/P · TP/(TP+FP)
//	area gains (n·(TP-p) + p·n/2) / (P·N)
func (r ranking) curves(weight []float64) (precision, auc float64) {
	var tp, fp, p, n float64
	for _, e := range r {
		if w := weight[e.user]; e.positive {
			p += w
		} else {
			n += w
		}
		if !e.last {
			continue
		}
		auc += float64(n*tp) + float64(p*n/2)
		tp, fp = tp+p, fp+n
		if p > 0 {
			precision += float64(p * (tp / (tp + fp)))
		}
		p, n = 0, 0
	}
	return ratio(precision, tp), ratio(auc, tp*fp)
}

// precisionAt returns the average precision that the ranking would have if the
// share of positives were rate and each class were scored as it is: every
// positive then counts c times, with c·P/(c·P+N) = rate (Siblini, Fréry, He-Guelton,
// Oblé & Wang, "Master your metrics with calibration", IDA 2020, whose calibrated
// average precision it is). Average precisions of samples with different shares of
// positives do not compare; these do.
func (r ranking) precisionAt(rate float64, weight []float64) float64 {
	rows, positives := r.totals(weight)
	c := ratio(float64(rate*(rows-positives)), float64((1-rate)*positives))
	var precision, tp, fp, p float64
	for _, e := range r {
		if w := weight[e.user]; e.positive {
			p += w
		} else {
			fp += w
		}
		if !e.last || p == 0 {
			continue
		}
		tp, p, precision = tp+p, 0, precision+float64(p*ratio(float64(c*(tp+p)), float64(c*(tp+p))+fp))
	}
	return ratio(precision, tp)
}

// ratio returns a/b, and NaN if b is 0.
func ratio(a, b float64) float64 {
	if b == 0 {
		return math.NaN()
	}
	return a / b
}

// clusters numbers the users 0, 1, … in increasing order: the number of every
// row, and how many there are. Without users every row is its own.
func (s Sample) clusters() (user []int32, count int) {
	if s.User == nil {
		return singles(len(s.Label)), len(s.Label)
	}
	ids := distinct(s.User)
	return positions(s.User, ids), len(ids)
}

// positions returns the position of every user among ids.
func positions(users, ids []int32) []int32 {
	out := make([]int32, len(users))
	for i, id := range users {
		k, _ := slices.BinarySearch(ids, id)
		out[i] = int32(k)
	}
	return out
}

// singles returns 0, 1, …, n-1.
func singles(n int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(i)
	}
	return out
}

// distinct returns the different values of v in increasing order.
func distinct(v []int32) []int32 {
	out := slices.Clone(v)
	slices.Sort(out)
	return slices.Compact(out)
}
