package warehouse

import (
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/trinodb/trino-go-client/trino"

	"churn/internal/table"
)

// trinoReplacement is one replacement of a table of Trino, which has no
// transactions: rows go into a new table beside the old one, are counted there,
// and then take its place in the best way that the connector knows:
//
//   - CREATE OR REPLACE TABLE (Iceberg, Delta Lake): readers see the old rows or
//     the new ones;
//   - two renamings (Hive, JDBC, memory): for a moment there is no table, and
//     after a crash at that moment the old rows are in NAME__old;
//   - DELETE and INSERT: for a moment there are no rows, or not all.
//
// Whatever fails before leaves the old table as it is.
type trinoReplacement struct {
	ctx    context.Context //nolint:containedctx // lives as long as one call
	db     *sql.DB
	name   []string
	schema table.Schema
	exists bool
}

// insertBytes bounds the text of an INSERT; Trino takes a million characters.
const insertBytes = 500_000

// cleanTimeout is how long the removal of the new table may take after a
// failure.
const cleanTimeout = 10 * time.Second

func replaceInTrino(ctx context.Context, s Sink, schema table.Schema, write func(io.Writer) error) (rows int64, err error) {
	db, err := openTrino(s.URL)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	r := trinoReplacement{ctx: ctx, db: db, name: identifier(s.Table), schema: schema}
	if err := r.look(); err != nil {
		return 0, err
	}
	if rows, err = r.fill(write); err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTimeout)
		defer cancel()
		db.ExecContext(ctx, "DROP TABLE IF EXISTS "+r.beside("__new")) //nolint:errcheck // the next run drops it too
		return rows, err
	}
	return rows, r.swap(rows)
}

// beside is the quoted name of the table with an ending.
func (r *trinoReplacement) beside(ending string) string {
	var out []string
	for i, part := range r.name {
		if i == len(r.name)-1 {
			part += ending
		}
		out = append(out, quoteDoubled(part))
	}
	return strings.Join(out, ".")
}

// exec runs statements until one fails.
func (r *trinoReplacement) exec(statements ...string) error {
	for _, s := range statements {
		if _, err := r.db.ExecContext(r.ctx, s); err != nil {
			return explainTrino(err)
		}
	}
	return nil
}

// isTrino reports whether Trino gave an error this name.
func isTrino(err error, name string) bool {
	var said *trino.ErrTrino
	return errors.As(err, &said) && said.ErrorName == name
}

// look reads the columns of the table that is there.
func (r *trinoReplacement) look() error {
	rows, err := r.db.QueryContext(r.ctx, "SELECT * FROM "+r.beside("")+" WHERE 1 = 0")
	if isTrino(err, "TABLE_NOT_FOUND") {
		return nil
	}
	if err != nil {
		return explainTrino(err)
	}
	defer rows.Close()
	r.exists = true
	columns, err := rows.Columns()
	if err := errors.Join(err, rows.Err()); err != nil {
		return err
	}
	return ours(r.schema, columns)
}

// fill makes the new table, and fills it.
func (r *trinoReplacement) fill(write func(io.Writer) error) (rows int64, err error) {
	var columns []string
	for _, c := range r.schema {
		columns = append(columns, quoteDoubled(c.Name)+" "+trinoType(c.Kind))
	}
	if err := r.exec("DROP TABLE IF EXISTS "+r.beside("__new"), "CREATE TABLE "+r.beside("__new")+" ("+strings.Join(columns, ", ")+")"); err != nil {
		return 0, err
	}
	err = piped(write, func(in io.Reader) (err error) {
		rows, err = r.insert(csv.NewReader(in))
		return err
	})
	if err != nil {
		return rows, err
	}
	return rows, r.holds("__new", rows)
}

