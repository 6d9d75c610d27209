package serving

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"churn/model/metric"
	"churn/pipeline/evaluate"
	"churn/pipeline/monitor/alarms"
	"churn/pipeline/train"
	"churn/registry"
	"churn/server"
)

// twoVersions returns a registry whose v0002 is in production, after v0001.
func twoVersions(t *testing.T) *registry.Registry {
	t.Helper()
	r, err := registry.Open(t.Context(), "mem://")
	if err != nil {
		t.Fatal(err)
	}
	before := ""
	for i := range 2 {
		report := train.Report{WindowDays: 30, TestUsers: 9 + i, Split: train.Split{TrainFirst: 20000, TrainLast: 20010, TestFirst: 20050, TestLast: 20060, TrainRows: 100, TestRows: 40, TrainRate: 0.2, TestRate: 0.1},
			Models:    []train.Measured{{Name: "gbdt", Estimates: []metric.Estimate{{Name: "pr_auc", Value: 0.4, Low: 0.3, High: 0.5}, {Name: "brier", Value: math.NaN(), Low: math.NaN(), High: math.NaN()}}}},
			Rule:      train.Measured{Name: train.NameRule, Estimates: []metric.Estimate{{Name: "pr_auc", Value: 0.3, Low: 0.2, High: 0.4}}},
			Selection: train.Selection{Name: "gbdt", Reason: "better"}, Warnings: []string{"the churn rate moved"},
			Verdicts: []train.Verdict{{Name: "gbdt", OverRule: metric.Estimate{Value: 0.1, Low: 0.05, High: 0.15}, Warning: "perhaps"}}}
		text, err := json.Marshal(report)
		if err != nil {
			t.Fatal(err)
		}
		c := registry.Candidate{Kind: "gbdt", AsOf: 20060, Metrics: map[string]float64{"pr_auc": 0.4}, Lineage: registry.Lineage{CodeVersion: "v9"},
			Files: map[string][]byte{registry.BundleFile: fmt.Append(nil, "bundle ", i), registry.MetricsFile: text, registry.CardFile: []byte("# card")}}
		m, _, err := r.Register(t.Context(), c, time.Unix(int64(i), 0))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Move(t.Context(), registry.Move{Action: registry.ActionPromote, From: before, To: m.Version, Actor: "ann", Verdict: "PROMOTE"}); err != nil {
			t.Fatal(err)
		}
		before = m.Version
	}
	return r
}

