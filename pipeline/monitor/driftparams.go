package monitor

import (
	"errors"
	"fmt"

	"churn/internal/httpurl"
	"churn/model/profile"
	"churn/pipeline/monitor/alarms"
	"churn/pipeline/monitor/health"
)

// Params are the settings of the monitors. Each has its reason in config.yaml.
type Params struct {
	WarnPSI     float64 `mapstructure:"warn_psi"`     // index from which a feature warns
	FailPSI     float64 `mapstructure:"fail_psi"`     // and fails
	FalseAlarms float64 `mapstructure:"false_alarms"` // share of the checks without drift that may fail, over all features together
	MovedShare  float64 `mapstructure:"moved_share"`  // of the model's importance, in features that have moved, from which a check fails
	StepPSI     float64 `mapstructure:"step_psi"`     // index against the weeks before from which a sudden change fails
	NovelShare  float64 `mapstructure:"novel_share"`  // of the rows, far outside of all that was seen, from which a sudden change fails
	SeasonDays  int     `mapstructure:"season_days"`  // after which the season comes again
	FailAfter   int     `mapstructure:"fail_after"`   // failures among the last FailOf checks before there is an alarm
	FailOf      int     `mapstructure:"fail_of"`
	EveryDays   int     `mapstructure:"every_days"` // days between those checks
	History     int     `mapstructure:"history"`    // dates of the scores over time

	Treatments  string            `mapstructure:"treatments"` // file of who was contacted when; "" = none
	Performance PerformanceParams `mapstructure:"performance"`
	Trend       TrendParams       `mapstructure:"trend"`

	Pushgateway string        `mapstructure:"pushgateway"` // URL that the figures are pushed to; "" = none
	Health      health.Params `mapstructure:"health"`
	Alarms      alarms.Params `mapstructure:"alarms"`
}

// Defaults returns the built-in settings.
func Defaults() Params {
	l := profile.DefaultLimits()
	return Params{WarnPSI: l.WarnPSI, FailPSI: l.FailPSI, FalseAlarms: l.FDR, MovedShare: l.MovedShare, StepPSI: 0.07, NovelShare: 0.004,
		SeasonDays: 364, FailAfter: 1, FailOf: 1, EveryDays: 1, History: 12, Performance: DefaultPerformance(), Trend: DefaultTrend(), Health: health.Defaults(), Alarms: alarms.Defaults()}
}

// Validate returns all faults, each with its dotted key.
func (p Params) Validate() error {
	var errs []error
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf("monitor."+format, args...))
		}
	}
	share := func(x float64) bool { return x > 0 && x < 1 }
	bad(!(p.WarnPSI > 0) || !(p.FailPSI > p.WarnPSI), "warn_psi, monitor.fail_psi: %v and %v; use numbers with 0 < warn < fail", p.WarnPSI, p.FailPSI)
	bad(!share(p.FalseAlarms), "false_alarms: %v is out of range; use a share above 0 and below 1, such as 0.01", p.FalseAlarms)
	bad(!share(p.MovedShare), "moved_share: %v is out of range; use a share above 0 and below 1", p.MovedShare)
	bad(!(p.StepPSI > 0), "step_psi: %v is out of range; use a number above 0", p.StepPSI)
	bad(!share(p.NovelShare), "novel_share: %v is out of range; use a share above 0 and below 1", p.NovelShare)
	bad(p.SeasonDays < 56 || p.SeasonDays > 3650 || p.SeasonDays%week != 0, "season_days: %d is out of range; use whole weeks, such as 364 for a year: 56 to 3650 days", p.SeasonDays)
	bad(p.FailOf < 1 || p.FailOf > 30, "fail_of: %d is out of range; use 1 to 30 checks", p.FailOf)
	bad(p.FailAfter < 1 || p.FailAfter > p.FailOf, "fail_after: %d of %d checks (monitor.fail_of) cannot be; use 1 to monitor.fail_of", p.FailAfter, p.FailOf)
	bad(p.EveryDays < 1 || p.EveryDays > 365, "every_days: %d is out of range; use 1 to 365 days", p.EveryDays)
	bad(p.History < 2 || p.History > 366, "history: %d is out of range; use 2 to 366 dates", p.History)
	if err := httpurl.Check(p.Pushgateway); err != nil {
		errs = append(errs, fmt.Errorf("monitor.pushgateway: %w", err))
	}
	return errors.Join(append(errs, p.Performance.Validate(), p.Trend.Validate(), p.Health.Validate(), p.Alarms.Validate())...)
}

// stepShare is the part of the false alarms that each question about bins gets.
const stepShare = 16

// level returns the limits against a reference. A check asks three questions,
// which share what false alarms are allowed: whether the users have moved from the
// reference, which chance hardly answers, since much of what matters must have;
// whether bins show a step; and whether there are novelties, of which all that is
// said is a bound already, so that they are given most.
func (p Params) level() profile.Limits {
	share := p.FalseAlarms / stepShare
	return profile.Limits{WarnPSI: p.WarnPSI, FailPSI: p.FailPSI, FDR: share, NovelFDR: share, MovedShare: p.MovedShare}
}

// step returns the limits against the weeks before. The correction of bins for
// rows that are alike is one of first order, and rough where there are few users:
// they are given no more (make bench-monitor, 40 users).
func (p Params) step() profile.Limits {
	share := p.FalseAlarms / stepShare
	return profile.Limits{WarnPSI: p.StepPSI, FailPSI: p.StepPSI, FDR: share, NovelFDR: p.FalseAlarms - 2*share, MovedShare: p.MovedShare}
}
