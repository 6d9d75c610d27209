package cli_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"churn/model/metric"
	"churn/pipeline/evaluate"
	"churn/pipeline/monitor"
)

// rowsOf reads a CSV file as maps by column.
func rowsOf(t *testing.T, path string) (out []map[string]string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all[1:] {
		row := map[string]string{}
		for i, name := range all[0] {
			row[name] = r[i]
		}
		out = append(out, row)
	}
	return out
}

// joinedByHand returns the sample of a table of predictions and the events as they
// were exported: who has no event of his own on the 30 days after the date left.
func joinedByHand(t *testing.T, dir, date string) (s metric.Sample) {
	t.Helper()
	asOf, err := time.Parse(time.DateOnly, date)
	if err != nil {
		t.Fatal(err)
	}
	active := map[string]bool{}
	for _, e := range rowsOf(t, filepath.Join(dir, "data", "raw", "events.csv")) {
		day, err := time.Parse(time.DateOnly, e["event_time"][:10])
		if err != nil {
			t.Fatal(err)
		}
		if days := day.Sub(asOf).Hours() / 24; days >= 1 && days <= 30 && !strings.HasPrefix(e["event_type"], "payment") {
			active[strings.TrimSpace(e["user_id"])] = true
		}
	}
	number := func(text string) float64 {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, r := range rowsOf(t, filepath.Join(dir, "data", "predictions", "churn_predictions_"+date+".csv")) {
		s.Score, s.Prob, s.Label = append(s.Score, -number(r["risk_rank"])), append(s.Prob, number(r["churn_risk"])), append(s.Label, !active[r["user_id"]])
	}
	return s
}

// The life of predictions: nothing yet, not matured, matured; the figures are
// those of a join by hand; contacts, faults and a version that is gone are told.
func TestMonitorPerformance(t *testing.T) {
	dir := t.TempDir()
	world := worldArgs(500, 1, "")
	world = append(world[:len(world)-1], "--set", "train.models=logistic", "--set", "generate.days=230", "--set", "features.usual_days=30", "--set", "monitor.performance.bootstrap=100")
	try := func(args ...string) outcome { return finish(t, program(dir, slices.Concat(world, args)...)) }
	run := func(args ...string) outcome { t.Helper(); return churn(t, dir, slices.Concat(world, args)...) }
	report := func(args ...string) (r monitor.Performance, out outcome) {
		t.Helper()
		out = try(append([]string{"--json", "monitor", "performance"}, args...)...)
		if err := json.Unmarshal([]byte(out.stdout), &r); err != nil {
			t.Fatalf("%v\n%s", err, out.stderr)
		}
		noNulls(t, strings.Join(args, " "), []byte(out.stdout))
		return r, out
	}
	run("run-all", "--as-of", "2025-06-16", "--until", "promote")
	if out := try("monitor", "performance"); out.code != 1 || !strings.Contains(out.stderr, "there are no predictions in data/predictions; run `churn score`") {
		t.Errorf("without predictions: %d %s", out.code, out.stderr)
	}
	dates := []string{"2025-06-09", "2025-06-16", "2025-06-23", "2025-06-30", "2025-07-07", "2025-08-11"}
	for _, date := range dates {
		run("score", "--as-of", date)
	}
	if out := try("monitor", "performance", "--as-of", "2025-06-01"); out.code != 1 || !strings.Contains(out.stderr, "the first are of 2025-06-09") {
		t.Errorf("too early: %d %s", out.code, out.stderr)
	}
	if r, out := report("--as-of", "2025-06-20"); out.code != 0 || r.Status != monitor.Unmeasured || len(r.Dates) != 0 || len(r.Immature) != 2 || !strings.Contains(strings.Join(r.Reasons, ""), "the first does on 2025-07-09") {
		t.Errorf("not matured: %d %+v", out.code, r)
	}

	r, _ := report("--as-of", "2025-08-17")
	if len(r.Dates) != 5 || len(r.Immature) != 1 || r.Dates[0].Hindsight.String() != "2025-06-11" || r.Judged == nil || r.Judged.Dates != 4 {
		t.Fatalf("%+v", r)
	}
	p := metric.EvalParams{Confidence: 0.95}
	for _, d := range r.Dates {
		s := joinedByHand(t, dir, d.AsOf.String())
		want := metric.Evaluate(s, p)
		if d.Users != len(s.Label) || d.Churned != want.Positives || want.Positives == 0 {
			t.Errorf("%s: %d users, %d churned; by hand %d and %d", d.AsOf, d.Users, d.Churned, len(s.Label), want.Positives)
		}
		for _, name := range []string{metric.PRAUC, "roc_auc", "log_loss", "brier", "ece", "base_rate"} {
			got, by := evaluate.Find(d.Figures, name), evaluate.Find(want.Estimates, name)
			if math.Abs(got.Value-by.Value) > 1e-12 || !(got.Low <= got.Value+0.1 && got.High >= got.Value-0.1) {
				t.Errorf("%s: %s is %+v, by hand %v", d.AsOf, name, got, by.Value)
			}
		}
	}
	before := results(t, dir)
	for _, name := range []string{"performance_latest.json", "performance_2025-08-17.json", "performance_latest.manifest.json"} {
		if before["artifacts/metrics/"+name] == "" {
			t.Errorf("%s is not there", name)
		}
	}
	report("--as-of", "2025-08-17")
	sameResults(t, "run again", before, results(t, dir))

	t.Run("trends", func(t *testing.T) {
		var drift monitor.DriftReport
		if out := try("--json", "monitor", "drift"); json.Unmarshal([]byte(out.stdout), &drift) != nil || len(drift.Trends) != len(drift.Level.Features)+1 || drift.Trends[0].Series != "PSI of "+drift.Level.Features[0].Name || drift.Trends[0].Points < 20 {
			t.Errorf("%d %d trends of %d features", out.code, len(drift.Trends), len(drift.Level.Features))
		}
		var scores monitor.ScoreReport
		if out := try("--json", "monitor", "scores"); json.Unmarshal([]byte(out.stdout), &scores) != nil || len(scores.Trends) != 2 || scores.Trends[0].Series != "mean risk" {
			t.Errorf("%d %+v", out.code, scores.Trends)
		}
	})
	t.Run("contacts", func(t *testing.T) { contactsAreTold(t, dir, try, report) })
	t.Run("alarm", func(t *testing.T) {
		mild := []string{"--set", "monitor.performance.max_drop=0.9", "--set", "monitor.performance.max_ratio=10", "monitor", "performance", "--as-of", "2025-08-17"}
		if out := try(mild...); out.code != 0 || strings.Contains(out.stdout, "FAIL") {
			t.Errorf("%d %s%s", out.code, out.stdout, out.stderr)
		}
		mild[3] = "monitor.performance.max_ratio=1.0001"
		if out := try(mild...); out.code != 2 || !strings.Contains(out.stderr, "churn: performance: ranking, 2025-06-16 to 2025-07-07: ") || !strings.Contains(out.stdout, "performance on 2025-08-17: FAIL") {
			t.Errorf("%d %s%s", out.code, out.stdout, out.stderr)
		}
	})
	t.Run("set aside", func(t *testing.T) {
		path := filepath.Join(dir, "data", "predictions", "churn_predictions_2025-06-30.csv")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text[:len(text)/2], 0o600); err != nil {
			t.Fatal(err)
		}
		r, _ := report("--as-of", "2025-08-17")
		if len(r.Dates) != 4 || len(r.SetAside) != 1 || !strings.Contains(r.SetAside[0].Why, "does not agree with its manifest") || r.Status == monitor.OK {
			t.Errorf("%+v", r)
		}
		run("score", "--as-of", "2025-06-30")
		if r, _ := report("--as-of", "2025-08-17"); len(r.Dates) != 5 || len(r.SetAside) != 0 {
			t.Errorf("scored again: %+v", r)
		}
	})
	t.Run("log", func(t *testing.T) { answersAreJudged(t, dir, world, report) })
	t.Run("version gone", func(t *testing.T) {
		if err := os.RemoveAll(filepath.Join(dir, "artifacts", "registry", "versions")); err != nil {
			t.Fatal(err)
		}
		r, out := report("--as-of", "2025-08-17")
		if out.code != 0 || r.Status != monitor.Unmeasured || len(r.Dates) != 5 || !strings.Contains(r.Dates[0].Note, "nothing is promised: registry: there is no version v0001") {
			t.Errorf("%d %s %q", out.code, r.Status, r.Reasons)
		}
	})
}

