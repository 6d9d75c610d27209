package validate

import (
	"context"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"

	"churn/pipeline"
	"churn/pipeline/source"
	"churn/pipeline/warehouse"
)

// WarehouseRules returns what a database must know to check and add up as Run
// does with files.
func WarehouseRules(in Input, p Params) warehouse.Rules {
	r := warehouse.Rules{Critical: map[string]bool{}, Zone: in.Location.String(), Today: in.Today, Examples: p.Examples}
	for i := range in.Vocabulary.Len() {
		r.Types = append(r.Types, in.Vocabulary.Name(i))
	}
	for _, s := range specs() {
		if s.level == RowLevel && p.Checks[s.name].Severity == Critical {
			r.Critical[s.name] = true
		}
	}
	return r
}

// RunIn validates what lies in a database. The checks of rows are sums there;
// of the rows that fail, the report and the quarantine have the first few of
// each check. Checks on the form of files are not run. The Result has no Users
// and nothing staged: prepare has both streamed to it.
func RunIn(ctx context.Context, db *warehouse.Engine, in Input, p Params) (*Result, error) {
	v, err := newValidation(in, p)
	if err != nil {
		return nil, err
	}
	defer v.out.Abort()
	v.users = newRoster(nil)
	w := tables{validation: v, ctx: ctx, db: db}
	w.usersPlace, w.eventsPlace = db.Places()
	result := &Result{}
	if err := w.checkUsers(); err != nil {
		return nil, err
	}
	if v.report.Users.Accepted > 0 { // without users every event would only repeat that fault
		if err := w.checkEvents(result); err != nil {
			return nil, err
		}
	}
	return v.conclude(result)
}

// tables is a validation in a database.
type tables struct {
	*validation
	ctx                     context.Context
	db                      *warehouse.Engine
	usersPlace, eventsPlace string
}

func (w *tables) checkUsers() error {
	w.check(usersColumns).Checked = 1 // the engine has inspected them
	t, err := w.db.Users(w.ctx)
	if err != nil {
		return err
	}
	w.report.Users = Counts{Rows: t.Rows, Accepted: t.Accepted, Rejected: t.Rows - t.Accepted}
	w.report.Inputs = append(w.report.Inputs, pipeline.FileState{Path: w.usersPlace, Rows: t.Rows})
	for id := userIDPresent; id <= isPaidMatchesPlan; id++ {
		w.check(id).Checked = t.Rows
	}
	c := w.check(usersNotEmpty)
	c.Checked = 1
	if t.Accepted == 0 {
		c.fail(Failure{File: w.usersPlace, Value: fmt.Sprintf("%d rows, none of them usable", t.Rows)}, w.params.Examples)
	}
	return w.takeFailed(t, w.usersPlace, source.UserColumns())
}

func (w *tables) checkEvents(result *Result) error {
	w.check(eventsColumns).Checked = 1
	t, h, err := w.db.Events(w.ctx)
	if err != nil {
		return err
	}
	accepted := t.Accepted - t.Repeated
	w.report.Events = Counts{Rows: t.Rows, Accepted: accepted, Rejected: t.Rows - accepted}
	w.report.Inputs = append(w.report.Inputs, pipeline.FileState{Path: w.eventsPlace, Rows: t.Rows})
	for id := eventIDPresent; id <= paymentAmount; id++ {
		w.check(id).Checked = t.Rows
	}
	w.check(nonPaymentAmount).Checked = t.Plain
	w.check(duplicateRows).Checked, w.check(duplicateRows).Failures = t.Accepted, t.Alike
	c := w.check(eventsNotEmpty)
	c.Checked = 1
	if t.Accepted == 0 {
		c.fail(Failure{File: w.eventsPlace, Value: fmt.Sprintf("%d rows, none of them usable", t.Rows)}, w.params.Examples)
	}
	t.Failed[specs()[eventIDUnique].name] = t.Repeated
	if err := w.takeFailed(t, w.eventsPlace, source.EventColumns()); err != nil {
		return err
	}
	result.Repeats = t.Repeated > 0
	w.look(h, result)
	return nil
}

// look takes in how accepted events lie in time, and the courses.
func (w *tables) look(h warehouse.Histogram, result *Result) {
	for _, x := range h.Volumes {
		counts := w.volume[x.Day]
		if counts == nil {
			counts = new([256]int32)
			w.volume[x.Day] = counts
		}
		counts[x.Type] = int32(x.Count)
	}
	w.starts, w.last = h.Starts, h.Last
	slices.Sort(h.Courses)
	result.Courses = h.Courses
}

// takeFailed counts failures, and asks for some rows of each check that has
// any.
func (w *tables) takeFailed(t warehouse.Tally, place string, columns []string) error {
	samples, err := w.db.Samples(w.ctx, t)
	if err != nil {
		return err
	}
	for id, s := range specs() {
		w.report.Checks[id].Failures += t.Failed[s.name]
		var bad []badRow
		for _, row := range samples[s.name] {
			bad = append(bad, w.badRow(checkID(id), row, place, columns))
		}
		if err := w.takeBad(bad, &[numChecks]int64{}); err != nil {
			return err
		}
	}
	return nil
}

func (w *tables) badRow(id checkID, row []string, place string, columns []string) badRow {
	field := fieldOf(id)
	f := Failure{File: place, Field: field}
	if i := slices.Index(columns, field); i < len(row) {
		f.Value = row[i]
	}
	var b strings.Builder
	c := csv.NewWriter(&b)
	c.Write(row) //nolint:errcheck // a strings.Builder takes everything
	c.Flush()
	return badRow{faults: []Failure{f}, checks: []checkID{id}, critical: w.rules.quarantine[id], text: strings.TrimSuffix(b.String(), "\n")}
}

// fieldOf names the column that a check of rows looks at.
func fieldOf(id checkID) string {
	switch id {
	case userIDPresent, userIDUnique, eventUserKnown:
		return "user_id"
	case signupParses:
		return "signup_date"
	case planKnown:
		return "plan"
	case isPaidBinary, isPaidMatchesPlan:
		return "is_paid"
	case eventTimeParses, eventTimeFuture, eventBeforeSignup:
		return "event_time"
	case knownAtValid:
		return "known_at"
	case eventTypeKnown:
		return "event_type"
	case watchMinutesRange:
		return "watch_minutes"
	case quizScoreRange:
		return "quiz_score"
	case paymentAmount, nonPaymentAmount:
		return "amount"
	}
	return "event_id"
}
