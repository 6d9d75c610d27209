package validate

import (
	"errors"
	"fmt"
	"slices"
)

// Severity says what a failed check does.
type Severity string

// The severities. Rows that fail a critical row check go to quarantine; a
// critical check that fails beyond its tolerance rejects the data set. A
// warning is reported and its rows are kept. Info is reported only.
const (
	Critical Severity = "critical"
	Warning  Severity = "warning"
	Info     Severity = "info"
)

// Level says what a check looks at.
type Level string

// The levels: the form of a file, one row, or the data set as a whole.
const (
	FileLevel Level = "file"
	RowLevel  Level = "row"
	DataLevel Level = "data"
)

// CheckParams are the settings of one check.
type CheckParams struct {
	Severity  Severity `mapstructure:"severity"`
	Tolerance float64  `mapstructure:"tolerance"` // share of rows (files, days) that may fail
}

// checkID numbers the checks; the order is that of the report.
type checkID int

const (
	usersColumns checkID = iota
	eventsColumns
	delimiter
	usersNotEmpty
	eventsNotEmpty
	truncatedLastLine
	byteOrderMark
	mixedLineEnds
	rowShape
	userIDPresent
	userIDUnique
	signupParses
	planKnown
	isPaidBinary
	isPaidMatchesPlan
	eventIDPresent
	eventIDUnique
	eventUserKnown
	eventTimeParses
	eventTimeFuture
	eventBeforeSignup
	knownAtValid
	eventTypeKnown
	watchMinutesRange
	quizScoreRange
	paymentAmount
	nonPaymentAmount
	duplicateRows
	dailyVolume
	typeVolume
	freshness
	numChecks
)

// spec describes a check: its name in the config and the report, what it
// demands, and its default settings.
type spec struct {
	name     string
	demand   string
	level    Level
	severity Severity
	// tolerance of a critical row check is 1: validate.max_reject_rate limits
	// all quarantined rows together.
	tolerance float64
	input     string // "users" or "events"; empty for both
}

func specs() [numChecks]spec {
	return [numChecks]spec{
		usersColumns:      {"users_columns", "the users file has the columns of the contract", FileLevel, Critical, 0, "users"},
		eventsColumns:     {"events_columns", "the events file has the columns of the contract", FileLevel, Critical, 0, "events"},
		delimiter:         {"delimiter", "columns are separated by commas", FileLevel, Critical, 0, ""},
		usersNotEmpty:     {"users_not_empty", "there is at least one user", FileLevel, Critical, 0, "users"},
		eventsNotEmpty:    {"events_not_empty", "there is at least one event", FileLevel, Critical, 0, "events"},
		truncatedLastLine: {"truncated_last_line", "the last line is complete", FileLevel, Warning, 0, ""},
		byteOrderMark:     {"byte_order_mark", "the file begins without a byte order mark (it is skipped)", FileLevel, Info, 0, ""},
		mixedLineEnds:     {"mixed_line_ends", "all lines end in the same way", FileLevel, Info, 0, ""},
		rowShape:          {"row_shape", "a row has as many fields as the header, and its quotes close", RowLevel, Critical, 1, ""},
		userIDPresent:     {"user_id_present", "user_id is not empty", RowLevel, Critical, 1, "users"},
		userIDUnique:      {"user_id_unique", "a user_id stands in the users file once", RowLevel, Critical, 1, "users"},
		signupParses:      {"signup_date_parses", "signup_date is a date such as 2026-04-30 and not after today", RowLevel, Critical, 1, "users"},
		planKnown:         {"plan_known", "plan is free or paid", RowLevel, Critical, 1, "users"},
		isPaidBinary:      {"is_paid_binary", "is_paid is 0 or 1", RowLevel, Critical, 1, "users"},
		isPaidMatchesPlan: {"is_paid_matches_plan", "is_paid is 1 exactly where plan is paid", RowLevel, Warning, 0, "users"},
		eventIDPresent:    {"event_id_present", "event_id is not empty", RowLevel, Critical, 1, "events"},
		eventIDUnique:     {"event_id_unique", "an event_id stands in the events once", RowLevel, Critical, 1, "events"},
		eventUserKnown:    {"event_user_known", "the user_id of an event stands in the users file", RowLevel, Critical, 1, "events"},
		eventTimeParses:   {"event_time_parses", "event_time is a time such as 2026-04-30T18:05:00", RowLevel, Critical, 1, "events"},
		eventTimeFuture:   {"event_time_not_future", "event_time does not lie after today", RowLevel, Critical, 1, "events"},
		eventBeforeSignup: {"event_after_signup", "event_time does not lie before the user's signup_date", RowLevel, Warning, 0, "events"},
		knownAtValid:      {"known_at_valid", "known_at, where given, is a time between event_time and today", RowLevel, Critical, 1, "events"},
		eventTypeKnown:    {"event_type_known", "event_type is in validate.event_types", RowLevel, Critical, 1, "events"},
		watchMinutesRange: {"watch_minutes_range", "watch_minutes is a number from 0 to 1,000,000", RowLevel, Critical, 1, "events"},
		quizScoreRange:    {"quiz_score_range", "quiz_score is empty or a number from 0 to 100", RowLevel, Critical, 1, "events"},
		paymentAmount:     {"payment_amount_positive", "a payment has an amount above 0 and up to 1,000,000,000", RowLevel, Critical, 1, "events"},
		nonPaymentAmount:  {"non_payment_amount", "events other than payments carry no amount", DataLevel, Critical, 0.02, "events"},
		duplicateRows:     {"duplicate_rows", "no two events are equal apart from event_id", DataLevel, Info, 0, "events"},
		dailyVolume:       {"daily_volume", "no day has less than a quarter or more than four times the events usual for its weekday", DataLevel, Warning, 0.02, "events"},
		typeVolume:        {"event_type_volume", "no event type changes its share of the events more than tenfold in the last week", DataLevel, Warning, 0, "events"},
		freshness:         {"event_type_freshness", "no event type has been silent longer than twice its longest silence before", DataLevel, Warning, 0, "events"},
	}
}

