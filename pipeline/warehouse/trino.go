package warehouse

import (
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/trinodb/trino-go-client/trino"

	"churn/pipeline/source"
)

// trinoDialect is the dialect of Trino 423 and later. It has no transactions
// that show all queries the same rows: those who read count. Trino compares
// varchar by code point, which is the order of UTF-8 bytes.
func trinoDialect() dialect {
	return dialect{
		name:    source.KindTrino,
		open:    func(p source.Params) (*sql.DB, error) { return openTrino(p.URL) },
		explain: explainTrino,
		folded:  true,
		kind:    trinoKind,
		quote:   quoteDoubled,
		literal: literalDoubled,
		text: func(x string) string {
			return `trim(BOTH U&' \0009\000A\000B\000C\000D' FROM CAST(` + x + ` AS varchar))`
		},
		numeral: func(x string) string { return `CAST(` + x + ` AS varchar)` },
		wall: func(x, zone string, k kind) string {
			switch k {
			case date:
				return "CAST(" + x + " AS timestamp(0))"
			case instant: // less than the finest precision would round, and move the end of a day
				return "CAST(" + x + " AT TIME ZONE " + literalDoubled(zone) + " AS timestamp(12))"
			}
			return x
		},
		day:    func(w string) string { return "date_diff('day', DATE '1970-01-01', CAST(" + w + " AS date))" },
		second: func(w string) string { return "date_trunc('second', " + w + ")" },
		fixed: func(x string, units int64, k kind) string {
			if k == double { // the same multiplication, addition and floor as in pipeline.Fixed
				return fmt.Sprintf("CAST(floor(CAST(%s AS double) * CAST(%d AS double) + 0.5E0) AS bigint)", x, units)
			}
			return fmt.Sprintf("CAST(CAST(%s AS decimal(38, 9)) * %d AS bigint)", x, units) // no finer than 9 digits: see inexact
		},
		digits:   func(x string) string { return "(" + x + " <> '' AND translate(" + x + ", '0123456789', '') = '')" },
		bytewise: func(x string) string { return x },
		list:     func(x string) string { return "array_join(array_sort(array_distinct(array_agg(" + x + "))), chr(31))" },
	}
}

func trinoKind(name string) kind {
	switch name {
	case "VARCHAR", "CHAR", "UUID":
		return text
	case "TINYINT", "SMALLINT", "INTEGER", "BIGINT":
		return integer
	case "DECIMAL":
		return decimal
	case "REAL", "DOUBLE":
		return double
	case "BOOLEAN":
		return boolean
	case "DATE":
		return date
	case "TIMESTAMP":
		return wallTime
	case "TIMESTAMP WITH TIME ZONE":
		return instant
	}
	return other
}

// openTrino opens the address that the client of Trino reads, by way of a
// coordinator. Nothing is asked yet. No value of the address is in an error.
func openTrino(address string) (*sql.DB, error) {
	c, err := trino.ParseDSN(address)
	if err != nil {
		return nil, unquoted(err)
	}
	if c.TimeZone == "" {
		c.TimeZone = "UTC" // not that of this machine
	}
	if address, err := url.Parse(address); err == nil && !address.Query().Has("source") {
		c.Source = "churn"
	}
	way := newCoordinator(http.DefaultTransport.(*http.Transport).Clone())
	if err := way.connect(c); err != nil {
		return nil, unquoted(err)
	}
	client, err := trino.NewConnector(c)
	if err != nil {
		return nil, unquoted(err)
	}
	return sql.OpenDB(connector{client, way}), nil
}

// connector closes the coordinator with the database.
type connector struct {
	*trino.Connector
	way *coordinator
}

// Close ends what is still running.
func (c connector) Close() error { return c.way.Close() }

// unquoted shortens an error before the value that it quotes, which may be a
// password.
func unquoted(err error) error {
	text, _, cut := strings.Cut(err.Error(), `"`)
	if cut {
		text += "(not shown)"
	}
	return errors.New(text)
}

// explainTrino says in words what failed, and what to do.
func explainTrino(err error) error {
	var said *trino.ErrTrino
	var failed *trino.ErrQueryFailed
	const again = "run the same command again; if it comes back, ask those who run Trino"
	switch {
	case errors.Is(err, trino.ErrQueryCancelled):
		return explained{"somebody has cancelled the query; " + again, err}
	case errors.As(err, &said):
		advice := again
		switch said.ErrorType {
		case "USER_ERROR":
			advice = "check the tables, queries and columns that the settings name, and what this user may do"
		case "INSUFFICIENT_RESOURCES":
			advice = "narrow source.events by a query, or allow more with session_properties in the address"
		}
		return explained{said.ErrorName + ": " + said.Message + "; " + advice, err}
	case errors.As(err, &failed):
		advice := "check host and port of the address, and " + again
		if failed.StatusCode == http.StatusUnauthorized || failed.StatusCode == http.StatusForbidden {
			advice = "check user and password of the address"
		}
		return explained{fmt.Sprintf("the coordinator does not answer as it should (HTTP status %d): %v; %s", failed.StatusCode, failed.Reason, advice), err}
	}
	return err
}

// explained is an error in other words.
type explained struct {
	words string
	error
}

func (e explained) Error() string { return e.words }
func (e explained) Unwrap() error { return e.error }
