package cli_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"churn/internal/cli"
	"churn/internal/monitored"
	"churn/pipeline"
	"churn/pipeline/dataset"
	"churn/pipeline/features"
	"churn/pipeline/labels"
	"churn/pipeline/monitor/alarms"
	"churn/pipeline/prepare"
	"churn/pipeline/retrain"
	"churn/registry"
)

// dueIn returns what retrain would decide in dir, with the global flags of args.
func dueIn(t *testing.T, dir string, args []string, asOf string, force, ifDrift bool) retrain.Due {
	t.Helper()
	var stdout, stderr bytes.Buffer
	words := slices.Concat([]string{"churn", "--set", "paths.data=" + filepath.Join(dir, "data"), "--set", "paths.artifacts=" + filepath.Join(dir, "artifacts")}, args, []string{"due"})
	if asOf != "" {
		words = append(words, "--as-of", asOf)
	}
	d, err := cli.DueOf(words, nil, &stdout, &stderr, force, ifDrift)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	for _, r := range d.Reasons {
		if !strings.Contains(stdout.String(), r.Text) {
			t.Errorf("the page does not say %q:\n%s", r.Text, stdout.String())
		}
	}
	return d
}

func reason(d retrain.Due, trigger retrain.Trigger) retrain.Reason {
	return d.Reasons[slices.IndexFunc(d.Reasons, func(r retrain.Reason) bool { return r.Trigger == trigger })]
}

