package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"churn/pipeline/promote"
	"churn/pipeline/train"
	"churn/registry"
)

// portal is a workspace in which v0001 is in production, trained some weeks
// before the data ends, and v0002 was trained beside it.
type portal struct {
	dir   string
	world []string
}

const trainedAsOf = "2025-06-16"

// newPortal makes the first world by seed in which both models beat the floor
// and the gate is not convinced of the second.
func newPortal(t *testing.T) portal {
	t.Helper()
	for seed := 2; seed < 12; seed++ {
		world := worldArgs(400, seed, "")
		p := portal{t.TempDir(), append(world[:len(world)-1], "--set", "train.models=logistic", "--set", "generate.days=230", "--set", "features.usual_days=30")}
		churn(t, p.dir, p.args("generate")...)
		second := []string{"--set", "train.logistic.l2_regularization=7", "train", "--as-of", trainedAsOf}
		if p.run(t, "run-all", "--as-of", trainedAsOf).code == 0 && p.run(t, second...).code == 0 && p.run(t, "--json", "promote").code == 4 {
			return p
		}
	}
	t.Fatal("no world of ten has a first model that is promoted and a second that is not")
	return portal{}
}

// TestVersions tells of versions that were not made, or not promoted, by the
// latest training.
func TestVersions(t *testing.T) {
	p := newPortal(t)
	for name, test := range map[string]func(*testing.T, portal){
		"promote by name": promoteByName, "promote what was imported": promoteImported, "damaged ones hinder nothing": damagedHinderNothing, "a server holds what it answers with": serveHolds,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			copyFolder(t, dir, p.dir)
			test(t, portal{dir, p.world})
		})
	}
}

func (p portal) args(words ...string) []string { return slices.Concat(p.world, words) }

func (p portal) run(t *testing.T, words ...string) outcome {
	t.Helper()
	return finish(t, program(p.dir, p.args(words...)...))
}

// train makes one more version, by another penalty.
func (p portal) train(t *testing.T, l2 string) (version string) {
	t.Helper()
	report := decoded[train.Report](t, p.dir, p.args("--set", "train.logistic.l2_regularization="+l2, "train", "--as-of", trainedAsOf)...)
	return report.Selected().Version
}

// promoted is the report of promote.
type promoted struct {
	Version, Production, Previous string
	Changed                       bool
	Decision                      promote.Decision
}

// promote asks the gate, which must end with the code.
func (p portal) promote(t *testing.T, code int, words ...string) (r promoted, stderr string) {
	t.Helper()
	out := p.run(t, append([]string{"--json", "promote"}, words...)...)
	if out.code != code {
		t.Fatalf("promote %v: code %d\n%s", words, out.code, out.stderr)
	}
	if err := json.Unmarshal([]byte(out.stdout), &r); err != nil && code != 1 {
		t.Fatalf("%v\n%s", err, out.stdout)
	}
	return r, out.stderr
}

func (p portal) path(parts ...string) string {
	return filepath.Join(append([]string{p.dir, "artifacts"}, parts...)...)
}

