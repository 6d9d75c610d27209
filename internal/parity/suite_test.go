package parity

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"churn/internal/table"
	"churn/pipeline"
	"churn/pipeline/labels"
	"churn/pipeline/prepare"
	"churn/pipeline/source"
	"churn/pipeline/validate"
	"churn/pipeline/warehouse"
)

// today is the day of the validation in all tests.
func today() pipeline.Date { return pipeline.DateFromCivil(2026, 6, 1) }

// prepared is what prepare left.
type prepared struct {
	checked validate.Report
	report  prepare.Report
	out     prepare.Outputs
}

// settings returns the input and the rules for a data set.
func settings(t *testing.T, d *data) (validate.Input, validate.Params, prepare.Header) {
	t.Helper()
	loc, err := time.LoadLocation(d.zone)
	if err != nil {
		t.Fatal(err)
	}
	types, l := append(pipeline.EventTypes(), pipeline.CourseComplete), labels.Defaults()
	l.CompletedIsChurn = false // so that timelines keep which courses were begun and completed
	p := validate.Defaults(types)
	p.MaxRejectRate = 1 // there is more chaff than wheat
	c := p.Checks["non_payment_amount"]
	c.Tolerance = 1
	p.Checks["non_payment_amount"] = c
	severity := func(is bool, s validate.Severity, names ...string) {
		for _, name := range names {
			if c := p.Checks[name]; is {
				c.Severity, c.Tolerance = s, 1
				p.Checks[name] = c
			}
		}
	}
	severity(d.lenient, validate.Warning, "watch_minutes_range", "quiz_score_range", "payment_amount_positive")
	severity(d.strict, validate.Critical, "event_after_signup", "is_paid_matches_plan", "non_payment_amount")
	dir := t.TempDir()
	in := validate.Input{Location: loc, Vocabulary: l.Vocabulary(types), Today: today(),
		Quarantine: filepath.Join(dir, "quarantine.csv"), TempDir: dir, Memory: 1 << 28, Stage: true}
	return in, p, prepare.Header{Timezone: d.zone, EventTypes: types, ActivityEvents: l.ActivityEvents, CompletionEvents: l.Completions()}
}

func outputs(dir string) prepare.Outputs {
	at := func(name string) string { return filepath.Join(dir, name) }
	return prepare.Outputs{Format: table.CSV, Timelines: at("timelines.bin"), UserDaily: at("user_daily.csv"), UsersClean: at("users_clean.csv")}
}

// filesBeside lists all files in the folder of a file.
func filesBeside(path string) []string {
	files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if err != nil {
		panic(err)
	}
	return files
}

// fromFiles runs validate and prepare in process.
func fromFiles(t *testing.T, d *data) prepared {
	t.Helper()
	in, p, header := settings(t, d)
	in.Files = d.write(t)
	out := prepared{out: outputs(t.TempDir())}
	result, err := validate.Run(t.Context(), in, p)
	if err != nil {
		t.Fatal(err)
	}
	out.checked = result.Report
	if out.report, err = prepare.Run(t.Context(), result, in.Vocabulary, header, prepare.Params{Dense: true}, out.out, nil); err != nil {
		t.Fatal(err)
	}
	return out
}

// fromTables runs validate and prepare in a database.
func fromTables(ctx context.Context, t *testing.T, d *data, at source.Params) (out prepared, err error) {
	t.Helper()
	in, p, header := settings(t, d)
	at.Timezone = d.zone
	db, err := warehouse.Open(ctx, at, validate.WarehouseRules(in, p))
	if err != nil {
		return out, err
	}
	defer db.Close()
	result, err := validate.RunIn(ctx, db, in, p)
	if err != nil {
		return out, err
	}
	out.checked, out.out = result.Report, outputs(t.TempDir())
	stream, err := db.Features(ctx, in.Vocabulary, result.Courses, result.Repeats, validate.CompareIDs)
	if err != nil {
		return out, err
	}
	defer stream.Close()
	out.report, err = prepare.RunFrom(ctx, stream, result, in.Vocabulary, header, prepare.Params{Dense: true}, out.out, nil)
	return out, err
}

// suite is the laws that every engine keeps.
func suite(t *testing.T, e *engine) {
	t.Run("course", func(t *testing.T) { same(t, e, shared(t)) })
	t.Run("edges", func(t *testing.T) { same(t, e, edges(false)) })
	t.Run("edges with zones", func(t *testing.T) { same(t, e, edges(true)) })
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("random ", seed), func(t *testing.T) { same(t, e, random(seed, []string{"double", "decimal"}[seed/2])) })
	}
	t.Run("strict", func(t *testing.T) {
		d := edges(true)
		d.strict = true
		files := fromFiles(t, d)
		tables, err := fromTables(t.Context(), t, d, e.load(t, d))
		if err != nil {
			t.Fatal(err)
		}
		compareReports(t, files, tables)
		if files.report.Timelines != tables.report.Timelines {
			t.Errorf("files %+v, tables %+v", files.report, tables.report)
		}
	})
	t.Run("empty", func(t *testing.T) { testEmpty(t, e) })
}

// The law: what is made in process from files is what the twin counts. It
// needs no database.
func TestFiles(t *testing.T) {
	for name, d := range map[string]*data{"edges": edges(false), "edges with zones": edges(true), "random": random(4, "decimal"), "random with zones": random(5, "double")} {
		t.Run(name, func(t *testing.T) { compareTwin(t, d, fromFiles(t, d).out.Timelines) })
	}
}

