package config

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The law: config.yaml names every key, and decodes to the built-in defaults.
func TestFileEqualsDefaults(t *testing.T) {
	got, err := Load(Request{File: "../../config.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	want, err := Load(Request{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Config, got.Config); diff != "" {
		t.Errorf("(-built in +config.yaml)\n%s", diff)
	}
	for _, e := range got.Entries {
		if e.Source != "file" {
			t.Errorf("config.yaml lacks %s (default %v)", e.Key, e.Value)
		}
	}
}

// The law: flag over --set over environment over file over profile over default.
func TestPrecedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte("profile: seed\nlabels: {window_days: 10}\ntrain: {seed: 1}\nscore: {top_k: 5}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(Request{File: file, Environ: []string{"CHURN_TRAIN_SEED=2", "CHURN_SCORE_TOP_K=6", "CHURN_LABELS_ACTIVITY_EVENTS=login, quiz_attempt", "CHURN_SHARED=/x"},
		Set: []string{"score.top_k=7", "features.windows_days=3,9"}, Flags: map[string]string{"generate.users": "8"}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{"window": c.Labels.WindowDays, "every": c.Features.EveryDays, "seed": c.Train.Seed, "top": c.Score.TopK,
		"activity": c.Labels.ActivityEvents, "windows": c.Features.WindowsDays, "users": c.Generate.Users, "days": c.Generate.Days}
	want := map[string]any{"window": 10, "every": 1, "seed": uint64(2), "top": 7,
		"activity": []string{"login", "quiz_attempt"}, "windows": []int{3, 9}, "users": 8, "days": 365}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	_, err := Load(Request{Environ: []string{"CHURN_LABELS_WINDOW_DAY=3"}, Set: []string{"labels.windw_days=3", "score.top_k"}})
	want := []string{
		"CHURN_LABELS_WINDOW_DAY: there is no such key (environment); did you mean labels.window_days?",
		"labels.windw_days: there is no such key (set); did you mean labels.window_days?",
		`--set "score.top_k": write key=value, such as --set labels.window_days=14`,
	}
	if err == nil || err.Error() != strings.Join(want, "\n") {
		t.Errorf("got\n%v\nwant\n%s", err, strings.Join(want, "\n"))
	}
	_, err = Load(Request{Set: []string{"labels.window_days=0", "train.test_size=2", "monitor.warn_psi=0.9"}})
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("want three faults, got\n%v", err)
	}
}

// What cannot be the registry is a fault of the settings, not a folder of that
// name, nor a surprise at the first use; and no secret is shown.
func TestRegistryURL(t *testing.T) {
	for url, want := range map[string]string{
		"": "", "s3://bucket": "", "s3://bucket/a/b?region=eu-central-1&endpoint=http://127.0.0.1:9": "", "gs://bucket/a/": "", "azblob://container": "",
		"ftp://x/y": "available schemes: azblob, gs, s3", "s3:/bucket": "names no bucket", "s3:bucket": "names no bucket", "s3://": "names no bucket", "s3:///folder": "names no bucket", "S3://bucket": "names no bucket",
		"mem://": "gone at the end of a command", "models": "goes into paths.registry", "s3://bucket/../x": "cannot be the name", "s3://key:hush@bucket": "credentials are taken from the environment",
		"s3://key:hush@buc ket": "no URL", "file:///x": "available schemes",
	} {
		_, err := Load(Request{Set: []string{"registry.url=" + url}})
		if want == "" && err == nil {
			continue
		}
		if want == "" || err == nil || !strings.HasPrefix(err.Error(), "registry.url: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
	if _, err := Load(Request{Set: []string{"paths.registry=s3://bucket"}}); err == nil || !strings.Contains(err.Error(), "goes into registry.url") {
		t.Errorf("a URL as a folder: %v", err)
	}
}

// Any text in a file: an error or a sound configuration, never a panic.
func FuzzFile(f *testing.F) {
	f.Add("labels: {window_days: 7.5}")
	f.Add("a: [")
	f.Add("features: {windows_days: 7}")
	f.Fuzz(func(t *testing.T, text string) {
		file := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := Load(Request{File: file}); err == nil {
			if err := c.Check(); err != nil {
				t.Errorf("loaded an unsound configuration: %v", err)
			}
		}
	})
}

// The law: a cluster gets the settings of config.yaml; kustomize reads no file
// above its own folder, so that there is a copy.
func TestClusterGetsTheFile(t *testing.T) {
	ours, err := os.ReadFile("../../config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := os.ReadFile("../../deploy/base/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(ours, theirs) {
		t.Error("deploy/base/config.yaml is not config.yaml; run `make deploy-config`")
	}
}

// The law: what manifests set in the environment are settings, with values that
// they take.
func TestManifestsSetSettings(t *testing.T) {
	setting := regexp.MustCompile(`(?m)^(?:.*name: )?(CHURN_[A-Z0-9_]+)(?:, value: |: |=)"?([^"}\n]*)"?`)
	seen := 0
	err := filepath.WalkDir("../../deploy", func(path string, _ os.DirEntry, err error) error {
		if ext := filepath.Ext(path); err != nil || ext != ".yaml" && ext != ".env" || filepath.Base(path) == "config.yaml" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var environ []string
		for _, m := range setting.FindAllStringSubmatch(string(text), -1) {
			environ = append(environ, m[1]+"="+strings.TrimSpace(m[2]))
		}
		seen += len(environ)
		if _, err := Load(Request{Environ: environ}); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		return nil
	})
	if err != nil || seen < 8 {
		t.Errorf("%d settings, %v; has the layout of deploy changed?", seen, err)
	}
}
