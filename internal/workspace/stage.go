package workspace

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"churn/internal/atomicfile"
	"churn/internal/config"
	"churn/internal/parallel"
	"churn/internal/table"
	"churn/pipeline"
)

// Basis is all that decides what a stage writes, apart from the code.
type Basis struct {
	Raw      []string             // files that are not ours, by path: their content is read
	Inputs   []pipeline.FileState // outputs of earlier stages, and versions of models
	Settings []pipeline.Setting   // all that change an output, but for paths and format, which change every one
}

// Setting identifies the value of a setting by its digest.
func Setting(name string, value any) pipeline.Setting {
	return pipeline.Setting{Name: name, SHA256: config.Digest(value)}
}

// Digest identifies all settings of b.
func (b Basis) Digest() string { return config.Digest(b.Settings) }

// Stage collects what a stage writes. Its record comes last: a stage that was
// killed has none that agrees with its outputs.
type Stage struct {
	files   *Workspace
	name    string
	outputs []pipeline.FileState
	failed  bool // a report could not be written
}

// Begin starts the collection of a stage's outputs.
func (w *Workspace) Begin(stage string) *Stage { return &Stage{files: w, name: stage} }

// Table adds a table that was written, with a manifest beside it.
func (s *Stage) Table(out Output, info table.Info, m Made) error {
	manifest, err := s.files.record(out, info, m)
	s.add(out.Path, info)
	s.add(manifestPath(out.Path), table.Info{Info: manifest})
	return err
}

// File adds a file that was written.
func (s *Stage) File(path string, info atomicfile.Info) {
	s.add(path, table.Info{Info: info})
}

// Report writes the stage's report to the folder of metrics, and adds it. rows
// is what the summary of a run shows where the report is the main output.
func (s *Stage) Report(name string, report any, rows int64) error {
	path := s.files.Metrics(name)
	info, err := atomicfile.WriteJSON(path, report)
	s.add(path, table.Info{Info: info, Rows: rows})
	s.failed = err != nil
	return err
}

func (s *Stage) add(path string, info table.Info) {
	s.outputs = append(s.outputs, pipeline.FileState{Path: s.files.relative(path), SHA256: info.SHA256, Bytes: info.Bytes, Rows: info.Rows})
}

// End writes the record of the stage. main is the path of the output that the
// summary of a run shows; raw are the raw files of b as they were read, or as
// they were before that.
func (s *Stage) End(main string, b Basis, raw []pipeline.FileState) error {
	if s.failed { // Report has said so; without it the stage is not complete
		return nil
	}
	first := func(f pipeline.FileState) bool { return f.Path == s.files.relative(main) }
	i := slices.IndexFunc(s.outputs, first)
	if i < 0 {
		panic("workspace: the main output of " + s.name + " was not written")
	}
	s.outputs = slices.Concat(s.outputs[i:i+1], s.outputs[:i], s.outputs[i+1:])
	r := pipeline.Record{Stage: s.name, Inputs: slices.Concat(plain(raw), plain(b.Inputs)), Outputs: s.outputs,
		Settings: s.files.settings(b), CodeVersion: s.files.Version, CodeDigest: s.files.Code()}
	r.Seal = seal(r)
	_, err := atomicfile.WriteJSON(s.files.recordPath(s.name), r)
	return err
}

// seal returns the digest of a record's content.
func seal(r pipeline.Record) string {
	r.Seal = ""
	return config.Digest(r)
}

// plain leaves the numbers of rows out: they follow from the content.
func plain(inputs []pipeline.FileState) []pipeline.FileState {
	out := slices.Clone(inputs)
	for i := range out {
		out[i].Rows = 0
	}
	return out
}

// settings adds the format and the places of tables, which decide where outputs
// are and what they look like, to the settings of a stage.
func (w *Workspace) settings(b Basis) []pipeline.Setting {
	p := w.Paths
	var dirs []string
	for _, dir := range []string{p.Raw, p.Processed, p.Features, p.Predictions, p.Metrics, p.Reports} {
		dirs = append(dirs, w.relative(dir))
	}
	return append(slices.Clone(b.Settings), Setting("data.format", w.Format), Setting("paths", dirs))
}

func (w *Workspace) recordPath(stage string) string {
	return manifestPath(w.Metrics(stage + "_latest"))
}

// Completed returns the record of a stage. Without one that can be read it
// fails with fs.ErrNotExist, or says what is wrong with it.
func (w *Workspace) Completed(stage string) (r pipeline.Record, err error) {
	data, err := os.ReadFile(w.recordPath(stage))
	if err != nil {
		return r, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, fmt.Errorf("its record cannot be read: %w", err)
	}
	// What we would not write was not written by us.
	if same, err := json.MarshalIndent(r, "", "  "); err != nil || string(same)+"\n" != string(data) || r.Seal != seal(r) || len(r.Outputs) == 0 {
		return r, errors.New("its record was changed")
	}
	return r, nil
}

