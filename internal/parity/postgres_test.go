package parity

import (
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"churn/pipeline/source"
)

// openPostgres connects to the database of CHURN_POSTGRES_URL.
func openPostgres(t *testing.T) *engine {
	t.Helper()
	url, db := connect(t, "pgx", "CHURN_POSTGRES_URL", "postgres-test")
	return &engine{kind: source.KindPostgres, url: url, secret: strings.Replace(url, "churn@", "churn:s3cret@", 1), sink: true, db: db, schema: "SCHEMA", cascade: " CASCADE", snapshot: true,
		busy: "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'churn'",
		lose: "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'churn'",
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

// The law: what is staged is what is read, and nothing is left.
func TestPostgresStages(t *testing.T) {
	p := openPostgres(t)
	scratch := p.room(t)
	for _, p.scratch = range []string{scratch, "pg_temp"} {
		for name, d := range map[string]*data{"edges": edges(true), "random": random(2, "decimal")} {
			t.Run(p.scratch+" "+name, func(t *testing.T) { same(t, p, d) })
		}
	}
	at := p.tables(t, userColumns(), fewUsers, eventColumns(), fewEvents)
	at.ScratchSchema = scratch
	o := open(t, at)
	p.exec(t, p.lose)
	o.Close()                  //nolint:errcheck // the connection is lost
	for busy := 1; busy > 0; { // ends by the test's own deadline if the query goes on
		if err := p.db.QueryRow(p.busy).Scan(&busy); err != nil {
			t.Fatal(err)
		}
	}
	p.empty(t, scratch)
}

// empty fails if there are tables in a schema.
func (e *engine) empty(t *testing.T, schema string) {
	t.Helper()
	n := -1
	if err := e.db.QueryRow("SELECT count(*) FROM pg_class WHERE relnamespace = '" + schema + "'::regnamespace").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d tables left in %s (%v)", n, schema, err)
	}
}

// Who may read need not have any other right; who may not write into the schema
// is told which setting asks for it.
func TestPostgresReader(t *testing.T) {
	p := openPostgres(t)
	at := p.tables(t, userColumns(), fewUsers, eventColumns(), fewEvents)
	schema, _, _ := strings.Cut(at.Users, ".")
	role := schema + "_reader"
	p.exec(t, "CREATE ROLE "+role+" LOGIN", "GRANT USAGE ON SCHEMA "+schema+" TO "+role, "GRANT SELECT ON ALL TABLES IN SCHEMA "+schema+" TO "+role)
	t.Cleanup(func() { p.exec(t, "DROP OWNED BY "+role, "DROP ROLE "+role) })
	at.URL = strings.Replace(at.URL, "churn@", role+"@", 1)
	for scratch, want := range map[string]string{"": "", "pg_temp": "", schema: "source.scratch_schema: " + schema, "nowhere": "source.scratch_schema: nowhere"} {
		at.ScratchSchema = scratch
		got, err := fromTables(t.Context(), t, &data{zone: "UTC"}, at)
		if want == "" && (err != nil || got.report.Events != fewEvents) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %d events, %v", scratch, got.report.Events, err)
		}
	}
}
