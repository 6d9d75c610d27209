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

	events  bool
	faults  []fault
	found   []finding
	counted int64 // rows of all findings
	whole   bool  // the answer had a total
}

// finding is the number of rows of which the same is wrong.
type finding struct{ rejects, remarks, rows int64 }

func (f finding) has(bit int) bool { return (f.rejects|f.remarks)>>bit&1 == 1 }

// take adds a finding.
func (t *Tally) take(f finding) {
	t.found, t.counted = append(t.found, f), t.counted+f.rows
	if f.rejects == 0 {
		t.Accepted += f.rows
	}
	for i, c := range t.faults {
		if f.has(i) {
			t.Failed[c.check] += f.rows
		}
	}
}

// agree fails where findings and total do not: an answer may be cut so that no
// one on the way notices.
func (t *Tally) agree() error {
	if !t.whole || t.counted != t.Rows {
		return fmt.Errorf("the database counted %d rows in all, and %d by what is wrong with them: its answer was cut; run again", t.Rows, t.counted)
	}
	return nil
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

	counted [4]int64 // events in each way of counting
	torn    int64    // events whose course has the separator in it
}

// Volume is the number of events of a type on a day.
type Volume struct {
	Day   pipeline.Date
	Type  uint8
	Count int64
}

// Users checks all users.
func (e *Engine) Users(ctx context.Context) (t Tally, err error) {
	if e.staged.users, err = e.stage(ctx, e.checkedUsers(), "u3"); err != nil {
		return t, err
	}
	t = Tally{Failed: map[string]int64{}, faults: e.userFaults()}
	err = e.ask(ctx, "check users", e.usersFound(), func(r *sql.Rows) error {
		var total, rows int64
		var rejects, remarks sql.NullInt64
		if err := r.Scan(&total, &rejects, &remarks, &rows); err != nil {
			return err
		}
		if total == 0 {
			t.take(finding{rejects.Int64, remarks.Int64, rows})
		} else {
			t.Rows, t.whole = rows, true
		}
		return nil
	})
	if err == nil {
		err = t.agree()
	}
	e.unique = err == nil && t.Failed[repeatedUser] == 0
	return t, err
}

// Events checks all events, and tells how the accepted ones lie in time. It
// fails where a value cannot be had exactly.
func (e *Engine) Events(ctx context.Context) (t Tally, h Histogram, err error) {
	if e.staged.events, err = e.stage(ctx, e.checkedEvents(), "e2"); err == nil {
		err = e.seal(ctx)
	}
	if err != nil {
		return t, h, err
	}
	t, h = Tally{Failed: map[string]int64{}, events: true, faults: e.eventFaults()}, Histogram{Last: pipeline.NoDate, Starts: map[pipeline.Date]pipeline.Date{}}
	err = e.ask(ctx, "check events", e.eventsFound(), func(r *sql.Rows) error {
		var c foundCells
		if err := r.Scan(c.targets()...); err != nil {
			return err
		}
		e.take(&t, &h, &c)
		return nil
	})
	if err == nil {
		err = errors.Join(t.agree(), h.agree(t.Rows), e.exact(&t, &h))
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

// take sorts one row of eventsFound into the tally or the histogram.
func (e *Engine) take(t *Tally, h *Histogram, c *foundCells) {
	day, known := pipeline.Date(c.day.Int32), pipeline.Date(c.known.Int32)
	way := slices.Index(c.ways[:], 0)
	switch way {
	case byFault:
		t.take(finding{c.rejects.Int64, c.remarks.Int64, c.rows})
	case byDay:
		if !c.day.Valid {
			break // here and below: of events that are rejected
		}
		h.Volumes, h.Last = append(h.Volumes, Volume{day, uint8(c.kind.Int32), c.rows}), max(h.Last, day)
		if !e.pays(int(c.kind.Int32)) {
			t.Plain += c.rows
		}
	case byKnown:
		if c.known.Valid {
			h.Starts[known] = pipeline.Date(c.first.Int32)
		}
	case byCourse:
		if c.course.String != "" {
			h.Courses = append(h.Courses, c.course.String)
		}
		if strings.Contains(c.course.String, separator) {
			h.torn += c.rows
		}
	default:
		t.Rows, t.whole = c.rows, true
		return
	}
	h.counted[way] += c.rows
}

// agree fails where the ways of counting disagree.
func (h *Histogram) agree(rows int64) error {
	if c := h.counted; c[byDay] != rows || c[byKnown] != rows || c[byCourse] != rows {
		return fmt.Errorf("the database counted %d events in all, %d by day, %d by the day on which they became known and %d by course: its answer was cut; run again", rows, c[byDay], c[byKnown], c[byCourse])
	}
	return nil
}

// The ways of counting of eventsFound, in the order of its grouping() columns.
const (
	byFault = iota
	byDay
	byKnown
	byCourse
)

// foundCells is one row of eventsFound. Of each row the columns of one way of
// counting hold, for which grouping() is 0.
type foundCells struct {
	ways                    [4]int64
	rejects, remarks        sql.NullInt64
	day, kind, known, first sql.NullInt32
	course                  sql.NullString
	rows                    int64
}

func (c *foundCells) targets() []any {
	return append(pointers(c.ways[:]), &c.rejects, &c.remarks, &c.day, &c.kind, &c.known, &c.course, &c.first, &c.rows)
}

// exact fails if some values are too fine, or would be torn apart in lists.
func (e *Engine) exact(t *Tally, h *Histogram) (err error) {
	for i, q := range e.quantities() {
		if n := t.accepted(len(t.faults) + i); n > 0 {
			err = errors.Join(err, fmt.Errorf("source.events: %s has %d values that are no multiples of 1/%d, so that their sum would depend on who adds; round them in a view or a query", q.column, n, q.units))
		}
	}
	if h.torn > 0 {
		err = errors.Join(err, fmt.Errorf("source.events: course_id has the control character U+001F in %d events; replace it in a view or a query", h.torn))
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
			n := len(row) - len(groups)
			for i, c := range checks {
				if row[n+i] == "1" {
					out[c] = append(out[c], row[:n])
				}
			}
		})
		if err != nil {
			return nil, err
		}
	}
	if t.Repeated > 0 {
		checks = append(checks, repeatedEvent)
		if err := e.texts(ctx, "sample ids that repeat", e.repeatedIDs(), func(row []string) { out[repeatedEvent] = append(out[repeatedEvent], row) }); err != nil {
			return nil, err
		}
	}
	for _, c := range checks {
		if len(out[c]) == 0 && e.rules.Examples > 0 {
			return nil, e.fault("sample "+c, errors.New("no row fails, some did before: the tables change while they are read, or the answer was cut; run again"))
		}
	}
	return out, nil
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
