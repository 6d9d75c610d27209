package monitor

import (
	"errors"
	"fmt"

	"churn/model/metric"
)

// PerformanceParams are the settings of monitor performance. Each has its reason
// in config.yaml.
type PerformanceParams struct {
	Dates      int     `mapstructure:"dates"`        // latest as-of dates with predictions that are looked at
	Together   int     `mapstructure:"judged_dates"` // latest matured ones that are judged together
	MaxDrop    float64 `mapstructure:"max_drop"`     // relative loss of the primary metric against the promise that is no alarm
	MaxRatio   float64 `mapstructure:"max_ratio"`    // factor between users who left and who were expected to that is no alarm
	Confidence float64 `mapstructure:"confidence"`   // of the intervals
	Bootstrap  int     `mapstructure:"bootstrap"`    // resamples of users, and draws of labels
}

// Rules are the settings, and what other sections set.
type Rules struct {
	PerformanceParams
	Primary string // metric that is promised: that of the gate
	TopK    int    // length of the list to work through: that of score
}

// DefaultPerformance returns the built-in settings.
func DefaultPerformance() PerformanceParams {
	return PerformanceParams{Dates: 26, Together: 4, MaxDrop: 0.1, MaxRatio: 1.5, Confidence: 0.95, Bootstrap: 500}
}

// Validate returns all faults, each with its key.
func (p PerformanceParams) Validate() error {
	var errs []error
	fault := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("monitor.performance."+key+": "+format, args...))
	}
	if p.Dates < 1 || p.Dates > 10_000 {
		fault("dates", "%d is out of range; use 1 to 10000", p.Dates)
	}
	if p.Together < 1 || p.Together > p.Dates {
		fault("judged_dates", "%d is out of range; use 1 to monitor.performance.dates (%d)", p.Together, p.Dates)
	}
	if !(p.MaxDrop >= 0 && p.MaxDrop < 1) {
		fault("max_drop", "%v is not a share; use a number from 0, below 1", p.MaxDrop)
	}
	if !(p.MaxRatio > 1 && p.MaxRatio <= 100) {
		fault("max_ratio", "%v is out of range; use a factor above 1, at most 100", p.MaxRatio)
	}
	if !(p.Confidence >= 0.5 && p.Confidence < 1) {
		fault("confidence", "%v is out of range; use 0.5 or more, below 1", p.Confidence)
	}
	if p.Bootstrap < 100 || p.Bootstrap > 100_000 {
		fault("bootstrap", "%d is out of range; use 100 to 100000", p.Bootstrap)
	}
	return errors.Join(errs...)
}

// evaluation returns how samples are measured that are compared with a promise.
func (p Rules) evaluation(promise *Promise) metric.EvalParams {
	return metric.EvalParams{Bootstrap: p.Bootstrap, Seed: 1, TopK: []int{p.TopK}, Confidence: p.Confidence, BaseRate: promise.rate()}
}
