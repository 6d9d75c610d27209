package parity

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"churn/pipeline/source"
)

const fewUsers, fewEvents = 50, 1000

func always(value string) func(int) string { return func(int) string { return value } }

// userColumns are users that any number of rows may have.
func userColumns() []column {
	return []column{{"user_id", asInt, strconv.Itoa}, {"signup_date", asDate, always("2026-01-01")}, {"plan", asText, always("free")},
		{"is_paid", asTruth, always("false")}, {"country", asText, always("DE")}, {"marketing_source", asText, always("ads")}}
}

// eventColumns are an event of an hour each, of one user after another.
func eventColumns() []column {
	begin := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	return []column{{"event_id", asInt, strconv.Itoa}, {"user_id", asInt, func(i int) string { return strconv.Itoa(i%fewUsers + 1) }},
		{"event_time", asClock, func(i int) string { return begin.Add(time.Duration(i) * time.Hour).Format("2006-01-02 15:04:05") }},
		{"event_type", asText, always("login")}, {"course_id", asText, always("go")}, {"watch_minutes", asDecimal, always("1.5")},
		{"quiz_score", asInt, always("")}, {"amount", asInt, always("")}}
}

// with puts columns in the place of those of the same name.
func with(all []column, others ...column) []column {
	all = slices.Clone(all)
	for _, c := range others {
		all[slices.IndexFunc(all, func(x column) bool { return x.name == c.name })] = c
	}
	return all
}

// renamed gives columns other names, and leaves out those that have none.
func renamed(all []column, names ...string) (out []column) {
	for i, name := range names {
		if name != "" {
			c := all[i]
			c.name = name
			out = append(out, c)
		}
	}
	return out
}

// Inspect names every column that cannot be had exactly, and says what to do.
func testRefuses(t *testing.T, e *engine) {
	users, events := userColumns(), eventColumns()
	for name, test := range map[string]struct {
		users, events []column
		want          []string
	}{
		"time as text":   {users, with(events, column{"event_time", asText, events[2].value}), []string{"event_time is of type", "cast it"}},
		"id as fraction": {with(users, column{"user_id", asDouble, strconv.Itoa}), events, []string{"user_id is of type"}},
		"columns missing": {renamed(users, "id", "signup_date", "plan", "is_paid", "", "marketing_source"), events,
			[]string{`no column "user_id"`, `no column "country"`, "source.user_columns: [country=THEIRS]"}},
		"both tables": {users[:1], events[:1], []string{"source.users", "source.events"}},
		"too fine":    {users, with(events, column{"watch_minutes", asFiner, always("1.0000000001")}), []string{"watch_minutes has 1000 values", "1/1000000000"}},
		"separator":   {users, with(events, column{"course_id", asText, always("g\x1fo")}), []string{"U+001F"}},
	} {
		t.Run(name, func(t *testing.T) {
			e.refuses(t, e.tables(t, test.users, fewUsers, test.events, fewEvents), test.want...)
		})
	}
	t.Run("no table", func(t *testing.T) {
		e.refuses(t, source.Params{Kind: e.kind, URL: e.url, Users: "no.such", Events: "no.such"})
	})
}

// refuses fails if the tables can be read, or if the error lacks a word.
func (e *engine) refuses(t *testing.T, at source.Params, words ...string) {
	t.Helper()
	_, err := fromTables(t.Context(), t, &data{zone: "UTC"}, at)
	for _, want := range append(words, "source.") {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// The law: a mapping of columns and types, by tables or by queries, is the same
// as data in the terms of the contract.
func testMapping(t *testing.T, e *engine) {
	users, events := userColumns(), eventColumns()
	plain := e.tables(t, users, fewUsers, events, fewEvents)
	others := with(users, column{"signup_date", asClock, always("2026-01-01 00:00:00")}, column{"is_paid", asInt, always("0")})
	mapped := e.tables(t, renamed(others, "Id", "since", "plan", "paying", "country"), fewUsers,
		renamed(with(events, column{"event_type", asText, always("signed 'in'")}), "n", "who", "ts", "verb", "course_id", "watch_minutes"), fewEvents)
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
	if want.report.Events != fewEvents || want.report.Users != fewUsers {
		t.Errorf("%+v", want.report)
	}
	for name, at := range map[string]source.Params{"columns": mapped, "queries": asQuery} {
		got, err := fromTables(t.Context(), t, d, at)
		if err != nil {
			t.Fatal(name, err)
		}
		if want.report.Timelines.SHA256 != got.report.Timelines.SHA256 {
			t.Errorf("%s: other timelines: %+v, want %+v", name, got.report, want.report)
		}
	}
}
