package parity

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The law: the program comes to the same scores from files and from tables,
// and the password of the database is in nothing that it writes.
func TestPostgresProgram(t *testing.T) {
	p := openPostgres(t)
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
	at := p.load(t, d)
	address := strings.Replace(at.URL, "churn@", "churn:s3cret@", 1)
	tables := []string{"--set", "source.kind=postgres", "--set", "source.url=" + address, "--set", "source.users=" + at.Users, "--set", "source.events=" + at.Events,
		"--set", "paths.data=tables", "--set", "paths.artifacts=tables-artifacts"}
	files := []string{"--set", "source.users=data/raw/users.csv", "--set", "source.events=data/raw/events.csv"} // not as simulated: the truth is not in the tables
	run(bin, append(files, "run-all")...)
	said := run(bin, append(tables, "run-all")...)
	again := run(bin, append(tables, "run-all")...)
	shown := run(bin, append(tables, "config", "show")...)
	for _, name := range []string{"processed/timelines.bin", "features/training_dataset.csv", "predictions/batch_predictions_latest.csv"} {
		want, got := read(t, filepath.Join(dir, "data", name)), read(t, filepath.Join(dir, "tables", name))
		if !bytes.Equal(want, got) {
			t.Errorf("%s differs: %d and %d bytes", name, len(want), len(got))
		}
	}
	if !strings.Contains(again, "the tables may have changed") || !strings.Contains(again, "up to date") {
		t.Errorf("the second run:\n%s", again)
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
