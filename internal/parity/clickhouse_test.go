package parity

import (
	"database/sql"
	"os"
	"slices"
	"strconv"
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
	return &engine{kind: source.KindClickHouse, url: url, secret: strings.Replace(url, "://", "://churn:s3cret@", 1), db: db, schema: "DATABASE",
		busy: "SELECT count() FROM system.processes WHERE query NOT LIKE '%system.processes%'", storage: " ENGINE = MergeTree ORDER BY tuple()",
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

// The law: numbers that have no place in whole units are faults as in files, and
// disturb no sum, where they are only a warning.
func TestClickHouseOddNumbers(t *testing.T) {
	c := openClickHouse(t)
	for numbers, odd := range map[string][]string{
		"double":  {"NaN", "Inf", "-Inf", "1e300", "-1e300", "-0", "1e-320", "1000000.0000000001"},
		"decimal": {"99999999999999999999999999999", "-99999999999999999999999999999", "99999999999999999999999999999.999999999", "1000000.5", "-0.5"},
	} {
		d := random(1, numbers)
		d.lenient = true
		for i, x := range odd {
			for place := 5; place < 8; place++ {
				row := slices.Clone(d.events[i*3+place])
				row[0], row[3], row[place] = strconv.Itoa(90000+10*i+place), "payment_success", x
				d.events = append(d.events, row)
			}
		}
		t.Run(numbers, func(t *testing.T) {
			files, at := fromFiles(t, d), c.load(t, d)
			at.URL += "?short_circuit_function_evaluation=disable" // what is not taken is computed nevertheless
			tables, err := fromTables(t.Context(), t, d, at)
			if err != nil {
				t.Fatal(err)
			}
			compareReports(t, files, tables)
			if files.report.Timelines != tables.report.Timelines {
				t.Errorf("files %+v, tables %+v", files.report, tables.report)
			}
		})
	}
}

// The law: a value is the same whatever its type, also where columns have the
// names of our terms and views the defaults of joins.
func TestClickHouseTypes(t *testing.T) {
	c := openClickHouse(t)
	strangers := column{"user_id", asInt, func(i int) string { return strconv.Itoa(i%80 + 20) }} // and users without events
	plain := c.tables(t, userColumns(), fewUsers, with(eventColumns(), strangers), fewEvents)
	schema := c.room(t)
	c.exec(t, "CREATE VIEW "+schema+".users AS SELECT toInt128(u.user_id) AS day, toDateTime64(assumeNotNull(u.signup_date), 3, 'UTC') AS signup, toLowCardinality(assumeNotNull(u.plan)) AS paid, "+
		"CAST(u.is_paid AS Enum8('0' = 0, '1' = 1)) AS plan, toFixedString(assumeNotNull(u.country), 4) AS source, u.marketing_source AS country FROM "+plain.Users+" AS u",
		"CREATE VIEW "+schema+".events AS SELECT toUInt64(assumeNotNull(e.event_id)) AS user_id, toFixedString(toString(assumeNotNull(e.user_id)), 9) AS event_id, "+
			"toDateTime(assumeNotNull(e.event_time), 'Asia/Kolkata') AS kind, CAST(e.event_type AS Enum16('login' = 7)) AS \"f_odd \\\\ name\", CAST(e.course_id AS LowCardinality(Nullable(String))) AS minutes, "+
			"toDecimal64(e.watch_minutes, 12) AS score, CAST(e.quiz_score AS Nullable(Decimal(67, 38))) AS amount, toFloat32(e.amount) AS watch_minutes "+
			"FROM "+plain.Events+" AS e LEFT JOIN "+plain.Users+" AS u ON u.user_id = e.user_id")
	typed := c.at(schema)
	typed.UserColumns = []string{"user_id=day", "signup_date=signup", "plan=paid", "is_paid=plan", "country=source", "marketing_source=country"}
	typed.EventColumns = []string{"event_id=user_id", "user_id=event_id", "event_time=kind", `event_type=f_odd \ name`, "course_id=minutes", "watch_minutes=score", "quiz_score=amount", "amount=watch_minutes"}
	want, err := fromTables(t.Context(), t, &data{zone: "UTC"}, plain)
	if err != nil {
		t.Fatal(err)
	}
	got, err := fromTables(t.Context(), t, &data{zone: "UTC"}, typed)
	if err != nil || want.report.Timelines != got.report.Timelines || got.report.Events == 0 || got.report.Events == fewEvents {
		t.Errorf("%+v, want %+v (%v)", got.report, want.report, err)
	}
}

// What a profile or the address would cut off in silence is an error.
func TestClickHouseLimits(t *testing.T) {
	c := openClickHouse(t)
	plain := c.tables(t, userColumns(), fewUsers, eventColumns(), fewEvents)
	for limit, want := range map[string]string{
		"max_rows_to_read=100&read_overflow_mode=break":             "TOO_MANY_ROWS",
		"max_rows_to_group_by=20&group_by_overflow_mode=any":        "TOO_MANY_ROWS",
		"max_result_rows=10&result_overflow_mode=break":             "TOO_MANY_ROWS",
		"max_rows_in_join=10&join_overflow_mode=break":              "SET_SIZE_LIMIT_EXCEEDED",
		"max_rows_in_distinct=1&count_distinct_implementation=uniq": "",
		"join_use_nulls=1&cast_keep_nullable=1&prefer_column_name_to_alias=1&aggregate_functions_null_for_empty=1&transform_null_in=1": "",
	} {
		t.Run(limit, func(t *testing.T) {
			at := plain
			at.URL += "?" + limit
			out, err := fromTables(t.Context(), t, &data{zone: "UTC"}, at)
			if want == "" && (err != nil || out.report.Events != fewEvents) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%+v, %v, want %q", out.report, err, want)
			}
		})
	}
}
