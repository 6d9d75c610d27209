package cli_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"churn/registry"
)

// killCount returns how often each command of the registry is killed:
// `make test-kill` asks for 75, 300 kills in all.
func killCount(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("CHURN_TEST_KILLS"))
	if os.Getenv("CHURN_TEST_KILLS") == "" {
		return 2
	}
	if err != nil || n < 1 {
		t.Fatalf("CHURN_TEST_KILLS=%q is not a number of kills", os.Getenv("CHURN_TEST_KILLS"))
	}
	return n
}

// twoModels makes a workspace in which v0001 or v0002 is in production, another
// version was before, and a third training waits.
func twoModels(t *testing.T) (dir string, set []string) {
	t.Helper()
	dir = t.TempDir()
	all := smallWorld(t, 80, "run-all")
	set = slices.Concat(all[:len(all)-1], []string{"--set", "registry.keep_days=0"})
	churn(t, dir, slices.Concat(set, []string{"run-all"})...)
	for _, l2 := range []string{"7", "13"} {
		other := slices.Concat(set, []string{"--set", "train.logistic.l2_regularization=" + l2, "--set", "train.models=logistic"})
		if out := finish(t, program(dir, slices.Concat(other, []string{"train"})...)); out.code != 0 {
			t.Skipf("no second model in this world: %s", out.stderr)
		}
		if l2 == "7" {
			churn(t, dir, slices.Concat(other, []string{"promote", "--force", "--reason", "a second one"})...)
		}
	}
	return dir, set
}

// sound fails the test unless the registry reads, its chain holds, and exactly
// one version is in production, whole.
func sound(t *testing.T, dir, when string) {
	t.Helper()
	r, err := registry.Open(t.Context(), dir+"/artifacts/registry")
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	if report, err := r.Verify(t.Context(), nil); err != nil || len(report.Faults) > 0 {
		t.Fatalf("%s: %v %+v", when, err, report.Faults)
	}
	aliases, err := r.Aliases(t.Context())
	if err != nil || aliases.Production == "" {
		t.Fatalf("%s: aliases %+v, %v", when, aliases, err)
	}
	if _, err := r.Load(t.Context(), registry.Production); err != nil {
		t.Fatalf("%s: %v", when, err)
	}
}

// The law: promote, rollback, gc and retrain, killed at any moment, leave a
// registry that reads and whose chain verifies, with one model in production,
// and the same command then succeeds and ends as one that was not disturbed.
func TestKillRegistry(t *testing.T) {
	world, set := twoModels(t)
	for _, command := range [][]string{
		{"promote", "--force", "--reason", "a third one"}, {"registry", "rollback", "--reason", "by hand"}, {"registry", "gc"}, {"retrain", "--force"},
	} {
		t.Run(strings.Join(command[:2], " "), func(t *testing.T) {
			t.Parallel()
			args := slices.Concat(set, command)
			calm := t.TempDir()
			copyFolder(t, calm, world)
			started := time.Now()
			if out := finish(t, program(calm, args...)); out.code != 0 && out.code != 4 {
				t.Fatalf("undisturbed: code %d\n%s", out.code, out.stderr)
			}
			duration, want := time.Since(started), standing(t, calm)
			for i := range killCount(t) {
				rng := rand.New(rand.NewPCG(uint64(i), 300))
				dir := t.TempDir()
				copyFolder(t, dir, world)
				moment := time.Duration(rng.Int64N(int64(duration)))
				killed := killAt(t, dir, args, moment)
				sound(t, dir, fmt.Sprintf("killed=%v after %v", killed, moment))
				if out := finish(t, program(dir, args...)); out.code != 0 && out.code != 4 {
					t.Fatalf("after a kill at %v: code %d\n%s", moment, out.code, out.stderr)
				}
				sound(t, dir, "afterwards")
				if got := standing(t, dir); command[0] != "registry" {
					sameResults(t, fmt.Sprintf("after a kill at %v", moment), want, got)
				}
			}
		})
	}
}

func copyFolder(t *testing.T, to, from string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}
