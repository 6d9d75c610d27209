package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"churn/pipeline"
)

// Tally counts the rows of users or events.
type Tally struct {
	Rows, Accepted int64
	Failed         map[string]int64 // by check
	Plain          int64            // accepted events that are no payments
	Repeated       int64            // accepted events whose id stands elsewhere too
	Alike          int64            // accepted events equal to another but for the id

	events bool
	faults []fault
	found  []finding
}

// finding is the number of rows of which the same is wrong.
type finding struct{ rejects, remarks, rows int64 }

func (f finding) has(bit int) bool { return (f.rejects|f.remarks)>>bit&1 == 1 }

// take adds a finding.
func (t *Tally) take(f finding) {
	t.found = append(t.found, f)
	if t.Rows += f.rows; f.rejects == 0 {
		t.Accepted += f.rows
	}
	for i, c := range t.faults {
		if f.has(i) {
			t.Failed[c.check] += f.rows
		}
	}
}

// accepted counts the accepted rows that have a bit.
func (t *Tally) accepted(bit int) (n int64) {
	for _, f := range t.found {
		if f.rejects == 0 && f.has(bit) {
			n += f.rows
		}
	}
	return n
}

// Histogram tells how accepted events lie in time, and their courses.
type Histogram struct {
	Volumes []Volume
	Last    pipeline.Date                   // last event day, NoDate without events
	Starts  map[pipeline.Date]pipeline.Date // first event day by known day
	Courses []string                        // in no order
}

// Volume is the number of events of a type on a day.
type Volume struct {
	Day   pipeline.Date
	Type  uint8
	Count int64
}

// Users checks all users.
func (e *Engine) Users(ctx context.Context) (Tally, error) {
	t := Tally{Failed: map[string]int64{}, faults: e.userFaults()}
	err := e.ask(ctx, "check users", e.usersFound(), func(r *sql.Rows) error {
		var f finding
		if err := r.Scan(&f.rejects, &f.remarks, &f.rows); err != nil {
			return err
		}
		t.take(f)
		return nil
	})
	e.unique = err == nil && t.Failed[repeatedUser] == 0
	return t, err
}

// Events checks all events, and tells how the accepted ones lie in time. It
// fails where a value cannot be had exactly.
func (e *Engine) Events(ctx context.Context) (Tally, Histogram, error) {
	t, h := Tally{Failed: map[string]int64{}, events: true, faults: e.eventFaults()}, Histogram{Last: pipeline.NoDate, Starts: map[pipeline.Date]pipeline.Date{}}
	torn := int64(0)
	err := e.ask(ctx, "check events", e.eventsFound(), func(r *sql.Rows) error {
		var c foundCells
		if err := r.Scan(c.targets()...); err != nil {
			return err
		}
		switch {
		case c.byFault == 0:
			t.take(finding{c.rejects.Int64, c.remarks.Int64, c.rows})
		case c.byDay == 0 && c.day.Valid: // where it is not, events are rejected
			h.Volumes = append(h.Volumes, Volume{pipeline.Date(c.day.Int32), uint8(c.kind.Int32), c.rows})
			h.Last = max(h.Last, pipeline.Date(c.day.Int32))
			if !e.pays(int(c.kind.Int32)) {
				t.Plain += c.rows
			}
		case c.byKnown == 0 && c.known.Valid:
			h.Starts[pipeline.Date(c.known.Int32)] = pipeline.Date(c.first.Int32)
		case c.byCourse == 0 && c.course.String != "":
			h.Courses = append(h.Courses, c.course.String)
			if strings.Contains(c.course.String, separator) {
				torn += c.rows
			}
		}
		return nil
	})
	if err == nil {
		err = e.exact(&t, torn)
	}
	if err != nil {
		return t, h, err
	}
	e.occurs = map[string]bool{}
	for check := range t.Failed {
		e.occurs[check] = true
	}
	t.Repeated, t.Alike, err = e.repeats(ctx, t.Accepted)
	return t, h, err
}

// foundCells is one row of eventsFound. Of each row the columns of one way to
// count hold, which grouping() shows as 0.
type foundCells struct {
	byFault, byDay, byKnown, byCourse int64
	rejects, remarks                  sql.NullInt64
	day, kind, known, first           sql.NullInt32
	course                            sql.NullString
	rows                              int64
}

