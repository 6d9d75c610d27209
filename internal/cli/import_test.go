package cli_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// golden returns the path of a golden input of package lms.
func golden(t *testing.T, elements ...string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(append([]string{"../../pipeline/lms/testdata"}, elements...)...))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

const lenient = "validate.max_reject_rate=0.2" // the golden inputs are full of faults

// What every preset writes, validate takes whole; and a second import writes the
// same bytes.
func TestImportIsTheContract(t *testing.T) {
	for preset, in := range map[string][]string{"moodle": {golden(t, "moodle", "in")}, "openedx": {"--users", golden(t, "openedx", "in", "auth_user.csv"), golden(t, "openedx", "in")},
		"xapi": {"--format", "parquet", golden(t, "xapi", "in", "statements.jsonl")}, "caliper": {golden(t, "caliper", "in", "*.json")}} {
		dir := t.TempDir()
		args := append([]string{"--set", lenient, "import", preset}, in...)
		out := churn(t, dir, args...)
		if !strings.Contains(out.stdout, "unknown: name them in import.aliases") || !strings.Contains(out.stdout, "line ") {
			t.Errorf("%s: the mapping report lacks unknown names or faults:\n%s", preset, out.stdout)
		}
		first := results(t, dir)
		churn(t, dir, args...)
		if d := cmp.Diff(first, results(t, dir)); d != "" {
			t.Errorf("%s: a second import differs\n%s", preset, d)
		}
		format := "csv"
		if preset == "xapi" {
			format = "parquet"
		}
		out = churn(t, dir, "--set", "data.format="+format, "--json", "validate")
		var report struct {
			Events, Users struct{ Rows, Rejected int }
		}
		if err := json.Unmarshal([]byte(out.stdout), &report); err != nil || report.Events.Rows == 0 || report.Events.Rejected+report.Users.Rejected > 0 {
			t.Errorf("%s: %+v, %v", preset, report, err)
		}
	}
}

// Neither import nor generate replaces what the other made, and what nobody of
// them made neither replaces.
func TestImportKeepsOtherData(t *testing.T) {
	in := golden(t, "moodle", "in")
	dir := t.TempDir()
	churn(t, dir, "generate", "--users", "20", "--days", "5")
	fails := func(stage string, args ...string) {
		t.Helper()
		before := results(t, filepath.Join(dir, "data", "raw"))
		if out := finish(t, program(dir, args...)); out.code != 1 || !strings.Contains(out.stderr, "is there already and was not made by `churn "+stage) {
			t.Errorf("%v: exit code %d\n%s", args, out.code, out.stderr)
		}
		if d := cmp.Diff(before, results(t, filepath.Join(dir, "data", "raw"))); d != "" {
			t.Error(d)
		}
	}
	fails("import", "--set", lenient, "import", "moodle", in)
	if err := os.RemoveAll(filepath.Join(dir, "data")); err != nil {
		t.Fatal(err)
	}
	churn(t, dir, "--set", lenient, "import", "moodle", in)
	fails("generate", "generate")
}

// An import that was killed between its two files leaves a mark: nothing is
// computed from a mixture, and the same command succeeds.
func TestInterruptedImport(t *testing.T) {
	dir := t.TempDir()
	args := []string{"--set", lenient, "import", "moodle", golden(t, "moodle", "in")}
	churn(t, dir, args...)
	mark := filepath.Join(dir, "data", "raw", ".import-unfinished")
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "data", "raw", "events.manifest.json")); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"validate", "prepare", "run-all"} {
		if out := finish(t, program(dir, command)); out.code != 1 || !strings.Contains(out.stderr, "was interrupted") {
			t.Errorf("%s: exit code %d\n%s", command, out.code, out.stderr)
		}
	}
	churn(t, dir, args...)
	churn(t, dir, "validate")
}

