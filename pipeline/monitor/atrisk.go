package monitor

import (
	"fmt"
	"slices"

	"churn/model"
	"churn/pipeline"
)

// AtRisk returns the rows of users who were at risk, as their features tell: active
// within so many days (labels.cohort_active_days; 0 = everyone is). A model has
// learned of nobody else, so that the others would all seem to have moved. Rows that
// do not tell stay. left are the days of those that are left out.
func (r Rows) AtRisk(days int) (kept Rows, left []pipeline.Date) {
	if days == 0 {
		return r, nil
	}
	names := r.Frame.NumericNames
	since, active := slices.Index(names, "days_since_last_activity"), slices.Index(names, fmt.Sprintf("active_days_%dd", days))
	kept = Rows{Frame: &model.Frame{NumericNames: names, CategoricalNames: r.Frame.CategoricalNames}, Sampled: r.Sampled}
	for i, day := range r.Day {
		numeric, categorical := r.Frame.Row(i)
		if since >= 0 && numeric[since] >= float64(days) || active >= 0 && numeric[active] == 0 { // no null does either
			left = append(left, day)
			continue
		}
		kept.Frame.Numeric, kept.Frame.Categorical = append(kept.Frame.Numeric, numeric...), append(kept.Frame.Categorical, categorical...)
		kept.User, kept.Day = append(kept.User, r.User[i]), append(kept.Day, day)
	}
	return kept, left
}
