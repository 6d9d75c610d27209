// Package warehouse reads users and events where they lie: in a database, which
// checks them and adds them up by user, day and known day. What it yields is
// whole numbers, ordered by user; from there on everything goes the way of
// files, through the same timelines, cut and features (docs/adr/0018).
//
// All queries of an Engine see the same data where the database has
// transactions. Where it has none, callers compare what Facts yielded with what
// Events counted.
package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"churn/pipeline"
	"churn/pipeline/source"
)

// Rules say what is accepted.
type Rules struct {
	Types    []string        // accepted event types, in the order of the vocabulary
	Critical map[string]bool // checks of rows that reject the row
	Zone     string          // IANA name; decides calendar days
	Today    pipeline.Date   // event days after it lie in the future
	Examples int             // rows that Samples returns at most
}

// Engine asks one database about users and events. It is not safe for use by
// several goroutines.
type Engine struct {
	params  source.Params
	rules   Rules
	types   []source.EventType
	dialect dialect
	db      *sql.DB
	tx      querier
	end     func() error

	users, events relation
}

// querier is a transaction, or a connection where there are none.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Open connects to the database and looks at its tables (Inspect).
func Open(ctx context.Context, p source.Params, r Rules) (*Engine, error) {
	types, err := p.MapEventTypes()
	if err != nil {
		return nil, err
	}
	e := &Engine{params: p, rules: r, types: types, dialect: dialectOf(p.Kind), end: func() error { return nil }}
	if e.db, err = e.dialect.open(p); err != nil {
		return nil, e.fault("source.url", err)
	}
	if err := e.begin(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	if _, err := e.Inspect(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func (e *Engine) begin(ctx context.Context) error {
	if err := e.connect(ctx); err != nil {
		return e.fault("connect", err)
	}
	for _, s := range e.dialect.session {
		if _, err := e.tx.ExecContext(ctx, s); err != nil {
			return e.fault("prepare the session", err)
		}
	}
	return nil
}

// connect begins a transaction, or takes a connection where there are none.
func (e *Engine) connect(ctx context.Context) error {
	if e.dialect.options == nil {
		conn, err := e.db.Conn(ctx)
		if err == nil {
			e.tx, e.end = conn, conn.Close
		}
		return err
	}
	tx, err := e.db.BeginTx(ctx, e.dialect.options)
	if err == nil {
		e.tx, e.end = tx, tx.Rollback // nothing was written
	}
	return err
}

// Close ends the transaction and the connection.
func (e *Engine) Close() error {
	err := e.end()
	if errors.Is(err, sql.ErrTxDone) { // a cancelled context has ended it
		err = nil
	}
	return errors.Join(err, e.db.Close())
}

// fault says where and at what the database failed.
func (e *Engine) fault(doing string, err error) error {
	if e.dialect.explain != nil {
		err = e.dialect.explain(err)
	}
	return fmt.Errorf("%s (source.kind: %s): %w", doing, e.params.Kind, err)
}

// ask runs a query and calls scan for each row of its answer, which is whole
// when ask returns nil.
func (e *Engine) ask(ctx context.Context, doing, query string, scan func(*sql.Rows) error) error {
	rows, err := e.tx.QueryContext(ctx, query)
	if err != nil {
		return e.fault(doing, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return e.fault(doing, err)
		}
	}
	if err := errors.Join(rows.Err(), ctx.Err()); err != nil {
		return e.fault(doing, err)
	}
	return nil
}

// Tally counts the rows of users or events.
type Tally struct {
	Rows, Accepted int64
	Failed         map[string]int64 // by check
	Plain          int64            // accepted events that are no payments
	Repeated       int64            // accepted events whose id stands elsewhere too
	Alike          int64            // accepted events equal to another but for the id
}

// Users checks all users.
func (e *Engine) Users(ctx context.Context) (t Tally, err error) {
	query, checks := e.usersTally()
	numbers, err := e.numbers(ctx, "check users", query, len(checks)+2)
	if err != nil {
		return t, err
	}
	return Tally{Rows: numbers[0], Accepted: numbers[1], Failed: byCheck(checks, numbers[2:])}, nil
}

// Events checks all events. It fails where a value cannot be had exactly.
func (e *Engine) Events(ctx context.Context) (t Tally, err error) {
	query, checks := e.eventsTally()
	rows, err := e.numbers(ctx, "check events", query, len(checks)+1)
	if err != nil {
		return t, err
	}
	t = Tally{Rows: rows[0], Failed: byCheck(checks, rows[1:])}
	accepted, err := e.numbers(ctx, "count events", e.acceptedTally(), 3+len(e.quantities())+1)
	if err != nil {
		return t, err
	}
	t.Accepted, t.Plain, t.Repeated = accepted[0], accepted[1], accepted[0]-accepted[2]
	if err := e.exact(accepted[3:]); err != nil {
		return t, err
	}
	alike, err := e.numbers(ctx, "compare events", e.alike(), 1)
	if err == nil {
		t.Alike = alike[0]
	}
	return t, err
}

// exact fails if some values are too fine, or would be torn apart in lists.
func (e *Engine) exact(bad []int64) (err error) {
	for i, q := range e.quantities() {
		if bad[i] > 0 {
			err = errors.Join(err, fmt.Errorf("source.events: %s has %d values that are no multiples of 1/%d, so that their sum would depend on who adds; round them in a view or a query", q.column, bad[i], q.units))
		}
	}
	if n := bad[len(bad)-1]; n > 0 {
		err = errors.Join(err, fmt.Errorf("source.events: course_id has the control character U+001F in %d events; replace it in a view or a query", n))
	}
	return err
}

func byCheck(checks []string, numbers []int64) map[string]int64 {
	out := map[string]int64{}
	for i, c := range checks {
		out[c] = numbers[i]
	}
	return out
}

// numbers returns the n whole numbers of an answer of one row.
func (e *Engine) numbers(ctx context.Context, doing, query string, n int) ([]int64, error) {
	out, rows := make([]int64, n), 0
	err := e.ask(ctx, doing, query, func(r *sql.Rows) error {
		rows++
		return r.Scan(pointers(out)...)
	})
	if err == nil && rows != 1 {
		err = e.fault(doing, fmt.Errorf("%d rows in answer, want 1", rows))
	}
	return out, err
}

func pointers[T any](values []T) []any {
	out := make([]any, len(values))
	for i := range values {
		out[i] = &values[i]
	}
	return out
}

// Samples returns the first rows that fail a check that some rows fail, by id:
// their columns in the order of the contract, as texts.
func (e *Engine) Samples(ctx context.Context, check string) (out [][]string, err error) {
	err = e.ask(ctx, "sample "+check, e.samples(check), func(r *sql.Rows) error {
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
		out = append(out, row)
		return nil
	})
	if err == nil && len(out) == 0 && e.rules.Examples > 0 {
		err = e.fault("sample "+check, errors.New("no row fails, some did before: the tables change while they are read, or the answer was cut; run again"))
	}
	return out, err
}

// Histogram tells how accepted events lie in time.
type Histogram struct {
	Volumes []Volume
	Last    pipeline.Date                   // last event day, NoDate without events
	Starts  map[pipeline.Date]pipeline.Date // first event day by known day
	known   int64                           // events of all known days
}

// Volume is the number of events of a type on a day.
type Volume struct {
	Day   pipeline.Date
	Type  uint8
	Count int64
}

// Histograms counts accepted events by day, type and known day.
func (e *Engine) Histograms(ctx context.Context) (Histogram, error) {
	h := Histogram{Last: pipeline.NoDate, Starts: map[pipeline.Date]pipeline.Date{}}
	err := e.ask(ctx, "count by day", e.volumes(), func(r *sql.Rows) error {
		var v Volume
		defer func() { h.Volumes = append(h.Volumes, v) }()
		return r.Scan(&v.Day, &v.Type, &v.Count)
	})
	if err != nil {
		return h, err
	}
	err = e.ask(ctx, "find the first day", e.starts(), func(r *sql.Rows) error {
		var known, first, last pipeline.Date
		var count int64
		if err := r.Scan(&known, &first, &last, &count); err != nil {
			return err
		}
		h.Starts[known], h.Last, h.known = first, max(h.Last, last), h.known+count
		return nil
	})
	return h, err
}

// Agree fails where the counts are of other events than were accepted: a
// database without transactions shows each query what there is at the moment,
// and an answer may be cut so that no one on the way notices.
func (h *Histogram) Agree(accepted int64) error {
	total := int64(0)
	for _, v := range h.Volumes {
		total += v.Count
	}
	const advice = "the tables change while they are read; run again, or name a snapshot of them in source.events"
	if total != accepted {
		return fmt.Errorf("%d events were counted by day, %d were accepted before: %s", total, accepted, advice)
	}
	if h.known != accepted {
		return fmt.Errorf("%d events were counted by the days on which they became known, %d were accepted before: %s", h.known, accepted, advice)
	}
	return nil
}

// Courses lists the courses of accepted events, in no order.
func (e *Engine) Courses(ctx context.Context) (out []string, err error) {
	err = e.ask(ctx, "list courses", e.courses(), func(r *sql.Rows) error {
		var course string
		err := r.Scan(&course)
		out = append(out, course)
		return err
	})
	return out, err
}

// Places tells where users and events are, for people and manifests.
func (e *Engine) Places() (users, events string) {
	return e.params.Place(e.params.Users), e.params.Place(e.params.Events)
}
