package cli_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// scoreWorld makes a workspace in which a model is in production and nobody is
// scored yet, and returns how to call the program in it.
func scoreWorld(t *testing.T, users int, format string) (world string, args func(words ...string) []string) {
	t.Helper()
	world = t.TempDir()
	all := append([]string{"--set", "data.format=" + format}, smallWorld(t, users, "run-all")...)
	settings := all[:len(all)-1]
	args = func(words ...string) []string { return slices.Concat(settings, words) }
	churn(t, world, args("run-all", "--until", "promote")...)
	return world, args
}

// copyOf returns a copy of a world.
func copyOf(t *testing.T, world string) string {
	t.Helper()
	dir := t.TempDir()
	copyFolder(t, dir, world)
	return dir
}

// shardsAtOnce runs all shards side by side and returns how each ended.
func shardsAtOnce(t *testing.T, dir string, args func(...string) []string, of int) []outcome {
	t.Helper()
	out := make([]outcome, of)
	ended := make(chan int)
	for i := range of {
		go func() {
			defer func() { ended <- i }()
			c := program(dir, args("score", "--shard", fmt.Sprintf("%d/%d", i, of))...)
			var stdout, stderr bytes.Buffer
			c.Stdout, c.Stderr = &stdout, &stderr
			c.Run() //nolint:errcheck // the exit code says it
			out[i] = outcome{c.ProcessState.ExitCode(), stdout.String(), stderr.String()}
		}()
	}
	for range of {
		<-ended
	}
	return out
}

// The law: shards, whatever their number and order, side by side or one after the other, leave the
// bytes that one process leaves, every file of them, and nothing else.
func TestShardsAreOneProcess(t *testing.T) {
	for _, format := range []string{"csv", "parquet"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			world, args := scoreWorld(t, 400, format) // several buckets and blocks
			one := copyOf(t, world)
			churn(t, one, args("score")...)
			want := results(t, one)
			for _, of := range []int{1, 3} {
				dir := copyOf(t, world)
				for i := of - 1; i >= 0; i-- {
					out := churn(t, dir, args("score", "--shard", fmt.Sprintf("%d/%d", i, of))...)
					if joined := strings.Contains(out.stdout, "churn_predictions_"); joined != (i == 0) {
						t.Errorf("shard %d of %d: joined is %v\n%s", i, of, joined, out.stdout)
					}
				}
				sameResults(t, fmt.Sprintf("%d shards one after the other", of), want, results(t, dir))
			}
			dir := copyOf(t, world)
			for i, out := range shardsAtOnce(t, dir, args, 4) {
				if out.code != 0 {
					t.Errorf("shard %d: exit code %d\n%s", i, out.code, out.stderr)
				}
			}
			sameResults(t, "4 shards side by side", want, results(t, dir))
			again := churn(t, dir, args("score", "--shard", "2/4")...)
			if !strings.Contains(again.stdout, "nothing to do") {
				t.Errorf("a shard that is started again after the end says\n%s", again.stdout)
			}
			merged := churn(t, dir, args("score", "--merge", "4")...)
			if !strings.Contains(merged.stdout, "users at risk") {
				t.Errorf("a merge after the end says\n%s", merged.stdout)
			}
			sameResults(t, "shards and merges again", want, results(t, dir))
		})
	}
}

// The law: shards that are killed at any moment and started again leave what one
// process leaves, and no file is ever half-written under a final name.
func TestKillShards(t *testing.T) {
	world, args := scoreWorld(t, 80, "csv")
	one := copyOf(t, world)
	churn(t, one, args("score")...)
	want := results(t, one)
	started := time.Now()
	churn(t, copyOf(t, world), args("score", "--shard", "0/1")...)
	duration := time.Since(started)
	for seed := range killCount(t) {
		rng, dir := rand.New(rand.NewPCG(uint64(seed), 77)), copyOf(t, world)
		for _, shard := range []string{"0/2", "1/2"} {
			killAt(t, dir, args("score", "--shard", shard), time.Duration(rng.Int64N(int64(duration))))
		}
		for path, digest := range standing(t, dir) {
			if strings.Contains(path, "/shards/") {
				continue // compared when they are joined
			}
			if want[path] != digest {
				t.Errorf("seed %d: %s is half-written or should not be there", seed, path)
			}
		}
		for _, shard := range []string{"0/2", "1/2"} {
			churn(t, dir, args("score", "--shard", shard)...)
		}
		sameResults(t, fmt.Sprintf("seed %d", seed), want, results(t, dir))
	}
}

