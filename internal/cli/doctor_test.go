package cli_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"churn/internal/doctor"
)

// fault is one that is planted, and what doctor says of it.
type fault struct {
	name   string
	plant  func(t *testing.T, dir string) []string // returns settings; nil = none
	check  string
	status doctor.Status
	says   string // of what was found and what to do
}

// plantings are a fault for every check that the program can meet in a test; full disks
// and clocks that are off are planted in package doctor.
func plantings() []fault {
	set := func(settings ...string) func(*testing.T, string) []string {
		return func(*testing.T, string) []string { return settings }
	}
	do := func(f func(t *testing.T, dir string)) func(*testing.T, string) []string {
		return func(t *testing.T, dir string) []string { f(t, dir); return nil }
	}
	named := []string{"source.users=data/raw/users.csv", "source.events=data/raw/events.csv"}
	return []fault{
		{"a file in the place of a folder", set("paths.reports=data/raw/users.csv/reports"), "folders", doctor.Fail, "paths.reports: "},
		{"raw data is gone", do(remove("data/raw/events.csv")), "data", doctor.Warn, "churn run-all simulates a portal"},
		{"a source that is not there", set("source.events=nowhere.csv"), "data", doctor.Fail, `no file matches "nowhere.csv"`},
		{"nothing prepared", do(remove("data/processed/timelines.bin")), "data", doctor.Warn, "nothing is prepared from it yet"},
		{"prepared with other settings", set("labels.activity_events=login"), "data", doctor.Fail, "was prepared with labels.activity_events"},
		{"raw data that is newer", do(later("data/raw/events.csv", time.Minute)), "data", doctor.Warn, "data/raw/events.csv was changed after the data was prepared"},
		{"old data", set(named...), "freshness", doctor.Fail, "the data ends on 2025-05-10"},
		{"an old model", set(named...), "model", doctor.Warn, "retrain.max_age_days allows 180 → churn retrain"},
		{"no model", set("paths.registry=elsewhere"), "registry", doctor.Warn, "none is in production"},
		{"a damaged model", do(flipInRegistry), "registry", doctor.Fail, "registry verify"},
		{"a registry that is none", do(func(t *testing.T, dir string) {
			writeFile(t, filepath.Join(dir, "artifacts/registry/aliases.json"), "{}")
		}), "registry", doctor.Fail, "earlier version of churn"},
		{"a file of the future", do(later("data/processed/user_daily.csv", 48*time.Hour)), "clock", doctor.Warn, "user_daily.csv was changed "},
		{"a port that is taken", func(t *testing.T, _ string) []string {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			go hangUp(l)
			return []string{"serve.address=" + l.Addr().String()}
		}, "port", doctor.Fail, "is taken by something that is not churn serve"},
		{"a network without keys", set("serve.address=0.0.0.0:0"), "keys", doctor.Fail, "there are no API keys"},
		{"keys that cannot be read", set("serve.keys_file=nowhere.txt"), "keys", doctor.Fail, "nowhere.txt"},
		{"a certificate that is none", set("serve.tls_cert=data/raw/users.csv", "serve.tls_key=data/raw/users.csv"), "tls", doctor.Fail, "name a PEM certificate"},
		{"a log that cannot be written", set("serve.log.sample=1", "serve.log.folder=data/raw/users.csv"), "log", doctor.Fail, "serve.log.folder"},
		{"a killed process", do(func(t *testing.T, dir string) { writeFile(t, filepath.Join(dir, "data/features/.x.csv.tmp-9"), "") }), "leftovers", doctor.Warn, "1 temporary files"},
		{"half a sharded scoring", do(func(t *testing.T, dir string) {
			writeFile(t, filepath.Join(dir, "data/predictions/shards/latest_of_4/part_0.csv"), "")
		}), "leftovers", doctor.Warn, "1 unfinished runs of score --shard"},
		{"damaged alarms", do(func(t *testing.T, dir string) { writeFile(t, filepath.Join(dir, "artifacts/metrics/alarms.json"), "{") }), "alarms", doctor.Fail, "alarms.json"},
	}
}

