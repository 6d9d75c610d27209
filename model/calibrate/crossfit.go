package calibrate

import (
	"cmp"
	"math"
	"slices"

	"churn/internal/parallel"
)

// crossFit measures maps on users whose rows they were not fitted on.
type crossFit struct {
	rows  []row   // in increasing order of the margin
	user  []int32 // by the rows' indices
	folds int
}

// fold returns the fold of a user: a mixed number (splitmix64), since plain
// remainders of numbers given in turn may follow a pattern of the data.
func (c crossFit) fold(user int32) int {
	z := uint64(uint32(user)) + 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return int((z ^ z>>31) % uint64(c.folds))
}

// measure returns the map fitted on all rows, and the log-loss of every row, by
// index, under the map fitted on the other folds. The error is the first of any
// fit.
func (c crossFit) measure(fit func([]row) (Map, error)) (Map, []float64, error) {
	m, err := fit(c.rows)
	if err != nil {
		return Map{}, nil, err
	}
	loss, errs := make([]float64, len(c.rows)), make([]error, c.folds)
	parallel.Each(c.folds, func(fold int) {
		inside, outside := c.split(fold)
		var m Map
		if m, errs[fold] = fit(outside); errs[fold] != nil {
			return
		}
		for _, r := range inside {
			loss[r.index] = logLoss(m.Probability(r.margin), r.positive)
		}
	})
	if failed := slices.IndexFunc(errs, func(err error) bool { return err != nil }); failed >= 0 {
		return Map{}, nil, errs[failed]
	}
	return m, loss, nil
}

// logLoss returns -log(probability of the actual label), the probability clipped
// to [1e-15, 1-1e-15] as in package metric, which uses this one.
func logLoss(p float64, positive bool) float64 {
	const clip = 1e-15
	p = max(clip, min(1-clip, p))
	if positive {
		return -math.Log(p)
	}
	return -math.Log1p(-p)
}

// split returns the rows inside a fold and those outside, in their order.
func (c crossFit) split(fold int) (inside, outside []row) {
	outside = make([]row, 0, len(c.rows))
	for _, r := range c.rows {
		if c.fold(c.user[r.index]) == fold {
			inside = append(inside, r)
		} else {
			outside = append(outside, r)
		}
	}
	return inside, outside
}

// difference returns the mean of a - b over rows with its standard error, rows of
// one user counting as one draw (Cameron & Miller, 2015). byUser holds the rows
// in an order that keeps users together. With one user the error is 0.
func difference(a, b []float64, user, byUser []int32) (value, stdErr float64) {
	d := make([]float64, len(a))
	for i := range a {
		d[i] = a[i] - b[i]
	}
	value = mean(d)
	var sum, squares, users float64
	for k, i := range byUser {
		sum += d[i] - value
		if k == len(byUser)-1 || user[byUser[k+1]] != user[i] {
			squares += float64(sum * sum)
			sum, users = 0, users+1
		}
	}
	if users < 2 {
		return value, 0
	}
	return value, math.Sqrt(squares*users/(users-1)) / float64(len(d))
}

// together returns the rows in the order of their users, then of themselves.
func together(user []int32) []int32 {
	order := singles(len(user))
	slices.SortFunc(order, func(i, j int32) int { return cmp.Or(cmp.Compare(user[i], user[j]), cmp.Compare(i, j)) })
	return order
}

// mean returns 0 for no values.
func mean(v []float64) float64 {
	var sum float64
	for _, x := range v {
		sum += x
	}
	return sum / float64(max(len(v), 1))
}

// singles returns 0, 1, …, n-1.
func singles(n int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(i)
	}
	return out
}
