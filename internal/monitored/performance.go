package monitored

import (
	"math"

	"churn/model/metric"
)

// performanceReport is what is told of a report of monitor performance.
type performanceReport struct {
	Judged *struct {
		Users    int               `json:"users"`
		Churned  int               `json:"churned"`
		Figures  []metric.Estimate `json:"figures"`
		Criteria []struct {
			Promise metric.Estimate `json:"promise"`
		} `json:"criteria"`
	} `json:"judged"`
	Immature []struct {
		Estimated []metric.Estimate `json:"estimated"`
	} `json:"immature"` // by date
}

// performanceFigures tells how past predictions did beside what was promised, and
// what the latest ones are estimated to come to.
func performanceFigures(r *performanceReport, f *figures) {
	if j := r.Judged; j != nil {
		f.add("churn_performance_users", "Users whose predictions were judged.", float64(j.Users))
		f.add("churn_performance_churned_predictions", "Judged predictions of users who left.", float64(j.Churned))
		f.estimates("churn_performance_realised", "Figure of past predictions, with its interval.", j.Figures)
		for _, c := range j.Criteria {
			f.estimates("churn_performance_promised", "Figure that the model card promised, with its interval.", []metric.Estimate{c.Promise})
		}
	}
	if n := len(r.Immature); n > 0 {
		f.estimates("churn_performance_estimated", "Figure that the latest predictions are estimated to come to, with its interval.", r.Immature[n-1].Estimated)
	}
}

// estimates adds figures with their intervals, those that are defined.
func (f *figures) estimates(name, help string, all []metric.Estimate) {
	for _, e := range all {
		for _, x := range []struct {
			bound string
			value float64
		}{{"value", e.Value}, {"low", e.Low}, {"high", e.High}} {
			if !math.IsNaN(x.value) && e.Name != "" {
				f.add(name, help, x.value, "metric", e.Name, "bound", x.bound)
			}
		}
	}
}
