package parity

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"churn/pipeline"
	"churn/pipeline/prepare"
	"churn/pipeline/source"
	"churn/pipeline/validate"
	"churn/pipeline/warehouse"
)

// postgres puts data into schemas of its own.
type postgres struct {
	url  string
	db   *sql.DB
	next atomic.Int64
}

// openPostgres connects to the database of CHURN_POSTGRES_URL.
func openPostgres(t *testing.T) *postgres {
	t.Helper()
	url := os.Getenv("CHURN_POSTGRES_URL")
	if url == "" {
		t.Skip("CHURN_POSTGRES_URL is not set; `make postgres-test` starts a PostgreSQL of its own and sets it")
	}
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &postgres{url: url, db: db}
}

func (p *postgres) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := p.db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s[:min(len(s), 300)], err)
		}
	}
}

func (p *postgres) load(t *testing.T, d *data) source.Params {
	t.Helper()
	schema := fmt.Sprintf("parity_%d_%d", os.Getpid(), p.next.Add(1))
	clock, number := "timestamp", "double precision"
	if d.zoned {
		clock = "timestamptz"
	}
	if d.numbers == "decimal" {
		number = "numeric"
	}
	p.exec(t, "CREATE SCHEMA "+schema,
		"CREATE TABLE "+schema+".users (user_id text, signup_date date, plan text, is_paid int, country text, marketing_source text)",
		fmt.Sprintf("CREATE TABLE %s.events (event_id text, user_id text, event_time %s, event_type text, course_id text, watch_minutes %s, quiz_score %s, amount %s, known_at %s)", schema, clock, number, number, number, clock))
	t.Cleanup(func() { p.exec(t, "DROP SCHEMA "+schema+" CASCADE") })
	p.insert(t, schema+".users", d.users)
	p.insert(t, schema+".events", d.events)
	return source.Params{Kind: source.KindPostgres, URL: p.url, Users: schema + ".users", Events: schema + ".events"}
}

// insert writes rows as literals without types, which become those of the
// columns.
func (p *postgres) insert(t *testing.T, table string, rows [][]string) {
	t.Helper()
	for len(rows) > 0 {
		n := min(len(rows), 500)
		var values []string
		for _, row := range rows[:n] {
			cells := make([]string, len(row))
			for i, c := range row {
				if cells[i] = "'" + strings.ReplaceAll(c, "'", "''") + "'"; c == "" {
					cells[i] = "NULL"
				}
			}
			values = append(values, "("+strings.Join(cells, ", ")+")")
		}
		p.exec(t, "INSERT INTO "+table+" VALUES "+strings.Join(values, ", "))
		rows = rows[n:]
	}
}

func TestPostgres(t *testing.T) { suite(t, openPostgres(t)) }

// tables makes two small tables of any types, and returns where they are.
func (p *postgres) tables(t *testing.T, users, events string) source.Params {
	t.Helper()
	schema := fmt.Sprintf("parity_%d_%d", os.Getpid(), p.next.Add(1))
	p.exec(t, "CREATE SCHEMA "+schema, "CREATE TABLE "+schema+".users AS "+users, "CREATE TABLE "+schema+".events AS "+events)
	t.Cleanup(func() { p.exec(t, "DROP SCHEMA "+schema+" CASCADE") })
	return source.Params{Kind: source.KindPostgres, URL: p.url, Users: schema + ".users", Events: schema + ".events"}
}

const (
	fewUsers  = "SELECT i AS user_id, DATE '2026-01-01' AS signup_date, 'free' AS plan, false AS is_paid, 'DE' AS country, 'ads' AS marketing_source FROM generate_series(1, 50) i"
	fewEvents = "SELECT i AS event_id, i % 50 + 1 AS user_id, TIMESTAMP '2026-02-01' + i * INTERVAL '1 hour' AS event_time, 'login' AS event_type, 'go' AS course_id, 1.5 AS watch_minutes, NULL::int AS quiz_score, NULL::int AS amount FROM generate_series(1, 1000) i"
)

