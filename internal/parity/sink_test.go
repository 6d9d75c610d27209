package parity

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
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

// scores reads a table of sinkSchema in the order of rank.
func (e *engine) scores(t *testing.T, name string) (out []string) {
	t.Helper()
	rows, err := e.db.Query(`SELECT user_id, as_of_date, risk, "rank" FROM ` + name + ` ORDER BY "rank"`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var user string
		var at sql.NullTime
		var risk sql.NullFloat64
		var rank int
		if err := rows.Scan(&user, &at, &risk, &rank); err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprint(user, "|", at.Time.Format("2006-01-02"), "|", risk.Float64, risk.Valid, "|", rank))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// The law: a replacement is whole or not at all; a table that is not ours is
// not touched.
func testSink(t *testing.T, e *engine) {
	schema := e.room(t)
	e.fill(t, schema+".accounts", []string{"user_id"}, []string{asInt}, [][]string{{"1"}})
	sink := warehouse.Sink{Kind: e.kind, URL: e.url, Table: schema + ".Scores"}
	holds := func(want ...string) {
		t.Helper()
		if got := e.scores(t, schema+`."Scores"`); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	replace := func(write func(io.Writer) error) error {
		_, err := sink.Replace(t.Context(), sinkSchema(), write)
		return err
	}
	if rows, err := sink.Replace(t.Context(), sinkSchema(), text("u1,2026-01-01,0.25,1\n\"a \"\"b\"\", c'\",2026-01-01,,2\n,2026-01-01,1,3\n")); err != nil || rows != 3 {
		t.Fatal(rows, err)
	}
	first := []string{"u1|2026-01-01|0.25 true|1", `a "b", c'|2026-01-01|0 false|2`, "|2026-01-01|1 true|3"}
	holds(first...)
	if err := replace(func(w io.Writer) error { return errors.Join(text("u9,2026-01-02,0.5,1\n")(w), errors.New("broken")) }); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("a part was taken for the whole: %v", err)
	}
	if err := replace(text("u9,2026-01-02,much,1\n")); err == nil {
		t.Error("a bad row was taken")
	}
	holds(first...)
	if err := replace(text("u2,2026-01-02,0.5,1\n")); err != nil {
		t.Fatal(err)
	}
	holds("u2|2026-01-02|0.5 true|1")
	const many = 20_000 // more than one statement holds
	var rows strings.Builder
	for i := range many {
		fmt.Fprintf(&rows, "user number %d,2026-01-03,%g,%d\n", i, 1/float64(i+1), i)
	}
	if err := replace(text(rows.String())); err != nil {
		t.Fatal(err)
	}
	var users, last int64
	var third float64
	if err := e.db.QueryRow(`SELECT count(DISTINCT user_id), max("rank"), max(CASE WHEN "rank" = 2 THEN risk END) FROM `+schema+`."Scores"`).Scan(&users, &last, &third); err != nil || users != many || last != many-1 || third != 1.0/3 {
		t.Errorf("%d users, last %d, third %v, %v", users, last, third, err)
	}
	sink.Table = schema + ".accounts"
	if err := replace(text("")); err == nil || !strings.Contains(err.Error(), "will not be dropped") {
		t.Errorf("%v", err)
	}
}

// Rights on the table stay.
func TestPostgresSinkKeepsRights(t *testing.T) {
	e := openPostgres(t)
	schema := e.room(t)
	role := schema + "_reader"
	sink := warehouse.Sink{Kind: e.kind, URL: e.url, Table: schema + ".scores"}
	replace := func() {
		if _, err := sink.Replace(t.Context(), sinkSchema(), text("u1,2026-01-01,0.25,1\n")); err != nil {
			t.Fatal(err)
		}
	}
	replace()
	e.exec(t, "CREATE ROLE "+role, fmt.Sprintf("GRANT SELECT ON %s.scores TO %s", schema, role))
	t.Cleanup(func() { e.exec(t, "DROP OWNED BY "+role, "DROP ROLE "+role) })
	replace()
	var allowed bool
	if err := e.db.QueryRow(fmt.Sprintf(`SELECT has_table_privilege('%s', '%s.scores', 'SELECT')`, role, schema)).Scan(&allowed); err != nil || !allowed {
		t.Errorf("the reader may not read any more (%v)", err)
	}
}

// The law: with every connector the new rows take the place of the old ones,
// which are left alone where the new ones are not complete.
func TestSinkOfTrino(t *testing.T) {
	const create, replace, rename, remove = `CREATE TABLE`, `CREATE OR REPLACE TABLE`, `ALTER TABLE`, `DELETE FROM`
	for name, test := range map[string]struct {
		absent      bool     // there is no such table
		unsupported []string // beginnings of statements
		held        int      // rows that were written
		want        []string // the last statements
		err         string
	}{
		"replace":          {want: []string{`CREATE OR REPLACE TABLE "s"."t" AS SELECT * FROM "s"."t__new"`, `SELECT count(*) FROM "s"."t"`, `DROP TABLE IF EXISTS "s"."t__new"`}, held: 2},
		"rename":           {unsupported: []string{replace}, want: []string{`ALTER TABLE "s"."t" RENAME TO "s"."t__old"`, `ALTER TABLE "s"."t__new" RENAME TO "s"."t"`, `DROP TABLE "s"."t__old"`, `SELECT count(*) FROM "s"."t"`, `DROP TABLE IF EXISTS "s"."t__new"`}, held: 2},
		"insert":           {unsupported: []string{replace, rename}, want: []string{`DELETE FROM "s"."t"`, `INSERT INTO "s"."t" SELECT * FROM "s"."t__new"`, `SELECT count(*) FROM "s"."t"`, `DROP TABLE IF EXISTS "s"."t__new"`}, held: 2},
		"no way":           {unsupported: []string{replace, rename, remove}, want: []string{`DELETE FROM "s"."t"`}, held: 2, err: "where the new rows are complete"},
		"first":            {absent: true, want: []string{`ALTER TABLE "s"."t__new" RENAME TO "s"."t"`, `SELECT count(*) FROM "s"."t"`, `DROP TABLE IF EXISTS "s"."t__new"`}, held: 2},
		"first, no rename": {absent: true, unsupported: []string{rename}, want: []string{`CREATE TABLE "s"."t" AS SELECT * FROM "s"."t__new"`, `SELECT count(*) FROM "s"."t"`, `DROP TABLE IF EXISTS "s"."t__new"`}, held: 2},
		"twice":            {want: []string{`SELECT count(*) FROM "s"."t__new"`, `DROP TABLE IF EXISTS "s"."t__new"`}, held: 4, err: "has 4 rows after 2 were written"},
		"no insert":        {unsupported: []string{"INSERT"}, want: []string{`DROP TABLE IF EXISTS "s"."t__new"`}, err: "NOT_SUPPORTED"},
		"no create":        {unsupported: []string{create}, want: []string{`DROP TABLE IF EXISTS "s"."t__new"`}, err: "NOT_SUPPORTED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStandIn(t)
			var said []string
			s.answer = func(query string) *asked {
				said = append(said, query)
				if strings.HasSuffix(query, "WHERE 1 = 0") {
					return &asked{kind: "inspect", columns: []string{"user_id varchar", "as_of_date date", "risk double", "rank bigint"}}
				}
				return &asked{kind: query, columns: []string{"rows"}, pages: [][][]any{{{test.held}}}}
			}
			s.fault = func(q *asked, _ int, w http.ResponseWriter, _ *http.Request) bool {
				if test.absent && q.kind == "inspect" {
					return failing(w, q, "TABLE_NOT_FOUND", "USER_ERROR")
				}
				begins := func(with string) bool { return strings.HasPrefix(q.kind, with) }
				return slices.ContainsFunc(test.unsupported, begins) && failing(w, q, "NOT_SUPPORTED", "USER_ERROR")
			}
			rows, err := warehouse.Sink{Kind: "trino", URL: s.at().URL, Table: "s.t"}.Replace(t.Context(), sinkSchema(), text("u1,2026-01-01,0.25,1\nu'2,2026-01-01,,2\n"))
			if test.err == "" && (err != nil || rows != 2) || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err) || !strings.Contains(err.Error(), "score.sink: trino")) {
				t.Errorf("%d rows, %v; want %q", rows, err, test.err)
			}
			if last := said[max(0, len(said)-len(test.want)):]; !slices.Equal(last, test.want) {
				t.Errorf("said %q\nwant %q", said, test.want)
			}
			if len(s.loose()) > 0 {
				t.Error(s.loose())
			}
		})
	}
}
