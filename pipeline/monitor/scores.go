package monitor

import (
	"fmt"
	"slices"

	"gonum.org/v1/gonum/stat"

	"churn/pipeline"
)

// ScoreReport is what a model says of the users of one date: what
// score_proxy_latest.json and score_proxy_<asOf>.json hold. Labels come a month
// late; until then the scores are what is known of how the model does.
type ScoreReport struct {
	Status Status `json:"status"`
	ScorePoint
	Version   string        `json:"model_version"`
	Hindsight pipeline.Date `json:"model_knows_until,omitempty"` // as in DriftReport
	Threshold float64       `json:"threshold"`                   // risk from which one counts as high
	Expected  ScorePoint    `json:"expected"`                    // what the model said of later rows in its training
	Level     *LevelFeature `json:"level"`                       // the scores against those of the reference
	Step      *StepFeature  `json:"step,omitempty"`              // and against the weeks before
	Reasons   []string      `json:"reasons"`
	Over      []ScorePoint  `json:"history"`          // the dates up to this one, ascending
	Trends    []Trend       `json:"trends,omitempty"` // of the mean and the high-risk rate
	Notes     []string      `json:"notes,omitempty"`
}

// ScorePoint is the distribution of the scores of one date.
type ScorePoint struct {
	AsOf pipeline.Date `json:"as_of_date,omitzero"`
	Rows int           `json:"rows"`
	Mean float64       `json:"mean"`
	P50  float64       `json:"p50"` // quantiles: the least score with so many rows up to it
	P90  float64       `json:"p90"`
	P99  float64       `json:"p99"`
	High float64       `json:"high_risk_rate"` // share of rows at or above the threshold
}

// point describes the scores of a date. Its rows must not be none.
func (w *Watch) point(d pipeline.Date) ScorePoint {
	_, s := w.on(w.window(d))
	p := ScorePoint{AsOf: d, Rows: len(s.Probability)}
	sorted := slices.Sorted(slices.Values(s.Probability))
	quantile := func(q float64) float64 { return stat.Quantile(q, stat.Empirical, sorted, nil) }
	p.Mean, p.P50, p.P90, p.P99 = stat.Mean(sorted, nil), quantile(0.5), quantile(0.9), quantile(0.99)
	at, _ := slices.BinarySearch(sorted, w.high)
	p.High = float64(len(sorted)-at) / float64(len(sorted))
	return p
}

// HistoryDates returns the dates of the scores over time, ascending.
func HistoryDates(asOf, first pipeline.Date, every int, p Params) (dates []pipeline.Date) {
	for k := range p.History {
		if d := asOf - pipeline.Date(k*every); d >= first {
			dates = append(dates, d)
		}
	}
	slices.Reverse(dates)
	return dates
}

// Scores describes the scores of a date and of those before it. It fails with
// profile.ErrFewRows where there are too few rows to tell.
func (w *Watch) Scores(asOf pipeline.Date, history []pipeline.Date, r *Reference) (ScoreReport, error) {
	expected := r.Profile.Score
	if expected == nil {
		return ScoreReport{}, fmt.Errorf("the profile of model %s has no scores to compare with; train again", w.model.Version)
	}
	drift, err := w.Drift(asOf, r)
	if err != nil {
		return ScoreReport{}, err
	}
	report := ScoreReport{Status: drift.Level.Score.status(), ScorePoint: w.point(asOf), Version: w.model.Version, Threshold: w.high, Level: drift.Level.Score, Reasons: []string{}, Over: []ScorePoint{},
		Expected: ScorePoint{Rows: expected.Rows, Mean: expected.Mean, P50: expected.Quantile(0.5), P90: expected.Quantile(0.9), P99: expected.Quantile(0.99), High: expected.Share}}
	if f := report.Level; report.Status != OK {
		report.Reasons = append(report.Reasons, fmt.Sprintf("the scores have moved from what the model's training led to expect: PSI %.3f (limits %.3f and %.3f), mean %.3f after %.3f", f.PSI, f.WarnLimit, f.FailLimit, report.Mean, expected.Mean))
	}
	if s := drift.Step; s != nil {
		f := &s.Features[len(s.Features)-1]
		report.Step = f
		if f.Jumped {
			report.Status = Fail
			report.Reasons = append(report.Reasons, fmt.Sprintf("the scores changed suddenly: PSI %.3f against the weeks before (limit %.3f)", f.PSI, f.WarnLimit))
		}
	} else {
		report.Notes = append(report.Notes, noStep)
	}
	report.Notes = append(report.Notes, r.Notes...)
	for _, d := range history {
		if len(w.at[d]) > 0 {
			report.Over = append(report.Over, w.point(d))
		}
	}
	return report, nil
}