// damage changes one byte in the middle of a file.
func damage(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// The life of a version that the gate holds: no rollback leads round the gate,
// it can be judged again by name, on more rows, and it can be promoted by force;
// that it was rolled back from and to again does not change its decision.
func promoteByName(t *testing.T, p portal) {
	const held = "v0002"
	if out := p.run(t, "registry", "rollback", "--to", held, "--reason", "x"); out.code != 1 || !strings.Contains(out.stderr, "churn promote "+held+" --force --reason TEXT") {
		t.Errorf("rollback to what was never in production: %d %s", out.code, out.stderr)
	}
	first, said := p.promote(t, 4)
	if first.Version != held || first.Production != "v0001" || first.Changed || strings.Contains(said, "`churn promote v0002` asks again") != (first.Decision.Verdict == promote.Hold) {
		t.Errorf("not promoted: %+v\n%s", first, said)
	}
	if out := p.run(t, "promote"); !strings.Contains(out.stdout, "stays out: "+string(first.Decision.Verdict)+"; production stays v0001\n") {
		t.Errorf("%s", out.stdout)
	}
	split := readJSON[train.Report](t, p.path("metrics", "train_latest.json")).Split
	later, _ := p.promote(t, 4, held)
	if first.Decision.Judged.To != split.TestLast || !(later.Decision.Judged.To > split.TestLast) || later.Decision.Judged.From != first.Decision.Judged.From || later.Decision.Judged.Dates <= first.Decision.Judged.Dates {
		t.Errorf("judged again by %+v, first by %+v", later.Decision.Judged, first.Decision.Judged)
	}
	forced, _ := p.promote(t, 0, held, "--force", "--reason", "known better")
	if !forced.Changed || forced.Production != held || forced.Previous != "v0001" || forced.Decision.Override != "known better" {
		t.Errorf("forced: %+v", forced)
	}
	page, err := os.ReadFile(p.path("reports", "decision_"+held+".md"))
	if err != nil {
		t.Fatal(err)
	}
	kept := results(t, p.path("metrics"))
	churn(t, p.dir, p.args("registry", "rollback", "--reason", "away")...)
	churn(t, p.dir, p.args("registry", "rollback", "--to", held, "--reason", "and back")...)
	again, _ := p.promote(t, 0)
	if again.Changed || again.Decision.Override != "known better" || again.Production != held {
		t.Errorf("in production already: %+v", again)
	}
	if now, err := os.ReadFile(p.path("reports", "decision_"+held+".md")); err != nil || string(now) != string(page) {
		t.Errorf("the page of the decision was changed: %v\n%s", err, now)
	}
	sameResults(t, "the decision after away and back", kept, results(t, p.path("metrics")))
}

// The law: an imported version reaches production where nothing was trained.
func promoteImported(t *testing.T, p portal) {
	churn(t, p.dir, p.args("registry", "export", registry.Production, "--out", "one.tar")...)
	for _, path := range []string{p.path("registry"), p.path("metrics", "train_latest.json")} {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	if out := churn(t, p.dir, p.args("registry", "import", "one.tar")...); !strings.Contains(out.stdout, "churn promote v0001") {
		t.Errorf("%s", out.stdout)
	}
	if _, said := p.promote(t, 1); !strings.Contains(said, "or name a version") {
		t.Errorf("%s", said)
	}
	out := p.run(t, "promote", "v0001")
	if out.code == 4 { // among so few users chance decides; on record by force
		out = p.run(t, "promote", "--reason", "as elsewhere", "--force", "v0001")
	}
	if out.code != 0 || !strings.Contains(out.stdout, "v0001 (logistic) is now in production") || !strings.Contains(out.stdout, "baseline") {
		t.Errorf("code %d\n%s\n%s", out.code, out.stdout, out.stderr)
	}
}

// The law: what is damaged and not in use stops nothing; verify finds it; and
// where what is in use is damaged, there is a way on.
func damagedHinderNothing(t *testing.T, p portal) {
	unused, newest := "v0002", p.train(t, "13")
	versions := decoded[struct{ Versions []registry.Manifest }](t, p.dir, p.args("registry", "list")...).Versions
	damage(t, p.path("registry", "versions", unused+".json"))
	damage(t, p.path("registry", versions[2].Folder, registry.MetricsFile))
	out := p.run(t, "registry", "list")
	if out.code != 1 || !strings.Contains(out.stdout, "v0001") || !strings.Contains(out.stdout, newest) || strings.Contains(out.stdout, unused) || !strings.Contains(out.stderr, unused+".json") {
		t.Errorf("list: code %d\n%s\n%s", out.code, out.stdout, out.stderr)
	}
	if out := p.run(t, "retrain", "--dry-run", "--as-of", "2025-06-30"); out.code != 0 || !strings.Contains(out.stdout, "14 days more") || !strings.Contains(out.stderr, unused+".json") {
		t.Errorf("retrain: code %d\n%s\n%s", out.code, out.stdout, out.stderr)
	}
	if out := p.run(t, "--set", "registry.keep_days=0", "registry", "gc"); out.code != 0 || !strings.Contains(out.stdout, "keeps "+unused+": its manifest is damaged") {
		t.Errorf("gc: code %d\n%s\n%s", out.code, out.stdout, out.stderr)
	}
	next := p.train(t, "20")
	if next != "v0004" {
		t.Errorf("the next version is %s", next)
	}
	damage(t, p.path("registry", versions[0].Folder, registry.BundleFile))
	if _, said := p.promote(t, 1, next); !strings.Contains(said, "churn promote "+next+" --force --reason TEXT") {
		t.Errorf("%s", said)
	}
	forced, _ := p.promote(t, 0, next, "--force", "--reason", "v0001 is lost")
	if forced.Production != next || forced.Decision.Verdict == promote.Promote || forced.Decision.First || forced.Decision.Champion.Version != "v0001" {
		t.Errorf("%+v", forced)
	}
}

// The law: while a server answers with a version, because it refuses the newer
// ones, gc keeps that version, which no alias and no lately made entry names;
// once the server has ended, it goes.
func serveHolds(t *testing.T, p portal) {
	p.world = append(slices.Clone(p.world), "--set", "registry.keep_days=0")
	r, err := registry.Open(t.Context(), p.path("registry"))
	if err != nil {
		t.Fatal(err)
	}
	versions, err := r.List(t.Context())
	if err != nil || len(versions) != 2 {
		t.Fatal(versions, err)
	}
	liars := []string{plantLiar(t, p.path("registry"), "v0001"), plantLiar(t, p.path("registry"), "v0002")}
	server := startServe(t, p.dir, nil, p.world...)
	for i, to := range liars {
		m := registry.Move{Action: registry.ActionPromote, From: append([]string{"v0001"}, liars...)[i], To: to, Time: versions[0].Created}
		if _, err := r.Move(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Move(t.Context(), registry.Move{Action: registry.ActionChallenger, From: "v0002", Time: versions[0].Created}); err != nil {
		t.Log(err) // it was no challenger
	}
	out := churn(t, p.dir, p.args("registry", "gc")...)
	if !strings.Contains(out.stdout, "keeps v0001: churn serve on ") || !strings.Contains(out.stdout, "removed v0002") {
		t.Errorf("while it serves:\n%s", out.stdout)
	}
	if status, body := server.ask(t, "GET", "/model", ""); status != 200 || !strings.Contains(body, `"v0001"`) {
		t.Errorf("%d %s", status, body)
	}
	if code := server.stop(); code != 0 {
		t.Errorf("exit code %d\n%s", code, server.log)
	}
	if out := churn(t, p.dir, p.args("registry", "gc")...); !strings.Contains(out.stdout, "removed v0001") {
		t.Errorf("after it has ended:\n%s", out.stdout)
	}
	if out := p.run(t, "registry", "verify"); !strings.Contains(out.stdout, "2 versions") || strings.Contains(out.stderr, "v0001") {
		t.Errorf("%s\n%s", out.stdout, out.stderr)
	}
}
