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
		churn(t, dir, slices.Concat(other, []string{"train"})...)
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

// undisturbed is how a command ends that nobody kills, and how long it takes.
type undisturbed struct {
	world    string // folder in which it starts
	args     []string
	duration time.Duration
	want     map[string]string // results, by path
}

// letRun runs a command in a copy of a world. It may end by holding a model back.
func letRun(t *testing.T, world string, args []string) undisturbed {
	t.Helper()
	calm := t.TempDir()
	copyFolder(t, calm, world)
	started := time.Now()
	if out := finish(t, program(calm, args...)); out.code != 0 && out.code != 4 {
		t.Fatalf("undisturbed: code %d\n%s", out.code, out.stderr)
	}
	return undisturbed{world, args, time.Since(started), standing(t, calm)}
}

// killed kills the command at a random moment and lets it run again. It returns
// the folder, "" where the command had ended before: then it has run twice.
func (u undisturbed) killed(t *testing.T, seed int) (dir string) {
	t.Helper()
	rng, dir := rand.New(rand.NewPCG(uint64(seed), 300)), t.TempDir()
	copyFolder(t, dir, u.world)
	moment := time.Duration(rng.Int64N(int64(u.duration)))
	killed := killAt(t, dir, u.args, moment)
	sound(t, dir, fmt.Sprintf("killed=%v after %v", killed, moment))
	u.again(t, dir, fmt.Sprintf("a kill at %v", moment))
	if !killed {
		return ""
	}
	return dir
}

// again runs the command once more, which must end well.
func (u undisturbed) again(t *testing.T, dir, after string) {
	t.Helper()
	if out := finish(t, program(dir, u.args...)); out.code != 0 && out.code != 4 {
		t.Fatalf("after %s: code %d\n%s", after, out.code, out.stderr)
	}
	sound(t, dir, "afterwards")
}

// The law: promote, rollback and gc, killed at any moment, leave a registry that
// reads and whose chain verifies, with one model in production, and the same
// command then succeeds; promote ends as one that was not disturbed.
func TestKillRegistry(t *testing.T) {
	world, set := twoModels(t)
	for _, command := range [][]string{{"promote", "--force", "--reason", "a third one"}, {"registry", "rollback", "--reason", "by hand"}, {"registry", "gc"}} {
		t.Run(strings.Join(command[:2], " "), func(t *testing.T) {
			t.Parallel()
			calm := letRun(t, world, slices.Concat(set, command))
			for i := range killCount(t) {
				dir := calm.killed(t, i)
				if dir != "" && command[0] == "promote" { // a second rollback is another one, and gc keeps a time
					sameResults(t, "after a kill", calm.want, standing(t, dir))
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