// A card is what the training and the latest evaluation say.
func TestCard(t *testing.T) {
	cards := &Cards{Registry: twoVersions(t), Metrics: t.TempDir()}
	card, err := cards.Card(t.Context(), registry.Production)
	if err != nil {
		t.Fatal(err)
	}
	if card.Version != "v0002" || card.Code != "v9" || card.TestUsers != 10 || card.Test != (server.Period{First: "2024-11-23", Last: "2024-12-03", Rows: 40, ChurnRate: 0.1}) || card.Evaluated != nil || string(card.Text) != "# card" {
		t.Errorf("%+v", card)
	}
	pr := card.Measures[0]
	if pr.Name != "pr_auc" || pr.Model != (server.Estimate{Value: 0.4, Low: 0.3, High: 0.5}) || pr.Rule != (server.Estimate{Value: 0.3, Low: 0.2, High: 0.4}) || !math.IsNaN(pr.Floor.Value) || !math.IsNaN(card.Measures[1].Model.Value) {
		t.Errorf("measures %+v", card.Measures)
	}
	if card.OverRule != (server.Estimate{Value: 0.1, Low: 0.05, High: 0.15}) || card.Chosen != "better" || !cmp.Equal(card.Warnings, []string{"the churn rate moved", "perhaps"}) {
		t.Errorf("%+v", card)
	}
	e := evaluate.Evaluation{Version: "v0002", Importance: []evaluate.Importance{{Feature: "f", Title: "a feature", Mean: 0.2}}}
	e.Calibration.Reliability = metric.Reliability{ECE: 0.02, ExpectedECE: 0.01, Bins: []metric.Bin{{Rows: 4, Users: 3, MeanProb: 0.2, Rate: 0.25, RateLow: 0.1, RateHigh: 0.4}}}
	put(t, filepath.Join(cards.Metrics, "evaluation_v0002.json"), e)
	if card, err = cards.Card(t.Context(), "v0002"); err != nil || card.Evaluated == nil || card.Evaluated.Error != 0.02 || card.Evaluated.Bins[0] != (server.CalibrationBin{Rows: 4, Users: 3, MeanRisk: 0.2, Left: server.Estimate{Value: 0.25, Low: 0.1, High: 0.4}}) || card.Evaluated.Importance[0].Title != "a feature" {
		t.Errorf("%+v %v", card.Evaluated, err)
	}
	if err := os.WriteFile(filepath.Join(cards.Metrics, "evaluation_v0002.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := cards.Card(t.Context(), "v0002"); err == nil || !strings.Contains(err.Error(), "churn evaluate v0002") {
		t.Errorf("a damaged evaluation: %v", err)
	}
	if _, err := cards.Card(t.Context(), "v0009"); err == nil {
		t.Error("a version that is not there has a card")
	}
}

func put(t *testing.T, path string, v any) {
	t.Helper()
	text, err := json.Marshal(v)
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The past is the ledger, and a roll-back is one of its moves.
func TestLedger(t *testing.T) {
	r := twoVersions(t)
	l := &Ledger{Registry: r}
	l.Back = func(ctx context.Context, to, reason, actor string) (registry.Entry, error) {
		return r.Move(ctx, registry.Move{Action: registry.ActionRollback, From: "v0002", To: to, Actor: actor, Reason: reason})
	}
	if _, _, err := r.Register(t.Context(), registry.Candidate{Kind: "logistic", Files: map[string][]byte{registry.BundleFile: []byte("never promoted")}}, time.Unix(9, 0)); err != nil {
		t.Fatal(err)
	}
	past, err := l.Past(t.Context())
	if err != nil || past.Production != "v0002" || past.Previous != "v0001" || len(past.Versions) != 3 || !past.Versions[0].Served || past.Versions[2].Served || len(past.Moves) != 2 || past.Versions[0].PRAUC != 0.4 || past.Moves[1].Verdict != "PROMOTE" || past.Fault != "" {
		t.Fatalf("%+v %v", past, err)
	}
	for _, to := range []string{"v0002", "production", "v0003", "v0009", "nonsense", "challenger"} {
		var faults server.Faults
		if _, err := l.RollBack(t.Context(), server.Return{To: to, Reason: "x"}); !errors.As(err, &faults) || faults[0].Field != "/to" {
			t.Errorf("to %s: %v", to, err)
		}
	}
	back := l.Back
	for want, fault := range map[int]error{409: fmt.Errorf("v0001: %w: no", ErrUnsound), 0: errors.New("disk")} {
		l.Back = func(context.Context, string, string, string) (registry.Entry, error) { return registry.Entry{}, fault }
		_, err := l.RollBack(t.Context(), server.Return{To: "previous", Reason: "x"})
		var p *server.Problem
		if errors.As(err, &p) != (want > 0) || p != nil && (p.Status != want || !strings.Contains(p.Detail, "production stays v0002")) {
			t.Errorf("%v: %v", fault, err)
		}
	}
	l.Back = back
	move, err := l.RollBack(t.Context(), server.Return{To: "previous", Reason: "wrong ones", Actor: "key boss"})
	if err != nil || move.To != "v0001" || move.Actor != "key boss" || move.Number != 3 {
		t.Errorf("%+v %v", move, err)
	}
	var p *server.Problem
	if _, err := l.RollBack(t.Context(), server.Return{To: "v0002", Reason: "x"}); !errors.As(err, &p) || p.Status != 409 { // Back still believes in v0002
		t.Errorf("moved meanwhile: %v", err)
	}
}

// driftFile writes a report as `churn monitor drift` does.
func driftFile(t *testing.T, dir, asOf, status string) {
	t.Helper()
	put(t, filepath.Join(dir, "data_drift_"+asOf+".json"), json.RawMessage(`{"status":"`+status+`","psi_by_feature":{},"as_of_date":"`+asOf+`","model_version":"v0002","rows":40,"users":39,"reasons":["it moved"],
"level":{"status":"OK","reference":"training","features":[{"name":"events_7d","status":"warn","psi":0.15,"warn_limit":0.1,"fail_limit":0.25,"missing":0.5,"importance":0.4,"cells":[{"label":"≤ 3","before":0.4,"now":0.6}]},{"name":"plan","status":"fail","psi":0.3,"psi_when_made":0.25}],
"score":{"name":"score","status":"ok","psi":0.02},"moved_importance":0.4,"failed_importance":0.3,"moved_limit":0.2},"step":{"jumped":["plan"],"strange":[]}}`))
}

func TestDrifts(t *testing.T) {
	d := &Drifts{Metrics: t.TempDir(), Title: func(name string) string { return map[string]string{"events_7d": "events in the last 7 days"}[name] }}
	if all, err := d.Drifts(t.Context()); err != nil || len(all) != 0 {
		t.Fatalf("%v %v", all, err)
	}
	driftFile(t, d.Metrics, "2026-04-23", "OK")
	driftFile(t, d.Metrics, "2026-04-30", "FAIL")
	put(t, filepath.Join(d.Metrics, "data_drift_latest.json"), "not read")
	for range 2 { // the second time from memory
		all, err := d.Drifts(t.Context())
		if err != nil || len(all) != 2 || all[0].AsOf != "2026-04-23" || all[1].Status != "fail" {
			t.Fatalf("%+v %v", all, err)
		}
		want := server.Drifted{Name: "events_7d", Title: "events in the last 7 days", Status: "warn", PSI: 0.15, WarnLimit: 0.1, FailLimit: 0.25, Missing: 0.5, Importance: 0.4, Cells: []server.Cell{{Name: "≤ 3", Before: 0.4, Now: 0.6}}}
		if diff := cmp.Diff(want, all[1].Features[0]); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if x := all[1].Features[1]; !x.Sudden || x.Title != "plan" || x.Discounted != "as on the day the model was made (PSI 0.250)" || all[1].Score == nil || all[1].Moved != 0.4 || all[1].Failed != 0.3 || all[1].Limit != 0.2 {
			t.Errorf("%+v", all[1])
		}
	}
	driftFile(t, d.Metrics, "2026-04-30", "WARN")
	if err := os.Chtimes(filepath.Join(d.Metrics, "data_drift_2026-04-30.json"), time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if all, err := d.Drifts(t.Context()); err != nil || all[1].Status != "warn" {
		t.Errorf("a changed file: %+v %v", all, err)
	}
	if err := os.WriteFile(filepath.Join(d.Metrics, "data_drift_2026-05-07.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Drifts(t.Context()); err == nil || !strings.Contains(err.Error(), "churn monitor drift") {
		t.Errorf("a damaged file: %v", err)
	}
}

func TestAlarms(t *testing.T) {
	a := &Alarms{alarms.Store{Path: filepath.Join(t.TempDir(), "alarms.json")}}
	if _, err := a.Alarms(t.Context()); !errors.Is(err, server.ErrNotKept) {
		t.Errorf("without a file: %v", err)
	}
	put(t, a.Store.Path, json.RawMessage(`{"format":1,"evaluated":"2026-04-30T07:00:00Z","alarms":[{"alarm":"a","state":"pending","since":"2026-04-30T06:00:00Z","summary":"late"},{"alarm":"b","state":"inactive","since":"2026-04-30T06:00:00Z"},{"alarm":"c","state":"firing","since":"2026-04-30T06:00:00Z"},{"alarm":"d","state":"resolved","since":"2026-04-30T06:00:00Z"}]}`))
	got, err := a.Alarms(t.Context())
	want := []server.Alarm{{Name: "c", State: "firing", Since: time.Date(2026, 4, 30, 6, 0, 0, 0, time.UTC), Text: "c"}, {Name: "a", State: "pending", Since: time.Date(2026, 4, 30, 6, 0, 0, 0, time.UTC), Text: "late"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	put(t, a.Store.Path, json.RawMessage(`{"format":2}`))
	if _, err := a.Alarms(t.Context()); err == nil {
		t.Error("another format was read")
	}
}
