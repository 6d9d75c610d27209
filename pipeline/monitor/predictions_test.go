package monitor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// written writes a file of a test and returns its path.
func written(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const predictionsHeader = "model_version,user_id,as_of_date,churn_risk,risk_rank\n"

func TestReadPredictions(t *testing.T) {
	p, sum, err := ReadPredictions(written(t, "p.csv", predictionsHeader+"v0002,10,2026-04-30,0.25,2\nv0002,9,2026-04-30,1,1\n"))
	if err != nil || len(sum) != 64 || p.AsOf.String() != "2026-04-30" || p.Version != "v0002" || p.Rows() != 2 || p.Users[0] != "10" || p.Risks[1] != 1 || p.Ranks[0] != 2 {
		t.Errorf("%+v %q %v", p, sum, err)
	}
	for name, c := range map[string]struct{ rows, want string }{
		"no rows":        {"", "has no rows"},
		"risk":           {"v1,a,2026-04-30,1.5,1\n", `p.csv: line 2: churn_risk: "1.5" is not a probability`},
		"not a number":   {"v1,a,2026-04-30,NaN,1\n", `line 2: churn_risk: "NaN" is not a probability`},
		"rank":           {"v1,a,2026-04-30,0.5,0\n", `line 2: risk_rank: "0" is not a rank`},
		"date":           {"v1,a,2026-4-30,0.5,1\n", `line 2: as_of_date: date "2026-4-30"`},
		"another date":   {"v1,a,2026-04-30,0.5,1\nv1,b,2026-05-01,0.5,1\n", "line 3: as_of_date: 2026-05-01, where the rows before are of 2026-04-30"},
		"another model":  {"v1,a,2026-04-30,0.5,1\nv2,b,2026-04-30,0.5,1\n", `line 3: model_version: "v2", where the rows before have "v1"`},
		"no model":       {",a,2026-04-30,0.5,1\n", "line 2: model_version"},
		"the same twice": {"v1,a,2026-04-30,0.5,1\nv1,a,2026-04-30,0.5,2\n", `line 3: user_id: "a" stands here for the second time`},
	} {
		if _, _, err := ReadPredictions(written(t, "p.csv", predictionsHeader+c.rows)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, _, err := ReadPredictions(written(t, "p.csv", "user_id,churn_risk\na,0.5\n")); err == nil || !strings.Contains(err.Error(), "lacks one of") {
		t.Errorf("%v", err)
	}
	if _, _, err := ReadPredictions(filepath.Join(t.TempDir(), "none.csv")); err == nil {
		t.Error("a file that is not there is read")
	}
}

func TestReadTreatments(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	text := "treatment,contacted_at,user_id\ncall,2026-05-02,a\n, 2026-04-30T23:30:00Z ,a\nmail,2026-05-01 10:00:00,7\n"
	got, err := ReadTreatments(written(t, "t.csv", text), berlin)
	if err != nil {
		t.Fatal(err)
	}
	if a := got["a"]; len(got) != 2 || len(a) != 2 || a[0].Day.String() != "2026-05-01" || a[0].Treatment != "" || a[1].Treatment != "call" {
		t.Errorf("%v", got)
	}
	if got, err := ReadTreatments(written(t, "t.csv", "user_id,contacted_at\n"), time.UTC); err != nil || len(got) != 0 {
		t.Errorf("nobody was contacted: %v %v", got, err)
	}
}

// All faults are told at once, each with file, line, field and value.
func TestTreatmentsFaults(t *testing.T) {
	_, err := ReadTreatments(written(t, "t.csv", "user_id,contacted_at\n,2026-05-01\nb,yesterday\nc,2026-13-01\nd\ne,2026-05-01\n"), time.UTC)
	for _, want := range []string{
		"t.csv: line 2: user_id: is empty", `t.csv: line 3: contacted_at: "yesterday" is neither a date`, `t.csv: line 4: contacted_at: "2026-13-01"`, "t.csv: line 5: record: has 1 fields where the header has 2",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %q", err, want)
		}
	}
	_, err = ReadTreatments(written(t, "t.csv", "user_id,contacted_at\n"+strings.Repeat("a,soon\n", 50)), time.UTC)
	if err == nil || strings.Count(err.Error(), "\n") != shownFaults || !strings.Contains(err.Error(), "and 30 more lines") {
		t.Errorf("%v", err)
	}
	for _, text := range []string{"", "user,contacted_at\na,2026-05-01\n"} {
		if _, err := ReadTreatments(written(t, "t.csv", text), time.UTC); err == nil || !strings.Contains(err.Error(), "lacks user_id or contacted_at") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ReadTreatments(filepath.Join(t.TempDir(), "none.csv"), time.UTC); err == nil || !strings.Contains(err.Error(), "--treatments") {
		t.Errorf("%v", err)
	}
}

func TestPerformanceParams(t *testing.T) {
	if err := DefaultPerformance().Validate(); err != nil {
		t.Error(err)
	}
	err := PerformanceParams{Dates: 0, Together: 1, MaxDrop: 1, MaxRatio: 1, Confidence: 0, Bootstrap: 1}.Validate()
	for _, key := range []string{"dates", "judged_dates", "max_drop", "max_ratio", "confidence", "bootstrap"} {
		if err == nil || !strings.Contains(err.Error(), "monitor.performance."+key) {
			t.Errorf("%v lacks %s", err, key)
		}
	}
}