// The life of a model: a first training, nothing new, new labels, and users who
// change. Each tells with its numbers why it is time to train, or not.
func TestDue(t *testing.T) {
	dir := t.TempDir()
	world := worldArgs(400, 1, "")
	world = append(world[:len(world)-1], "--set", "train.models=logistic", "--set", "generate.days=230", "--set", "features.usual_days=30", "--set", "generate.drift=engagement@2025-08-05")
	run := func(args ...string) { churn(t, dir, slices.Concat(world, args)...) }
	run("generate")
	run("prepare")
	if d := dueIn(t, dir, world, "", false, false); !slices.Equal(d.Fired(), []retrain.Trigger{retrain.First}) {
		t.Errorf("without a model: %+v", d)
	}
	sameCohort(t, dir, pipeline.DateFromCivil(2025, 7, 31))
	run("run-all", "--as-of", "2025-06-16")
	d := dueIn(t, dir, world, "2025-06-23", false, false) // the latest label of the training is of 2025-06-11
	if d.Due || d.NewDays != 7 || reason(d, retrain.Drift).Value == nil || reason(d, retrain.Performance).Value == nil || *reason(d, retrain.Age).Value != 12 {
		t.Errorf("a week later: %+v", d)
	}
	if d := dueIn(t, dir, world, "2025-06-16", false, false); d.Due || d.NewDays != 0 || !strings.Contains(reason(d, retrain.Performance).Text, "no labels of dates after the test period") {
		t.Errorf("on the day itself: %+v", d)
	}
	if d := dueIn(t, dir, world, "2025-06-16", true, false); !slices.Equal(d.Fired(), []retrain.Trigger{retrain.Forced}) {
		t.Errorf("with --force: %+v", d)
	}
	if d := dueIn(t, dir, world, "2025-07-14", false, false); !slices.Equal(d.Fired(), []retrain.Trigger{retrain.Labels}) || d.NewDays != 28 {
		t.Errorf("four weeks later: %+v", d)
	}
	if d := dueIn(t, dir, world, "2025-07-14", false, true); d.Due {
		t.Errorf("four weeks later with --if-drift: %+v", d)
	}
	alarm := alarms.Alarm{Name: alarms.Drift, State: alarms.Firing}
	book := monitored.AlarmStore(filepath.Join(dir, "artifacts", "metrics"))
	set := func(change func(*alarms.Book)) {
		if err := book.Update(t.Context(), func(b *alarms.Book) error { change(b); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	set(func(b *alarms.Book) {
		b.Alarms = []alarms.Alarm{{Name: alarms.DataVolume, State: alarms.Firing}, alarm}
	})
	if d := dueIn(t, dir, world, "2025-07-14", false, true); !slices.Equal(d.Fired(), []retrain.Trigger{retrain.Alarm}) || !strings.HasSuffix(reason(d, retrain.Alarm).Text, ": drift") {
		t.Errorf("with an alarm: %+v", d)
	}
	set(func(b *alarms.Book) {
		b.Silence(alarms.Silence{Alarm: alarms.Drift, Reason: "known", By: "me", From: time.Now(), Until: time.Now().Add(time.Hour)})
	})
	if d := dueIn(t, dir, world, "2025-07-14", false, true); d.Due {
		t.Errorf("with an alarm that is silenced: %+v", d)
	}
	if d := dueIn(t, dir, world, "2025-08-18", false, true); !slices.Equal(d.Fired(), []retrain.Trigger{retrain.Drift}) {
		t.Errorf("two weeks after the drift: %+v", d)
	}
}

// The law: the cohort without labels is the part of the labelled rows that is at
// risk, row by row and bit by bit.
func sameCohort(t *testing.T, dir string, asOf pipeline.Date) {
	t.Helper()
	d := dataset.Definition{Features: features.Defaults(), Labels: labels.Defaults()}
	open := func() *prepare.Timelines {
		p, err := prepare.OpenTimelines(filepath.Join(dir, "data", "processed", "timelines.bin"))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	one, two := open(), open()
	defer one.Close()
	defer two.Close()
	all, err := dataset.Collect(t.Context(), one, d, []pipeline.Date{asOf}, 1e6, nil)
	if err != nil {
		t.Fatal(err)
	}
	cohort, err := dataset.Cohort(t.Context(), two, d, asOf, 1e6)
	if err != nil {
		t.Fatal(err)
	}
	want := all.Where(func(i int) bool { return all.AtRisk[i] })
	if diff := cmp.Diff(want.Frame, cohort.Frame, cmpopts.EquateNaNs()); diff != "" || len(cohort.User) != want.Len() || want.Len() == 0 || want.Len() == all.Len() {
		t.Errorf("%d of %d rows at risk, the cohort has %d: %s", want.Len(), all.Len(), len(cohort.User), diff)
	}
}

// The law: a version that does not answer as it did when it was made is refused
// by a fresh process, which says what differs, with the settings of this one.
func TestAnswersInFreshProcess(t *testing.T) {
	dir := t.TempDir()
	args := worldArgs(80, 1, "")
	args = append(args[:len(args)-1], "--set", "paths.data="+filepath.Join(dir, "data"), "--set", "paths.artifacts="+filepath.Join(dir, "artifacts"))
	out := finish(t, program(dir, slices.Concat(args, []string{"run-all"})...))
	version := "v0001"
	environ := append(os.Environ(), actAsChurn+"=1", "GORACE=atexit_sleep_ms=0")
	ask := func(args ...string) error {
		return cli.AsksInFreshProcess(slices.Concat([]string{"churn"}, args, []string{"ask"}), environ, version)
	}
	if err := ask(args...); err != nil {
		t.Fatalf("%v\n%s", err, out.stderr)
	}
	if err := ask("--set", "paths.artifacts="+t.TempDir()); err == nil || !strings.Contains(err.Error(), "v0001 fails in a fresh process") || !strings.Contains(err.Error(), "registry") {
		t.Errorf("another registry: %v", err)
	} else if code := cli.ExitCode(err); code != 1 {
		t.Errorf("another registry: exit code %d", code) // a failure, no fault of usage
	}
	if err := ask(slices.Concat(args, []string{"--set", "train.seed=x"})...); err == nil {
		t.Error("a setting that cannot be: no error")
	}
	version = plantLiar(t, filepath.Join(dir, "artifacts", "registry"), version)
	if err := ask(args...); err == nil || !strings.Contains(err.Error(), "rows of the stored sample are answered differently") {
		t.Errorf("a model that lies: %v", err)
	}
}

// plantLiar registers a version like another whose stored answers are not those
// of its model, with every digest in order, and returns its name.
func plantLiar(t *testing.T, dir, like string) string {
	t.Helper()
	r, err := registry.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	v, err := r.Load(t.Context(), like)
	if err != nil {
		t.Fatal(err)
	}
	c := registry.Candidate{Kind: v.Kind, AsOf: v.AsOf, Metrics: v.Metrics, Lineage: v.Lineage, Files: v.Files}
	bundle := bytes.Replace(v.Files[registry.BundleFile], []byte(`"intercept": `), []byte(`"intercept": 1`), 1) // −1.2 is no number then
	bundle = bytes.Replace(bundle, []byte(`"intercept": 1-`), []byte(`"intercept": -1`), 1)
	if bytes.Equal(bundle, v.Files[registry.BundleFile]) {
		t.Fatal(errors.New("the bundle has no intercept to change"))
	}
	c.Files[registry.BundleFile] = bundle
	m, _, err := r.Register(t.Context(), c, v.Created)
	if err != nil {
		t.Fatal(err)
	}
	return m.Version
}
