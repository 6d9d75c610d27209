package cli_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"churn/pipeline/promote"
	"churn/pipeline/train"
	"churn/registry"
	"churn/server"
)

// swapSides puts the model that training selected beside production, and the
// other one into production, and returns both.
func swapSides(t *testing.T, dir string) (champion, challenger string) {
	t.Helper()
	report := readJSON[train.Report](t, filepath.Join(dir, "artifacts/metrics/train_latest.json"))
	challenger = report.Selected().Version
	for _, m := range report.Verdicts {
		if v := m.Version; v != "" && v != challenger {
			champion = v
		}
	}
	r, err := registry.Open(t.Context(), filepath.Join(dir, "artifacts/registry"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []registry.Move{{Action: registry.ActionPromote, From: challenger, To: champion}, {Action: registry.ActionChallenger, To: challenger}} {
		m.Actor, m.Reason, m.Time = "test", "to compare", time.Now()
		if _, err := r.Move(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	return champion, challenger
}

// predict asks for the risk of a user of whom little is known.
func (r running) predict(t *testing.T, user int) (got server.Prediction) {
	t.Helper()
	body := fmt.Sprintf(`{"user_id":%d,"snapshot_date":"2025-05-01","features":{"plan":"free","active_days_30d":%d}}`, user, user%30)
	answer, err := http.Post(r.url+"/predict", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil || answer.StatusCode != 200 {
		t.Fatal(answer.Status, err)
	}
	return got
}

// loggedReport is what `churn predictions` prints.
type loggedReport struct {
	Rows   int64
	Torn   int `json:"torn_files"`
	Users  int
	Latest []struct {
		UserID string  `json:"user_id"`
		Model  string  `json:"model_version"`
		Risk   float64 `json:"churn_risk"`
		AsOf   string  `json:"as_of_date"`
		Inputs map[string]any
	}
}

// The laws: what was answered stands in the log, bit for bit and with its
// inputs, although the server was killed or told to end; the second model has
// scored the same rows, which /model and the metrics tell, and which the gate
// shows.
func TestServeKeepsAndCompares(t *testing.T) {
	dir, command := modelWorld(t)
	champion, challenger := swapSides(t, dir)
	args := command("--set", "serve.log.sample=1", "--set", "serve.log.flush_every=20ms", "--set", "serve.shadow=challenger")
	answers := map[string]server.Prediction{}
	ask := func(r running, from, to int) {
		for user := from; user < to; user++ {
			p := r.predict(t, user)
			answers[p.User] = p
		}
	}

	r := startServe(t, dir, nil, args...)
	ask(r, 0, 20)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		_, metrics := r.ask(t, "GET", "/metrics", "")
		if strings.Contains(metrics, "\nchurn_predictionlog_kept_total 40\n") && strings.Contains(metrics, "\nchurn_shadow_rows_total 20\n") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not all rows are kept and compared:\n%s", metrics)
		}
	}
	var model server.ModelAnswer
	if _, body := r.ask(t, "GET", "/model", ""); json.Unmarshal([]byte(body), &model) != nil || model.Version != champion || model.Shadow == nil || model.Shadow.Model.Version != challenger || model.Shadow.Comparison == nil || model.Shadow.Comparison.Rows != 20 {
		t.Errorf("/model: %s", body)
	}
	r.kill(t)

	r = startServe(t, dir, nil, args...)
	ask(r, 20, 50)
	if code := r.stop(); code != 0 {
		t.Fatalf("exit code %d\n%s", code, r.log)
	}
	got := decoded[loggedReport](t, dir, "predictions", "--last", "100")
	if got.Rows != 50 || got.Users != 50 || got.Torn != 0 || len(got.Latest) != 50 {
		t.Fatalf("%+v", got)
	}
	for _, l := range got.Latest {
		if p := answers[l.UserID]; l.Risk != p.Risk || l.Model != champion || l.AsOf != "2025-05-01" || l.Inputs["plan"] != "free" || l.Inputs["logins_7d"] != nil || l.Inputs["active_days_30d"] == nil {
			t.Errorf("logged %+v, answered %+v", l, p.Outcome)
		}
	}
	if s := decoded[loggedReport](t, dir, "predictions", "--shadow", "--user", "7"); s.Rows != 1 || s.Latest[0].Model != challenger {
		t.Errorf("%+v", s)
	}
	rows, err := csv.NewReader(strings.NewReader(churn(t, dir, "predictions", "--csv").stdout)).ReadAll()
	if err != nil || len(rows) != 51 || len(rows[0]) < 40 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	if text := churn(t, dir, "predictions").stdout; !strings.Contains(text, "50 of 50 users") || strings.Count(text, "\n") != 13 {
		t.Errorf("%s", text)
	}

	out := finish(t, program(dir, command("--json", "promote")...))
	var decided struct{ Decision promote.Decision }
	if err := json.Unmarshal([]byte(out.stdout), &decided); err != nil {
		t.Fatalf("%d %s %s", out.code, out.stdout, out.stderr)
	}
	if c := decided.Decision.Find("shadow"); c.Outcome != promote.Pass || !strings.Contains(c.Text, fmt.Sprintf("beside %s it scored 30 requests", champion)) && !strings.Contains(c.Text, "it scored 50 requests") {
		t.Errorf("%+v", c)
	}
	privateFiles(t, filepath.Join(dir, "data/predictions/log"))
}

// privateFiles fails if anybody but the owner can read what a folder holds.
func privateFiles(t *testing.T, folder string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// Without settings nothing is kept, and a log that cannot be written is a fault
// of the settings before anybody is answered.
func TestServeKeepsNothingByDefault(t *testing.T) {
	dir := t.TempDir()
	r := startServe(t, dir, nil)
	if code := r.stop(); code != 0 || !strings.Contains(r.log.String(), "serve.log.sample=1") {
		t.Errorf("%d %s", code, r.log)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 1 { // the registry
		t.Errorf("%v %v", left, err)
	}
	if out := churn(t, dir, "predictions"); !strings.Contains(out.stdout, "none in") {
		t.Errorf("%s", out.stdout)
	}
	writeFile(t, filepath.Join(dir, "file"), "")
	for _, c := range []struct{ set, want string }{
		{"serve.log.folder=file/log", "serve.log.folder"}, {"serve.log.sample=2", "serve.log.sample"}, {"serve.shadow=production", "serve.shadow"},
	} {
		if out := finish(t, program(dir, "--set", "serve.log.sample=1", "--set", c.set, "serve")); out.code != 78 || !strings.Contains(out.stderr, c.want) {
			t.Errorf("%s: %d %s", c.set, out.code, out.stderr)
		}
	}
	for _, args := range [][]string{{"--from", "soon"}, {"--to", "30.4."}, {"--as-of", "x"}} {
		if out := finish(t, program(dir, append([]string{"predictions"}, args...)...)); out.code != 64 || !strings.Contains(out.stderr, args[0]) {
			t.Errorf("%v: %+v", args, out)
		}
	}
}
