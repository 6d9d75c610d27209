package evaluate

import (
	"math"
	"slices"

	"churn/model/metric"
	"churn/pipeline/dataset"
)

// RuleFeature ranks users by the one-line rule: who was silent longest.
const RuleFeature = "days_since_last_activity"

// Rule returns the scores of the one-line rule.
func Rule(rows *dataset.Rows) []float64 { return rows.Numeric(RuleFeature) }

// Sample pairs scores with the outcomes of rows: grouped by as-of date, with
// users as the clusters of the bootstrap. probs is nil where there are none.
func Sample(rows *dataset.Rows, scores, probs []float64) metric.Sample {
	return metric.Sample{Score: scores, Prob: probs, Label: rows.Label, Group: rows.DateIndex(), User: rows.User}
}

// Find returns the estimate of a metric; all NaN if there is none.
func Find(estimates []metric.Estimate, name string) metric.Estimate {
	i := slices.IndexFunc(estimates, func(e metric.Estimate) bool { return e.Name == name })
	if i < 0 {
		return metric.Estimate{Name: name, Value: math.NaN(), Low: math.NaN(), High: math.NaN()}
	}
	return estimates[i]
}
