package retrain

import (
	"fmt"
	"math"

	"churn/model/metric"
	"churn/model/profile"
	"churn/pipeline/dataset"
	"churn/pipeline/evaluate"
	"churn/pipeline/score"
)

// Moved compares a cohort and its scores with the reference profile of the
// model that was trained on it.
func Moved(m *score.Model, reference *profile.Reference, cohort *dataset.Unlabelled, l profile.Limits) (profile.Drift, error) {
	rows := profile.Rows{Frame: &cohort.Frame, User: cohort.User}
	var scores profile.Scores
	if reference.Score != nil {
		scores = profile.Scores{Probability: m.Bundle.Probabilities(m.Bundle.Margins(rows.Frame)), User: rows.User}
	}
	return reference.Drift(rows, scores, l)
}

// Keeps measures a model by the metric of its promise on labelled rows of the
// cohort that have matured since its test period.
func Keeps(m *score.Model, rows *dataset.Rows, promise metric.Estimate, p metric.EvalParams) (Kept, error) {
	if err := rows.OneClass("later"); err != nil {
		return Kept{}, err
	}
	margins := m.Bundle.Margins(&rows.Frame)
	sample := evaluate.Sample(rows, margins, m.Bundle.Probabilities(margins))
	series, err := metric.Bootstrap([]metric.Sample{sample}, []string{promise.Name}, p)
	if err != nil {
		return Kept{}, err
	}
	dates := rows.Dates()
	k := Kept{From: dates[0], To: dates[len(dates)-1], Rows: rows.Len(), Users: rows.Users(),
		Now: series[0][0].Interval(promise.Name, p.Confidence), Promise: promise.Value}
	if math.IsNaN(k.Promise) || math.IsNaN(k.Now.High) {
		return k, fmt.Errorf("%s is undefined on the test period or on the %d rows since", promise.Name, k.Rows)
	}
	return k, nil
}