// holds fails if a table has other than so many rows: a request that is
// repeated after an error of the way may have been taken twice.
func (r *trinoReplacement) holds(ending string, rows int64) error {
	var there int64
	if err := r.db.QueryRowContext(r.ctx, "SELECT count(*) FROM "+r.beside(ending)).Scan(&there); err != nil {
		return explainTrino(err)
	}
	if there != rows {
		return fmt.Errorf("%s has %d rows after %d were written; run the same command again", r.beside(ending), there, rows)
	}
	return nil
}

// insert writes rows into the new table, as many at once as a statement takes.
func (r *trinoReplacement) insert(in *csv.Reader) (rows int64, err error) {
	in.FieldsPerRecord, in.ReuseRecord = len(r.schema), true
	var batch strings.Builder
	flush := func() error {
		defer batch.Reset()
		return r.exec("INSERT INTO " + r.beside("__new") + " " + r.values(batch.String()))
	}
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) && batch.Len() == 0 {
			return rows, nil
		}
		if errors.Is(err, io.EOF) {
			return rows, flush()
		}
		if err != nil {
			return rows, err
		}
		row, err := r.row(record)
		if err != nil {
			return rows, err
		}
		if batch.Len() > 0 && batch.Len()+len(row) > insertBytes {
			if err := flush(); err != nil {
				return rows, err
			}
		}
		if batch.Len() > 0 {
			batch.WriteByte(',')
		}
		batch.WriteString(row)
		rows++
	}
}

// row writes a record as a list of texts in a literal; what is empty is NULL, but
// for texts.
func (r *trinoReplacement) row(record []string) (string, error) {
	cells := make([]*string, len(record))
	for i := range record {
		if record[i] != "" || r.schema[i].Kind == table.Text {
			cells[i] = &record[i]
		}
	}
	text, err := json.Marshal(cells)
	return strings.ReplaceAll(string(text), `'`, `''`), err
}

// values makes rows of the lists of a batch. Trino takes longer to plan a
// literal for each cell.
func (r *trinoReplacement) values(batch string) string {
	var casts []string
	for i, c := range r.schema {
		casts = append(casts, fmt.Sprintf("CAST(r[%d] AS %s)", i+1, trinoType(c.Kind)))
	}
	return "SELECT " + strings.Join(casts, ", ") + " FROM UNNEST(CAST(json_parse('[" + batch + "]') AS array(array(varchar)))) AS t(r)"
}

func trinoType(k table.Kind) string {
	switch k {
	case table.Int:
		return "bigint"
	case table.Float:
		return "double"
	case table.Date:
		return "date"
	}
	return "varchar"
}

// swap puts the new table in the place of the old one.
func (r *trinoReplacement) swap(rows int64) error {
	name, fresh := r.beside(""), r.beside("__new")
	ways := []func() error{r.rename, func() error { return r.exec("CREATE TABLE " + name + " AS SELECT * FROM " + fresh) }}
	if r.exists {
		ways = []func() error{
			func() error { return r.exec("CREATE OR REPLACE TABLE " + name + " AS SELECT * FROM " + fresh) },
			r.rename,
			func() error { return r.exec("DELETE FROM "+name, "INSERT INTO "+name+" SELECT * FROM "+fresh) },
		}
	}
	var err error
	for _, way := range ways {
		if err = way(); !isTrino(err, "NOT_SUPPORTED") {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("put %s in its place, where the new rows are complete: %w", fresh, err)
	}
	if err := r.holds("", rows); err != nil {
		return err
	}
	return r.exec("DROP TABLE IF EXISTS " + fresh)
}

// rename gives the new table the name of the old one.
func (r *trinoReplacement) rename() error {
	name, old, fresh := r.beside(""), r.beside("__old"), r.beside("__new")
	to := func(from, to string) string { return "ALTER TABLE " + from + " RENAME TO " + to }
	if !r.exists {
		return r.exec(to(fresh, name))
	}
	if err := r.exec("DROP TABLE IF EXISTS "+old, to(name, old)); err != nil {
		return err
	}
	if err := r.exec(to(fresh, name)); err != nil {
		return errors.Join(err, r.exec(to(old, name)))
	}
	return r.exec("DROP TABLE " + old)
}
