// Package server answers over HTTP. It knows neither the stages nor the
// registry: what it needs of them are the small interfaces of this file, which
// internal/serving implements.
//
//	request → limits, keys, request id → decode → Predictor → answer, log, metrics
//	                                                 ▲
//	registry ⇒ Models (follows the alias, swaps an atomic pointer)
package server

import (
	"context"
	"errors"
	"time"
)

// Input is one feature that a model reads.
type Input struct {
	Name        string   `json:"name"`
	Categorical bool     `json:"categorical"`
	Title       string   `json:"title"`
	Unit        string   `json:"unit,omitempty"`
	Binary      bool     `json:"binary,omitempty"` // 0 or 1, also given as false or true
	Null        string   `json:"null"`             // what a missing value means
	Least       *float64 `json:"least,omitempty"`  // smallest value that its definition allows
	Most        *float64 `json:"most,omitempty"`   // largest
	Min         *float64 `json:"min,omitempty"`    // smallest value in training
	Max         *float64 `json:"max,omitempty"`    // largest
	Levels      []string `json:"levels,omitempty"` // values in training, of a categorical
	More        bool     `json:"more,omitempty"`   // training saw rarer values, too
}

// Row is one snapshot as the model reads it: a value for every input, numeric
// ones and categorical ones each in the order of Predictor.Inputs. NaN and ""
// are missing.
type Row struct {
	Numeric     []float64
	Categorical []string
}

// MaxReasons is how many reasons an answer has at most, and unless it is asked
// for fewer.
const MaxReasons = 3

// Reason is one cause of a risk, in words.
type Reason struct {
	Feature      string  `json:"feature" doc:"A theme of inputs, such as recency or videos: what they say together."`
	Text         string  `json:"text"`
	Contribution float64 `json:"contribution"` // log-odds above the mean of the training cohort
}

// Score is what a model says about one row.
type Score struct {
	Margin  float64 // log-odds before calibration
	Risk    float64 // probability of churn in the label window
	Tier    string  // low, medium or high
	Reasons []Reason
}

// ModelInfo says which model answers.
type ModelInfo struct {
	Version    string             `json:"model_version"`
	Path       string             `json:"model_path"`
	Kind       string             `json:"model_kind"`
	Digest     string             `json:"digest"`
	FeatureSet string             `json:"feature_set"` // fingerprint
	AsOf       string             `json:"as_of_date"`  // last day of the data that it was made from
	WindowDays int                `json:"window_days"`
	Metrics    map[string]float64 `json:"metrics,omitempty"` // on its test period
}

// Predictor is one loaded model. It never changes and is safe for concurrent
// use.
type Predictor interface {
	Info() ModelInfo
	Inputs() (numeric, categorical []Input)
	// Predict scores a row and gives at most so many reasons, of which the
	// settings of scoring allow at most MaxReasons. 0 spares their computation,
	// most of the work of a model of trees.
	Predict(row Row, reasons int) Score
	// PredictEvents validates a user with raw events by the record checks of the
	// batch path, computes the features as of a date with the same code, and
	// scores them. Bad records are Faults.
	PredictEvents(in Events, reasons int) (EventScore, error)
}

// Events is a user with raw events, every value as text as a file would hold it.
type Events struct {
	AsOf string // a date; "" = the day of the latest event
	// DataStart is the first day of the data that the events were taken from,
	// before which windows do not reach; "" = that of the data that the server
	// knows, else the user's first event.
	DataStart string
	User      RawUser
	Events    []RawEvent
}

// RawUser is a record of the users file.
type RawUser struct {
	ID, Signup, Plan, IsPaid, Country, Source string
}

// RawEvent is a record of the events file; "" is empty, and an empty User the
// one that it is sent with.
type RawEvent struct {
	ID, User, Time, Type, Course, Minutes, Score, Amount, KnownAt string
}

// EventScore is the answer to Events.
type EventScore struct {
	Score
	UserID   string
	AsOf     string
	AtRisk   bool // in the cohort that the model has learned from
	Features Row
	Warnings []Fault // what was odd but counts, by the severities of validation
}

