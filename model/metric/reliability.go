package metric

import (
	"cmp"
	"math"
	"slices"
)

// Reliability is the reliability curve with its calibration error.
type Reliability struct {
	Bins        []Bin   `json:"bins"`         // by rising probability; none is empty
	ECE         float64 `json:"ece"`          // ECEEqualMass
	ExpectedECE float64 `json:"expected_ece"` // of calibrated probabilities, by the noise of so many users
}

// Bin is a bin of the reliability curve.
type Bin struct {
	Rows     int     `json:"rows"`
	Users    int     `json:"users"`
	MeanProb float64 `json:"mean_prob"`
	Rate     float64 `json:"rate"`     // share of positives
	RateLow  float64 `json:"rate_low"` // ends of its interval
	RateHigh float64 `json:"rate_high"`
}

// ReliabilityCurve returns the curve over at most so many bins of about equal
// numbers of rows, with intervals at a confidence in (0, 1).
//
// An interval is Wilson's (1927) for the number of independent rows whose rate
// would vary as much as that of the bin's users does (Kish's design effect, 1965),
// but no more than there are rows; where all labels agree, for one row per user.
//
// Noise does not cancel in the ECE, so it is above 0 for calibrated probabilities
// too: by √(2/π)·Σ σ_b over the rows, with σ_b the error over users of the sum of
// (probability - label) in bin b. That is ExpectedECE; an ECE well above it is
// miscalibration. Without rows all is 0. It panics if s has no probabilities, bins is below 1 or the
// confidence is out of range.
func ReliabilityCurve(s Sample, bins int, confidence float64) Reliability {
	if s.check(); len(s.Prob) != len(s.Label) || bins < 1 || !(confidence > 0 && confidence < 1) {
		panic("metric: ReliabilityCurve needs probabilities, at least one bin and a confidence in (0, 1)")
	}
	user, _ := s.clusters()
	z := math.Sqrt2 * math.Erfinv(confidence)
	var r Reliability
	var excess, noise float64
	for _, rows := range rankProbabilities(s, user).divide(bins) {
		sum := rows.sum()
		r.Bins = append(r.Bins, rows.describe(sum, z))
		excess += math.Abs(sum.excess())
		squares, _ := rows.squares(func(k int) float64 {
			return rows.prob[k] - number(rows.ranking[k].positive) - sum.excess()/sum.rows
		})
		noise += math.Sqrt(squares)
	}
	if n := float64(len(s.Label)); n > 0 {
		r.ECE, r.ExpectedECE = excess/n, math.Sqrt(2/math.Pi)*noise/n
	}
	return r
}

// sum returns the sums over all rows.
func (p probabilities) sum() (b bin) {
	for k, e := range p.ranking {
		b.rows++
		b.prob += p.prob[k]
		b.positives += number(e.positive)
	}
	return b
}

// describe returns the bin of these rows, of the given sums, with an interval of z
// standard errors.
func (p probabilities) describe(sum bin, z float64) Bin {
	rate := sum.positives / sum.rows
	squares, users := p.squares(func(k int) float64 { return number(p.ranking[k].positive) - rate })
	independent := float64(users)
	if squares > 0 {
		independent = min(sum.rows, sum.rows*sum.rows*rate*(1-rate)/squares)
	}
	low, high := wilson(rate, independent, z)
	return Bin{Rows: int(sum.rows), Users: users, MeanProb: sum.prob / sum.rows, Rate: rate, RateLow: low, RateHigh: high}
}

// squares returns Σ over users of (Σ of value over the user's rows)², and how many
// users there are.
func (p probabilities) squares(value func(k int) float64) (sum float64, users int) {
	order := singles(len(p.ranking))
	user := func(k int32) int32 { return p.ranking[k].user }
	slices.SortFunc(order, func(a, b int32) int { return cmp.Or(cmp.Compare(user(a), user(b)), cmp.Compare(a, b)) })
	var own float64
	for i, k := range order {
		own += value(int(k))
		if i == len(order)-1 || user(order[i+1]) != user(k) {
			sum += float64(own * own)
			own, users = 0, users+1
		}
	}
	return sum, users
}

// wilson returns the ends of Wilson's score interval of a rate among n.
func wilson(rate, n, z float64) (low, high float64) {
	square := float64(z * z)
	shrink := 1 + square/n
	middle := (rate + square/(2*n)) / shrink
	half := z / shrink * math.Sqrt(rate*(1-rate)/n+square/(4*n*n))
	return max(0, middle-half), min(1, middle+half)
}
