package alarms

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"churn/internal/httpurl"
)

// The alarms.
const (
	DataFreshness  = "data_freshness"
	DataVolume     = "data_volume"
	DataRejected   = "data_rejected"
	DataLate       = "data_late"
	DataDuplicates = "data_duplicates"
	Drift          = "drift"
	Scores         = "scores"
	Performance    = "performance"
	Retrain        = "retrain"
)

// Names lists the alarms, in their order.
func Names() []string {
	return []string{DataFreshness, DataVolume, DataRejected, DataLate, DataDuplicates, Drift, Scores, Performance, Retrain}
}

// Rule says how long an alarm holds.
type Rule struct {
	For           time.Duration `mapstructure:"for"`             // it must be bad so long before it fires
	KeepFiringFor time.Duration `mapstructure:"keep_firing_for"` // and must have been bad last so long ago before it ends
}

// The levels from which a finding is bad.
const (
	OnFail = "fail"
	OnWarn = "warn"
)

// Params are the settings of alarms.
type Params struct {
	On      string          `mapstructure:"on"`      // fail or warn
	Webhook string          `mapstructure:"webhook"` // URL that is sent each message; "" = none
	Rules   map[string]Rule `mapstructure:"rules"`
}

// keep is a little less than the day between two runs, so that an alarm ends at
// the first good daily run, and an hourly one must have been good for a while.
const keep = 20 * time.Hour

// Defaults returns the built-in settings.
func Defaults() Params {
	p := Params{On: OnFail, Rules: map[string]Rule{}}
	for _, name := range Names() {
		p.Rules[name] = Rule{KeepFiringFor: keep}
	}
	return p
}

// Validate returns all faults, each with its dotted key.
func (p Params) Validate() error {
	var errs []error
	if p.On != OnFail && p.On != OnWarn {
		errs = append(errs, fmt.Errorf("monitor.alarms.on: %q is unknown; use %s or %s", p.On, OnFail, OnWarn))
	}
	if err := httpurl.Check(p.Webhook); err != nil {
		errs = append(errs, fmt.Errorf("monitor.alarms.webhook: %w", err))
	}
	for _, name := range slices.Sorted(maps.Keys(p.Rules)) {
		r, key := p.Rules[name], "monitor.alarms.rules."+name
		if !slices.Contains(Names(), name) {
			errs = append(errs, fmt.Errorf("%s: there is no such alarm; the alarms are %s", key, strings.Join(Names(), ", ")))
		}
		if r.For < 0 {
			errs = append(errs, fmt.Errorf("%s.for: %v is out of range; use 0s or more", key, r.For))
		}
		if r.KeepFiringFor < 0 {
			errs = append(errs, fmt.Errorf("%s.keep_firing_for: %v is out of range; use 0s or more", key, r.KeepFiringFor))
		}
	}
	return errors.Join(errs...)
}