// Fault is one thing that is wrong with a request.
type Fault struct {
	Field    string `json:"field"` // as a JSON pointer, such as /features/watch_minutes_7d or /events/3/event_time
	Got      string `json:"got"`
	Expected string `json:"expected"`
}

// Faults is an error that lists what is wrong with a request.
type Faults []Fault

// Error says the first fault, and how many more there are.
func (f Faults) Error() string {
	return f[0].Field + ": got " + f[0].Got + ", expected " + f[0].Expected
}

// ModelStatus is what is known of the model in use and of those refused.
type ModelStatus struct {
	Alias    string    `json:"alias"`
	Version  string    `json:"model_version,omitempty"` // "" = none yet
	Since    time.Time `json:"since,omitzero"`          // when it began to answer here
	Checked  time.Time `json:"checked,omitzero"`        // when the registry was last read well
	Refused  string    `json:"refused,omitempty"`       // a version that was not taken
	Error    string    `json:"error,omitempty"`         // why it was not, or why the registry cannot be read
	Swaps    int64     `json:"swaps"`
	Refusals int64     `json:"refusals"`
	Errors   int64     `json:"registry_errors"` // times that the registry could not be read
}

// Models holds the model in use.
type Models interface {
	// Current returns the model in use, nil if there is none yet. A request asks
	// once and uses what it got to its end.
	Current() Predictor
	Status() ModelStatus
	// Reload looks at the registry now.
	Reload(ctx context.Context) error
}

// Logged is one prediction, for monitoring, later labels and the second model.
type Logged struct {
	Time      time.Time
	RequestID string
	Route     string // its pattern
	UserID    string // "" where the request named none
	AsOf      string
	Model     Predictor
	Row       Row // of the request: who keeps it copies it
	Score     Score
	Shadow    bool // of the second model: nobody was answered with it
}

// Log keeps predictions. Record never blocks: it counts what it has to drop.
type Log interface {
	Record(Logged)
	Status() LogStatus
}

// LogStatus counts what a log has done since it was opened.
type LogStatus struct {
	Kept    int64 // rows written
	Dropped int64 // rows that there was no room for, or that could not be written
	Faults  int64 // times that files could not be written
}

// Shadow is a second model. It is given every scored row with its answer, must
// not block, and counts what it has to drop.
type Shadow interface {
	Offer(Logged)
	Status() ShadowStatus
}

// ShadowStatus is what is known of the second model, and how its answers differ
// from those that were given.
type ShadowStatus struct {
	Model      ModelStatus       `json:"model"`
	Rows       int64             `json:"rows"`    // compared since the start
	Failed     int64             `json:"failed"`  // rows to which it gave no risk
	Skipped    int64             `json:"skipped"` // rows that do not have its features
	Dropped    int64             `json:"dropped"` // rows that there was no time for
	Error      string            `json:"error,omitempty"`
	Comparison *ShadowComparison `json:"comparison,omitempty"` // of the two models of now, by this and other servers; absent before the first row
}

// ShadowComparison says how the answers of two models differ; a difference is
// the risk by the second less the risk by the first. What too few rows leave
// undefined is 0.
type ShadowComparison struct {
	Champion        string    `json:"champion"`
	Challenger      string    `json:"challenger"`
	First           time.Time `json:"first"` // time of the first row
	Last            time.Time `json:"last"`
	Rows            int64     `json:"rows"`
	Failed          int64     `json:"failed"`
	Skipped         int64     `json:"skipped"`
	MeanDifference  float64   `json:"mean_difference"`
	MeanAbsolute    float64   `json:"mean_absolute_difference"`
	Quantiles       Quantiles `json:"quantiles"`        // of the difference
	RankCorrelation float64   `json:"rank_correlation"` // Spearman's, of the risks
	SameTier        float64   `json:"same_tier"`        // share of the rows
	HighOnly        float64   `json:"high_by_challenger_only"`
	HighNoMore      float64   `json:"high_by_champion_only"`
	LatencyMean     float64   `json:"latency_mean_ms"` // of the second model, without reasons
	Latency99       float64   `json:"latency_p99_ms"`
}

