package parity

import (
	"bytes"
	"cmp"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The law: the program comes to the same scores from files and from tables,
// and the password of the database is in nothing that it writes.
func testProgram(t *testing.T, e *engine) {
	dir := t.TempDir()
	bin := filepath.Join(dir, "churn")
	run := func(name string, args ...string) string {
		t.Helper()
		c := exec.Command(name, args...)
		c.Dir = dir
		c.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1767225600", "CHURN_GENERATE_USERS=400", "CHURN_GENERATE_DAYS=300")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	run("go", "build", "-C", root, "-o", bin, ".")
	run(bin, "generate")
	d := &data{numbers: "double"}
	d.users = readCSV(t, filepath.Join(dir, "data", "raw", "users.csv"))
	for _, row := range readCSV(t, filepath.Join(dir, "data", "raw", "events.csv")) {
		d.events = append(d.events, append(row, "")[:9])
	}
	at := e.load(t, d)
	scores := strings.Replace(at.Users, ".users", ".predictions", 1)
	tables := []string{"--set", "source.kind=" + e.kind, "--set", "source.url=" + e.secret, "--set", "source.users=" + at.Users, "--set", "source.events=" + at.Events,
		"--set", "paths.data=tables", "--set", "paths.artifacts=tables-artifacts"}
	files := []string{"--set", "source.users=data/raw/users.csv", "--set", "source.events=data/raw/events.csv"} // not as simulated: the truth is not in the tables
	run(bin, append(files, "run-all")...)
	if e.sink {
		tables = append(tables, "--set", "score.sink="+e.kind, "--set", "score.sink_url="+e.secret, "--set", "score.sink_table="+scores)
	}
	said := run(bin, append(tables, "run-all")...)
	again := run(bin, append(tables, "run-all")...)
	shown := run(bin, append(tables, "config", "show")...)
	doctor := func(more ...string) string {
		c := exec.Command(bin, append(append(tables, more...), "doctor")...)
		c.Dir = dir
		out, _ := c.CombinedOutput() //nolint:errcheck // it fails, since the data is old
		return string(out)
	}
	if out := doctor(); !strings.Contains(out, "have the columns that are needed, and can be read") || !strings.Contains(out, "prepared with the present settings") {
		t.Errorf("doctor:\n%s", out)
	}
	if out := doctor("--set", "source.events="+at.Events+"_there_is_none"); !strings.Contains(out, "source.events (source.kind: "+e.kind+")") {
		t.Errorf("doctor:\n%s", out)
	}
	for _, name := range []string{"processed/timelines.bin", "features/training_dataset.csv", "predictions/batch_predictions_latest.csv"} {
		want, got := read(t, filepath.Join(dir, "data", name)), read(t, filepath.Join(dir, "tables", name))
		if !bytes.Equal(want, got) {
			t.Errorf("%s differs: %d and %d bytes", name, len(want), len(got))
		}
	}
	if !strings.Contains(again, "the tables may have changed") || !strings.Contains(again, "up to date") {
		t.Errorf("the second run:\n%s", again)
	}
	if e.sink {
		e.sameRows(t, scores, readCSV(t, filepath.Join(dir, "data", "predictions", "batch_predictions_latest.csv")))
	}
	// Of many rows, those of the same users are learned from: a hash of the id decides.
	few := []string{"--set", "train.max_rows=1000", "train"}
	run(bin, append(files, few...)...)
	run(bin, append(tables, few...)...)
	if want, got := models(t, filepath.Join(dir, "artifacts")), models(t, filepath.Join(dir, "tables-artifacts")); len(want) < 4 || !slices.Equal(want, got) {
		t.Errorf("%d models of files and %d of tables are not the same", len(want), len(got))
	}
	if report := read(t, filepath.Join(dir, "tables-artifacts", "metrics", "train_latest.json")); !bytes.Contains(report, []byte(`"sampled": true`)) {
		t.Errorf("not sampled: %s", report[:min(len(report), 500)])
	}
	everything := said + again + shown
	err = filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() && path != bin {
			everything += string(read(t, path))
		}
		return err
	})
	if i := strings.Index(everything, "s3cret"); err != nil || i >= 0 {
		t.Errorf("the password stands in what the program wrote (%v): %q", err, everything[max(0, i-300):max(0, i)])
	}
}

// models returns all models of a registry.
func models(t *testing.T, artifacts string) (out []string) {
	t.Helper()
	folders, err := os.ReadDir(filepath.Join(artifacts, "registry", "models"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		out = append(out, string(read(t, filepath.Join(artifacts, "registry", "models", f.Name(), "bundle.json"))))
	}
	slices.Sort(out)
	return out
}

// sameRows compares the scores of a table with those of a file of predictions.
func (e *engine) sameRows(t *testing.T, table string, want [][]string) {
	t.Helper()
	rows, err := e.db.Query("SELECT user_id, churn_risk, risk_rank, reason_1 FROM " + table + " ORDER BY risk_rank")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	slices.SortFunc(want, func(a, b []string) int { return cmp.Or(cmp.Compare(len(a[9]), len(b[9])), cmp.Compare(a[9], b[9])) }) // by rank
	n := 0
	for ; rows.Next(); n++ {
		var id, reason, rank string
		var risk float64
		if err := rows.Scan(&id, &risk, &rank, &reason); err != nil {
			t.Fatal(err)
		}
		w := want[min(n, len(want)-1)]
		expected, err := strconv.ParseFloat(w[8], 64)
		if err != nil || id != w[0] || rank != w[9] || reason != w[11] || math.Abs(risk-expected) > 1e-12 {
			t.Fatalf("row %d: %s %v %s %q, want %v (%v)", n, id, risk, rank, reason, w, err)
		}
	}
	if err := rows.Err(); err != nil || n != len(want) {
		t.Errorf("%d rows, want %d (%v)", n, len(want), err)
	}
}
