package cli_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The law: same inputs, same bytes, whatever the number of processors: run
// twice in one folder, in another, and as two processes, one for the data and one
// for the model, all files are identical, the bundles of both models included
// (with the time of records fixed by SOURCE_DATE_EPOCH).
func TestSameBytes(t *testing.T) {
	for _, format := range []string{"csv", "parquet"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			// 400 users fill several buckets and blocks, so that workers have to share.
			args := append([]string{"--set", "data.format=" + format}, smallWorld(t, 400, "run-all")...)
			run := func(dir, processors string, args ...string) map[string]string {
				c := program(dir, args...)
				c.Env = append(c.Env, "GOMAXPROCS="+processors)
				if out := finish(t, c); out.code != 0 {
					t.Fatalf("exit code %d\n%s", out.code, out.stderr)
				}
				return results(t, dir)
			}
			one := t.TempDir()
			first := run(one, "1", args...)
			for _, path := range []string{"artifacts/registry/versions/v0001.json", "artifacts/registry/versions/v0002.json", "artifacts/registry/ledger/00000001.json", "data/features/training_dataset." + format, "data/processed/events_clean." + format} {
				if first[path] == "" {
					t.Errorf("%s was not made, so not compared", path)
				}
			}
			sameResults(t, "a second run in the same folder", first, run(one, "2", args...))
			sameResults(t, "a run with two processors", first, run(t.TempDir(), "2", args...))
			sameResults(t, "a run with seven processors", first, run(t.TempDir(), "7", args...))
			split, settings := t.TempDir(), args[:len(args)-1]
			for k, command := range []string{"generate", "prepare", "features", "labels", "train", "promote", "score", "report"} {
				run(split, []string{"1", "2", "7"}[k%3], slices.Concat(settings, []string{command})...)
			}
			sameResults(t, "one process for each stage", first, results(t, split))
		})
	}
}

// killAt starts the program and kills it after a while. It reports false if
// the program ended before.
func killAt(t *testing.T, dir string, args []string, after time.Duration) bool {
	t.Helper()
	c := program(dir, args...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(after)
	if err := c.Process.Kill(); err != nil {
		c.Wait() //nolint:errcheck // it ended before
		return false
	}
	return c.Wait() != nil
}

// standing returns the files of a killed run that stand under a final name:
// all but temporary ones and the mark of an unfinished generate.
func standing(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := results(t, dir)
	for path := range files {
		if strings.Contains(path, ".tmp-") || filepath.Base(path) == ".generate-unfinished" {
			delete(files, path)
		}
	}
	return files
}

// The law: run-all, killed at any moment, leaves no half-written file under a
// final name, and the next run ends with the results of an undisturbed one.
// Every file of a run has one possible content, so a file is whole if and only
// if it has the digest of the undisturbed run.
func TestKill(t *testing.T) {
	args := smallWorld(t, 80, "run-all")
	calm := t.TempDir()
	started := time.Now()
	churn(t, calm, args...)
	duration, want := time.Since(started), results(t, calm)

	folders := 40 // of which every fourth is killed twice in a row: 50 kills
	if testing.Short() {
		folders = 4
	}
	for i := range folders {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(uint64(i), 50))
			dir, kills := t.TempDir(), 1
			if i%4 == 3 {
				kills = 2
			}
			for range kills {
				moment := time.Duration(rng.Int64N(int64(duration)))
				for !killAt(t, dir, args, moment) {
					moment /= 2 // it was faster than the undisturbed run
				}
				for path, digest := range standing(t, dir) {
					if want[path] != digest {
						t.Errorf("killed after %v: %s is half-written or should not be there", moment, path)
					}
				}
			}
			churn(t, dir, args...)
			sameResults(t, "the run after the kill", want, results(t, dir))
		})
	}
}

// The mutant: a check that a torn file must not pass.
func TestKillSeesTornFiles(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "data/x.csv"), "a,b\n1,2\n")
	whole := results(t, dir)
	writeFile(t, filepath.Join(dir, "data/x.csv"), "a,b\n1,")
	writeFile(t, filepath.Join(dir, "data/.x.csv.tmp-7"), "a,")
	torn := standing(t, dir)
	if len(torn) != 1 || torn["data/x.csv"] == whole["data/x.csv"] {
		t.Errorf("torn files look whole: %v, want one other than %v", torn, whole)
	}
}