// Quantiles describe a distribution.
type Quantiles struct {
	P1     float64 `json:"p1"`
	P10    float64 `json:"p10"`
	Median float64 `json:"p50"`
	P90    float64 `json:"p90"`
	P99    float64 `json:"p99"`
}

// User is one user of the latest scored snapshot.
type User struct {
	ID           string   `json:"user_id"`
	AsOf         string   `json:"as_of_date"`
	Risk         float64  `json:"churn_risk"`
	Rank         int      `json:"risk_rank"`
	Tier         string   `json:"risk_tier"`
	Plan         string   `json:"plan"`
	Paid         bool     `json:"is_paid"`
	Country      string   `json:"country"`
	Source       string   `json:"marketing_source"`
	SinceSignup  int64    `json:"days_since_signup"`
	LastActivity *float64 `json:"days_since_last_activity"`
	Reasons      []string `json:"reasons"`
	Version      string   `json:"model_version"`
}

// MaxUsers is how many users a page has at most.
const MaxUsers = 1000

// Query selects users of the snapshot.
type Query struct {
	Tier, Plan, Country, Source string // "" = all
	Search                      string // beginning of the user id
	Sort                        string // risk (falling; default), user_id, last_activity (longest silent first)
	Limit                       int
	Cursor                      string // of the page before
}

// Page is a part of a list, and the snapshot that it is of.
type Page struct {
	Users    []User
	Cursor   string // of the next page; "" = the end
	Total    int    // that the query selects
	Snapshot Snapshot
}

// Snapshot describes a scored snapshot.
type Snapshot struct {
	AsOf       string         `json:"as_of_date"`
	Version    string         `json:"model_version"`
	FeatureSet string         `json:"feature_set,omitempty"` // fingerprint, if the registry still knows it
	Digest     string         `json:"digest"`                // of the predictions that it was built from
	Users      int            `json:"users"`
	Tiers      map[string]int `json:"tiers"`
	MeanRisk   float64        `json:"mean_risk"`
	Plans      []string       `json:"plans,omitempty"` // the values that can be selected by
	Countries  []string       `json:"countries,omitempty"`
	Sources    []string       `json:"marketing_sources,omitempty"`
	Scored     time.Time      `json:"scored_at"` // when churn score had finished
}

// DataStatus is what is known of files that the server follows: those in use,
// and why the latest ones are not.
type DataStatus struct {
	AsOf     string    `json:"as_of_date,omitempty"` // of those in use; "" = none yet
	Since    time.Time `json:"since,omitzero"`       // when they began to answer here
	Checked  time.Time `json:"checked,omitzero"`     // when they were last found to be the latest
	Error    string    `json:"error,omitempty"`      // why the latest are not in use, or cannot be read
	Swaps    int64     `json:"swaps"`
	Refusals int64     `json:"refusals"`
	Errors   int64     `json:"read_errors"` // times that they could not be looked at
}

// What Users says where it has no answer.
var (
	ErrNoSnapshot    = errors.New("nobody has been scored yet; run `churn score`")
	ErrNotInUse      = errors.New("the latest predictions are not in use yet: they are being read, or were refused; GET /snapshots says which")
	ErrNoUser        = errors.New("the latest snapshot has no such user")
	ErrCursorExpired = errors.New("the cursor is of an earlier snapshot; begin the list again without a cursor")
)

// Users answers from the latest scored snapshot, or with ErrNoSnapshot or
// ErrNotInUse.
type Users interface {
	Snapshot(ctx context.Context) (Snapshot, error)
	// Find returns a user and the snapshot that it is of, or ErrNoUser.
	Find(ctx context.Context, id string) (User, Snapshot, error)
	// List returns a page; a cursor of an earlier snapshot is ErrCursorExpired,
	// what a query must not hold is Faults.
	List(ctx context.Context, q Query) (Page, error)
	// History returns a line for every kept table of predictions, one an as-of
	// date and model, oldest first, without the values to select by.
	History(ctx context.Context) ([]Snapshot, error)
	Status() DataStatus
}
