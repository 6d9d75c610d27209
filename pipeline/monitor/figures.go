package monitor

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"churn/model/metric"
	"churn/pipeline/evaluate"
)

// ObservedExpected is how many users left for one that was expected to: the churn
// rate over the mean risk.
const ObservedExpected = "observed_over_expected"

// Names of figures that are looked for here.
const (
	rocAUC   = "roc_auc"
	baseRate = "base_rate"
	logLoss  = "log_loss"
)

// figures returns the names of what is measured of a sample, beside
// ObservedExpected.
func figures(p metric.EvalParams) []string {
	names := []string{metric.PRAUC, rocAUC, logLoss, brier, "ece", baseRate}
	if p.BaseRate > 0 {
		names = append(names, metric.PRAUCAtRate)
	}
	for _, k := range p.TopK {
		names = append(names, fmt.Sprintf("precision_at_%d", k), fmt.Sprintf("lift_at_%d", k))
	}
	return names
}

// measure returns the realised figures of a sample with their intervals, those of
// a bootstrap over users. ObservedExpected has Wilson's, for users whose rows are
// alike: it holds where all users share one fate too, and a resample says nothing.
func measure(s metric.Sample, p metric.EvalParams) ([]metric.Estimate, error) {
	names := figures(p)
	series, err := metric.Bootstrap([]metric.Sample{s}, names, p)
	if err != nil {
		return nil, err
	}
	var out []metric.Estimate
	for k, name := range names {
		out = append(out, series[0][k].Interval(name, p.Confidence))
	}
	rate := undefined(ObservedExpected)
	if one := metric.ReliabilityCurve(s, 1, p.Confidence).Bins; len(one) == 1 {
		rate = metric.Estimate{Value: one[0].Rate, Low: one[0].RateLow, High: one[0].RateHigh}
	}
	return append(out, overMean(rate, s.Prob)), nil
}

// overMean returns a churn rate over the mean of the risks.
func overMean(rate metric.Estimate, risks []float64) metric.Estimate {
	m := mean(risks)
	return metric.Estimate{Name: ObservedExpected, Value: rate.Value / m, Low: rate.Low / m, High: rate.High / m}
}

// mean is NaN of nothing.
func mean(values []float64) float64 {
	var sum float64
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// find returns a figure; all NaN if there is none.
func find(estimates []metric.Estimate, name string) metric.Estimate {
	return evaluate.Find(estimates, name)
}

// undefined is the figure of nothing.
func undefined(name string) metric.Estimate { return find(nil, name) }

// scores returns what ranks rows as their lists did: by risk, and within equal
// risks, which calibration makes, by the rank, which is that of the margin.
func scores(risks []float64, ranks []int32) []float64 {
	order := make([]int, len(risks))
	for i := range order {
		order[i] = i
	}
	compare := func(a, b int) int { return cmp.Or(cmp.Compare(risks[a], risks[b]), cmp.Compare(ranks[b], ranks[a])) }
	slices.SortFunc(order, compare)
	out := make([]float64, len(risks))
	for k, i := range order {
		if out[i] = float64(k); k > 0 && compare(order[k-1], i) == 0 {
			out[i] = out[order[k-1]]
		}
	}
	return out
}

// distance returns the upper end of the interval of a - k·b, from the intervals of
// both, which are of other users: the method of variance estimates recovery (Zou &
// Donner, "Construction of confidence limits about effect measures", Stat. Med. 27,
// 2008). An end of b that is not known is b itself.
func distance(a, b metric.Estimate, k float64) (upper float64) {
	below := b.Value - b.Low
	if math.IsNaN(below) {
		below = 0
	}
	return a.Value - k*b.Value + math.Hypot(a.High-a.Value, k*below)
}