func (c *foundCells) targets() []any {
	return []any{&c.byFault, &c.byDay, &c.byKnown, &c.byCourse, &c.rejects, &c.remarks, &c.day, &c.kind, &c.known, &c.course, &c.first, &c.rows}
}

// exact fails if some values are too fine, or would be torn apart in lists.
func (e *Engine) exact(t *Tally, torn int64) (err error) {
	for i, q := range e.quantities() {
		if n := t.accepted(len(t.faults) + i); n > 0 {
			err = errors.Join(err, fmt.Errorf("source.events: %s has %d values that are no multiples of 1/%d, so that their sum would depend on who adds; round them in a view or a query", q.column, n, q.units))
		}
	}
	if torn > 0 {
		err = errors.Join(err, fmt.Errorf("source.events: course_id has the control character U+001F in %d events; replace it in a view or a query", torn))
	}
	return err
}

// repeats counts the accepted events whose id, or whose other columns, stood
// before. Hashes, which are quicker to sort, often prove that there are none.
func (e *Engine) repeats(ctx context.Context, accepted int64) (ids, rest int64, err error) {
	if e.dialect.hash != nil {
		distinct, err := e.numbers(ctx, "compare events", e.hashed(), 2)
		if err != nil {
			return 0, 0, err
		}
		ids, rest = accepted-distinct[0], accepted-distinct[1]
	}
	for _, c := range []struct {
		n       *int64
		columns []string
	}{{&ids, []string{"event_id"}}, {&rest, twins()}} {
		if *c.n == 0 && e.dialect.hash != nil {
			continue
		}
		n, err := e.numbers(ctx, "compare events", e.equal(c.columns...), 1)
		if err != nil {
			return 0, 0, err
		}
		*c.n = n[0]
	}
	return ids, rest, nil
}

// Samples returns the first rows, by id, that fail each check of a tally: their
// columns in the order of the contract, as texts; only the id where it stands
// more than once.
func (e *Engine) Samples(ctx context.Context, t Tally) (map[string][][]string, error) {
	var checks, groups []string
	for i, f := range t.faults {
		if t.Failed[f.check] > 0 {
			checks, groups = append(checks, f.check), append(groups, e.failing(&t, i))
		}
	}
	out := map[string][][]string{}
	if len(checks) > 0 {
		err := e.texts(ctx, "sample rows that fail", e.samples(&t, groups), func(row []string) {
			cells := row[:len(row)-len(checks)]
			for i, c := range checks {
				if row[len(cells)+i] == "1" {
					out[c] = append(out[c], cells)
				}
			}
		})
		if err != nil {
			return nil, err
		}
	}
	if t.Repeated == 0 {
		return out, nil
	}
	err := e.texts(ctx, "sample ids that repeat", e.repeatedIDs(), func(row []string) { out[repeatedEvent] = append(out[repeatedEvent], row) })
	return out, err
}

// failing is true for the rows that fail a check, as SQL.
func (e *Engine) failing(t *Tally, bit int) string {
	column, masks := "remarks", []string{}
	if e.rejects(t.faults[bit]) {
		column = "rejects"
	}
	for _, f := range t.found {
		mask := f.remarks
		if column == "rejects" {
			mask = f.rejects
		}
		if text := fmt.Sprint(mask); mask>>bit&1 == 1 && !slices.Contains(masks, text) {
			masks = append(masks, text)
		}
	}
	return column + " IN (" + strings.Join(masks, ", ") + ")"
}

// texts hands over the rows of an answer as texts.
func (e *Engine) texts(ctx context.Context, doing, query string, take func(row []string)) error {
	return e.ask(ctx, doing, query, func(r *sql.Rows) error {
		names, err := r.Columns()
		if err != nil {
			return err
		}
		cells := make([]sql.NullString, len(names))
		if err := r.Scan(pointers(cells)...); err != nil {
			return err
		}
		row := make([]string, len(cells))
		for i, c := range cells {
			row[i] = c.String
		}
		take(row)
		return nil
	})
}