// answersAreJudged asks a server about everybody as of a date. Those count who were
// at risk, each once, with the last answer.
func answersAreJudged(t *testing.T, dir string, world []string, report func(...string) (monitor.Performance, outcome)) {
	const date = "2025-06-23"
	if out := finish(t, program(dir, slices.Concat(world, []string{"monitor", "performance", "--source", "log"})...)); out.code != 1 || !strings.Contains(out.stderr, "has no answers about a user") {
		t.Errorf("without a log: %d %s", out.code, out.stderr)
	}
	server := startServe(t, dir, nil, slices.Concat(world, []string{"--set", "serve.log.sample=1"})...)
	var last string
	for _, active := range []string{"30", "3"} { // of two answers the later one counts
		var instances []string
		for _, u := range rowsOf(t, filepath.Join(dir, "data", "raw", "users.csv")) {
			instances = append(instances, fmt.Sprintf(`{"user_id":%q,"snapshot_date":%q,"features":{"active_days_30d":%s}}`, u["user_id"], date, active))
		}
		answer, err := http.Post(server.url+"/predict/batch", "application/json", strings.NewReader(`{"instances":[`+strings.Join(instances, ",")+`]}`))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if last = string(text); err != nil || answer.StatusCode != 200 {
			t.Fatalf("%d %v %s", answer.StatusCode, err, last)
		}
	}
	if code := server.stop(); code != 0 {
		t.Fatalf("exit code %d\n%s", code, server.log)
	}
	atRisk := joinedByHand(t, dir, date)
	want := metric.Evaluate(atRisk, metric.EvalParams{Confidence: 0.95})
	r, _ := report("--as-of", "2025-08-17", "--source", "log")
	if len(r.Dates) != 1 || r.Dates[0].AsOf.String() != date || r.Dates[0].Users != want.Rows || r.Dates[0].Churned != want.Positives || r.Dates[0].Outside == 0 {
		t.Fatalf("%+v", r.Dates)
	}
	first := regexp.MustCompile(`"churn_risk":([0-9.e-]+)`).FindStringSubmatch(last)
	if risk, err := strconv.ParseFloat(first[1], 64); err != nil || math.Abs(float64(r.Dates[0].MeanRisk)-risk) > 1e-12 {
		t.Errorf("mean risk %v, want that of the last answer, %q", r.Dates[0].MeanRisk, first)
	}
	if out := finish(t, program(dir, slices.Concat(world, []string{"monitor", "performance", "--source", "paper"})...)); out.code != 64 || !strings.Contains(out.stderr, "use tables or log") {
		t.Errorf("%d %s", out.code, out.stderr)
	}
}

