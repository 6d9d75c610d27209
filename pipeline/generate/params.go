package generate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"churn/internal/table"
	"churn/pipeline"
)

// The drifts: ways in which the world changes on a date.
const (
	DriftEngagement  = "engagement"  // everybody learns less and leaves sooner
	DriftContent     = "content"     // new courses: other ids, longer videos, harder quizzes
	DriftPricing     = "pricing"     // higher price, more failed payments, more paying users leave
	DriftAcquisition = "acquisition" // new sources and countries win users who fit less
	DriftBots        = "bots"        // some accounts run scripts: many events, evenly spaced
)

// DriftNames lists the drifts.
func DriftNames() []string {
	return []string{DriftEngagement, DriftContent, DriftPricing, DriftAcquisition, DriftBots}
}

// Drift changes the world on Date and from then on.
type Drift struct {
	Name string
	Date pipeline.Date
}

// ParseDrift reads a drift written as engagement@2026-03-01.
func ParseDrift(s string) (Drift, error) {
	name, text, found := strings.Cut(s, "@")
	if !found || !slices.Contains(DriftNames(), name) {
		return Drift{}, fmt.Errorf("%q is not of the form NAME@2026-03-01 with NAME one of %s", s, strings.Join(DriftNames(), ", "))
	}
	date, err := pipeline.ParseDate(text)
	if err != nil {
		return Drift{}, fmt.Errorf("%q: %w", s, err)
	}
	return Drift{Name: name, Date: date}, nil
}

// String writes the drift as ParseDrift reads it.
func (d Drift) String() string { return d.Name + "@" + d.Date.String() }

// Params says what world to simulate.
type Params struct {
	Users         int           // accounts, those included that signed up before StartDate
	Days          int           // length of the history, days
	StartDate     pipeline.Date // first day
	Seed          uint64
	PaidRatio     float64 // share of users on the paid plan, 0…1
	ChurnBaseRate float64 // share of active learners who begin to leave within 30 days in an average season
	Drifts        []Drift // at most one of each name
	Format        table.Format
}

// Bounds of what Validate accepts.
const (
	maxUsers = 100_000_000 // learners are held in memory, some 100 bytes each
	maxDays  = 36_500      // a century
)

// Defaults returns the built-in world: a small portal over one year.
func Defaults() Params {
	return Params{
		Users:     2000,
		Days:      365, // every season once
		StartDate: pipeline.DateFromCivil(2025, 1, 1),
		Seed:      42,
		PaidRatio: 0.35,
		// One in eight beginning to leave in a month gives a churn label rate
		// in the middle of the 10 to 20 % that portals report.
		ChurnBaseRate: 0.12,
		Format:        table.CSV,
	}
}

// Validate reports every fault of the settings, each with its key.
func (p Params) Validate() error {
	var errs []error
	fault := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf(key+": "+format, args...))
	}
	if p.Users < 1 || p.Users > maxUsers {
		fault("generate.users", "%d is out of range; use 1 to %d", p.Users, maxUsers)
	}
	if p.Days < 1 || p.Days > maxDays {
		fault("generate.days", "%d is out of range; use 1 to %d days", p.Days, maxDays)
	}
	if low, high := pipeline.DateFromCivil(1900, 1, 1), pipeline.DateFromCivil(2999, 12, 31); p.StartDate < low || p.StartDate > high {
		fault("generate.start_date", "%q is out of range; use a date from %s to %s", p.StartDate, low, high)
	}
	if !(p.PaidRatio >= 0 && p.PaidRatio <= 1) {
		fault("generate.paid_ratio", "%v is out of range; use a share from 0 to 1", p.PaidRatio)
	}
	if !(p.ChurnBaseRate > 0 && p.ChurnBaseRate < 1) {
		fault("generate.churn_base_rate", "%v is out of range; use a share above 0 and below 1", p.ChurnBaseRate)
	}
	if _, err := table.ParseFormat(string(p.Format)); err != nil {
		fault("data.format", "%w", err)
	}
	return errors.Join(append(errs, p.validateDrifts()...)...)
}

func (p Params) validateDrifts() (errs []error) {
	for i, d := range p.Drifts {
		switch {
		case !slices.Contains(DriftNames(), d.Name):
			errs = append(errs, fmt.Errorf("generate.drift: %q is unknown; use %s", d.Name, strings.Join(DriftNames(), ", ")))
		case slices.ContainsFunc(p.Drifts[:i], func(e Drift) bool { return e.Name == d.Name }):
			errs = append(errs, fmt.Errorf("generate.drift: %s is given twice; use each name once", d.Name))
		case p.Days >= 1 && d.Date > p.last():
			errs = append(errs, fmt.Errorf("generate.drift: %s begins after the last day, %s, and would change nothing", d, p.last()))
		}
	}
	return errs
}

// last returns the last simulated day.
func (p Params) last() pipeline.Date { return p.StartDate + pipeline.Date(p.Days-1) }

// driftDate returns the date from which the named drift holds.
func (p Params) driftDate(name string) pipeline.Date {
	for _, d := range p.Drifts {
		if d.Name == name {
			return d.Date
		}
	}
	const never = pipeline.Date(1<<31 - 1)
	return never
}
