package parity

import (
	"context"
	"database/sql"
	"os"
	"strconv"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"churn/pipeline"
	"churn/pipeline/prepare"
	"churn/pipeline/source"
	"churn/pipeline/validate"
	"churn/pipeline/warehouse"
)

// openPostgres connects to the database of CHURN_POSTGRES_URL.
func openPostgres(t *testing.T) *engine {
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
	return &engine{kind: source.KindPostgres, url: url, secret: strings.Replace(url, "churn@", "churn:s3cret@", 1), sink: true, db: db, schema: "SCHEMA", cascade: " CASCADE",
		types: map[string]string{asText: "text", asInt: "int", asDouble: "double precision", asDecimal: "numeric", asFiner: "numeric",
			asTruth: "boolean", asDate: "date", asClock: "timestamp", asInstant: "timestamptz"},
		cell: func(value, _ string) string { return quoted(value) }}
}

func TestPostgres(t *testing.T) { laws(t, openPostgres(t)) }

// An error without a server has no password in it.
func TestPostgresHidesPassword(t *testing.T) {
	openPostgres(t)
	at := source.Params{Kind: source.KindPostgres, URL: "postgres://churn:secret@127.0.0.1:1/postgres", Users: "u", Events: "e"}
	if _, err := fromTables(t.Context(), t, &data{zone: "UTC"}, at); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}

// A query in the settings cannot write.
func TestPostgresOnlyReads(t *testing.T) {
	p := openPostgres(t)
	at := p.tables(t, userColumns(), fewUsers, eventColumns(), fewEvents)
	p.exec(t, "CREATE FUNCTION "+at.Users+"_wipe() RETURNS int LANGUAGE sql AS 'DELETE FROM "+at.Events+"; SELECT 1'")
	at.Users = "SELECT q.* FROM " + at.Users + " q, (SELECT " + at.Users + "_wipe()) w"
	if _, err := fromTables(t.Context(), t, &data{zone: "UTC"}, at); err == nil || !strings.Contains(err.Error(), "read-only transaction") {
		t.Errorf("%v", err)
	}
}

// opened is an engine with its checks done, at the moment before the stream.
func (e *engine) opened(t *testing.T, at source.Params) (*warehouse.Engine, *validate.Result, validate.Input, prepare.Header) {
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
	at := p.tables(t, userColumns(), fewUsers, eventColumns(), fewEvents)
	db, result, in, header := p.opened(t, at)
	p.exec(t, "INSERT INTO "+at.Events+" SELECT 5000 + event_id, user_id, event_time, event_type, 'new', watch_minutes, quiz_score, amount FROM "+at.Events, "DELETE FROM "+at.Users+" WHERE user_id < 10")
	stream, err := db.Features(t.Context(), in.Vocabulary, result.Courses, result.Repeats, validate.CompareIDs)
	if err != nil {
		t.Fatal(err)
	}
	report, err := prepare.RunFrom(t.Context(), stream, result, in.Vocabulary, header, prepare.Params{}, outputs(t.TempDir()), nil)
	if err != nil || report.Events != fewEvents || report.Users != fewUsers {
		t.Errorf("%+v, %v", report, err)
	}
}

// The law: a stream that ends early, by a lost connection or because it is
// cancelled, is an error, and leaves no output and no query behind.
func TestPostgresBreaks(t *testing.T) {
	p := openPostgres(t)
	const users, events = 30_000, 60_000 // rows that do not fit into the buffers on the way
	few := eventColumns()
	at := p.tables(t, userColumns(), users, with(few, column{"user_id", asInt, func(i int) string { return strconv.Itoa(i%users + 1) }},
		column{"event_time", asClock, func(i int) string { return few[2].value(i % fewEvents) }}, column{"course_id", asText, always(strings.Repeat("go", 250))}), events)
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
			if left := filesBeside(out.Timelines); len(left) > 0 {
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
