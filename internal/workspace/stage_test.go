package workspace_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"churn/internal/atomicfile"
	"churn/internal/config"
	"churn/internal/table"
	"churn/internal/workspace"
	"churn/pipeline"
)

// at returns a workspace under dir.
func at(dir string) *workspace.Workspace {
	sub := func(parts ...string) string { return filepath.Join(append([]string{dir}, parts...)...) }
	return &workspace.Workspace{Format: table.CSV, Version: "dev", Code: func() string { return "code" }, Clock: func() time.Time { return time.Unix(0, 0) },
		Paths: config.Paths{Data: sub("data"), Artifacts: sub("artifacts"), Raw: sub("data", "raw"), Processed: sub("data", "processed"),
			Features: sub("data", "features"), Metrics: sub("artifacts", "metrics")}}
}

func write(t *testing.T, path, text string) atomicfile.Info {
	t.Helper()
	info, err := atomicfile.Write(path, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// ended is a stage that has ended: it made a table and a report from a raw file
// and an input.
func ended(t *testing.T) (w *workspace.Workspace, b workspace.Basis) {
	t.Helper()
	w = at(t.TempDir())
	raw := filepath.Join(w.Paths.Raw, "events.csv")
	write(t, raw, "an event")
	b = workspace.Basis{Raw: []string{raw}, Inputs: []pipeline.FileState{{Path: "processed/timelines.bin", SHA256: "aa", Bytes: 3, Rows: 1}},
		Settings: []pipeline.Setting{workspace.Setting("features", 7), workspace.Setting("--as-of", "today")}}
	before, err := w.Identify(t.Context(), b.Raw)
	if err != nil {
		t.Fatal(err)
	}
	out := w.Features()
	info := table.Info{Info: write(t, out.Path, "a table"), Rows: 5}
	stage := w.Begin("features")
	if err := errors.Join(stage.Report("features_latest", "a report", 0), stage.Table(out, info, workspace.Made{}), stage.End(out.Path, b, before)); err != nil {
		t.Fatal(err)
	}
	return w, b
}

func stale(t *testing.T, w *workspace.Workspace, b workspace.Basis) string {
	t.Helper()
	why, err := w.Stale(t.Context(), "features", b, nil)
	if err != nil {
		t.Fatal(err)
	}
	return why
}

// The law: what is up to date stays so when the workspace is looked at again or
// moved with its inputs' names unchanged, and when files are touched.
func TestUpToDate(t *testing.T) {
	w, b := ended(t)
	if why := stale(t, w, b); why != "" {
		t.Fatal(why)
	}
	later := time.Now().Add(time.Hour)
	for _, path := range []string{b.Raw[0], w.Features().Path} {
		if err := os.Chtimes(path, later, later); err != nil {
			t.Fatal(err)
		}
	}
	if why := stale(t, w, b); why != "" {
		t.Errorf("after touching: %s", why)
	}
	r, err := w.Completed("features")
	if err != nil || r.Outputs[0].Path != "features/user_features_daily.csv" || r.Outputs[0].Rows != 5 || len(r.Outputs) != 3 {
		t.Errorf("%+v, %v", r, err)
	}
	var done, total int64
	if _, err := w.Stale(t.Context(), "features", b, func(d, n int64) { done, total = max(done, d), n }); err != nil || done == 0 || done != total {
		t.Errorf("read %d of %d bytes (%v)", done, total, err)
	}
}

// The law: another value of anything that decides the outputs makes the stage
// run, and the reason names it.
func TestStaleNamesTheReason(t *testing.T) {
	for name, test := range map[string]struct {
		change func(w *workspace.Workspace, b *workspace.Basis)
		want   string
	}{
		"setting":           {func(_ *workspace.Workspace, b *workspace.Basis) { b.Settings[0] = workspace.Setting("features", 8) }, "features is another"},
		"more settings":     {func(_ *workspace.Workspace, b *workspace.Basis) { b.Settings = append(b.Settings, b.Settings[0]) }, "features is another"},
		"fewer settings":    {func(_ *workspace.Workspace, b *workspace.Basis) { b.Settings = b.Settings[:1] }, "data.format is another"},
		"format":            {func(w *workspace.Workspace, _ *workspace.Basis) { w.Format = table.Parquet }, "data.format is another"},
		"folder":            {func(w *workspace.Workspace, _ *workspace.Basis) { w.Paths.Reports = "elsewhere" }, "paths is another"},
		"program":           {func(w *workspace.Workspace, _ *workspace.Basis) { w.Code = func() string { return "new" } }, "the program is another"},
		"unknown program":   {func(w *workspace.Workspace, _ *workspace.Basis) { w.Code = func() string { return "" } }, "the program is another"},
		"input":             {func(_ *workspace.Workspace, b *workspace.Basis) { b.Inputs[0].SHA256 = "bb" }, "processed/timelines.bin is another"},
		"more inputs":       {func(_ *workspace.Workspace, b *workspace.Basis) { b.Inputs = append(b.Inputs, b.Inputs[0]) }, "it was made from other files"},
		"another raw file":  {func(_ *workspace.Workspace, b *workspace.Basis) { b.Raw[0] += ".gz" }, "events.csv.gz"},
		"another workspace": {func(w *workspace.Workspace, _ *workspace.Basis) { w.Paths.Data += "2" }, "paths is another"},
	} {
		t.Run(name, func(t *testing.T) {
			w, b := ended(t)
			test.change(w, &b)
			if why := stale(t, w, b); !strings.Contains(why, test.want) {
				t.Errorf("%q, want %q", why, test.want)
			}
		})
	}
}

// The law: one byte changed anywhere in what a stage read and left, its record
// included, or a file gone, is found.
func TestStaleFindsEveryByte(t *testing.T) {
	w, b := ended(t)
	manifest := filepath.Join(w.Paths.Features, "user_features_daily.manifest.json")
	record := filepath.Join(w.Paths.Metrics, "features_latest.manifest.json")
	for _, path := range []string{b.Raw[0], w.Features().Path, manifest, w.Metrics("features_latest"), record} {
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range whole {
			bad := append([]byte(nil), whole...)
			bad[i] ^= 1
			if err := os.WriteFile(path, bad, 0o644); err != nil {
				t.Fatal(err)
			}
			if stale(t, w, b) == "" {
				t.Fatalf("byte %d of %s is another, and nothing runs:\n%s", i, filepath.Base(path), bad)
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if why := stale(t, w, b); why == "" {
			t.Errorf("%s is gone, and nothing runs", filepath.Base(path))
		}
		write(t, path, string(whole))
		if why := stale(t, w, b); why != "" {
			t.Errorf("%s is back, and still: %s", filepath.Base(path), why)
		}
	}
}

// A stage that never ended has no record; a run that was stopped stops looking.
func TestStaleWithoutARecord(t *testing.T) {
	w, b := ended(t)
	if _, err := w.Completed("labels"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if why, err := w.Stale(t.Context(), "labels", b, nil); err != nil || why != "it has not run yet" {
		t.Errorf("%q %v", why, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := w.Stale(ctx, "features", b, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
