package metric

import (
	"fmt"
	"math"
	"slices"
)

// Series is a metric with its values on bootstrap replicates. Replicate b is of
// the same users in every series that one call of Bootstrap returns, so that
// series can be subtracted.
type Series struct {
	Value float64   // on the sample itself
	Draws []float64 // by replicate; NaN where the metric is undefined
}

// Bootstrap measures the metrics of those names, which are Evaluate's, on every
// sample and on the same p.Bootstrap replicates of their users: out[i][k] is metric
// k of sample i. Samples may hold different rows; users are drawn from all of
// them together, so that a part of the rows meets the same draws as the whole.
// Replicate b depends on p.Seed, b and the number of users alone: fewer
// replicates are the first of more. Only what the metrics need is computed.
//
// It returns an error if Evaluate would not report a metric, or if one sample
// has users and another none, and panics if a sample or p is invalid.
func Bootstrap(samples []Sample, names []string, p EvalParams) (out [][]Series, err error) {
	users, of, err := together(samples)
	if err != nil {
		return nil, err
	}
	metrics := make([]func(weight []float64) []float64, len(samples))
	for i, s := range samples {
		if metrics[i], err = s.checked(p).evaluator(of[i], users, p).only(names); err != nil {
			return nil, err
		}
	}
	all := func(weight []float64) (values []float64) {
		for _, of := range metrics {
			values = append(values, of(weight)...)
		}
		return values
	}
	values, draws := all(ones(users)), replicates(users, p, all)
	for i := range samples {
		row := make([]Series, len(names))
		for k := range names {
			at := i*len(names) + k
			row[k] = Series{values[at], column(draws, at)}
		}
		out = append(out, row)
	}
	return out, nil
}

// checked returns s. It panics if s or p is invalid.
func (s Sample) checked(p EvalParams) Sample {
	if s.check(); p.Validate() != nil {
		panic("metric: invalid EvalParams")
	}
	return s
}

// together numbers the users of all samples 0, 1, … in increasing order: how
// many there are, and by sample the number of every row.
func together(samples []Sample) (users int, of [][]int32, err error) {
	var ids []int32
	for _, s := range samples {
		if (s.User == nil) != (samples[0].User == nil) || s.User == nil && len(s.Label) != len(samples[0].Label) {
			return 0, nil, fmt.Errorf("the samples are not of the same users")
		}
		ids = append(ids, distinct(s.User)...)
	}
	ids = distinct(ids)
	for _, s := range samples {
		if s.User == nil {
			users, of = len(s.Label), append(of, singles(len(s.Label)))
		} else {
			users, of = len(ids), append(of, positions(s.User, ids))
		}
	}
	return users, of, nil
}

// Less returns s - k·other, replicate by replicate: with k = 1 the paired
// difference; with another k how far s is above that multiple of other, whose
// own noise is then accounted for.
func (s Series) Less(other Series, k float64) Series {
	out := Series{Value: s.Value - float64(k*other.Value), Draws: make([]float64, len(s.Draws))}
	for b, v := range s.Draws {
		out.Draws[b] = v - float64(k*other.Draws[b])
	}
	return out
}

// Interval returns the value with the percentile interval of its replicates, as
// Evaluate does.
func (s Series) Interval(name string, confidence float64) Estimate {
	return interval(name, s.Value, slices.Clone(s.Draws), confidence)
}

// Band returns the value with the ends between which one more draw, alike to the
// others, lies with at least the confidence. Of n draws these are the ones of rank k =
// (n+1)·tail from either side, moved outwards by the error √k with which so many
// draws know their quantile, so that fewer draws make a band wider and never
// narrower; the smallest and the largest if there are too few. Draws on which the
// metric is undefined are left out.
func (s Series) Band(name string, confidence float64) Estimate {
	draws := slices.DeleteFunc(slices.Clone(s.Draws), math.IsNaN)
	slices.Sort(draws)
	e := Estimate{Name: name, Value: s.Value, Low: math.NaN(), High: math.NaN()}
	if n := len(draws); n > 0 {
		k := float64(n+1) * (1 - confidence) / 2
		rank := max(1, int(k-math.Sqrt(k)))
		e.Low, e.High = draws[rank-1], draws[n-rank]
	}
	return e
}

// StdErr returns the standard deviation of the replicates, those left out on
// which the metric is undefined; NaN if fewer than two are left.
func (s Series) StdErr() float64 {
	var n, mean, squares float64
	for _, v := range s.Draws {
		if math.IsNaN(v) {
			continue
		}
		n++
		d := v - mean
		mean += d / n
		squares += float64(d * (v - mean))
	}
	if n < 2 {
		return math.NaN()
	}
	return math.Sqrt(squares / (n - 1))
}
