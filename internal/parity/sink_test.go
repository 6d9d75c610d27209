package parity

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"churn/internal/table"
	"churn/pipeline/warehouse"
)

func sinkSchema() table.Schema {
	return table.Schema{{Name: "user_id", Kind: table.Text}, {Name: "as_of_date", Kind: table.Date}, {Name: "risk", Kind: table.Float}, {Name: "rank", Kind: table.Int}}
}

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// The law: a replacement is whole or not at all; rights stay; a table that is
// not ours is not touched.
func TestPostgresSink(t *testing.T) {
	p := openPostgres(t)
	schema := fmt.Sprintf("parity_%d_%d", os.Getpid(), p.next.Add(1))
	role := schema + "_reader"
	p.exec(t, "CREATE SCHEMA "+schema, "CREATE ROLE "+role, "CREATE TABLE "+schema+".accounts AS SELECT 1 AS user_id")
	t.Cleanup(func() { p.exec(t, "DROP SCHEMA "+schema+" CASCADE", "DROP ROLE "+role) })
	sink := warehouse.Sink{URL: p.url, Table: schema + ".Scores"}
	holds := func(want string) {
		t.Helper()
		var got string
		query := fmt.Sprintf(`SELECT coalesce(string_agg(concat_ws('|', user_id, as_of_date, coalesce(risk::text, 'null'), rank), ';' ORDER BY rank), '') FROM %s."Scores"`, schema)
		if err := p.db.QueryRow(query).Scan(&got); err != nil || got != want {
			t.Errorf("%q, want %q (%v)", got, want, err)
		}
	}
	replace := func(write func(io.Writer) error) error {
		_, err := sink.Replace(t.Context(), sinkSchema(), write)
		return err
	}
	if rows, err := sink.Replace(t.Context(), sinkSchema(), text("u1,2026-01-01,0.25,1\n\"a \"\"b\"\", c\",2026-01-01,,2\n,2026-01-01,1,3\n")); err != nil || rows != 3 {
		t.Fatal(rows, err)
	}
	first := `u1|2026-01-01|0.25|1;a "b", c|2026-01-01|null|2;|2026-01-01|1|3`
	holds(first)
	p.exec(t, fmt.Sprintf(`GRANT SELECT ON %s."Scores" TO %s`, schema, role))

	if err := replace(func(w io.Writer) error { return errors.Join(text("u9,2026-01-02,0.5,1\n")(w), errors.New("broken")) }); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("a part was taken for the whole: %v", err)
	}
	if err := replace(text("u9,2026-01-02,much,1\n")); err == nil {
		t.Error("a bad row was taken")
	}
	holds(first)
	if err := replace(text("u2,2026-01-02,0.5,1\n")); err != nil {
		t.Fatal(err)
	}
	holds("u2|2026-01-02|0.5|1")
	var allowed bool
	if err := p.db.QueryRow(fmt.Sprintf(`SELECT has_table_privilege('%s', '%s."Scores"', 'SELECT')`, role, schema)).Scan(&allowed); err != nil || !allowed {
		t.Errorf("the reader may not read any more (%v)", err)
	}
	sink.Table = schema + ".accounts"
	if err := replace(text("")); err == nil || !strings.Contains(err.Error(), "will not be dropped") {
		t.Errorf("%v", err)
	}
}
