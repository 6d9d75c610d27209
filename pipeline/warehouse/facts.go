package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"churn/pipeline"
)

// Facts is the stream of users with their days.
type Facts struct {
	engine     *Engine
	ctx        context.Context
	rows       *sql.Rows
	courses    map[string]uint32
	cells      cells
	targets    []any
	vocabulary pipeline.Vocabulary
	waiting    bool // cells hold the first row of the next user
	compare    func(a, b string) int
	previous   string // id of the user before
	begun      bool
}

// cells is one row of the answer.
type cells struct {
	user       pipeline.User
	paid       string
	day, known sql.NullInt32
	counts     []sql.NullInt32
	sums       [3]sql.NullInt64
	scores     sql.NullInt32
	touched    sql.NullString // kind:course, joined by the separator
}

// Features streams all users in the order of compare, each with the sums of
// his days, from which features are cut. repeats says that some ids of events
// stand more than once; courses are numbered from 1 in the given order. The
// stream is whole only when Next has returned false without an error.
func (e *Engine) Features(ctx context.Context, v pipeline.Vocabulary, courses []string, repeats bool, compare func(a, b string) int) (*Facts, error) {
	rows, err := e.tx.QueryContext(ctx, e.facts(repeats))
	if err != nil {
		return nil, e.fault("add up events", err)
	}
	f := &Facts{engine: e, ctx: ctx, rows: rows, vocabulary: v, compare: compare, courses: make(map[string]uint32, len(courses))}
	for i, c := range courses {
		f.courses[c] = uint32(i + 1)
	}
	c := &f.cells
	c.counts = make([]sql.NullInt32, v.Len())
	f.targets = slices.Concat([]any{&c.user.ID, &c.user.Signup, &c.user.Plan, &c.paid, &c.user.Country, &c.user.Source, &c.day, &c.known},
		pointers(c.counts), pointers(c.sums[:]), []any{&c.scores, &c.touched})
	return f, nil
}

// Close ends the stream, at its end or before.
func (f *Facts) Close() error { return f.rows.Close() }

// Next returns the next user; ok is false after the last.
func (f *Facts) Next() (t pipeline.Timeline, ok bool, err error) {
	if !f.waiting {
		if ok, err := f.read(); !ok || err != nil {
			return t, false, err
		}
	}
	t.User = f.cells.user
	if f.begun && f.compare(f.previous, t.User.ID) >= 0 {
		return t, false, fmt.Errorf("user %q follows user %q: the database orders users in another way; please report it with its version and locale", t.User.ID, f.previous)
	}
	f.previous, f.begun, f.waiting = t.User.ID, true, false
	for {
		if f.cells.day.Valid {
			facts, err := f.facts()
			if err != nil {
				return t, false, err
			}
			t.Days = append(t.Days, facts)
		}
		if f.waiting, err = f.read(); err != nil {
			return t, false, err
		}
		if !f.waiting || f.cells.user.ID != t.User.ID {
			return t, true, nil
		}
	}
}

// read reads one row; ok is false at the end.
func (f *Facts) read() (ok bool, err error) {
	if !f.rows.Next() {
		if err := errors.Join(f.rows.Err(), f.ctx.Err()); err != nil {
			return false, f.engine.fault("add up events", err)
		}
		return false, nil
	}
	if err := f.rows.Scan(f.targets...); err != nil {
		return false, f.engine.fault("add up events", err)
	}
	f.cells.user.Paid = f.cells.paid == "1"
	return true, nil
}

// facts makes a day of the present row.
func (f *Facts) facts() (pipeline.DayFacts, error) {
	c := &f.cells
	d := pipeline.DayTotals{Day: pipeline.Date(c.day.Int32), Known: pipeline.Date(c.known.Int32), Counts: make([]int32, len(c.counts)),
		Minutes: c.sums[0].Int64, Score: c.sums[1].Int64, Amount: c.sums[2].Int64, Scores: c.scores.Int32}
	for i, n := range c.counts {
		d.Counts[i] = n.Int32
	}
	for pair := range strings.SplitSeq(c.touched.String, separator) {
		touch, err := f.touch(pair)
		if err != nil {
			return pipeline.DayFacts{}, err
		}
		d.Touched = append(d.Touched, touch)
	}
	return f.vocabulary.Facts(&d), nil
}

// touch reads a pair of an event type and a course.
func (f *Facts) touch(pair string) (t pipeline.Touch, err error) {
	kind, course, _ := strings.Cut(pair, ":")
	n, err := strconv.ParseUint(kind, 10, 8)
	if err != nil || int(n) >= f.vocabulary.Len() {
		return t, fmt.Errorf("%q is no event type and course, as the database should list them", pair)
	}
	number, ok := f.courses[course]
	if !ok && course != "" {
		return t, fmt.Errorf("course %q was not there a moment ago: the tables change while they are read; run again", course)
	}
	return pipeline.Touch{Type: uint8(n), Course: number}, nil
}