// An export of which too much cannot be read is rejected: exit code 3, the mapping
// report says why, and no raw file is touched.
func TestImportRejected(t *testing.T) {
	dir := t.TempDir()
	out := finish(t, program(dir, "import", "openedx", golden(t, "openedx", "in")))
	if out.code != 3 || !strings.Contains(out.stderr, "tracking.log-20260113.gz: line 23: time: \"yesterday\"") || !strings.Contains(out.stdout, "edx.something.new") {
		t.Errorf("exit code %d\n%s\n%s", out.code, out.stdout, out.stderr)
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "data", "raw", "*")); len(found) > 0 {
		t.Errorf("left %v", found)
	}
	if _, err := os.Stat(filepath.Join(dir, "artifacts", "metrics", "import_latest.json")); err != nil {
		t.Error(err)
	}
	for _, args := range [][]string{{"import", "moodle"}, {"import", "canvas", "x"}} {
		if out := finish(t, program(dir, args...)); out.code != 64 {
			t.Errorf("%v: exit code %d\n%s", args, out.code, out.stderr)
		}
	}
}

// statements writes a log of learners who enrol, come daily for a month, and leave;
// every other one has completed his course the day before.
func statements(t *testing.T, learners int) string {
	t.Helper()
	var text strings.Builder
	n := 0
	say := func(who int, verb, object string, at time.Time) {
		n++
		fmt.Fprintf(&text, `{"id":"s%d","actor":{"account":{"homePage":"https://x","name":"u%d"}},"verb":{"id":"http://adlnet.gov/expapi/verbs/%s"},"object":{"id":"https://x/%s","definition":{"type":"http://adlnet.gov/expapi/activities/%s"}},"timestamp":%q}`+"\n",
			n, who, verb, object, object, at.Format(time.RFC3339))
	}
	start := time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)
	for who := range learners {
		say(who, "registered", "course", start)
		for day := range 30 {
			say(who, "experienced", "lesson", start.AddDate(0, 0, day))
		}
		if who%2 == 0 {
			say(who, "completed", "course", start.AddDate(0, 0, 28))
		}
	}
	say(learners, "experienced", "lesson", start.AddDate(0, 0, 100)) // the data goes on
	path := filepath.Join(t.TempDir(), "log.jsonl")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// From the log to the training set: who completed his course and left is never
// labelled churn, and is not learned from once that is known; who left without is,
// as before. By default nothing is told apart.
func TestCompletersDoNotChurn(t *testing.T) {
	log := statements(t, 20)
	for _, aware := range []bool{false, true} {
		dir := t.TempDir()
		churn(t, dir, "import", "xapi", log)
		set := []string{"--set", fmt.Sprint("labels.completed_is_churn=", !aware)}
		for _, command := range []string{"prepare", "features", "labels"} {
			churn(t, dir, append(set, command)...)
		}
		churned := map[bool]int{}
		eachRow(t, filepath.Join(dir, "data", "processed", "labels_daily.csv"), func(row []string) {
			if row[3] == "1" {
				churned[completer(row[0])]++
			}
		})
		learned := map[bool]int{}
		eachRow(t, filepath.Join(dir, "data", "features", "training_dataset.csv"), func(row []string) { learned[completer(row[0])]++ })
		if churned[false] == 0 || (churned[true] == 0) != aware || (churned[true] == churned[false]) == aware {
			t.Errorf("told apart %v: %d labels of churn of completers, %d of others", aware, churned[true], churned[false])
		}
		if learned[true] == 0 || (learned[true] < learned[false]) != aware {
			t.Errorf("told apart %v: %d rows of completers to learn from, %d of others", aware, learned[true], learned[false])
		}
		// The other setting does not fit what was prepared.
		out := finish(t, program(dir, "--set", fmt.Sprint("labels.completed_is_churn=", aware), "labels"))
		if out.code != 1 || !strings.Contains(out.stderr, "labels.completed_is_churn") {
			t.Errorf("exit code %d\n%s", out.code, out.stderr)
		}
	}
}

func completer(user string) bool { return user[len(user)-1]%2 == 0 }

func eachRow(t *testing.T, path string, visit func(row []string)) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	for _, line := range lines[1:] {
		if row := strings.Split(line, ","); row[0] != "u20" {
			visit(row)
		}
	}
}