// Params are the settings of validation.
type Params struct {
	MaxRejectRate float64                `mapstructure:"max_reject_rate"` // share of users or of events, 0…1
	EventTypes    []string               `mapstructure:"event_types"`
	Examples      int                    `mapstructure:"examples"` // failing rows shown per check
	Checks        map[string]CheckParams `mapstructure:"checks"`
}

// Defaults returns the built-in settings.
func Defaults(eventTypes []string) Params {
	p := Params{MaxRejectRate: 0.01, EventTypes: eventTypes, Examples: 5, Checks: map[string]CheckParams{}}
	for _, s := range specs() {
		p.Checks[s.name] = CheckParams{Severity: s.severity, Tolerance: s.tolerance}
	}
	return p
}

// List returns the checks with their present settings, not run.
func (p Params) List() (checks []Check) {
	for _, s := range specs() {
		c := p.Checks[s.name]
		checks = append(checks, Check{Name: s.name, Demand: s.demand, Level: s.level, Severity: c.Severity, Tolerance: c.Tolerance, Status: NotRun, input: s.input})
	}
	return checks
}

// Validate returns all faults, each with its key.
func (p Params) Validate() error {
	var errs []error
	fault := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("validate."+key+": "+format, args...))
	}
	if !(p.MaxRejectRate >= 0 && p.MaxRejectRate <= 1) {
		fault("max_reject_rate", "%v is not a share; use a number from 0 to 1", p.MaxRejectRate)
	}
	if len(p.EventTypes) == 0 || len(p.EventTypes) > 200 {
		fault("event_types", "%d event types; list 1 to 200", len(p.EventTypes))
	}
	if p.Examples < 0 || p.Examples > 1000 {
		fault("examples", "%d is out of range; use 0 to 1000", p.Examples)
	}
	known := specs()
	for _, name := range sortedNames(p.Checks) {
		c := p.Checks[name]
		if !slices.ContainsFunc(known[:], func(s spec) bool { return s.name == name }) {
			fault("checks."+name, "there is no such check; `churn validate --list` shows them")
			continue
		}
		if c.Severity != Critical && c.Severity != Warning && c.Severity != Info {
			fault("checks."+name+".severity", "%q is unknown; use critical, warning or info", c.Severity)
		}
		if c.Severity != Critical && slices.Contains(indispensable(), name) {
			fault("checks."+name+".severity", "must be critical: a row that fails it cannot be used")
		}
		if !(c.Tolerance >= 0 && c.Tolerance <= 1) {
			fault("checks."+name+".tolerance", "%v is not a share; use a number from 0 to 1", c.Tolerance)
		}
	}
	return errors.Join(errs...)
}

// indispensable names the checks without which a row has no meaning.
func indispensable() (names []string) {
	all := specs()
	for _, id := range []checkID{usersColumns, eventsColumns, usersNotEmpty, eventsNotEmpty, rowShape, userIDPresent, userIDUnique, signupParses, eventIDUnique, eventUserKnown, eventTimeParses, eventTypeKnown} {
		names = append(names, all[id].name)
	}
	return names
}

func sortedNames(m map[string]CheckParams) []string {
	var names []string
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
