package cli_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"churn/internal/cli"
)

// actAsChurn makes the test binary the real program: tests that kill a process,
// or set its GOMAXPROCS, need one.
const actAsChurn = "TEST_BINARY_ACTS_AS_CHURN"

func TestMain(m *testing.M) {
	if os.Getenv(actAsChurn) != "" {
		ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) // as main does
		os.Exit(cli.Main(ctx, os.Args, os.Environ(), os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// program returns the real program with arguments, in the folder dir. It sees
// no CHURN_ variable of the machine.
func program(dir string, args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], args...)
	c.Dir = dir
	c.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "CHURN_") || strings.HasPrefix(v, "GOMAXPROCS=") })
	// By default a program with the race detector sleeps for a second as it ends.
	c.Env = append(c.Env, actAsChurn+"=1", "GORACE=atexit_sleep_ms=0", "SOURCE_DATE_EPOCH=1767225600")
	return c
}

// outcome is how a program ended.
type outcome struct {
	code           int
	stdout, stderr string
}

// finish runs a program to its end.
func finish(t *testing.T, c *exec.Cmd) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{c.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// churn runs one command line in dir, which must succeed.
func churn(t *testing.T, dir string, args ...string) outcome {
	t.Helper()
	out := finish(t, program(dir, args...))
	if out.code != 0 {
		t.Fatalf("churn %s: exit code %d\n%s", strings.Join(args, " "), out.code, out.stderr)
	}
	return out
}

// smallWorld returns the arguments of a command in a world of that many users,
// whose run-all takes a fraction of a second.
func smallWorld(t *testing.T, users int, command string) []string {
	t.Helper()
	worlds.Lock()
	defer worlds.Unlock()
	for seed := 1; worlds.seed[users] == 0; seed++ {
		if seed > 20 {
			t.Fatalf("no model beats the floor in 20 worlds of %d users: something is wrong with the models, or these settings are too small", users)
		}
		if out := finish(t, program(t.TempDir(), worldArgs(users, seed, "run-all")...)); out.code == 0 {
			worlds.seed[users] = seed
		}
	}
	return worldArgs(users, worlds.seed[users], command)
}

// worlds remembers, by number of users, the first seed with a model that beats
// the floor: among so few users chance decides, about one world in ten fails.
var worlds = struct {
	sync.Mutex
	seed map[int]int
}{seed: map[int]int{}}

func worldArgs(users, seed int, command string) []string {
	return []string{"--set", fmt.Sprint("generate.users=", users), "--set", fmt.Sprint("generate.seed=", seed), "--set", "generate.days=130",
		"--set", "train.bootstrap=20", "--set", "train.gbdt.max_iter=30", "--set", "train.gbdt.max_leaf_nodes=8", "--set", "train.gbdt.min_samples_leaf=50",
		"--set", "features.windows_days=7,30", "--set", "prepare.write_events=true", command}
}

// results returns the digest of every file under dir by its path. Locks and leases
// are no results.
func results(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && d.Name() == "leases" {
			return filepath.SkipDir
		}
		if err != nil || d.IsDir() || d.Name() == ".lock" {
			return err
		}
		data, err := os.ReadFile(path)
		sum := sha256.Sum256(data)
		rel, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(rel)] = hex.EncodeToString(sum[:])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// sameResults fails the test where the files under two results differ.
func sameResults(t *testing.T, what string, want, got map[string]string) {
	t.Helper()
	if len(want) == 0 {
		t.Errorf("%s: nothing to compare", what)
	}
	all := maps.Clone(want)
	maps.Copy(all, got)
	for _, path := range slices.Sorted(maps.Keys(all)) {
		switch {
		case want[path] == "":
			t.Errorf("%s: %s should not be there", what, path)
		case got[path] == "":
			t.Errorf("%s: %s is missing", what, path)
		case want[path] != got[path]:
			t.Errorf("%s: %s has other bytes", what, path)
		}
	}
}

// writeFile writes a file and its folders.
func writeFile(t *testing.T, path, text string) {
	t.Helper()
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644))
	if err != nil {
		t.Fatal(err)
	}
}
