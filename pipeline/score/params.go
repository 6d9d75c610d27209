// Package score ranks users by their risk and says why.
package score

import (
	"errors"
	"fmt"
)

// Params are the settings of the stage.
type Params struct {
	TopK    int   `mapstructure:"top_k"`   // users in the short list
	Reasons int   `mapstructure:"reasons"` // reasons a user, 1 to 3
	Tiers   Tiers `mapstructure:"tiers"`
}

// Tiers are the probabilities from which a risk is called medium or high.
type Tiers struct {
	Medium float64 `mapstructure:"medium" json:"medium"`
	High   float64 `mapstructure:"high" json:"high"`
}

// The tiers.
const (
	Low    = "low"
	Medium = "medium"
	High   = "high"
)

// Of returns the tier of a probability.
func (t Tiers) Of(p float64) string {
	switch {
	case p >= t.High:
		return High
	case p >= t.Medium:
		return Medium
	}
	return Low
}

// Defaults returns the built-in settings.
func Defaults() Params {
	return Params{TopK: 50, Reasons: 3, Tiers: Tiers{Medium: 0.2, High: 0.5}}
}

// Validate returns all faults, each with its key.
func (p Params) Validate() error {
	var errs []error
	if p.TopK < 1 {
		errs = append(errs, fmt.Errorf("score.top_k: %d is out of range; use 1 or more", p.TopK))
	}
	if p.Reasons < 1 || p.Reasons > maxReasons {
		errs = append(errs, fmt.Errorf("score.reasons: %d is out of range; use 1 to %d", p.Reasons, maxReasons))
	}
	if !(p.Tiers.Medium > 0 && p.Tiers.Medium < p.Tiers.High && p.Tiers.High < 1) {
		errs = append(errs, fmt.Errorf("score.tiers: medium %v and high %v; use probabilities with 0 < medium < high < 1", p.Tiers.Medium, p.Tiers.High))
	}
	return errors.Join(errs...)
}