// Inspect names every column that cannot be had exactly, and says what to do.
func TestPostgresRefusesWhatIsNotExact(t *testing.T) {
	p := openPostgres(t)
	d := &data{zone: "UTC"}
	for name, test := range map[string]struct {
		users, events string
		want          []string
	}{
		"time as text":   {fewUsers, "SELECT event_id, user_id, event_time::text, event_type, course_id, watch_minutes, quiz_score, amount FROM (" + fewEvents + ") q", []string{"event_time is of type TEXT", "cast it"}},
		"id as fraction": {"SELECT user_id::float8, signup_date, plan, is_paid, country, marketing_source FROM (" + fewUsers + ") q", fewEvents, []string{"user_id is of type FLOAT8"}},
		"columns missing": {"SELECT user_id AS id, signup_date, plan, is_paid, marketing_source FROM (" + fewUsers + ") q", fewEvents,
			[]string{`no column "user_id"`, `no column "country"`, "source.user_columns: [country=THEIRS]"}},
		"both tables": {"SELECT 1 AS user_id", "SELECT 1 AS event_id", []string{"source.users", "source.events"}},
		"too fine":    {fewUsers, strings.Replace(fewEvents, "1.5 AS", "1.0000000001 AS", 1), []string{"watch_minutes has 1000 values", "1/1000000000"}},
		"separator":   {fewUsers, strings.Replace(fewEvents, "'go'", "'g' || chr(31) || 'o'", 1), []string{"U+001F"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := fromTables(t.Context(), t, d, p.tables(t, test.users, test.events))
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v, want %q", err, want)
				}
			}
		})
	}
	for name, at := range map[string]source.Params{
		"no table":  {Kind: source.KindPostgres, URL: p.url, Users: "no.such", Events: "no.such"},
		"no server": {Kind: source.KindPostgres, URL: "postgres://churn:secret@127.0.0.1:1/postgres", Users: "u", Events: "e"},
	} {
		if _, err := fromTables(t.Context(), t, d, at); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The law: a mapping of columns and types, by tables or by queries, is the same
// as data in the terms of the contract.
func TestPostgresMapping(t *testing.T) {
	p := openPostgres(t)
	plain := p.tables(t, fewUsers, fewEvents)
	mapped := p.tables(t, `SELECT user_id AS "Id", signup_date::timestamp AS since, plan, is_paid::int AS paying, country FROM (`+fewUsers+") q",
		"SELECT event_id AS n, user_id AS who, event_time AS ts, 'signed ''in''' AS verb, course_id, watch_minutes FROM ("+fewEvents+") q")
	mapped.UserColumns = []string{"user_id=Id", "signup_date=since", "is_paid=paying", "marketing_source="}
	mapped.EventColumns = []string{"event_id=n", "user_id=who", "event_time=ts", "event_type=verb", "quiz_score=", "amount="}
	mapped.EventTypes = []string{"signed 'in'=login"}
	asQuery := plain
	asQuery.Users, asQuery.Events = "select *\nfrom "+plain.Users+" -- all\n;", "WITH x AS (SELECT * FROM "+plain.Events+") SELECT * FROM x"
	plain.UserColumns = []string{"marketing_source="}
	asQuery.UserColumns = plain.UserColumns
	d := &data{zone: "UTC"}
	want, err := fromTables(t.Context(), t, d, plain)
	if err != nil {
		t.Fatal(err)
	}
	if want.report.Events != 1000 || want.report.Users != 50 {
		t.Errorf("%+v", want.report)
	}
	for name, at := range map[string]source.Params{"columns": mapped, "queries": asQuery} {
		got, err := fromTables(t.Context(), t, d, at)
		if err != nil {
			t.Fatal(err)
		}
		if want.report.Timelines.SHA256 != got.report.Timelines.SHA256 {
			t.Errorf("%s: other timelines: %+v, want %+v", name, got.report, want.report)
		}
	}
}

// A query in the settings cannot write.
func TestPostgresOnlyReads(t *testing.T) {
	p := openPostgres(t)
	at := p.tables(t, fewUsers, fewEvents)
	p.exec(t, "CREATE FUNCTION "+at.Users+"_wipe() RETURNS int LANGUAGE sql AS 'DELETE FROM "+at.Events+"; SELECT 1'")
	at.Users = "SELECT q.* FROM " + at.Users + " q, (SELECT " + at.Users + "_wipe()) w"
	if _, err := fromTables(t.Context(), t, &data{zone: "UTC"}, at); err == nil || !strings.Contains(err.Error(), "read-only transaction") {
		t.Errorf("%v", err)
	}
}

// opened is an engine with its checks done, at the moment before the stream.
func (p *postgres) opened(t *testing.T, at source.Params) (*warehouse.Engine, *validate.Result, validate.Input, prepare.Header) {
	t.Helper()
	d := &data{zone: "UTC"}
	in, params, header := settings(t, d)
	at.Timezone = d.zone
	db, err := warehouse.Open(t.Context(), at, validate.WarehouseRules(in, params))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() }) // some tests break it
	result, err := validate.RunIn(t.Context(), db, in, params)
	if err != nil {
		t.Fatal(err)
	}
	return db, result, in, header
}

