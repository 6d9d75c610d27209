package cli_test

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"churn/model/metric"
	"churn/pipeline/backtest"
	"churn/pipeline/evaluate"
	"churn/pipeline/promote"
	"churn/pipeline/score"
	"churn/pipeline/train"
)

// modelWorld runs run-all in a small world and returns its folder and the
// arguments of another command in it.
func modelWorld(t *testing.T) (dir string, command func(words ...string) []string) {
	t.Helper()
	dir = t.TempDir()
	all := smallWorld(t, 400, "run-all")
	churn(t, dir, all...)
	return dir, func(words ...string) []string {
		return slices.Concat(all[:len(all)-1], words)
	}
}

// decoded runs a command with --json and decodes its report.
func decoded[T any](t *testing.T, dir string, args ...string) (v T) {
	t.Helper()
	out := churn(t, dir, append([]string{"--json"}, args...)...)
	if err := json.Unmarshal([]byte(out.stdout), &v); err != nil {
		t.Fatalf("%v\n%s", err, out.stdout)
	}
	return v
}

func readJSON[T any](t *testing.T, path string) (v T) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// The law: evaluate, which computes features and labels anew from the
// timelines, finds on the test period the very figures that train found on the
// training set, and another period gives others.
func TestEvaluateRecomputesTraining(t *testing.T) {
	dir, command := modelWorld(t)
	report := readJSON[train.Report](t, filepath.Join(dir, "artifacts/metrics/train_latest.json"))
	v := report.Selected()
	var trained train.Measured
	for _, m := range report.Models {
		if m.Name == v.Name {
			trained = m
		}
	}
	e := decoded[evaluate.Evaluation](t, dir, command("evaluate", v.Version)...)
	if e.From != report.Split.TestFirst || e.To != report.Split.TestLast || e.Cohort.Rows != report.Split.TestRows || e.InSample {
		t.Errorf("evaluated %d rows from %s to %s, trained with %+v", e.Cohort.Rows, e.From, e.To, report.Split)
	}
	for _, want := range trained.Estimates {
		got := e.Cohort.Find(want.Name)
		for _, pair := range [][2]float64{{want.Value, got.Value}, {want.Low, got.Low}, {want.High, got.High}} {
			if !(math.Abs(pair[0]-pair[1]) <= 1e-12*math.Abs(pair[0])) && !(math.IsNaN(pair[0]) && math.IsNaN(pair[1])) {
				t.Errorf("%s: evaluate has %+v, train %+v", want.Name, got, want)
				break
			}
		}
	}
	if e.Everyone == nil || e.Everyone.Rows <= e.Cohort.Rows || len(e.Segments) == 0 || len(e.Importance) == 0 {
		t.Errorf("everyone %+v, %d segments, %d importances", e.Everyone, len(e.Segments), len(e.Importance))
	}
	other := decoded[evaluate.Evaluation](t, dir, command("evaluate", "production", "--to", report.Split.TrainLast.String())...)
	if !other.InSample || other.To != report.Split.TrainLast || other.Cohort.Find("pr_auc").Value == e.Cohort.Find("pr_auc").Value {
		t.Errorf("the training period: in sample %v, to %s", other.InSample, other.To)
	}
}

// The law: explain gives the risk of the scored list, its factors hold every
// feature once and add up to the margin, and what would lower it does.
func TestExplainAgreesWithScore(t *testing.T) {
	dir, command := modelWorld(t)
	rows := readCSV(t, filepath.Join(dir, "data/predictions/batch_predictions_latest.csv"))
	header := rows[0]
	at := func(name string) int { return slices.Index(header, name) }
	for _, row := range rows[1:min(len(rows), 8)] {
		e := decoded[score.Explanation](t, dir, command("explain", row[at("user_id")], "--as-of", row[at("as_of_date")])...)
		risk, err := strconv.ParseFloat(row[at("churn_risk")], 64)
		if err != nil || risk != e.Risk || e.Tier != row[at("risk_tier")] || !e.AtRisk {
			t.Fatalf("user %s: explained %v (%s), scored %v (%s)", e.User, e.Risk, e.Tier, risk, row[at("risk_tier")])
		}
		seen := map[string]bool{}
		for _, f := range e.Factors {
			var sum float64
			for _, v := range f.Values {
				if seen[v.Feature] {
					t.Errorf("%s is told twice", v.Feature)
				}
				seen[v.Feature] = true
				sum += v.Contribution
			}
			if math.Abs(sum-f.Contribution) > 1e-9 {
				t.Errorf("theme %s: its features add up to %v, not %v", f.Theme, sum, f.Contribution)
			}
			if f.Usual != nil && !(*f.Usual < e.Risk) {
				t.Errorf("theme %s would lower %v to %v", f.Theme, e.Risk, *f.Usual)
			}
		}
		if len(seen) < 40 {
			t.Errorf("%d features only", len(seen))
		}
	}
	out := finish(t, program(dir, command("explain", "nobody")...))
	if out.code != 1 || !strings.Contains(out.stderr, `there is no user "nobody"`) {
		t.Errorf("code %d: %s", out.code, out.stderr)
	}
}

func readCSV(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("%s: %d rows, %v", path, len(rows), err)
	}
	return rows
}

