package warehouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"churn/internal/table"
	"churn/pipeline/source"
)

// Sink is a table of a database that is replaced whole.
type Sink struct{ Kind, URL, Table string }

// Replace puts the rows that write gives as CSV text, without a header, into
// the table, in place of all that was there: they are copied into a new table
// that then takes the name. It fails where there is a table of that name with
// other columns, which is not ours to drop. In PostgreSQL this is one transaction,
// so that readers see the old rows or the new ones, and rights on the table are
// kept; of Trino see trinoReplacement.
func (s Sink) Replace(ctx context.Context, schema table.Schema, write func(io.Writer) error) (rows int64, err error) {
	if s.Kind == source.KindTrino {
		rows, err = replaceInTrino(ctx, s, schema, write)
		return rows, s.fault(err)
	}
	rows, err = replaceInPostgres(ctx, s, schema, write)
	return rows, s.fault(err)
}

func replaceInPostgres(ctx context.Context, s Sink, schema table.Schema, write func(io.Writer) error) (rows int64, err error) {
	conn, err := pgx.Connect(ctx, s.URL)
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		r := replacement{ctx: ctx, tx: tx, name: identifier(s.Table), schema: schema}
		if err := r.look(); err != nil {
			return err
		}
		if rows, err = r.copy(write); err != nil {
			return err
		}
		return r.swap()
	})
	return rows, err
}

func (s Sink) fault(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("score.sink_table: write %s (score.sink: %s): %w", s.Table, s.Kind, err)
}

// identifier reads a name such as schema.table.
func identifier(name string) pgx.Identifier {
	parts := strings.Split(name, ".")
	for i, p := range parts {
		parts[i] = strings.Trim(p, `"`)
	}
	return parts
}

// replacement is one replacement of a table.
type replacement struct {
	ctx    context.Context //nolint:containedctx // lives as long as one call
	tx     pgx.Tx
	name   pgx.Identifier
	schema table.Schema
	exists bool
	grants []string // statements that give the rights on the old table anew
}

// fresh names the new table, beside the old one.
func (r *replacement) fresh() pgx.Identifier {
	out := slices.Clone(r.name)
	out[len(out)-1] += "__new"
	return out
}

// look reads columns of and rights on the table that is there.
func (r *replacement) look() error {
	if err := r.tx.QueryRow(r.ctx, "SELECT to_regclass($1) IS NOT NULL", r.name.Sanitize()).Scan(&r.exists); err != nil || !r.exists {
		return err
	}
	columns, err := r.texts("SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum")
	if err != nil {
		return err
	}
	if err := ours(r.schema, columns); err != nil {
		return err
	}
	r.grants, err = r.texts(`SELECT format('GRANT %s ON %s TO %s', a.privilege_type, '` + strings.ReplaceAll(r.fresh().Sanitize(), "'", "''") + `',
		CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
		FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = to_regclass($1)`)
	return err
}

// ours fails if a table that is there has other columns than the new one.
func ours(schema table.Schema, columns []string) error {
	var names []string
	for _, c := range schema {
		names = append(names, c.Name)
	}
	if slices.Equal(columns, names) {
		return nil
	}
	return fmt.Errorf("there is a table of that name with other columns (%s), which will not be dropped; name another, or drop it yourself", strings.Join(columns, ", "))
}

func (r *replacement) texts(query string) ([]string, error) {
	rows, err := r.tx.Query(r.ctx, query, r.name.Sanitize())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// copy makes the new table and fills it.
func (r *replacement) copy(write func(io.Writer) error) (int64, error) {
	var columns, texts []string
	for _, c := range r.schema {
		name := pgx.Identifier{c.Name}.Sanitize()
		columns = append(columns, name+" "+postgresType(c.Kind))
		if c.Kind == table.Text {
			texts = append(texts, name)
		}
	}
	if _, err := r.tx.Exec(r.ctx, "CREATE TABLE "+r.fresh().Sanitize()+" ("+strings.Join(columns, ", ")+")"); err != nil {
		return 0, err
	}
	var rows int64
	err := piped(write, func(in io.Reader) error {
		tag, err := r.tx.Conn().PgConn().CopyFrom(r.ctx, in, "COPY "+r.fresh().Sanitize()+" FROM STDIN (FORMAT csv, FORCE_NOT_NULL ("+strings.Join(texts, ", ")+"))")
		rows = tag.RowsAffected()
		return err
	})
	return rows, err
}

// piped has read read what write writes, and returns the errors of both.
func piped(write func(io.Writer) error, read func(io.Reader) error) error {
	in, out := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := write(out)
		out.CloseWithError(err) //nolint:errcheck // never fails
		done <- err
	}()
	err := read(in)
	in.CloseWithError(err) //nolint:errcheck // never fails; a writer that waits is let go
	return errors.Join(err, <-done)
}

func postgresType(k table.Kind) string {
	switch k {
	case table.Int:
		return "bigint"
	case table.Float:
		return "double precision"
	case table.Date:
		return "date"
	}
	return "text NOT NULL"
}

// swap gives the new table the rights and the name of the old one.
func (r *replacement) swap() error {
	statements := r.grants
	if r.exists {
		statements = append(statements, "DROP TABLE "+r.name.Sanitize())
	}
	statements = append(statements, "ALTER TABLE "+r.fresh().Sanitize()+" RENAME TO "+r.name[len(r.name)-1:].Sanitize())
	for _, s := range statements {
		if _, err := r.tx.Exec(r.ctx, s); err != nil {
			return err
		}
	}
	return nil
}
