package warehouse

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"churn/pipeline/source"
)

// postgres is the dialect of PostgreSQL 14 and later. One transaction at
// repeatable read shows all queries the same snapshot; it is read-only, so that
// a view or a query in the settings cannot write.
func postgres() dialect {
	return dialect{
		name: source.KindPostgres,
		open: func(p source.Params) (*sql.DB, error) {
			c, err := pgx.ParseConfig(p.URL)
			if err != nil {
				return nil, err // pgx leaves the password out
			}
			if _, set := c.RuntimeParams["application_name"]; !set {
				c.RuntimeParams["application_name"] = "churn"
			}
			return stdlib.OpenDB(*c), nil
		},
		explain: explainPostgres,
		options: &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
		// The planner cannot know how many rows meet our conditions, takes them for
		// few, and would loop over users for each event.
		session: []string{"SET LOCAL timezone = 'UTC'", "SET LOCAL standard_conforming_strings = on", "SET LOCAL enable_nestloop = off", "SET LOCAL jit = off",
			"SELECT set_config('work_mem', '32MB', true) WHERE pg_size_bytes(current_setting('work_mem')) < 33554432",
			"SET LOCAL client_connection_check_interval = 10000"}, // ms; a query must not outlive a program that was killed
		fence:   " OFFSET '0'", // quoted it is a constant at once, which lets several workers run it
		kind:    postgresKind,
		quote:   quoteDoubled,
		literal: literalDoubled,
		text:    func(x string) string { return `btrim(CAST(` + x + ` AS text), E' \t\n\x0b\f\r')` },
		numeral: func(x string) string { return `CAST(` + x + ` AS text)` },
		wall: func(x, zone string, k kind) string {
			out := "CAST(" + x + " AS timestamp)"
			if k == instant {
				out = "(" + x + " AT TIME ZONE " + literalDoubled(zone) + ")"
			}
			return "CASE WHEN isfinite(" + x + ") THEN " + out + " END"
		},
		day:    func(w string) string { return "(CAST(" + w + " AS date) - DATE '1970-01-01')" },
		second: func(w string) string { return "date_trunc('second', " + w + ")" },
		fixed: func(x string, units int64, k kind) string {
			if k == double { // the same multiplication, addition and floor as in pipeline.Fixed
				return fmt.Sprintf("CAST(floor(CAST(%s AS double precision) * CAST(%d AS double precision) + CAST(0.5 AS double precision)) AS bigint)", x, units)
			}
			return fmt.Sprintf("CAST(floor(CAST(%s AS numeric) * %d + 0.5) AS bigint)", x, units)
		},
		digits:   func(x string) string { return "(" + x + " <> '' AND translate(" + x + ", '0123456789', '') = '')" },
		bytewise: func(x string) string { return x + ` COLLATE "C"` },
		list:     func(x string) string { return "string_agg(" + x + ", chr(31))" },
		stage: func(table, query string) []string {
			create := "CREATE UNLOGGED TABLE "
			if strings.HasPrefix(table, `"pg_temp".`) {
				create = "CREATE TABLE "
			}
			return []string{create + table + " AS " + query, "ANALYZE " + table}
		},
		seal: "SET TRANSACTION READ ONLY",
		hash: func(xs []string) string { return "hash_record_extended(ROW(" + strings.Join(xs, ", ") + "), 0)" },
	}
}

// explainPostgres says what to do about the errors that settings and rights
// cause.
func explainPostgres(err error) error {
	var said *pgconn.PgError
	var unreached *pgconn.ConnectError
	switch {
	case errors.As(err, &said):
	case errors.As(err, &unreached):
		return fmt.Errorf("%w; check host and port in source.url, and that the server runs there", err)
	default:
		return err
	}
	advice := map[string]string{
		"42P01": "name it as SCHEMA.TABLE, with its capitals, as psql shows it",
		"3F000": "name a schema that there is",
		"42501": "ask its owner: to read takes USAGE on the schema and SELECT on the tables, source.scratch_schema CREATE on that schema",
		"28P01": "check user and password (source.url, PGPASSWORD or ~/.pgpass)",
		"3D000": "check the name of the database in source.url",
		"57014": "a statement_timeout or somebody has ended it; allow more by ?statement_timeout=MILLISECONDS in source.url, or narrow source.events by a query",
		"53400": "ask for a higher temp_file_limit, or narrow source.events by a query",
		"53100": "the database needs room for temporary files; narrow source.events by a query",
	}[said.Code]
	if advice == "" {
		return err
	}
	return fmt.Errorf("%w; %s", err, advice)
}

func postgresKind(name string) kind {
	switch name {
	case "TEXT", "VARCHAR", "BPCHAR", "NAME", "CITEXT":
		return text
	case "UUID":
		return bare
	case "INT2", "INT4", "INT8":
		return integer
	case "NUMERIC":
		return decimal
	case "FLOAT4", "FLOAT8":
		return double
	case "BOOL":
		return boolean
	case "DATE":
		return date
	case "TIMESTAMP":
		return wallTime
	case "TIMESTAMPTZ":
		return instant
	}
	return other
}