// refused fails the test unless the program ends with code and says so.
func refused(t *testing.T, dir string, code int, says string, args []string) {
	t.Helper()
	out := finish(t, program(dir, args...))
	if out.code != code || !strings.Contains(out.stderr, says) {
		t.Errorf("churn %s: exit code %d, want %d and %q\n%s", strings.Join(args, " "), out.code, code, says, out.stderr)
	}
	if _, err := os.Stat(filepath.Join(dir, "data/predictions/batch_predictions_latest.csv")); err == nil && code != 0 {
		t.Errorf("churn %s: has written predictions", strings.Join(args, " "))
	}
}

// Parts that are not of one scoring are refused, and the command that is named
// mends it.
func TestShardsThatDisagree(t *testing.T) {
	world, args := scoreWorld(t, 80, "csv")
	score := func(words ...string) []string { return args(append([]string{"score"}, words...)...) }
	part := func(run string, i int) string {
		return filepath.Join("data/predictions/shards", run, fmt.Sprintf("part_%d", i))
	}

	t.Run("another model", func(t *testing.T) {
		dir := copyOf(t, world)
		churn(t, dir, score("--shard", "0/2", "--model", "v0001")...)
		refused(t, dir, 1, "it was scored with model v0001, and this scoring uses v0002; run `churn score --shard 0/2` again", score("--shard", "1/2", "--model", "v0002"))
		churn(t, dir, score("--shard", "0/2", "--model", "v0002")...)
	})
	t.Run("another day", func(t *testing.T) {
		dir := copyOf(t, world)
		churn(t, dir, score("--shard", "0/2", "--as-of", "2025-05-01")...)
		churn(t, dir, score("--shard", "1/2", "--as-of", "2025-05-02")...)
		refused(t, dir, 1, "there is no part of shard 1/2", score("--merge", "2", "--as-of", "2025-05-01"))
		for _, end := range []string{".csv", ".manifest.json"} {
			data, err := os.ReadFile(filepath.Join(dir, part("2025-05-01_of_2", 0)+end))
			if err != nil {
				t.Fatal(err)
			}
			writeFile(t, filepath.Join(dir, part("2025-05-02_of_2", 0)+end), string(data))
		}
		refused(t, dir, 1, "it is as of 2025-05-01, and this scoring as of 2025-05-02", score("--merge", "2", "--as-of", "2025-05-02"))
	})
	t.Run("other data", func(t *testing.T) {
		dir := copyOf(t, world)
		churn(t, dir, score("--shard", "0/2")...)
		churn(t, dir, score("--shard", "0/2", "--as-of", "2025-05-10")...)
		edit("data/raw/events.csv", func(b []byte) []byte { return append(b, "late1,1,2025-05-11T10:00:00,login,,,,\n"...) })(t, dir)
		churn(t, dir, args("prepare")...)
		refused(t, dir, 1, "it is as of 2025-05-10, and this scoring as of 2025-05-11", score("--shard", "1/2"))
		refused(t, dir, 1, "it was scored from other data than", score("--shard", "1/2", "--as-of", "2025-05-10"))
	})
	t.Run("other settings", func(t *testing.T) {
		dir := copyOf(t, world)
		churn(t, dir, score("--shard", "0/2")...)
		refused(t, dir, 1, "other settings of score.*", append([]string{"--set", "score.tiers.high=0.6"}, score("--shard", "1/2")...))
	})
	t.Run("a damaged part", func(t *testing.T) {
		dir := copyOf(t, world)
		churn(t, dir, score("--shard", "0/2")...)
		flip(part("latest_of_2", 0)+".csv", 700)(t, dir)
		refused(t, dir, 1, "part_0.csv does not agree with its manifest: an earlier run was interrupted or the file was changed; run `churn score --shard 0/2` again", score("--shard", "1/2"))
		if out := churn(t, dir, score("--shard", "0/2")...); !strings.Contains(out.stdout, "all parts are joined") {
			t.Errorf("the damaged part, scored again, does not mend it:\n%s", out.stdout)
		}
	})
	t.Run("calls", func(t *testing.T) {
		refused(t, world, 64, `--shard: "4/4" is not a shard; use INDEX/COUNT with an index from 0`, score("--shard", "4/4"))
		refused(t, world, 64, "--merge 0 is not a number of shards", score("--merge", "0"))
		refused(t, world, 64, "use either --shard or --merge", score("--merge", "2", "--shard", "0/2"))
		refused(t, world, 1, "there is no part of shard 0/3, 1/3, 2/3", score("--merge", "3"))
	})
}
