package parity

import (
	"database/sql"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"churn/pipeline/source"
)

// engine is a database under test. What differs from one to another stands in
// its fields; the laws are one code for all.
type engine struct {
	kind     string // source.kind
	url      string // source.url
	secret   string // likewise, with a password (s3cret) that this database does not ask for
	sink     bool   // it is a score.sink too
	snapshot bool   // all queries of a run see the same rows
	scratch  string // source.scratch_schema
	busy     string // query that counts the queries, or connections, of the program
	lose     string // statement that ends the connections of the program; empty: there are none
	db       *sql.DB
	schema   string                                       // what a schema is called in CREATE and DROP
	cascade  string                                       // what follows DROP SCHEMA where tables may be left
	storage  string                                       // what follows the columns of CREATE TABLE
	types    map[string]string                            // its name for each type below
	clock    func(zone string) string                     // its type for the times of a zone, where it has none without; nil: types knows one
	cell     func(value, name string) string              // a literal of a type of that name
	values   func(names []string, rows [][]string) string // what follows INSERT INTO table, for types of those names; nil: VALUES with cells
	next     atomic.Int64
}

// The types of columns. All but required texts may be NULL.
const (
	asText    = "text"
	asInt     = "int"
	asDouble  = "double"
	asDecimal = "decimal" // at least 9 digits after the point
	asFiner   = "finer"   // at least 10
	asTruth   = "truth"
	asDate    = "date"
	asClock   = "clock"   // microseconds, without a zone
	asInstant = "instant" // microseconds, with a zone
)

// column is a column of a table: its name, its type, and the text of its value
// in row i, from 1; "" is NULL.
type column struct {
	name, as string
	value    func(i int) string
}

// connect opens the database of an environment variable, which a make target
// sets.
func connect(t *testing.T, driver, variable, target string) (url string, db *sql.DB) {
	t.Helper()
	url = os.Getenv(variable)
	if url == "" {
		t.Skipf("%s is not set; `make %s` starts a database of its own and sets it", variable, target)
	}
	db, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return url, db
}

// exec runs statements.
func (e *engine) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := e.db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s[:min(len(s), 300)], err)
		}
	}
}

// room makes a schema for one test.
func (e *engine) room(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("parity_%d_%d", os.Getpid(), e.next.Add(1))
	e.exec(t, "CREATE "+e.schema+" "+name)
	t.Cleanup(func() { e.exec(t, "DROP "+e.schema+" "+name+e.cascade) })
	return name
}

// load makes tables of the data, and returns where they are.
func (e *engine) load(t *testing.T, d *data) source.Params {
	t.Helper()
	id, clock, number := asText, asClock, d.numbers
	if d.zoned {
		clock = asInstant
	} else if e.clock != nil {
		e.types[asClock] = e.clock(d.zone)
	}
	if d.whole {
		id = asInt
	}
	schema := e.room(t)
	e.fill(t, schema+".users", source.UserColumns(), []string{id, asDate, asText, asInt, asText, asText}, d.users)
	e.fill(t, schema+".events", source.EventColumns(), []string{id, id, clock, asText, asText, number, number, number, clock}, d.events)
	return e.at(schema)
}

// tables makes two tables of n rows each, and returns where they are.
func (e *engine) tables(t *testing.T, users []column, n int, events []column, m int) source.Params {
	t.Helper()
	schema := e.room(t)
	e.compute(t, schema+".users", users, n)
	e.compute(t, schema+".events", events, m)
	return e.at(schema)
}

func (e *engine) at(schema string) source.Params {
	return source.Params{Kind: e.kind, URL: e.url, Users: schema + ".users", Events: schema + ".events", ScratchSchema: e.scratch}
}

func (e *engine) compute(t *testing.T, table string, columns []column, n int) {
	t.Helper()
	var names, types []string
	for _, c := range columns {
		names, types = append(names, c.name), append(types, c.as)
	}
	rows := make([][]string, n)
	for i := range rows {
		for _, c := range columns {
			rows[i] = append(rows[i], c.value(i+1))
		}
	}
	e.fill(t, table, names, types, rows)
}

// fill makes a table and writes rows into it.
func (e *engine) fill(t *testing.T, table string, names, types []string, rows [][]string) {
	t.Helper()
	columns, theirs := make([]string, len(names)), make([]string, len(names))
	for i, name := range names {
		theirs[i] = e.types[types[i]]
		columns[i] = `"` + name + `" ` + theirs[i]
	}
	e.exec(t, "CREATE TABLE "+table+" ("+strings.Join(columns, ", ")+")"+e.storage)
	values := e.values
	if values == nil {
		values = e.cells
	}
	for part := range slices.Chunk(rows, 2000) {
		e.exec(t, "INSERT INTO "+table+" "+values(theirs, part))
	}
}

// cells writes rows as literals.
func (e *engine) cells(names []string, rows [][]string) string {
	var out []string
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, c := range row {
			if cells[i] = "NULL"; c != "" {
				cells[i] = e.cell(c, names[i])
			}
		}
		out = append(out, "("+strings.Join(cells, ", ")+")")
	}
	return "VALUES " + strings.Join(out, ", ")
}

// quoted is a literal in standard SQL.
func quoted(value string) string { return "'" + strings.ReplaceAll(value, "'", "''") + "'" }

// laws are those that every engine keeps.
func laws(t *testing.T, e *engine) {
	t.Run("same", func(t *testing.T) { suite(t, e) })
	t.Run("refuses", func(t *testing.T) { testRefuses(t, e) })
	t.Run("mapping", func(t *testing.T) { testMapping(t, e) })
	t.Run("program", func(t *testing.T) { testProgram(t, e) })
	t.Run("changes", func(t *testing.T) { testChanges(t, e) })
	t.Run("breaks", func(t *testing.T) { testBreaks(t, e) })
	if e.sink {
		t.Run("sink", func(t *testing.T) { testSink(t, e) })
	}
}
