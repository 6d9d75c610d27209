package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"churn/pipeline/source"
)

// Column is a column of the contract as it is in the database.
type Column struct {
	Name string // of the contract
	Type string // of the database; "" = there is none
	kind kind
	from string // expression
}

// relation is the users or the events.
type relation struct {
	key     string // users or events
	from    string // what stands after FROM
	columns []Column
}

func (r *relation) column(name string) Column {
	i := slices.IndexFunc(r.columns, func(c Column) bool { return c.Name == name })
	return r.columns[i]
}

// Schema is what Inspect found.
type Schema struct{ Users, Events []Column }

// Inspect reads names and types of the columns. It fails, with all faults at
// once, where a column is missing or of a type from which the integers of the
// contract cannot be had exactly.
func (e *Engine) Inspect(ctx context.Context) (Schema, error) {
	users, errU := e.params.MapUsers()
	events, errE := e.params.MapEvents()
	if err := errors.Join(errU, errE); err != nil {
		return Schema{}, err
	}
	errU = e.inspect(ctx, &e.users, "users", e.params.Users, source.UserColumns(), users)
	if e.aborted(errU) { // the connection has nothing more to say
		return Schema{}, errU
	}
	errE = e.inspect(ctx, &e.events, "events", e.params.Events, source.EventColumns(), events)
	return Schema{e.users.columns, e.events.columns}, errors.Join(errU, errE)
}

// typeFault is a column that cannot be used; the connection is sound.
type typeFault struct{ error }

// aborted reports whether err came from the database rather than from the look
// at its answer.
func (e *Engine) aborted(err error) bool {
	var fault typeFault
	return err != nil && !errors.As(err, &fault)
}

func (e *Engine) inspect(ctx context.Context, r *relation, key, name string, contract []string, m source.Mapping) error {
	r.key, r.from = key, e.dialect.relation(name)
	all, err := e.columns(ctx, r)
	if err != nil {
		return err
	}
	var faults []error
	for i, ours := range contract {
		c, err := e.find(key, ours, m.Theirs[i], m.Named[i], all)
		r.columns = append(r.columns, c)
		if err != nil {
			faults = append(faults, typeFault{err})
		}
	}
	return errors.Join(faults...)
}

// found is a column of the database.
type found struct{ name, databaseType string }

// columns asks the database which columns there are.
func (e *Engine) columns(ctx context.Context, r *relation) (out []found, err error) {
	if e.dialect.describe != nil {
		err = e.ask(ctx, "source."+r.key, e.dialect.describe(r.from), func(rows *sql.Rows) error {
			names, err := rows.Columns()
			if err != nil {
				return err
			}
			cells := make([]sql.NullString, len(names))
			err = rows.Scan(pointers(cells)...)
			out = append(out, found{cells[0].String, cells[1].String})
			return err
		})
		return out, err
	}
	rows, err := e.tx.QueryContext(ctx, "SELECT * FROM "+r.from+" WHERE 1 = 0")
	if err != nil {
		return nil, e.fault("source."+r.key, err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, e.fault("source."+r.key, err)
	}
	for _, t := range types {
		out = append(out, found{t.Name(), t.DatabaseTypeName()})
	}
	if err := rows.Err(); err != nil {
		return nil, e.fault("source."+r.key, err)
	}
	return out, nil
}

// find looks for one column.
func (e *Engine) find(key, ours, theirs string, named bool, all []found) (Column, error) {
	c := Column{Name: ours, kind: absent, from: "NULL"}
	i := slices.IndexFunc(all, func(f found) bool {
		return f.name == theirs || e.dialect.folded && strings.EqualFold(f.name, theirs)
	})
	switch {
	case i < 0 && (theirs == "" || ours == "known_at" && !named):
		return c, nil
	case i < 0:
		var names []string
		for _, f := range all {
			names = append(names, f.name)
		}
		return c, fmt.Errorf("source.%s: there is no column %q (for %s) among %s; name it with source.%s_columns: [%s=THEIRS]", key, theirs, ours, strings.Join(names, ", "), strings.TrimSuffix(key, "s"), ours)
	}
	c.Type = all[i].databaseType
	c.kind, c.from = e.dialect.kind(c.Type), "q."+e.dialect.quote(theirs) // ClickHouse would take a bare name for that of a term, where there is one
	if allowed := kindsOf(ours); !slices.Contains(allowed.kinds, c.kind) {
		return c, fmt.Errorf("source.%s: %s is of type %s, from which it cannot be had exactly; it must be %s: cast it in a view, or in a query that begins with SELECT", key, theirs, c.Type, allowed.words)
	}
	return c, nil
}

// allowed is the kinds that a column may have.
type allowed struct {
	kinds []kind
	words string
}

// kindsOf says from which kinds a column can be had exactly. A time as text is
// none: databases read it each in their own way. Neither is an id as a binary
// fraction, which ends to be exact at 2^53.
func kindsOf(column string) allowed {
	switch column {
	case "signup_date", "event_time", "known_at":
		return allowed{[]kind{date, wallTime, instant}, "a date or a time, with or without zone"}
	case "watch_minutes", "quiz_score", "amount":
		return allowed{[]kind{integer, decimal, double}, "a number"}
	case "is_paid":
		return allowed{[]kind{boolean, integer, text, bare}, "a truth value, 0 or 1"}
	}
	return allowed{[]kind{text, bare, integer}, "text or a whole number"}
}

// relation writes a table, view or query as what stands after FROM.
func (d *dialect) relation(name string) string {
	name = strings.TrimRight(strings.TrimSpace(name), "; \n\t")
	first, _, _ := strings.Cut(strings.ToLower(strings.Join(strings.Fields(name), " ")), " ")
	if first == "select" || first == "with" {
		return "(" + name + "\n) AS q"
	}
	parts := strings.Split(name, ".")
	for i, p := range parts {
		parts[i] = d.quote(strings.Trim(p, `"`))
	}
	return strings.Join(parts, ".") + " AS q"
}
