package parity

import (
	"database/sql"
	"os"
	"strings"
	"testing"

	_ "github.com/ClickHouse/clickhouse-go/v2"

	"churn/pipeline/source"
)

// openClickHouse connects to the engine of CHURN_CLICKHOUSE_URL.
func openClickHouse(t *testing.T) *engine {
	t.Helper()
	url := os.Getenv("CHURN_CLICKHOUSE_URL")
	if url == "" {
		t.Skip("CHURN_CLICKHOUSE_URL is not set; `make clickhouse-test` starts an engine of its own and sets it")
	}
	db, err := sql.Open("clickhouse", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	nullable := func(name string) string { return "Nullable(" + name + ")" }
	return &engine{kind: source.KindClickHouse, url: url, secret: strings.Replace(url, "://", "://churn:s3cret@", 1), db: db, schema: "DATABASE", storage: " ENGINE = MergeTree ORDER BY tuple()",
		types: map[string]string{asText: nullable("String"), asInt: nullable("Int64"), asDouble: nullable("Float64"), asDecimal: nullable("Decimal(38, 9)"), asFiner: nullable("Decimal(38, 10)"),
			asTruth: nullable("Bool"), asDate: nullable("Date"), asClock: nullable("DateTime64(6, 'UTC')"), asInstant: nullable("DateTime64(6, 'UTC')")},
		clock: func(zone string) string { return nullable("DateTime64(6, '" + zone + "')") },
		cell: func(value, name string) string {
			if strings.Contains(name, "DateTime") {
				value = strings.TrimSuffix(value, "Z")
			}
			return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
		}}
}

func TestClickHouse(t *testing.T) { laws(t, openClickHouse(t)) }
