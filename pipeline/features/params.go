// Package features computes what is known of a user at an as-of date. Extract
// is a pure function of a History; batch and online call the same one.
package features

import (
	"errors"
	"fmt"
	"slices"
)

// The sets of feature columns.
const (
	SetFull   = "full"   // the course's columns and our own
	SetCourse = "course" // the columns of the original course only
)

// Params are the settings of the stage.
type Params struct {
	WindowsDays []int  `mapstructure:"windows_days"` // ascending
	EveryDays   int    `mapstructure:"every_days"`   // distance of as-of dates, counted back from the last
	UsualDays   int    `mapstructure:"usual_days"`   // how far back habits are measured
	Set         string `mapstructure:"set"`
}

// Defaults returns the built-in settings.
func Defaults() Params {
	return Params{WindowsDays: []int{7, 14, 30}, EveryDays: 7, UsualDays: 90, Set: SetFull}
}

// Validate returns all faults, each with its key.
func (p Params) Validate() error {
	var errs []error
	if len(p.WindowsDays) == 0 || !slices.IsSorted(p.WindowsDays) || len(slices.Compact(slices.Clone(p.WindowsDays))) != len(p.WindowsDays) {
		errs = append(errs, fmt.Errorf("features.windows_days: %v; list one or more different numbers of days in ascending order", p.WindowsDays))
	}
	for _, w := range p.WindowsDays {
		if w < 1 || w > 3650 {
			errs = append(errs, fmt.Errorf("features.windows_days: %d is out of range; use 1 to 3650 days", w))
		}
	}
	if p.EveryDays < 1 || p.EveryDays > 365 {
		errs = append(errs, fmt.Errorf("features.every_days: %d is out of range; use 1 to 365", p.EveryDays))
	}
	if p.UsualDays < 2 || p.UsualDays > 3650 {
		errs = append(errs, fmt.Errorf("features.usual_days: %d is out of range; use 2 to 3650", p.UsualDays))
	}
	if p.Set != SetFull && p.Set != SetCourse {
		errs = append(errs, fmt.Errorf("features.set: %q is unknown; use %s or %s", p.Set, SetFull, SetCourse))
	}
	return errors.Join(errs...)
}
