package monitor

import (
	"errors"

	"churn/model/profile"
	"churn/pipeline"
)

// Replayed is what the present limits would have said on one past date.
type Replayed struct {
	AsOf        pipeline.Date `json:"as_of_date"`
	Version     string        `json:"model_version,omitempty"` // whose reference was used
	Hindsight   pipeline.Date `json:"model_knows_until,omitempty"`
	Status      Status        `json:"status"` // "" = none, see Note
	Level       Status        `json:"level,omitempty"`
	Step        Status        `json:"step,omitempty"` // "" = too few rows before
	WeightedPSI float64       `json:"weighted_psi"`
	MaxPSI      float64       `json:"overall_max_psi"`
	Fixed       Status        `json:"fixed_limits,omitempty"`
	Reasons     []string      `json:"reasons"`
	Note        string        `json:"note,omitempty"`
}

// Backtest is a replay of history.
type Backtest struct {
	From      pipeline.Date `json:"from"`
	To        pipeline.Date `json:"to"`
	EveryDays int           `json:"every_days"`
	Reference string        `json:"reference"`
	Checks    []Replayed    `json:"checks"`
	Failed    int           `json:"failed_checks"`
	Alarms    int           `json:"alarms"` // failures in a row are one
	Months    float64       `json:"months"`
	PerMonth  float64       `json:"alarms_a_month"`
	Fixed     int           `json:"fixed_limits_failed_checks"`
	FixedRuns int           `json:"fixed_limits_alarms"`
	FixedRate float64       `json:"fixed_limits_alarms_a_month"`
}

// Replay checks a past date for a backtest.
func (w *Watch) Replay(d pipeline.Date, r *Reference) (Replayed, error) {
	out := Replayed{AsOf: d, Version: w.model.Version, Reasons: []string{}}
	report, err := w.Drift(d, r)
	if errors.Is(err, profile.ErrFewRows) {
		out.Note = err.Error()
		return out, nil
	}
	if err != nil {
		return out, err
	}
	out.Status, out.Level, out.Fixed, out.Reasons = report.Status, report.Level.Status, report.Fixed.Status, report.Reasons
	out.WeightedPSI, out.MaxPSI = report.Level.WeightedPSI, report.OverallMaxPSI
	if report.Step != nil {
		out.Step = report.Step.Status
	}
	return out, nil
}

// daysAMonth is the mean length of a month.
const daysAMonth = 365.25 / 12

// Add counts a check; they come in the order of time.
func (b *Backtest) Add(r Replayed) {
	last := func(status func(Replayed) Status) bool {
		n := len(b.Checks)
		return n > 0 && status(b.Checks[n-1]) == Fail
	}
	if r.Status == Fail {
		b.Failed++
		if !last(func(r Replayed) Status { return r.Status }) {
			b.Alarms++
		}
	}
	if r.Fixed == Fail {
		b.Fixed++
		if !last(func(r Replayed) Status { return r.Fixed }) {
			b.FixedRuns++
		}
	}
	b.Checks = append(b.Checks, r)
	b.Months = float64(len(b.Checks)*b.EveryDays) / daysAMonth
	b.PerMonth, b.FixedRate = float64(b.Alarms)/b.Months, float64(b.FixedRuns)/b.Months
}