// The law: all that one run sees is one snapshot, whatever is written meanwhile.
func TestPostgresSnapshot(t *testing.T) {
	p := openPostgres(t)
	at := p.tables(t, fewUsers, fewEvents)
	db, result, in, header := p.opened(t, at)
	p.exec(t, "INSERT INTO "+at.Events+" SELECT 5000 + event_id, user_id, event_time, event_type, 'new', watch_minutes, quiz_score, amount FROM "+at.Events, "DELETE FROM "+at.Users+" WHERE user_id < 10")
	stream, err := db.Features(t.Context(), in.Vocabulary, result.Courses, result.Repeats, validate.CompareIDs)
	if err != nil {
		t.Fatal(err)
	}
	report, err := prepare.RunFrom(t.Context(), stream, result, in.Vocabulary, header, prepare.Params{}, outputs(t.TempDir()), nil)
	if err != nil || report.Events != 1000 || report.Users != 50 {
		t.Errorf("%+v, %v", report, err)
	}
}

// The law: a stream that ends early, by a lost connection or because it is
// cancelled, is an error, and leaves no output and no query behind.
func TestPostgresBreaks(t *testing.T) {
	p := openPostgres(t)
	many := strings.NewReplacer("(1, 50)", "(1, 30000)", "% 50 + 1", "% 30000 + 1", "(1, 1000)", "(1, 60000)", "'go'", "repeat('go', 500)").Replace // rows that do not fit into the buffers on the way
	at := p.tables(t, many(fewUsers), many(fewEvents))
	cancelled, cancel := context.WithCancel(t.Context())
	defer cancel()
	for name, test := range map[string]struct {
		ctx   context.Context
		crash func()
	}{
		"cancelled": {cancelled, cancel},
		"lost": {t.Context(), func() {
			p.exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'churn'")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			db, result, in, header := p.opened(t, at)
			stream, err := db.Features(test.ctx, in.Vocabulary, result.Courses, result.Repeats, validate.CompareIDs)
			if err != nil {
				t.Fatal(err)
			}
			out := outputs(t.TempDir())
			_, err = prepare.RunFrom(test.ctx, &breaking{stream: stream, at: 1000, crash: test.crash}, result, in.Vocabulary, header, prepare.Params{}, out, nil)
			if err == nil {
				t.Error("a part was taken for the whole")
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(out.Timelines), "*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			stream.Close()
			db.Close()
			for busy := 1; busy > 0; { // ends by the test's own deadline if the query goes on
				if err := p.db.QueryRow("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'churn'").Scan(&busy); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// breaking breaks a stream at a user.
type breaking struct {
	stream prepare.Stream
	at     int
	crash  func()
}

func (b *breaking) Next() (pipeline.Timeline, bool, error) {
	if b.at--; b.at == 0 {
		b.crash()
	}
	return b.stream.Next()
}
