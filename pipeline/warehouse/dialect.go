package warehouse

import (
	"database/sql"
	"strings"

	"churn/pipeline/source"
)

// kind is what a column can be for us.
type kind int

const (
	other kind = iota
	text
	bare // text without blanks around it, such as a uuid
	integer
	decimal
	double
	boolean
	date
	wallTime // without a zone: it already is in source.timezone
	instant  // with a zone
	absent   // there is no such column
)

// dialect is what differs from one database to another. Everything else is SQL
// that all of them read.
type dialect struct {
	name     string
	open     func(p source.Params) (*sql.DB, error)
	options  *sql.TxOptions           // nil: there are no transactions
	session  []string                 // statements that come first
	explain  func(error) error        // says more of an error; nil: it says enough
	folded   bool                     // names of columns are the same in capitals
	fence    string                   // ends a subquery whose columns are to be computed once a row, not wherever they are named
	describe func(from string) string // query for names and types of columns; nil: its answers have them also without rows
	kind     func(databaseType string) kind
	quote    func(identifier string) string
	literal  func(text string) string
	text     func(x string) string               // as text, trimmed
	numeral  func(x string) string               // a number as text, for people
	number   func(x string, k kind) string       // a quantity as what is calculated with; nil: as it is
	wall     func(x, zone string, k kind) string // a date, time or instant as a time without zone; NULL if not finite; without a zone there is no such column
	day      func(wall string) string            // days since 1970-01-01
	second   func(wall string) string            // without fractions of a second
	fixed    func(x string, units int64, k kind) string
	digits   func(x string) string              // the expression is not empty and only decimal digits
	bytewise func(x string) string              // text that sorts by bytes
	list     func(x string) string              // aggregate: the texts, which are distinct, joined by the separator
	stream   string                             // ends a query whose answer is long
	stage    func(table, query string) []string // statements that put an answer into a new table of the transaction; nil: there are none
	seal     string                             // statement after which the transaction only reads
	hash     func(xs []string) string           // a whole number that is equal for equal values; NULL equals NULL. nil: to compare the values is as quick
}

// separator joins lists; ids of courses must not contain it.
const separator = "\x1f"

func dialectOf(kind string) dialect {
	switch kind {
	case source.KindPostgres:
		return postgres()
	case source.KindTrino:
		return trinoDialect()
	case source.KindClickHouse:
		return clickhouse()
	}
	panic("warehouse: source.kind " + kind + " has no dialect")
}

// quoteDoubled quotes an identifier of standard SQL.
func quoteDoubled(identifier string) string {
	return `"` + strings.ReplaceAll(identifier, `"`, `""`) + `"`
}

// literalDoubled writes a text of standard SQL.
func literalDoubled(text string) string { return `'` + strings.ReplaceAll(text, `'`, `''`) + `'` }
