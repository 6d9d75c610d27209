package monitor

import (
	"math"
	"slices"
	"testing"

	"churn/model"
	"churn/pipeline"
)

// Who was not at risk is left out, by the features that tell; who does not tell stays.
func TestAtRisk(t *testing.T) {
	null := math.NaN()
	r := Rows{Frame: &model.Frame{NumericNames: []string{"x", "days_since_last_activity", "active_days_30d"}, CategoricalNames: []string{"plan"}}, User: []int32{0, 1, 2, 3, 4, 5}, Day: []pipeline.Date{10, 11, 12, 13, 14, 15}}
	for i, row := range [][2]float64{{0, 9}, {29, 1}, {30, null}, {null, null}, {5, 0}, {null, 3}} { // the fifth has just signed up, and did nothing yet
		r.Frame.Numeric, r.Frame.Categorical = append(r.Frame.Numeric, float64(i), row[0], row[1]), append(r.Frame.Categorical, string(rune('a'+i)))
	}
	kept, left := r.AtRisk(30)
	if !slices.Equal(left, []pipeline.Date{12, 14}) || !slices.Equal(kept.User, []int32{0, 1, 3, 5}) || !slices.Equal(kept.Day, []pipeline.Date{10, 11, 13, 15}) ||
		!slices.Equal(kept.Frame.Categorical, []string{"a", "b", "d", "f"}) || kept.Frame.Numeric[6] != 3 || kept.Frame.Check() != nil {
		t.Errorf("left out %v, kept %+v of %+v", left, kept, kept.Frame)
	}
	if all, none := r.AtRisk(0); len(none) != 0 || all.Frame.Rows() != 6 {
		t.Error("where everyone is at risk, some are left out")
	}
	if kept, left := r.AtRisk(7); len(kept.User) != 4 || len(left) != 2 { // of a week no feature counts active days
		t.Errorf("%v, %v", kept.User, left)
	}
}
