package monitor

import (
	"fmt"
	"math"
	"slices"

	"churn/model/metric"
	"churn/model/profile"
	"churn/pipeline"
	"churn/pipeline/train"
)

// Promise is what the card of a model says of it: its figures on the test period,
// which were later than anything that it has learned from.
type Promise struct {
	Version  string            `json:"model_version"`
	Learned  pipeline.Date     `json:"learned_up_to"` // last day of the data that the model was made from
	From     pipeline.Date     `json:"test_from"`
	To       pipeline.Date     `json:"test_to"`
	Figures  []metric.Estimate `json:"figures"`
	interval float64           // confidence
}

// PromiseOf returns the promise of a version by the report that it was registered
// with.
func PromiseOf(version, kind string, learned pipeline.Date, r train.Report) (*Promise, error) {
	i := slices.IndexFunc(r.Models, func(m train.Measured) bool { return m.Name == kind })
	if i < 0 {
		return nil, fmt.Errorf("the training report of %s has no figures of %s", version, kind)
	}
	return &Promise{Version: version, Learned: learned, From: r.Split.TestFirst, To: r.Split.TestLast, Figures: r.Models[i].Estimates,
		interval: metric.Defaults().Confidence}, nil
}

// rate returns the share of leavers in the test period; 0 if it is not known.
func (p *Promise) rate() float64 {
	if p == nil {
		return 0
	}
	if v := find(p.Figures, baseRate).Value; v > 0 && v < 1 {
		return v
	}
	return 0
}

// line returns what the test period says of the risks.
func (p *Promise) line() Line { return LineOf(p.Figures, p.interval) }

// Criterion is one thing that is asked of the figures of a date.
type Criterion struct {
	Name     string          `json:"name"`
	Status   Status          `json:"status"`
	Realised metric.Estimate `json:"realised"`
	Promise  metric.Estimate `json:"promise"` // of the ranking: as it is to be expected of the users who are counted
	Text     string          `json:"text"`
}

// The criteria.
const (
	CriterionRanking     = "ranking"
	CriterionCalibration = "calibration"
)

// Least numbers below which nothing is judged: as for drift, and of either fate
// as many as make an interval of a ranking mean something.
const (
	leastRows = profile.LeastRows
	leastFate = 10
)

// criteria judges the realised figures of rows. keep is the share of its ranking
// that the model is expected to have among them by its own risks: below 1 where
// those it was surest of are counted apart.
func (p Rules) criteria(figures []metric.Estimate, t tally, promise *Promise, keep float64) []Criterion {
	if promise == nil || t.rows < leastRows {
		return nil
	}
	return []Criterion{p.ranking(figures, t, promise, keep), p.calibration(figures)}
}

// ranking compares the primary metric with the promise. A promise is broken only
// if that is beyond chance, of the realised figure and of the promised one.
func (p Rules) ranking(figures []metric.Estimate, t tally, promise *Promise, keep float64) Criterion {
	realised, promised := find(figures, p.ranked()), find(promise.Figures, p.Primary)
	for _, v := range []*float64{&promised.Value, &promised.Low, &promised.High} {
		*v *= keep
	}
	c := Criterion{Name: CriterionRanking, Realised: realised, Promise: promised}
	switch {
	case min(t.churned, t.rows-t.churned) < leastFate:
		c.Status, c.Text = Unmeasured, fmt.Sprintf("%d of %d users left: a ranking is judged by at least %d of either fate", t.churned, t.rows, leastFate)
	case math.IsNaN(realised.Value) || math.IsNaN(promised.Value):
		c.Status, c.Text = Unmeasured, fmt.Sprintf("%s is undefined here or in the model card", p.Primary)
	case distance(realised, promised, 1-p.MaxDrop) < 0:
		c.Status, c.Text = Fail, fmt.Sprintf("%s %.3f (%.3f–%.3f) is below the promised %.3f by more than %.0f%%, beyond chance", title(p.Primary), realised.Value, realised.Low, realised.High, promised.Value, 100*p.MaxDrop)
	case distance(realised, promised, 1) < 0:
		c.Status, c.Text = Warn, fmt.Sprintf("%s %.3f (%.3f–%.3f) is below the promised %.3f beyond chance, though perhaps by less than %.0f%%", title(p.Primary), realised.Value, realised.Low, realised.High, promised.Value, 100*p.MaxDrop)
	default:
		c.Status, c.Text = OK, fmt.Sprintf("%s %.3f (%.3f–%.3f) keeps the promised %.3f", title(p.Primary), realised.Value, realised.Low, realised.High, promised.Value)
	}
	return c
}

// ranked returns the name of the figure that is compared with the primary metric
// of the promise.
func (p Rules) ranked() string {
	if p.Primary == metric.PRAUC {
		return metric.PRAUCAtRate
	}
	return p.Primary
}

func title(primary string) string {
	if primary == metric.PRAUC {
		return "PR-AUC (at the promised churn rate)"
	}
	return "ROC-AUC"
}

// calibration asks whether as many left as the risks said, within a factor, and
// warns half-way.
func (p Rules) calibration(figures []metric.Estimate) Criterion {
	r := find(figures, ObservedExpected)
	c := Criterion{Name: CriterionCalibration, Realised: r, Promise: metric.Estimate{Name: ObservedExpected, Value: 1, Low: 1, High: 1}}
	beyond := func(factor float64) bool { return r.Low > factor || r.High < 1/factor }
	half := 1 + (p.MaxRatio-1)/2
	switch {
	case math.IsNaN(r.Value):
		c.Status, c.Text = Unmeasured, "all risks are 0: nothing is expected"
		return c
	case beyond(p.MaxRatio):
		c.Status, c.Text = Fail, fmt.Sprintf("beyond a factor of %.3g, so that tiers and money are off", p.MaxRatio)
	case beyond(half):
		c.Status, c.Text = Warn, fmt.Sprintf("beyond a factor of %.3g", half)
	default:
		c.Status, c.Text = OK, fmt.Sprintf("not beyond a factor of %.3g", half)
	}
	c.Text = fmt.Sprintf("%.2f (%.2f–%.2f) users left for one expected: %s", r.Value, r.Low, r.High, c.Text)
	return c
}