// A leak alarm holds the promotion, until it is overruled with a reason, which
// is recorded.
func TestLeakAlarmBlocksPromotion(t *testing.T) {
	dir := t.TempDir()
	all := smallWorld(t, 400, "run-all")
	set := append([]string{"--set", "evaluate.leak_roc_auc=0.55"}, all[:len(all)-1]...)
	out := finish(t, program(dir, append(set, "run-all")...))
	if out.code != 4 || !strings.Contains(out.stderr, "REJECT of v000") || !strings.Contains(out.stderr, "leak alarm of the training") || !strings.Contains(out.stdout, "LEAK ALARM: ROC-AUC") {
		t.Fatalf("code %d\n%s", out.code, out.stderr)
	}
	if aliases := churn(t, dir, append(set, "registry", "list")...); strings.Contains(aliases.stdout, "production") {
		t.Error("promoted in spite of the alarm")
	}
	for _, half := range [][]string{{"promote", "--force"}, {"promote", "--reason", "we know"}} {
		if out := finish(t, program(dir, append(set, half...)...)); out.code != 64 {
			t.Errorf("%v: code %d", half, out.code)
		}
	}
	churn(t, dir, append(set, "promote", "--force", "--reason", "checked by hand")...)
	report := readJSON[train.Report](t, filepath.Join(dir, "artifacts/metrics/train_latest.json"))
	selected := report.Selected()
	record := readJSON[struct{ Decision promote.Decision }](t, filepath.Join(dir, "artifacts/metrics/promote_latest.json")).Decision
	if record.Verdict != promote.Reject || record.Override != "checked by hand" || !strings.Contains(record.Reason, "too good to be true") {
		t.Errorf("recorded %s, %q: %s", record.Verdict, record.Override, record.Reason)
	}
	// Whoever looks at the model later, with the alarm's limit back where it was, sees it.
	churn(t, dir, append(all[:len(all)-1:len(all)-1], "report", "production", "--from", "2025-03-10", "--to", "2025-04-07")...)
	page, err := os.ReadFile(filepath.Join(dir, "artifacts/reports/model_"+selected.Version+"_from_2025-03-10_to_2025-04-07.html"))
	if err != nil || !strings.Contains(string(page), "too good to be true") || !strings.Contains(string(page), "checked by hand") {
		t.Errorf("the page hides the overruled alarm (%v)", err)
	}
}

// train --model fits one, and the bundle that it makes is that of the run with
// all models.
func TestTrainOneModel(t *testing.T) {
	dir, command := modelWorld(t)
	before := results(t, filepath.Join(dir, "artifacts/registry"))
	for _, name := range []string{train.ModelLogistic, train.ModelGBDT} {
		out := finish(t, program(dir, append([]string{"--json"}, command("train", "--model", name)...)...))
		if out.code != 0 && out.code != 4 { // among so few users chance decides whether it beats the floor
			t.Fatalf("%s: code %d\n%s", name, out.code, out.stderr)
		}
		var r train.Report
		if err := json.Unmarshal([]byte(out.stdout), &r); err != nil {
			t.Fatal(err)
		}
		if len(r.Models) != 1 || r.Models[0].Name != name || r.Selection.Name != name {
			t.Errorf("%s: %d models, selected %s", name, len(r.Models), r.Selection.Name)
		}
	}
	after := results(t, filepath.Join(dir, "artifacts/registry"))
	for path, digest := range before {
		if strings.HasSuffix(path, "bundle.json") && after[path] != digest {
			t.Errorf("%s changed", path)
		}
	}
	if len(after) != len(before) {
		t.Errorf("%d files in the registry before, %d after: a model fitted alone differs from the same among others", len(before), len(after))
	}
	if out := finish(t, program(dir, command("train", "--model", "forest")...)); out.code != 64 || !strings.Contains(out.stderr, `"forest" is unknown`) {
		t.Errorf("code %d: %s", out.code, out.stderr)
	}
}

// The law: a backtest's model of a date is the one that training as of that
// date makes: both have the same figures on what followed. And the periods do
// not overlap.
func TestBacktestTrainsAsOf(t *testing.T) {
	dir, command := modelWorld(t)
	r := decoded[backtest.Report](t, dir, command("backtest", "--every", "7", "--from", "2025-03-29")...)
	if len(r.Steps) == 0 || !r.Steps[0].Measured() {
		t.Fatalf("%+v", r)
	}
	for k, s := range r.Steps {
		if s.Last >= s.AsOf+7 || k > 0 && s.AsOf <= r.Steps[k-1].Last {
			t.Errorf("step %d of %s lasts to %s", k, s.AsOf, s.Last)
		}
	}
	s := r.Steps[0]
	trained := decoded[train.Report](t, dir, command("train", "--as-of", s.AsOf.String())...)
	e := decoded[evaluate.Evaluation](t, dir, command("evaluate", trained.Selected().Version, "--from", s.AsOf.String(), "--to", s.Last.String())...)
	if got, want := e.Cohort.Find(metric.PRAUC), s.PRAUC.Model; got.Value != want.Value || e.Cohort.Rows != s.Rows {
		t.Errorf("PR-AUC %v of %d rows by hand, %v of %d in the backtest", got.Value, e.Cohort.Rows, want.Value, s.Rows)
	}
	if !(r.Rows > s.Rows) || math.IsNaN(r.PRAUC.Difference.Value) {
		t.Errorf("all together %+v", r.PRAUC)
	}
}
