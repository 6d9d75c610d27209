package cli_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"churn/pipeline/monitor"
)

// A feature that a fault has emptied is an alarm by its name, though the fault
// reaches back over all history, on which the day of the model and the weeks
// before look alike. More than one kind of fault is told.
func TestMonitorFindsWhatIsBroken(t *testing.T) {
	dir, command := driftWorld(t)
	raw := func(name string) string { return filepath.Join(dir, "data", "raw", name) }
	rewrite(t, raw("users.csv"), func(header, row []string) { row[slices.Index(header, "country")] = "" })
	rewrite(t, raw("events.csv"), func(header, row []string) {
		if row[slices.Index(header, "event_type")] == "video_watch" {
			row[slices.Index(header, "watch_minutes")] = "0"
		}
	})
	finish(t, program(dir, command("prepare")...))
	out := finish(t, program(dir, command("monitor", "drift", "--as-of", "2025-08-04")...))
	for _, want := range []string{"broken: null in all rows", "country", "broken: 0 in all rows", "watch_minutes_30d"} {
		if out.code != 2 || !strings.Contains(out.stderr+out.stdout, want) {
			t.Errorf("exit code %d, without %q:\n%s%s", out.code, want, out.stdout, out.stderr)
		}
	}
	r := readJSON[monitor.DriftReport](t, metricsFile(dir, "data_drift_latest"))
	if r.Status != monitor.Fail || r.Level.Status != monitor.Fail || !slices.Contains(r.Level.Broken, "country") || !slices.Contains(r.Level.Broken, "watch_minutes_30d") {
		t.Errorf("%s, %v", r.Status, r.Level.Broken)
	}
}

// rewrite changes every row of a CSV file.
func rewrite(t *testing.T, path string, change func(header, row []string)) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		change(rows[0], row)
	}
	var out strings.Builder
	w := csv.NewWriter(&out)
	if err := w.WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(out.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}
