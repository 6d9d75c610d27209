package monitored

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"churn/internal/telemetry"
	"churn/model/metric"
	"churn/model/profile"
	"churn/pipeline"
	"churn/pipeline/monitor"
	"churn/pipeline/monitor/alarms"
	"churn/pipeline/monitor/health"
)

var day = pipeline.DateFromCivil(2026, 3, 1)

// sound is a report of each monitor in which every part was measured.
func sound() map[string]any {
	ok := health.Verdict{Status: health.OK}
	level := func(kind string, days pipeline.Date) health.Level {
		return health.Level{Type: kind, First: day - days, Last: day, Events: 10, Expected: 9, Low: 2, High: 20}
	}
	return map[string]any{
		HealthLatest: health.Report{Status: health.Warn, AsOf: day, Freshness: health.Freshness{Verdict: ok, LastEvent: day - 1, MissingDays: 1},
			Volume:   health.Volume{Verdict: ok, Levels: []health.Level{level("all", 6), level("login", 6), level("all", 0), {Type: "all", First: day - 1, Last: day - 1}}},
			Rejected: health.Rejected{Verdict: ok, EventShare: 0.25}, Late: health.Late{Verdict: ok, Share: 0.5, P99: 2}, Duplicates: health.Duplicates{Verdict: ok}},
		DriftLatest: monitor.DriftReport{Status: monitor.Fail, AsOf: day, OverallMaxPSI: 0.5, Level: monitor.Level{MovedShare: 0.25,
			Features: []monitor.LevelFeature{{Feature: profile.Feature{Name: "logins_7d", PSI: 0.5, FailLimit: 0.25}, Importance: 0.125}}},
			Step: &monitor.Step{Jumped: []string{"logins_7d"}, Features: []monitor.StepFeature{{Feature: profile.Feature{Name: "logins_7d", PSI: 0.75}}}}},
		ScoresLatest: monitor.ScoreReport{Status: monitor.OK, ScorePoint: monitor.ScorePoint{AsOf: day, Rows: 7, P99: 0.75}, Expected: monitor.ScorePoint{Mean: 0.25}, Level: &monitor.LevelFeature{}},
		PerformanceLatest: map[string]any{"status": "WARN", "as_of_date": "2026-03-01",
			"judged": map[string]any{"users": 9, "figures": []metric.Estimate{{Name: "pr_auc", Value: 0.5, Low: 0.25, High: math.NaN()}},
				"criteria": []any{map[string]any{"promise": metric.Estimate{Name: "pr_auc", Value: 0.75, Low: 0.5, High: 1}}}},
			"immature": []any{map[string]any{"estimated": nil}, map[string]any{"estimated": []metric.Estimate{{Name: "roc_auc", Value: 0.125, Low: math.NaN(), High: math.NaN()}}}}},
	}
}

