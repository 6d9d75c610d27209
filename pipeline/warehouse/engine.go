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
	staged        staged
	unique        bool            // no accepted user stands more than once, as Users has found
	occurs        map[string]bool // checks that some events fail, as Events has found
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
	options := *e.dialect.options
	options.ReadOnly = options.ReadOnly && e.params.ScratchSchema == ""
	tx, err := e.db.BeginTx(ctx, &options)
	if err == nil {
		e.tx, e.end = tx, tx.Rollback // nothing was written that is to stay
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

// Places tells where users and events are, for people and manifests.
func (e *Engine) Places() (users, events string) {
	return e.params.Place(e.params.Users), e.params.Place(e.params.Events)
}
