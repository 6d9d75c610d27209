package cli_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"churn/registry"
)

// retrainUsers is the number of users of retrainWorld, and of no other world.
const retrainUsers = 401

// retrainWorld makes a workspace with a poor logistic model in production, and
// returns the arguments by which retrain replaces it: among so few users chance
// decides in which world it can prove that it is better.
func retrainWorld(t *testing.T) (dir string, args []string) {
	t.Helper()
	worlds.Lock()
	defer worlds.Unlock()
	first := max(worlds.seed[retrainUsers], 4)
	for seed := first; seed < 24; seed++ {
		dir = t.TempDir()
		world := worldArgs(retrainUsers, seed, "")
		world = slices.Concat(world[:len(world)-1], []string{"--set", "train.models=logistic", "--set", "registry.keep_days=0"})
		poor := []string{"--set", "train.logistic.max_epochs=1", "--set", "train.logistic.l2_regularization=1e7", "run-all"}
		if finish(t, program(dir, slices.Concat(world, poor)...)).code != 0 {
			continue
		}
		args = slices.Concat(world, []string{"--set", "promote.min_users=50", "--set", "promote.confidence=0.5", "--set", "promote.metrics.pr_auc.gain=0", "retrain", "--force"})
		if worlds.seed[retrainUsers] == seed {
			return dir, args
		}
		probe := t.TempDir()
		copyFolder(t, probe, dir)
		if finish(t, program(probe, args...)); retrained(t, probe).Outcome == "promoted" {
			worlds.seed[retrainUsers] = seed
			return dir, args
		}
	}
	t.Fatal("in none of 20 worlds a better model is proven better: something is wrong with the gate, or these settings are too small")
	return "", nil
}

// lately is what a test reads of retrain's report.
type lately struct{ Outcome, Champion, Reason string }

func retrained(t *testing.T, dir string) lately {
	t.Helper()
	return readJSON[lately](t, filepath.Join(dir, "artifacts/metrics/retrain_latest.json"))
}

// The law: retrain, killed at any moment, leaves a registry that reads, with one
// model in production, and the same command then ends as one that was not
// disturbed: it promotes.
func TestKillRetrain(t *testing.T) {
	world, args := retrainWorld(t)
	calm := letRun(t, world, args)
	for i := range killCount(t) {
		if dir := calm.killed(t, i); dir != "" {
			sameResults(t, "after a kill", calm.want, standing(t, dir))
		}
	}
}

// hook is a webhook that keeps what it is told.
type hook struct {
	sync.Mutex
	told []lately
	hear func() // called at every message
}

func startHook(t *testing.T) (*hook, string) {
	t.Helper()
	h := &hook{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var said lately
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &said)
		}
		if err != nil {
			t.Errorf("%v: %s", err, body)
		}
		h.Lock()
		defer h.Unlock()
		h.told = append(h.told, said)
		if h.hear != nil {
			h.hear()
		}
	}))
	t.Cleanup(server.Close)
	return h, server.URL
}

// The law: a run that is killed after production has moved, and before it could
// say so, is taken up without training anything anew, ends as if undisturbed, and
// tells again what it came to.
func TestKilledAfterTheSwap(t *testing.T) {
	world, args := retrainWorld(t)
	h, url := startHook(t)
	command := len(args) - 2
	args = slices.Concat(args[:command], []string{"--set", "retrain.webhook=" + url}, args[command:])
	calm := letRun(t, world, args)
	dir := t.TempDir()
	copyFolder(t, dir, world)
	c := program(dir, args...)
	h.Lock()
	h.hear = func() { c.Process.Kill() } //nolint:errcheck // seen by what follows
	err := c.Start()
	h.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if c.Wait() == nil {
		t.Fatal("it was not killed")
	}
	h.Lock()
	h.hear = nil
	h.Unlock()
	r, err := registry.Open(t.Context(), filepath.Join(dir, "artifacts/registry"))
	if err != nil {
		t.Fatal(err)
	}
	if aliases, err := r.Aliases(t.Context()); err != nil || aliases.Production == retrained(t, dir).Champion {
		t.Fatalf("production had not moved yet: %+v, %v", aliases, err)
	}
	out := finish(t, program(dir, args...))
	if out.code != 0 || !strings.Contains(out.stdout, "train     up to date") {
		t.Errorf("code %d: it trained again\n%s%s", out.code, out.stdout, out.stderr)
	}
	sameResults(t, "after a kill behind the swap", calm.want, standing(t, dir))
	if len(h.told) != 3 || slices.ContainsFunc(h.told, func(said lately) bool { return said.Outcome != "promoted" }) {
		t.Errorf("the webhook was told %+v", h.told)
	}
}

