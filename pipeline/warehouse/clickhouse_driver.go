package warehouse

import (
	"context"
	"crypto/rand"
	"database/sql/driver"
	"errors"
	"io"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
)

// clickhouseConnector opens connections that give each query an id, and kill it
// where its answer is not read to the end: the server may sit behind a proxy
// that does not tell it when we are gone.
type clickhouseConnector struct{ driver.Connector }

func (c clickhouseConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return clickhouseConn{conn, c}, nil
}

type clickhouseConn struct {
	driver.Conn
	connector clickhouseConnector
}

// QueryContext implements driver.QueryerContext.
func (c clickhouseConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	r := &clickhouseRows{connector: c.connector, id: "churn-" + rand.Text()}
	ctx, r.cancel = context.WithCancel(ctx)
	rows, err := c.Conn.(driver.QueryerContext).QueryContext(ch.Context(ctx, ch.WithQueryID(r.id)), query, args)
	if err != nil {
		r.cancel()
		if !refused(err) {
			r.kill()
		}
		return nil, err
	}
	r.Rows = rows
	return r, nil
}

// refused reports whether the server itself has ended the query.
func refused(err error) bool {
	var said *ch.Exception
	return errors.As(err, &said)
}

// clickhouseRows is the answer to one query.
type clickhouseRows struct {
	driver.Rows
	connector clickhouseConnector
	id        string
	cancel    context.CancelFunc
	ended     bool
}

func (r *clickhouseRows) Next(dest []driver.Value) error {
	err := r.Rows.Next(dest)
	r.ended = r.ended || err == io.EOF || refused(err) //nolint:errorlint // a wrapped one is a cut answer
	return err
}

// Close stops a query that has more to say: the client would read all of it.
func (r *clickhouseRows) Close() error {
	r.cancel()
	err := r.Rows.Close()
	if r.ended {
		return err
	}
	r.kill() // and what Close said is that we left
	return nil
}

// kill asks the server, over a connection of its own, to stop the query. It is
// best effort: whether the query is still there, nobody knows.
func (r *clickhouseRows) kill() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := r.connector.Connector.Connect(ctx)
	if err != nil {
		return
	}
	defer conn.Close()
	conn.(driver.ExecerContext).ExecContext(ctx, "KILL QUERY WHERE query_id = '"+r.id+"' ASYNC", nil) //nolint:errcheck // see above
}
