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
