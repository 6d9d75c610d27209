package parity

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	_ "github.com/trinodb/trino-go-client/trino"

	"churn/pipeline/source"
)

// openTrino connects to the coordinator of CHURN_TRINO_URL, whose catalog is
// in memory.
func openTrino(t *testing.T) *engine {
	t.Helper()
	url, db := connect(t, "trino", "CHURN_TRINO_URL", "trino-test")
	return &engine{kind: source.KindTrino, url: url, secret: url + "&extra_credentials=token:s3cret", sink: true, db: db, schema: "SCHEMA", cascade: " CASCADE",
		busy: "SELECT count(*) FROM system.runtime.queries WHERE source = 'churn' AND state NOT IN ('FINISHED', 'FAILED')",
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

// The law: types of Trino that hold the same values give the same, to the last
// picosecond of a day.
func TestTypesOfTrino(t *testing.T) {
	e := openTrino(t)
	d := &data{zone: "UTC"}
	events := eventColumns()
	lastSecond := func(i int) string { return strings.Replace(events[2].value(i), ":00:00", ":59:59", 1) }
	plain := e.tables(t, userColumns(), fewUsers, with(events, column{"event_time", asClock, lastSecond}), fewEvents)
	want, err := fromTables(t.Context(), t, d, plain)
	if err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]string{
		"timestamp(12)":                "CAST(%s || '.999999999999' AS timestamp(12))",
		"timestamp(0)":                 "CAST(%s AS timestamp(0))",
		"timestamp(12) with time zone": "CAST(%s || '.999999999999 UTC' AS timestamp(12) with time zone)",
		"timestamp(3) with time zone":  "CAST(%s || '.999 UTC' AS timestamp(3) with time zone) AT TIME ZONE 'Asia/Kolkata'",
	} {
		t.Run(name, func(t *testing.T) {
			schema := e.room(t)
			e.exec(t, "CREATE TABLE "+schema+".users AS SELECT CAST(CAST(user_id AS varchar) AS char(12)) AS user_id, CAST(signup_date AS timestamp(0)) AS signup_date, CAST(plan AS char(6)) AS plan, CAST(0 AS tinyint) AS is_paid, CAST(country AS varchar(2)) AS country, marketing_source FROM "+plain.Users,
				"CREATE TABLE "+schema+".events AS SELECT uuid() AS event_id, CAST(user_id AS smallint) AS user_id, "+fmt.Sprintf(at, "CAST(CAST(event_time AS timestamp(0)) AS varchar)")+
					" AS event_time, event_type, CAST(course_id AS char(4)) AS course_id, CAST(watch_minutes AS real) AS watch_minutes, CAST(NULL AS tinyint) AS quiz_score, CAST(NULL AS decimal(38, 18)) AS amount FROM "+plain.Events)
			got, err := fromTables(t.Context(), t, d, e.at(schema))
			if err != nil {
				t.Fatal(err)
			}
			if got.report.Timelines.SHA256 != want.report.Timelines.SHA256 {
				t.Errorf("other timelines: %+v, want %+v", got.report, want.report)
			}
		})
	}
	t.Run("wide decimals", func(t *testing.T) {
		schema := e.room(t)
		e.exec(t, "CREATE TABLE "+schema+".events AS SELECT event_id, user_id, event_time, event_type, course_id, CAST(watch_minutes AS decimal(38, 18)) AS watch_minutes, quiz_score, amount FROM "+plain.Events,
			"INSERT INTO "+schema+".events SELECT 5000, 1, event_time, event_type, course_id, DECIMAL '12345678901234567890', quiz_score, amount FROM "+plain.Events+" WHERE event_id = 1") // out of range: a fault of the row, not of the query
		at := e.at(schema)
		at.Users = plain.Users
		got, err := fromTables(t.Context(), t, d, at)
		if err != nil {
			t.Fatal(err)
		}
		if got.report.Timelines.SHA256 != want.report.Timelines.SHA256 || got.checked.Events.Rejected != 1 {
			t.Errorf("other timelines: %+v, %d rejected", got.report, got.checked.Events.Rejected)
		}
	})
}