// The law: a dry run writes nothing into results and registry.
func TestDryRunLeavesNothing(t *testing.T) {
	world, args := retrainWorld(t)
	before := standing(t, world)
	out := finish(t, program(world, append(args, "--dry-run")...))
	if out.code != 0 || !strings.Contains(out.stdout, "* force") {
		t.Fatalf("code %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	after := standing(t, world)
	for path := range after {
		if strings.Contains(path, "registry/leases/") {
			delete(after, path)
		}
	}
	sameResults(t, "after a dry run", before, after)
}

// The law: of retrains that start together at least one works, and none fails.
func TestRetrainsTogether(t *testing.T) {
	world, args := retrainWorld(t)
	args = append(args, "--dry-run")
	for round := range 5 {
		outs := make([]outcome, 3)
		var wait sync.WaitGroup
		for i := range outs {
			wait.Go(func() { outs[i] = finish(t, program(world, args...)) })
		}
		wait.Wait()
		worked := 0
		for _, out := range outs {
			if strings.Contains(out.stdout, "* force") {
				worked++
			} else if !strings.Contains(out.stdout, "another one runs") {
				t.Errorf("round %d: %+v", round, out)
			}
			if out.code != 0 {
				t.Errorf("round %d: code %d, %s", round, out.code, out.stderr)
			}
		}
		if worked == 0 {
			t.Errorf("round %d: none worked", round)
		}
	}
}

// A run that fails says so to monitors and webhook, and a check that finds
// nothing to do leaves the outcome of the run before in sight.
func TestRetrainTells(t *testing.T) {
	world, args := retrainWorld(t)
	h, url := startHook(t)
	command := len(args) - 2
	set := slices.Concat(args[:command], []string{"--set", "retrain.webhook=" + url})
	gauge := func(file string) string {
		text, err := os.ReadFile(filepath.Join(world, "artifacts/metrics", file))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	churn(t, world, slices.Concat(set, []string{"retrain", "--force"})...)
	churn(t, world, slices.Concat(set, []string{"retrain"})...)
	if text := gauge("churn_retrain.prom"); !strings.Contains(text, `churn_retrain_outcome{outcome="promoted"} 1`) {
		t.Errorf("after a check that found nothing to do:\n%s", text)
	}
	if text := gauge("churn_retrain_due.prom"); !strings.Contains(text, "churn_retrain_due 0") {
		t.Errorf("%s", text)
	}
	if out := finish(t, program(world, slices.Concat(set, []string{"--set", "validate.max_reject_rate=0", "--set", "source.events=nowhere.csv", "retrain", "--force"})...)); out.code == 0 {
		t.Errorf("without events: %+v", out)
	}
	if text := gauge("churn_retrain.prom"); !strings.Contains(text, `churn_retrain_outcome{outcome="failed"} 1`) || !strings.Contains(text, `{outcome="promoted"} 0`) {
		t.Errorf("after a failure:\n%s", text)
	}
	var outcomes []string
	for _, said := range h.told {
		outcomes = append(outcomes, said.Outcome)
	}
	if want := []string{"promoted", "not due", "failed"}; !slices.Equal(outcomes, want) || !strings.Contains(h.told[2].Reason, "nowhere.csv") {
		t.Errorf("the webhook was told %v (%s), not %v", outcomes, fmt.Sprint(h.told), want)
	}
}
