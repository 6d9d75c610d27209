package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"churn/internal/atomicfile"
	"churn/registry"
)

// page is what report prints with --json.
type page struct {
	Version, Path, SHA256 string
	Bytes                 int64
}

// The law: the report says what it wrote, and writes the same bytes twice;
// run-all ends with the very page that report writes.
func TestReport(t *testing.T) {
	dir, command := modelWorld(t)
	ended := results(t, filepath.Join(dir, "artifacts/reports"))
	first := decoded[page](t, dir, command("report")...)
	if again := decoded[page](t, dir, command("report", first.Version)...); again != first {
		t.Errorf("the second page is %+v, the first %+v", again, first)
	}
	info, err := atomicfile.Digest(filepath.Join(dir, first.Path))
	if err != nil || info.SHA256 != first.SHA256 || info.Bytes != first.Bytes {
		t.Errorf("%+v was written, %+v is there (%v)", first, info, err)
	}
	sameResults(t, "the page of run-all", ended, results(t, filepath.Join(dir, "artifacts/reports")))
	if out := churn(t, dir, command("report")...); !strings.Contains(out.stdout, first.Path) {
		t.Errorf("the path is not printed:\n%s", out.stdout)
	}
}

// A backtest that cannot be read is a failure; one of other features is left
// out.
func TestReportReadsTheBacktest(t *testing.T) {
	dir, command := modelWorld(t)
	path := filepath.Join(dir, "artifacts/metrics/backtest_latest.json")
	if err := os.WriteFile(path, []byte(`{"steps": 1}`), 0o644); err != nil {
		t.Fatal(err)
	}
	out := finish(t, program(dir, command("report")...))
	if out.code != 1 || !strings.Contains(out.stderr, "backtest_latest.json") || !strings.Contains(out.stderr, "churn backtest") {
		t.Errorf("exit code %d: %s", out.code, out.stderr)
	}
	for set, want := range map[string]bool{featureSet(t, dir): true, "another": false} {
		if err := os.WriteFile(path, []byte(`{"steps": [], "window_days": 30, "feature_set": "`+set+`"}`), 0o644); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(dir, decoded[page](t, dir, command("report")...).Path))
		if err != nil || strings.Contains(string(data), `id="backtest"`) != want {
			t.Errorf("backtest of %s: want it on the page %v (%v)", set, want, err)
		}
	}
}

// featureSet returns that of the first version.
func featureSet(t *testing.T, dir string) string {
	t.Helper()
	return readJSON[registry.Manifest](t, filepath.Join(dir, "artifacts/registry/versions/v0001.json")).Lineage.FeatureSet
}
