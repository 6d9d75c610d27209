package lms

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"churn/internal/table"
)

var update = flag.Bool("update", false, "write the golden files anew; then look at every line that changed")

// importFiles runs an import into a new folder.
func importFiles(t testing.TB, job Job, p Params) (Result, string, error) {
	t.Helper()
	dir := t.TempDir()
	job.Location, job.Memory, job.TempDir, job.Format = time.UTC, 1<<30, t.TempDir(), table.CSV
	job.UsersPath, job.EventsPath = filepath.Join(dir, "users.csv"), filepath.Join(dir, "events.csv")
	result, err := Run(context.Background(), job, p)
	return result, dir, err
}

// balance checks the laws of the mapping report: every record is counted once,
// and every record that was taken is a row or folded. made are rows that stand
// for no record of their own.
func balance(t testing.TB, r *Report, made int64) {
	t.Helper()
	if sum := r.TakenTotal() + Total(r.Dropped) + Total(r.Unknown) + r.Faults; sum != r.Records {
		t.Errorf("%d records, of which taken %d + dropped %d + unknown %d + unreadable %d", r.Records, r.TakenTotal(), Total(r.Dropped), Total(r.Unknown), r.Faults)
	}
	if rows := Total(r.Events) + Total(r.Folded); rows != r.TakenTotal()+made {
		t.Errorf("%d taken, %d rows (%d of them for no record of their own) and %d folded", r.TakenTotal(), Total(r.Events), made, Total(r.Folded))
	}
}

// The golden files hold every trap of a format; testdata/README.md says which
// line holds which, and where the numbers come from.
func TestGolden(t *testing.T) {
	for _, x := range []struct {
		preset, users string
		paths         []string
		made          int64
	}{
		{preset: Moodle, paths: []string{"testdata/moodle/in"}, made: 1},
		{preset: OpenEdX, paths: []string{"testdata/openedx/in"}, users: "testdata/openedx/in/auth_user.csv", made: 2},
		{preset: XAPI, paths: []string{"testdata/xapi/in/*.jsonl"}},
		{preset: Caliper, paths: []string{"testdata/caliper/in/*.json"}, made: 1},
	} {
		t.Run(x.preset, func(t *testing.T) {
			result, dir, err := importFiles(t, Job{Preset: x.preset, Paths: x.paths, Users: x.users, MaxFaults: 0.2}, Defaults())
			if err != nil {
				t.Fatal(err)
			}
			balance(t, &result.Report, x.made)
			report, err := json.MarshalIndent(result.Report, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			same(t, filepath.Join("testdata", x.preset, "report.json"), append(report, '\n'))
			for _, name := range []string{"users.csv", "events.csv"} {
				got, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				same(t, filepath.Join("testdata", x.preset, name), got)
			}
		})
	}
}

func same(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-golden +made)\n%s", path, d)
	}
}

func rejected(err error) bool {
	var r *Rejection
	return errors.As(err, &r)
}
