// Package generate simulates the users and events of an e-learning portal,
// day by day. Every user has a random number generator of his own, so that the
// same seed gives the same bytes on any number of cores.
package generate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"churn/internal/table"
	"churn/pipeline"
)

// The drifts: what can change about the world from a date on.
const (
	DriftEngagement  = "engagement"  // everybody learns less and leaves more
	DriftContent     = "content"     // a new catalogue: longer videos, harder quizzes
	DriftPricing     = "pricing"     // dearer: payments fail more, payers leave more
	DriftAcquisition = "acquisition" // sign-ups from other places, that fit less
	DriftBots        = "bots"        // one account in 33 is taken over by a machine
)

// DriftNames lists the drifts.
func DriftNames() []string {
	return []string{DriftEngagement, DriftContent, DriftPricing, DriftAcquisition, DriftBots}
}

// Drift is a change of the world from a date on.
type Drift struct {
	Name string
	Date pipeline.Date
}

// ParseDrift reads NAME@DATE.
func ParseDrift(s string) (Drift, error) {
	name, text, ok := strings.Cut(s, "@")
	if !ok || !slices.Contains(DriftNames(), name) {
		return Drift{}, fmt.Errorf("%q is not a drift; write NAME@DATE with one of %s", s, strings.Join(DriftNames(), ", "))
	}
	date, err := pipeline.ParseDate(text)
	if err != nil {
		return Drift{}, fmt.Errorf("%q: %w", s, err)
	}
	return Drift{Name: name, Date: date}, nil
}

// Params describe the world.
type Params struct {
	Users         int
	Days          int
	StartDate     pipeline.Date
	Seed          uint64
	PaidRatio     float64 // share of paying users, 0…1
	ChurnBaseRate float64 // share of engaged users who decide to leave in 30 days, in an average season
	Drifts        []Drift
	Format        table.Format
}

// Defaults returns a year of 2,000 users.
func Defaults() Params {
	return Params{Users: 2000, Days: 365, StartDate: pipeline.DateFromCivil(2025, 1, 1), Seed: 42, PaidRatio: 0.35, ChurnBaseRate: 0.12, Format: table.CSV}
}

// Validate returns all faults, each with its key.
func (p Params) Validate() error {
	var errs []error
	if p.Users < 1 || p.Users > 100_000_000 {
		errs = append(errs, fmt.Errorf("users: %d is out of range; use 1 to 100000000", p.Users))
	}
	if p.Days < 1 || p.Days > 3650 {
		errs = append(errs, fmt.Errorf("days: %d is out of range; use 1 to 3650", p.Days))
	}
	if !(p.PaidRatio >= 0 && p.PaidRatio <= 1) {
		errs = append(errs, fmt.Errorf("paid_ratio: %v is not a share; use a number from 0 to 1", p.PaidRatio))
	}
	if !(p.ChurnBaseRate > 0 && p.ChurnBaseRate < 1) {
		errs = append(errs, fmt.Errorf("churn_base_rate: %v is out of range; use a number between 0 and 1", p.ChurnBaseRate))
	}
	if _, err := table.ParseFormat(string(p.Format)); err != nil {
		errs = append(errs, fmt.Errorf("format: %w", err))
	}
	return errors.Join(errs...)
}