// Stale says why the outputs of a stage must be made anew, "" if they are what
// the stage would make from b. What is cheap to look at is looked at first;
// the content of raw files and of outputs is read last, and whole.
func (w *Workspace) Stale(ctx context.Context, stage string, b Basis, progress func(done, total int64)) (why string, err error) {
	r, err := w.Completed(stage)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "it has not run yet", nil
	case err != nil:
		return err.Error(), nil //nolint:nilerr // a record that cannot be read is none
	}
	if code := w.Code(); code == "" || r.CodeDigest != code {
		return "the program is another", nil
	}
	if why := cmp.Or(otherSettings(r.Settings, w.settings(b)), otherInputs(r.Inputs, b)); why != "" {
		return why, nil
	}
	return w.changed(ctx, r, b.Raw, progress)
}

// otherSettings names the first setting that is not what it was.
func otherSettings(recorded, now []pipeline.Setting) string {
	for i, s := range now {
		if i >= len(recorded) || recorded[i] != s {
			return s.Name + " is another"
		}
	}
	if len(recorded) > len(now) {
		return recorded[len(now)].Name + " is another"
	}
	return ""
}

// otherInputs compares what needs no reading: the known inputs, and the names of
// the raw files, which stand before them.
func otherInputs(recorded []pipeline.FileState, b Basis) string {
	n := len(b.Raw)
	if len(recorded) != n+len(b.Inputs) {
		return "it was made from other files"
	}
	for i, path := range b.Raw {
		if recorded[i].Path != path {
			return fmt.Sprintf("it was made from %s, now it is %s", recorded[i].Path, path)
		}
	}
	for i, now := range plain(b.Inputs) {
		if recorded[n+i] != now {
			return now.Path + " is another"
		}
	}
	return ""
}

// changed reads the raw files and the outputs of a record, and names the first
// that is not what it was.
func (w *Workspace) changed(ctx context.Context, r pipeline.Record, raw []string, progress func(done, total int64)) (string, error) {
	want, paths := slices.Concat(r.Inputs[:len(raw)], r.Outputs), slices.Clone(raw)
	for _, f := range r.Outputs {
		paths = append(paths, w.locate(f.Path))
	}
	for i, path := range paths {
		if info, err := os.Stat(path); err != nil || info.Size() != want[i].Bytes {
			return became(path, err), nil
		}
	}
	sums, err := digests(ctx, paths, progress)
	if err != nil {
		return "", err
	}
	for i, path := range paths {
		if sums[i] != want[i].SHA256 {
			return became(path, nil), nil
		}
	}
	return "", nil
}

func became(path string, err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return path + " is missing"
	}
	return path + " has changed"
}

// locate returns the path of an output by its path in a record.
func (w *Workspace) locate(recorded string) string {
	path := filepath.FromSlash(recorded)
	if filepath.IsAbs(path) {
		return path
	}
	for _, root := range []string{w.Paths.Data, w.Paths.Artifacts} {
		if at := filepath.Join(root, path); w.relative(at) == recorded {
			if _, err := os.Stat(at); err == nil {
				return at
			}
		}
	}
	return path // set by hand outside of both
}

// Identify reads raw files and returns what identifies their content.
func (w *Workspace) Identify(ctx context.Context, paths []string) ([]pipeline.FileState, error) {
	sums, err := digests(ctx, paths, nil)
	if err != nil {
		return nil, err
	}
	out := make([]pipeline.FileState, len(paths))
	for i, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		out[i] = pipeline.FileState{Path: path, SHA256: sums[i], Bytes: info.Size()}
	}
	return out, nil
}

// digests returns the SHA-256 of files, read side by side. One call of progress
// ends before the next begins, and done never falls.
func digests(ctx context.Context, paths []string, progress func(done, total int64)) ([]string, error) {
	var done, total int64
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			total += info.Size()
		}
	}
	var one sync.Mutex
	sums, errs := make([]string, len(paths)), make([]error, len(paths))
	parallel.Each(len(paths), func(i int) {
		sums[i], errs[i] = digest(paths[i], func(n int) error {
			one.Lock()
			defer one.Unlock()
			if done += int64(n); progress != nil {
				progress(done, total)
			}
			return ctx.Err()
		})
	})
	return sums, errors.Join(errs...)
}

// digest returns the SHA-256 of one file, and calls read after each piece.
func digest(path string, read func(n int) error) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	sum, buffer := sha256.New(), make([]byte, min(info.Size()+1, 1<<18))
	for {
		n, err := f.Read(buffer)
		sum.Write(buffer[:n])
		if stop := read(n); stop != nil {
			return "", stop
		}
		switch {
		case errors.Is(err, io.EOF):
			return hex.EncodeToString(sum.Sum(nil)), nil
		case err != nil:
			return "", err
		}
	}
}
