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
	Status      Status        `json:"status"`            // "" = none, see Note
	WarmUp      bool          `json:"warm_up,omitempty"` // the data was too young to tell; it does not count
	Level       Status        `json:"level,omitempty"`
	Step        Status        `json:"step,omitempty"` // "" = too few rows before
	WeightedPSI float64       `json:"weighted_psi"`
	MaxPSI      float64       `json:"overall_max_psi"`
	Fixed       Status        `json:"fixed_limits,omitempty"`
	Reasons     []string      `json:"reasons"`
	Note        string        `json:"note,omitempty"`
}

// Told is how often limits failed and warned. Failures in a row are one alarm, so
// that limits which always fail come to a single alarm: the share of the checks
// says it.
type Told struct {
	Failed      int     `json:"failed_checks"`
	FailedShare float64 `json:"failed_share"` // of the checks that count
	Warned      int     `json:"warned_checks"`
	WarnedShare float64 `json:"warned_share"`
	Alarms      int     `json:"alarms"`
	PerMonth    float64 `json:"alarms_a_month"`
	Longest     int     `json:"longest_alarm_checks"` // failures in a row

	run int // failures in a row up to now
}

// Backtest is a replay of history.
type Backtest struct {
	From      pipeline.Date `json:"from"`
	To        pipeline.Date `json:"to"`
	EveryDays int           `json:"every_days"`
	Reference string        `json:"reference"`
	Checks    []Replayed    `json:"checks"`
	Counted   int           `json:"counted_checks"` // with an answer, and no warm-up
	Months    float64       `json:"months"`         // of them
	Told                    // by the present limits
	Fixed     Told          `json:"fixed_limits"`
	WarnPSI   float64       `json:"warn_psi"` // the fixed limits
	FailPSI   float64       `json:"fail_psi"`
	WarmUp    WarmUp        `json:"warm_up"`
}

// WarmUp are the checks of the first weeks of the data, in which the windows of
// features are not full, and there is too little before them to know what features
// do by themselves.
type WarmUp struct {
	Until       pipeline.Date `json:"until"` // the first date that counts
	Checks      int           `json:"checks"`
	Failed      int           `json:"failed_checks"`
	FixedFailed int           `json:"fixed_limits_failed_checks"`
}

// WarmUpDays is the length of the warm-up: the weeks that a check is compared
// with, and the steps of as many as a check takes for enough before it.
const WarmUpDays = (weeksBefore + earlierSteps/2) * week

// NewBacktest returns a replay without checks, of data that begins on first.
func NewBacktest(first pipeline.Date, p Params) Backtest {
	return Backtest{Checks: []Replayed{}, WarnPSI: p.WarnPSI, FailPSI: p.FailPSI, WarmUp: WarmUp{Until: first + WarmUpDays}}
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

// Add counts a check; they come in the order of time. One without an answer ends
// an alarm.
func (b *Backtest) Add(r Replayed) {
	r.WarmUp = r.AsOf < b.WarmUp.Until
	b.Checks = append(b.Checks, r)
	switch {
	case r.WarmUp:
		b.WarmUp.add(r)
		return
	case r.Status != "":
		b.Counted++
	}
	b.Months = float64(b.Counted*b.EveryDays) / daysAMonth
	b.Told.add(r.Status, b.Counted, b.Months)
	b.Fixed.add(r.Fixed, b.Counted, b.Months)
}

func (w *WarmUp) add(r Replayed) {
	w.Checks++
	if r.Status == Fail {
		w.Failed++
	}
	if r.Fixed == Fail {
		w.FixedFailed++
	}
}

// add counts a status as one of so many checks, over so many months.
func (t *Told) add(s Status, checks int, months float64) {
	switch s {
	case Fail:
		if t.run == 0 {
			t.Alarms++
		}
		t.Failed++
		t.run++
		t.Longest = max(t.Longest, t.run)
	case Warn:
		t.Warned++
	}
	if s != Fail {
		t.run = 0
	}
	if checks > 0 {
		t.FailedShare, t.WarnedShare = float64(t.Failed)/float64(checks), float64(t.Warned)/float64(checks)
		t.PerMonth = float64(t.Alarms) / months
	}
}
