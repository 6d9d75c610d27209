package server

import (
	"context"
	"errors"
	"time"
)

// Worth is what users and contacts are worth, in any one currency.
type Worth struct {
	KeptCustomer float64 // of a customer who would have left and stays
	ContactCost  float64 // of one contact
	SuccessRate  float64 // share of contacted leavers who stay
	Capacity     int     // contacts a scoring date
}

// Estimate is a figure with its interval. NaN is what the data do not define.
type Estimate struct{ Value, Low, High float64 }

// Measure is one figure on the test period: of the model, of the rule "longest
// silent first" and of the least-squares floor.
type Measure struct {
	Name               string // such as pr_auc
	Model, Rule, Floor Estimate
}

// Period is the as-of dates that rows were taken from.
type Period struct {
	First, Last string // dates
	Rows        int
	ChurnRate   float64
}

// CalibrationBin is a part of the snapshots with risks alike.
type CalibrationBin struct {
	Rows, Users int
	MeanRisk    float64
	Left        Estimate // share that left
}

// Importance is how far a feature moves the risk, in log-odds on average.
type Importance struct {
	Feature, Title, Theme string
	Mean                  float64
}

// Evaluated is a model measured on its test period.
type Evaluated struct {
	From, To    string // as-of dates
	Rows, Users int
	InTheLarge  Estimate // mean risk less churn rate
	Error       float64  // expected calibration error
	Noise       float64  // of which noise alone would give so much
	Bins        []CalibrationBin
	Importance  []Importance // by falling mean
	Warnings    []string
}

// Card is what is known of a version before it is trusted.
type Card struct {
	Version, Kind string
	AsOf          string // last day of the data that it was made from
	Made          time.Time
	Code          string // version of the program that made it
	WindowDays    int
	Train, Test   Period
	TestUsers     int
	Measures      []Measure
	OverRule      Estimate // PR-AUC, over the same resamples of users
	ProfitOver    Estimate // profit at capacity, likewise
	Chosen        string   // why it was chosen among the models
	Warnings      []string
	Text          []byte     // the model card in Markdown
	Evaluated     *Evaluated // nil before `churn evaluate` or `churn report`
}

// Cards tells what is known of versions.
type Cards interface {
	// Card returns that of a version, or of an alias such as production.
	Card(ctx context.Context, version string) (Card, error)
}

// VersionHead is one version of the registry.
type VersionHead struct {
	Version, Kind, AsOf string
	Made                time.Time
	PRAUC               float64 // on its own test period; NaN where it is not known
	Served              bool    // it is or was in production
}

// Move is an entry of the registry's ledger.
type Move struct {
	Number   int       `json:"number"`
	Time     time.Time `json:"time"`
	Actor    string    `json:"actor"`
	Action   string    `json:"action"` // promote, rollback, challenger or collect
	Alias    string    `json:"alias,omitempty"`
	From     string    `json:"from,omitempty"`
	To       string    `json:"to,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Verdict  string    `json:"verdict,omitempty"` // of the gate
	Override bool      `json:"override"`          // against the verdict
}

// Past is what the registry has and what became of it.
type Past struct {
	Production, Challenger, Previous string        // versions; "" = none
	Versions                         []VersionHead // oldest first
	Moves                            []Move        // oldest first
	Fault                            string        // what cannot be read of it
}

// Return asks for a version to be put back into production.
type Return struct {
	To     string // a version, or previous
	Reason string
	Actor  string // who asks
}

// Ledger is the history of the models.
type Ledger interface {
	Past(ctx context.Context) (Past, error)
	// RollBack puts a version back into production after it has shown that it is
	// sound and answers as it did. What must not be is a *Problem or Faults.
	RollBack(ctx context.Context, r Return) (Move, error)
}

// Cell is a range of values, or one value, and the shares of rows in it.
type Cell struct {
	Name        string
	Before, Now float64
}

// Drifted is how one feature, or the risk itself, has moved.
type Drifted struct {
	Name, Title          string
	Status               string // ok, warn or fail
	PSI                  float64
	WarnLimit, FailLimit float64
	MissingBefore        float64
	Missing              float64
	Unseen               float64 // share of values that the reference does not have
	Importance           float64 // share of what the model goes by
	Sudden               bool    // it changed within days, against the weeks before
	Discounted           string  // why it does not count that it warns or fails; "" = it does, or it rests
	Cells                []Cell  // none = the distribution is not kept
}

// Drift is how far the users of a date have moved from those that the model has
// learned from.
type Drift struct {
	AsOf, Version string
	Status        string // ok, warn or fail
	Reference     string // training, or same-weeks-last-term
	Rows, Users   int
	Reasons       []string // what made it warn or fail
	Notes         []string // what could not be looked at, and why
	Moved         float64  // importance of the features that have moved, further than when the model was made where that is known; all together have 1
	Failed        float64  // importance of those whose own index fails
	Limit         float64  // Moved warns, and Failed fails, from here on
	Features      []Drifted
	Score         *Drifted // nil = it was not compared
}

// Drifts tells of the comparisons made.
type Drifts interface {
	// Drifts returns them by as-of date, oldest first. None is no error.
	Drifts(ctx context.Context) ([]Drift, error)
}

// Alarm is something that a monitor watches.
type Alarm struct {
	Name  string
	State string // AlarmPending or AlarmFiring
	Since time.Time
	Text  string
}

// Pages is what the dashboard shows beside Models, Users and Dossiers. What is nil is said
// not to be kept.
type Pages struct {
	Worth  Worth
	Cards  Cards
	Ledger Ledger
	Drifts Drifts
	Alarms Alarms
}

// complete fills in what is nil.
func (p Pages) complete() Pages {
	none := noEvidence{}
	if p.Cards == nil {
		p.Cards = none
	}
	if p.Ledger == nil {
		p.Ledger = none
	}
	if p.Drifts == nil {
		p.Drifts = none
	}
	if p.Alarms == nil {
		p.Alarms = none
	}
	return p
}

// The states of an alarm that are worth a word.
const (
	AlarmPending = "pending" // not bad for long enough yet
	AlarmFiring  = "firing"
)

// ErrNotKept says that nobody keeps what was asked for.
var ErrNotKept = errors.New("this is not kept yet")

// Alarms tells which alarms there are.
type Alarms interface {
	// Alarms returns those that fire, then those that are pending, or ErrNotKept.
	Alarms(ctx context.Context) ([]Alarm, error)
}