func write(t *testing.T, dir, name string, report any) {
	t.Helper()
	data, err := json.Marshal(report)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".json"), data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// folder holds a sound report of each monitor, and alarms.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, report := range sound() {
		write(t, dir, name, report)
	}
	err := AlarmStore(dir).Update(t.Context(), func(b *alarms.Book) error {
		b.Silence(alarms.Silence{Alarm: alarms.Drift, From: day.Time(), Until: day.Time().Add(time.Hour)})
		_, err := b.Evaluate([]alarms.Reading{{Alarm: alarms.Drift, Sign: alarms.Bad}, {Alarm: alarms.Scores, Sign: alarms.Good}}, nil, day.Time())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func textOf(t *testing.T, figures []Figure) string {
	t.Helper()
	var b telemetry.Batch
	for _, f := range figures {
		b.Add(f.Name, f.Help, f.Value, f.Labels...)
	}
	text, err := b.Text()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The law: Prometheus's own linter, that of promtool, accepts every figure.
func TestLint(t *testing.T) {
	figures, err := Read(folder(t), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.New(bytes.NewBufferString(textOf(t, figures))).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

// The mutant: the linter does see a bad name.
func TestLintSees(t *testing.T) {
	bad := []Figure{{Name: "churn_lag_days", Help: "Lag."}}
	if problems, err := promlint.New(bytes.NewBufferString(textOf(t, bad))).Lint(); err != nil || len(problems) == 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

func TestRead(t *testing.T) {
	figures, err := Read(folder(t), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	text := textOf(t, figures)
	for _, want := range []string{
		`churn_monitor_status{monitor="health",status="WARN"} 1`,
		`churn_monitor_status{monitor="health",status="OK"} 0`,
		`churn_monitor_report_readable{monitor="health"} 1`,
		fmt.Sprintf(`churn_monitor_as_of_timestamp_seconds{monitor="health"} %v`, float64(day.Time().Unix())),
		`churn_data_status{part="late",status="OK"} 1`,
		`churn_data_missing_seconds 86400`,
		`churn_data_volume_events{event_type="all",span="day"} 10`,
		`churn_data_volume_events{event_type="login",span="week"} 10`,
		`churn_data_lag_seconds{percentile="99"} 172800`,
		`churn_data_rejected_ratio{table="events"} 0.25`,
		`churn_monitor_status{monitor="drift",status="FAIL"} 1`,
		`churn_monitor_status{monitor="scores",status="OK"} 1`,
		`churn_drift_psi{feature="logins_7d"} 0.5`,
		`churn_drift_psi_limit{feature="logins_7d",level="fail"} 0.25`,
		`churn_drift_step_psi{feature="logins_7d"} 0.75`,
		`churn_drift_moved_ratio 0.25`,
		`churn_drift_sudden_features 1`,
		`churn_scores_mean{of="expected"} 0.25`,
		`churn_scores_risk{of="now",percentile="99"} 0.75`,
		`churn_scores_users 7`,
		`churn_performance_users 9`,
		`churn_performance_realised{bound="low",metric="pr_auc"} 0.25`,
		`churn_performance_promised{bound="value",metric="pr_auc"} 0.75`,
		`churn_performance_estimated{bound="value",metric="roc_auc"} 0.125`,
		`churn_alarm_state{alarm="drift",state="firing"} 1`,
		`churn_alarm_state{alarm="scores",state="inactive"} 1`,
		fmt.Sprintf(`churn_alarm_silenced_until_timestamp_seconds{alarm="drift"} %v`, float64(day.Time().Unix()+3600)),
		`churn_alarm_silenced_until_timestamp_seconds{alarm="scores"} 0`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

// The report of the original course has the index of its features, and no date.
func TestReadCourse(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, DriftLatest, monitor.CourseReport{Status: monitor.Warn, OverallMaxPSI: 0.2, PSIByFeature: map[string]float64{"quiz_attempts_7d": 0.2}})
	figures, err := Read(dir, time.Now())
	text := textOf(t, figures)
	if err != nil || !strings.Contains(text, `churn_drift_psi{feature="quiz_attempts_7d"} 0.2`) || !strings.Contains(text, `churn_monitor_status{monitor="drift",status="WARN"} 1`) || strings.Contains(text, "as_of") {
		t.Errorf("%v\n%s", err, text)
	}
}

// An empty folder has no figures; what was not measured is told by its status
// alone.
func TestUnmeasured(t *testing.T) {
	dir := t.TempDir()
	if figures, err := Read(dir, time.Now()); err != nil || len(figures) != 0 {
		t.Errorf("%v, %v", figures, err)
	}
	none := health.Verdict{Status: health.Unmeasured}
	write(t, dir, HealthLatest, health.Report{Status: health.Unmeasured, AsOf: day, Freshness: health.Freshness{Verdict: none}, Volume: health.Volume{Verdict: none},
		Rejected: health.Rejected{Verdict: none}, Late: health.Late{Verdict: none}, Duplicates: health.Duplicates{Verdict: none}})
	figures, err := Read(dir, time.Now())
	if err != nil || slices.ContainsFunc(figures, func(f Figure) bool {
		return strings.HasPrefix(f.Name, "churn_data_") && f.Name != "churn_data_status"
	}) {
		t.Errorf("%v, %v", figures, err)
	}
}

// The law: a damaged report is told of, hides no other, and breaks no scrape.
func TestDamaged(t *testing.T) {
	dir := folder(t)
	whole, err := Read(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name := range sound() {
		path := filepath.Join(dir, name+".json")
		good, _ := os.ReadFile(path)
		for _, bad := range []string{"", "{", `{"status": 7}`, "[]", string(good[:len(good)/2])} {
			if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
				t.Fatal(err)
			}
			figures, err := Read(dir, time.Now())
			if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "run `churn monitor") {
				t.Errorf("%s: %v", name, err)
			}
			if text := textOf(t, figures); !strings.Contains(text, "_readable{monitor=") || !strings.Contains(text, "} 0\n") || !strings.Contains(text, "churn_alarm_state") {
				t.Errorf("%s as %q:\n%s", name, bad, text)
			}
		}
		os.WriteFile(path, good, 0o600) //nolint:errcheck // the next line sees it
	}
	if err := os.WriteFile(filepath.Join(dir, Alarms+".json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	figures, err := Read(dir, time.Now())
	if text := textOf(t, figures); err == nil || !strings.Contains(text, "churn_alarms_readable 0\n") || len(figures) < len(whole)/2 {
		t.Errorf("damaged alarms: %v\n%s", err, text)
	}
}

// The law: the same series twice, and bytes that are no text, break nothing.
func TestSeriesOnce(t *testing.T) {
	f := figures{seen: map[string]bool{}}
	for i := range 3 {
		f.add("churn_x", "X.", float64(i), "feature", "a\xff")
	}
	if len(f.all) != 1 || f.all[0].Value != 0 || f.all[0].Labels[1] != "a�" {
		t.Errorf("%+v", f.all)
	}
}

// The law: a reader gives what the folder holds now.
func TestReader(t *testing.T) {
	dir := folder(t)
	r := &Reader{Dir: dir, Now: time.Now}
	for step, change := range []func(){
		func() {},
		func() {},
		func() { write(t, dir, HealthLatest, health.Report{Status: health.Fail, AsOf: day + 1}) },
		func() { os.Remove(filepath.Join(dir, HealthLatest+".json")) },
		func() { os.Remove(filepath.Join(dir, Alarms+".json")) },
	} {
		change()
		want, err := Read(dir, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Figures()
		if err != nil || textOf(t, got) != textOf(t, want) {
			t.Errorf("step %d: other figures than the folder's (%v)", step, err)
		}
	}
}

// The law: a reader tells what jobs have left, too, and one file that is damaged
// takes nothing from the others.
func TestJobs(t *testing.T) {
	dir := folder(t)
	r := &Reader{Dir: dir, Now: time.Now}
	reports, err := r.Figures()
	if err != nil {
		t.Fatal(err)
	}
	put := func(job, text string) {
		if err := os.WriteFile(filepath.Join(dir, job+".prom"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(RetrainDue, "# TYPE churn_retrain_due gauge\nchurn_retrain_due 1\n")
	put(Retrain, "# TYPE churn_retrain_outcome gauge\nchurn_retrain_outcome{outcome=\"failed\"} 1\n")
	all, err := r.Figures()
	if text := textOf(t, all); err != nil || len(all) != len(reports)+2 || !strings.Contains(text, "churn_retrain_due 1\n") || !strings.Contains(text, "churn_retrain_outcome{outcome=\"failed\"} 1\n") {
		t.Errorf("%v\n%s", err, text)
	}
	put(Retrain, "churn_retrain_outcome{")
	all, err = r.Figures()
	if text := textOf(t, all); err == nil || !strings.Contains(err.Error(), Retrain+".prom") || !strings.Contains(text, "churn_retrain_due 1\n") {
		t.Errorf("%v\n%s", err, text)
	}
	if own, err := Read(dir, time.Now()); err != nil || len(own) != len(reports) {
		t.Errorf("the monitors' own text holds the jobs' figures: a collector of both files would see them twice (%v)", err)
	}
}