// hangUp ends every connection at once.
func hangUp(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		c.Close()
	}
}

// later sets the time of a file so far from now.
func later(name string, by time.Duration) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		at := time.Now().Add(by)
		if err := os.Chtimes(filepath.Join(dir, name), at, at); err != nil {
			t.Fatal(err)
		}
	}
}

// flipInRegistry damages a file of each version.
func flipInRegistry(t *testing.T, dir string) {
	bundles, err := filepath.Glob(filepath.Join(dir, "artifacts/registry/models/*/bundle.json"))
	if err != nil || len(bundles) == 0 {
		t.Fatal(bundles, err)
	}
	for _, path := range bundles {
		flip(strings.TrimPrefix(path, dir+"/"), 100)(t, dir)
	}
}

// examined runs doctor with settings.
func examined(t *testing.T, dir string, settings ...string) (r doctor.Report, out outcome) {
	t.Helper()
	world := smallWorld(t, 80, "")
	args := slices.Concat(world[:len(world)-1], []string{"--set", "serve.address=127.0.0.1:0"})
	for _, s := range settings {
		args = append(args, "--set", s)
	}
	out = finish(t, program(dir, slices.Concat(args, []string{"--json", "doctor"})...))
	if err := json.Unmarshal([]byte(out.stdout), &r); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out.stdout, out.stderr)
	}
	return r, out
}

// The laws: a sound workspace is quiet; every fault that is planted is found, by its own
// check, with something to do, and decides the exit code; nothing is ever changed.
func TestDoctor(t *testing.T) {
	world := t.TempDir()
	churn(t, world, smallWorld(t, 80, "run-all")...)
	before := results(t, world)
	r, out := examined(t, world)
	for _, f := range r.Findings {
		if f.Status != doctor.OK || f.Do != "" {
			t.Errorf("a sound workspace: %+v", f)
		}
	}
	if out.code != 0 || r.Status != doctor.OK || len(r.Findings) < 15 {
		t.Errorf("a sound workspace: exit code %d, %+v\n%s", out.code, r, out.stderr)
	}
	sameResults(t, "doctor", before, results(t, world))

	for _, x := range plantings() {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			dir := copyOf(t, world)
			now := time.Now() // a copy is dated in any order
			for _, path := range []string{"data/raw/users.csv", "data/raw/events.csv"} {
				if err := os.Chtimes(filepath.Join(dir, path), now.Add(-time.Hour), now.Add(-time.Hour)); err != nil {
					t.Fatal(err)
				}
			}
			settings := x.plant(t, dir)
			before := results(t, dir)
			r, out := examined(t, dir, settings...)
			found := slices.ContainsFunc(r.Findings, func(f doctor.Finding) bool {
				return f.Check == x.check && f.Status == x.status && f.Do != "" && strings.Contains(f.Found+" → "+f.Do, x.says)
			})
			if !found {
				t.Errorf("not found in %+v", r.Findings)
			}
			if want := map[doctor.Status]int{doctor.Warn: 0, doctor.Fail: 1}[r.Status]; out.code != want {
				t.Errorf("exit code %d for %s\n%s", out.code, r.Status, out.stderr)
			}
			sameResults(t, "doctor", before, results(t, dir))
		})
	}
}

// Settings that cannot be used are a report, too, and exit code 78; in an empty folder doctor
// says how to begin, and leaves it empty.
func TestDoctorAtTheStart(t *testing.T) {
	dir := t.TempDir()
	out := finish(t, program(dir, "--set", "score.topk=5", "doctor"))
	if out.code != exitConfig || !strings.Contains(out.stdout, "fail  config     score.topk: there is no such key (set); did you mean score.top_k?") {
		t.Errorf("exit code %d\n%s", out.code, out.stdout)
	}
	out = churn(t, dir, "--set", "serve.address=127.0.0.1:0", "doctor")
	for _, says := range []string{"doctor    warn: ", "→ churn run-all"} {
		if !strings.Contains(out.stdout, says) {
			t.Errorf("does not say %q:\n%s", says, out.stdout)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Error("left behind", fmt.Sprint(entries), err)
	}
}
