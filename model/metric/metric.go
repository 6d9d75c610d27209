// Package metric measures how well scores rank and how well probabilities are
// calibrated, with an interval for each number.
//
// Every metric is defined for rows with whole-number weights, a row of weight w
// being w equal rows, because the bootstrap needs it; the plain functions use
// weight 1. Equal scores are always treated as a block, so the order of the rows
// cannot matter. A metric that the data do not define (one class only, no rows)
// is NaN, and null in JSON. A NaN score ranks below all others.
package metric

import (
	"math"
)

// Sample is a set of scored and labelled rows. All non-nil slices have the same
// length.
type Sample struct {
	Score []float64 // ranks the rows: higher means more likely positive
	Prob  []float64 // probability of the positive class; nil if there is none
	Label []bool
	Group []int32 // as-of date index: top-k is taken within it; nil = one group
	User  []int32 // cluster of the bootstrap; nil = every row is its own
}

// check panics unless all non-nil slices have the same length.
func (s Sample) check() {
	n := len(s.Label)
	ok := len(s.Score) == n && (s.Prob == nil || len(s.Prob) == n) &&
		(s.Group == nil || len(s.Group) == n) && (s.User == nil || len(s.User) == n)
	if !ok {
		panic("metric: the sample's slices differ in length")
	}
}

// AveragePrecision returns Σ_t (R_t - R_{t-1}) P_t over the distinct scores t in
// falling order, with precision P_t and recall R_t of the rows scored t or
// more: scikit-learn's average_precision_score. It is NaN without positives.
func AveragePrecision(score []float64, label []bool) float64 {
	precision, _ := rank(Sample{Score: score, Label: label}, singles(len(label))).curves(ones(len(label)))
	return precision
}

// ROCAUC returns the probability that a random positive outranks a random
// negative, ties counting half. It is NaN with one class.
func ROCAUC(score []float64, label []bool) float64 {
	_, auc := rank(Sample{Score: score, Label: label}, singles(len(label))).curves(ones(len(label)))
	return auc
}

// probabilityClip keeps log-loss finite.
const probabilityClip = 1e-15

// LogLoss returns the mean of -log(probability of the actual label), the
// probability clipped to [1e-15, 1-1e-15].
func LogLoss(prob []float64, label []bool) float64 { return mean(logLoss, prob, label) }

// Brier returns the mean of (prob - label)².
func Brier(prob []float64, label []bool) float64 { return mean(squaredError, prob, label) }

// BaseRate returns the share of positives.
func BaseRate(label []bool) float64 {
	return mean(func(_ float64, positive bool) float64 { return number(positive) }, ones(len(label)), label)
}

// ECE returns the expected calibration error over bins of equal width in
// [0, 1]: the mean over rows of |mean probability - share of positives| of the
// row's bin (Naeini, Cooper & Hauskrecht, AAAI 2015). bins is at least 1.
func ECE(prob []float64, label []bool, bins int) float64 {
	if len(prob) != len(label) || bins < 1 {
		panic("metric: ECE needs as many labels as probabilities and at least one bin")
	}
	excess := make([]float64, bins) // Σ (prob - label)
	for i, p := range prob {
		b := max(0, min(bins-1, int(p*float64(bins))))
		excess[b] += p - number(label[i])
	}
	var sum float64
	for _, e := range excess {
		sum += math.Abs(e)
	}
	return sum / float64(len(prob))
}

// mean returns the mean loss of the rows.
func mean(loss func(p float64, positive bool) float64, prob []float64, label []bool) float64 {
	if len(prob) != len(label) {
		panic("metric: probabilities and labels differ in length")
	}
	var sum float64
	for i, p := range prob {
		sum += loss(p, label[i])
	}
	return sum / float64(len(prob))
}

// logLoss returns -log(probability of the actual label).
func logLoss(p float64, positive bool) float64 {
	p = max(probabilityClip, min(1-probabilityClip, p))
	if positive {
		return -math.Log(p)
	}
	return -math.Log1p(-p)
}

// squaredError returns (p - label)².
func squaredError(p float64, positive bool) float64 {
	d := p - number(positive)
	return d * d
}

// number returns 1 for a positive and 0 for a negative label.
func number(positive bool) float64 {
	if positive {
		return 1
	}
	return 0
}

// ones returns n weights of 1.
func ones(n int) []float64 {
	w := make([]float64, n)
	for i := range w {
		w[i] = 1
	}
	return w
}
