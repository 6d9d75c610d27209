package parity

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	_ "github.com/trinodb/trino-go-client/trino"

	"churn/pipeline/source"
)

// openTrino connects to the coordinator of CHURN_TRINO_URL, whose catalog is
// in memory.
func openTrino(t *testing.T) *engine {
	t.Helper()
	url := os.Getenv("CHURN_TRINO_URL")
	if url == "" {
		t.Skip("CHURN_TRINO_URL is not set; `make trino-test` starts a Trino of its own and sets it")
	}
	db, err := sql.Open("trino", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &engine{kind: source.KindTrino, url: url, secret: url + "&extra_credentials=token:s3cret", sink: true, db: db, schema: "SCHEMA", cascade: " CASCADE",
		types: map[string]string{asText: "varchar", asInt: "integer", asDouble: "double", asDecimal: "decimal(28, 9)", asFiner: "decimal(28, 10)",
			asTruth: "boolean", asDate: "date", asClock: "timestamp(6)", asInstant: "timestamp(6) with time zone"},
		values: trinoRows}
}

// trinoRows writes rows as one literal, whose texts become values there: Trino
// takes long to plan many literals.
func trinoRows(names []string, rows [][]string) string {
	cells := make([][]*string, len(rows))
	for i, row := range rows {
		for _, c := range row {
			if cells[i] = append(cells[i], nil); c != "" {
				cells[i][len(cells[i])-1] = &c
			}
		}
	}
	text, err := json.Marshal(cells)
	if err != nil {
		panic(err)
	}
	var casts []string
	for i, name := range names {
		cell := fmt.Sprintf("r[%d]", i+1)
		if strings.HasPrefix(name, "timestamp") {
			cell = "replace(" + cell + ", 'T', ' ')"
		}
		casts = append(casts, "CAST("+cell+" AS "+name+")")
	}
	return "SELECT " + strings.Join(casts, ", ") + " FROM UNNEST(CAST(json_parse(" + quoted(string(text)) + ") AS array(array(varchar)))) AS t(r)"
}

func TestTrino(t *testing.T) { laws(t, openTrino(t)) }