// The law: files and tables with the same rows give the same reports and the
// same bytes, and their timelines the integers of the twin.
func same(t *testing.T, e *engine, d *data) {
	files := fromFiles(t, d)
	tables, err := fromTables(t.Context(), t, d, e.load(t, d))
	if err != nil {
		t.Fatal(err)
	}
	compareReports(t, files, tables)
	compareTwin(t, d, files.out.Timelines)
	for _, pair := range [][2]string{{files.out.Timelines, tables.out.Timelines}, {files.out.UserDaily, tables.out.UserDaily}, {files.out.UsersClean, tables.out.UsersClean}} {
		want, got := read(t, pair[0]), read(t, pair[1])
		if bytes.Equal(want, got) {
			continue
		}
		if filepath.Ext(pair[0]) == ".csv" {
			t.Errorf("%s (-files +tables):\n%s", filepath.Base(pair[0]), firstLines(cmp.Diff(bytes.Split(want, []byte("\n")), bytes.Split(got, []byte("\n")))))
		} else {
			t.Errorf("%s: %d and %d bytes differ", filepath.Base(pair[0]), len(want), len(got))
			compareTwin(t, d, tables.out.Timelines)
		}
	}
}

func firstLines(s string) string { return s[:min(len(s), 3000)] }

func read(t *testing.T, path string) []byte {
	t.Helper()
	out, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// compareReports compares all that does not hang on files: verdict, counts, and
// what each check of rows and of the whole data found.
func compareReports(t *testing.T, files, tables prepared) {
	t.Helper()
	a, b := files.checked, tables.checked
	if a.Accepted != b.Accepted || a.Users != b.Users || a.Events != b.Events || a.FirstDate != b.FirstDate || a.LastDate != b.LastDate {
		t.Errorf("reports: files %+v %+v, tables %+v %+v", a.Users, a.Events, b.Users, b.Events)
	}
	for i, x := range a.Checks {
		y := b.Checks[i]
		if x.Level != validate.FileLevel && x.Name != "row_shape" && (x.Failures != y.Failures || x.Status != y.Status || x.Checked != y.Checked) {
			t.Errorf("%s: files %d of %d (%s), tables %d of %d (%s)", x.Name, x.Failures, x.Checked, x.Status, y.Failures, y.Checked, y.Status)
		}
		if y.Failures > 0 && x.Level == validate.RowLevel && len(y.Examples) == 0 {
			t.Errorf("%s: %d rows of tables fail, and none is shown", y.Name, y.Failures)
		}
	}
	if a, b := files.report, tables.report; a.Users != b.Users || a.Events != b.Events || a.ActiveDays != b.ActiveDays || a.LateFacts != b.LateFacts {
		t.Errorf("prepared: files %+v, tables %+v", a, b)
	}
}

// compareTwin compares a file of timelines with the twin, row by row.
func compareTwin(t *testing.T, d *data, path string) {
	t.Helper()
	in, err := prepare.OpenTimelines(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	w := newTwin(t, d, in.Header.ActivityEvents, today())
	grid, rows, seen := in.Header.Span.Grid(in.Header.Span.Last, 10), 0, map[string]bool{}
	for {
		payload, ok, err := in.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		timelines, err := prepare.DecodeBlock(payload)
		if err != nil {
			t.Fatal(err)
		}
		for i := range timelines {
			id := timelines[i].User.ID
			if seen[id] = true; i%5 != 0 && len(timelines) > 50 {
				continue // the twin is slow
			}
			for _, asOf := range grid {
				for _, window := range []int{1, 30} {
					rows++
					want, got := w.count(id, asOf, window, 30), counts(&timelines[i], &in.Header, asOf, window, 30)
					if diff := cmp.Diff(want, got); diff != "" {
						t.Fatalf("user %q as of %s, %d days (-twin +timeline):\n%s", id, asOf, window, diff)
					}
				}
			}
		}
	}
	if len(seen) != len(w.users) || rows == 0 {
		t.Errorf("%d users, the twin has %d; %d rows compared", len(seen), len(w.users), rows)
	}
	if !slices.ContainsFunc(w.users, func(u []string) bool { return seen[u[0]] }) {
		t.Error("other users than the twin's")
	}
}

// testEmpty: tables without rows are rejected as files are, with the same
// reasons, and nothing is written.
func testEmpty(t *testing.T, e *engine) {
	d := edges(false)
	none, noEvents := &data{zone: "UTC", numbers: "double"}, &data{zone: "UTC", numbers: "double", users: d.users}
	for _, d := range []*data{none, noEvents} {
		out, err := fromTables(t.Context(), t, d, e.load(t, d))
		rejection, ok := err.(*validate.Rejection) //nolint:errorlint // not wrapped
		if !ok {
			t.Fatalf("%d users and %d events: %v", len(d.users), len(d.events), err)
		}
		in, p, _ := settings(t, d)
		in.Files = d.write(t)
		_, err = validate.Run(t.Context(), in, p)
		files, ok := err.(*validate.Rejection) //nolint:errorlint // not wrapped
		if !ok || len(files.Report.Reasons) != len(rejection.Report.Reasons) {
			t.Errorf("files: %v; tables: %v", err, rejection)
		}
		if out.out.Timelines != "" {
			t.Error("something was written")
		}
	}
}