// contactsAreTold contacts the first of a list, of whom the figures of the date
// are then free.
func contactsAreTold(t *testing.T, dir string, try func(...string) outcome, report func(...string) (monitor.Performance, outcome)) {
	path := filepath.Join(dir, "contacts.csv")
	text := "user_id,contacted_at,treatment\n"
	for k, r := range rowsOf(t, filepath.Join(dir, "data", "predictions", "churn_top_50_2025-06-30.csv")) {
		text += r["user_id"] + "," + []string{"2025-07-01", "2025-07-02T09:30:00Z"}[k%2] + "," + []string{"call", "mail"}[k%2] + "\n"
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r, _ := report("--as-of", "2025-08-17", "--treatments", "contacts.csv")
	i := slices.IndexFunc(r.Dates, func(d monitor.Realised) bool { return d.AsOf.String() == "2025-06-30" })
	if d := r.Dates[i]; d.Contacted != 50 || r.Contacts == nil || len(r.Contacts.Treatments) != 3 || r.Contacts.Treatments[1].Treatment != "call" {
		t.Errorf("%+v %+v", d, r.Contacts)
	}
	if err := os.WriteFile(path, []byte("user_id,contacted_at\n7,soon\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := try("monitor", "performance", "--treatments", "contacts.csv"); out.code != 1 || !strings.Contains(out.stderr, `contacts.csv: line 2: contacted_at: "soon"`) {
		t.Errorf("%d %s", out.code, out.stderr)
	}
}
