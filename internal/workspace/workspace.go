// Package workspace knows where the files of a run are, and ties each output
// to what it was made from.
package workspace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"churn/internal/atomicfile"
	"churn/internal/config"
	"churn/internal/table"
	"churn/pipeline"
)

// Workspace is the files under paths.data and paths.artifacts.
type Workspace struct {
	Paths   config.Paths
	Format  table.Format
	Version string           // of the code
	Code    func() string    // SHA-256 of the program, "" if unknown
	Clock   func() time.Time // for manifests only
}

// Output names one file of the data contract.
type Output struct {
	Path  string
	Stage string
}

// Raw returns the path of a raw table.
func (w *Workspace) Raw(name string) Output {
	return Output{w.table(w.Paths.Raw, name), "generate"}
}

func (w *Workspace) table(dir, name string) string {
	return filepath.Join(dir, name+"."+string(w.Format))
}

// UsersClean is the accepted users.
func (w *Workspace) UsersClean() Output { return w.processed("users_clean") }

// EventsClean is the accepted events.
func (w *Workspace) EventsClean() Output { return w.processed("events_clean") }

// UserDaily is the daily aggregates.
func (w *Workspace) UserDaily() Output { return w.processed("user_daily") }

// Timelines is the facts by user, for the later stages.
func (w *Workspace) Timelines() Output {
	return Output{filepath.Join(w.Paths.Processed, "timelines.bin"), "prepare"}
}

func (w *Workspace) processed(name string) Output {
	return Output{w.table(w.Paths.Processed, name), "prepare"}
}

// Quarantine is the rejected rows.
func (w *Workspace) Quarantine() Output {
	return Output{filepath.Join(w.Paths.Processed, "quarantine.csv"), "validate"}
}

// Features is user_features_daily.
func (w *Workspace) Features() Output {
	return Output{w.table(w.Paths.Features, "user_features_daily"), "features"}
}

// Labels is labels_daily.
func (w *Workspace) Labels() Output {
	return Output{w.table(w.Paths.Processed, "labels_daily"), "labels"}
}

// TrainingSet is training_dataset.
func (w *Workspace) TrainingSet() Output {
	return Output{w.table(w.Paths.Features, "training_dataset"), "labels"}
}

// Prediction is a table of predictions.
func (w *Workspace) Prediction(name string) Output {
	return Output{w.table(w.Paths.Predictions, name), "score"}
}

// latestPredictions is the table that the last scoring wrote, of whatever date.
const latestPredictions = "batch_predictions_latest"

// LatestPredictions is the table of the last scoring.
func (w *Workspace) LatestPredictions() Output { return w.Prediction(latestPredictions) }

// datedPredictions begins the names of the tables that are kept, one an as-of
// date.
const datedPredictions = "churn_predictions_"

// Predictions is the table of an as-of date.
func (w *Workspace) Predictions(asOf pipeline.Date) Output {
	return w.Prediction(datedPredictions + asOf.String())
}

// Shards is the folder of the parts of all sharded scorings.
func (w *Workspace) Shards() string { return filepath.Join(w.Paths.Predictions, "shards") }

// ScoreParts is the folder of the parts that shards leave for one another. run
// keeps those of different as-of dates apart.
func (w *Workspace) ScoreParts(run string, of int) string {
	return filepath.Join(w.Shards(), fmt.Sprintf("%s_of_%d", run, of))
}

// ScorePart is one of the parts.
func (w *Workspace) ScorePart(run string, index, of int) Output {
	return Output{w.table(w.ScoreParts(run, of), fmt.Sprintf("part_%d", index)), fmt.Sprintf("score --shard %d/%d", index, of)}
}

// KeptPredictions lists the tables of predictions by rising as-of date.
func (w *Workspace) KeptPredictions() (out []Output, err error) {
	entries, err := os.ReadDir(w.Paths.Predictions)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries { // sorted by name
		name, ok := strings.CutSuffix(e.Name(), "."+string(w.Format))
		date, dated := strings.CutPrefix(name, datedPredictions)
		if _, bad := pipeline.ParseDate(date); ok && dated && bad == nil {
			out = append(out, w.Prediction(name))
		}
	}
	return out, err
}

// Metrics is the path of a JSON report.
func (w *Workspace) Metrics(name string) string {
	return filepath.Join(w.Paths.Metrics, name+".json")
}

// Made describes how an output came about.
type Made struct {
	Inputs       []pipeline.FileState
	ConfigDigest string
	Seed         uint64
	Shard        *pipeline.Shard // nil = the whole output
	Started      time.Time
}

// Record writes the manifest beside an output, last: an output is valid only
// together with a manifest that agrees with it.
func (w *Workspace) Record(out Output, info table.Info, m Made) error {
	_, err := w.record(out, info, m)
	return err
}

func (w *Workspace) record(out Output, info table.Info, m Made) (atomicfile.Info, error) {
	manifest := pipeline.Manifest{
		Stage: out.Stage, Inputs: m.Inputs, ConfigDigest: m.ConfigDigest, Seed: m.Seed, CodeVersion: w.Version, Rows: info.Rows, Shard: m.Shard,
		Output:  pipeline.FileState{Path: w.relative(out.Path), SHA256: info.SHA256, Bytes: info.Bytes, Rows: info.Rows},
		Started: m.Started.UTC(), Finished: w.Clock().UTC(),
	}
	return atomicfile.WriteJSON(manifestPath(out.Path), manifest)
}

// Forget removes an output and its manifest, if they are there.
func (w *Workspace) Forget(out Output) error {
	for _, path := range []string{out.Path, manifestPath(out.Path)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// manifestPath puts <name>.manifest.json beside <name>.<format>.
func manifestPath(path string) string {
	return path[:len(path)-len(filepath.Ext(path))] + ".manifest.json"
}

// relative makes paths in manifests independent of where the workspace is.
func (w *Workspace) relative(path string) string {
	for _, root := range []string{w.Paths.Data, w.Paths.Artifacts} {
		if rel, err := filepath.Rel(root, path); err == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel)
		}
	}
	return filepath.ToSlash(path)
}

// State returns the identity of an output for use as an input. It fails with
// what to do where the output is absent or does not agree with its manifest.
func (w *Workspace) State(out Output) (pipeline.FileState, error) {
	m, err := w.Manifest(out)
	if err != nil {
		return pipeline.FileState{}, err
	}
	info, err := os.Stat(out.Path)
	if err != nil {
		return pipeline.FileState{}, missing(out, err)
	}
	if info.Size() != m.Output.Bytes {
		return pipeline.FileState{}, disagree(out)
	}
	return m.Output, nil
}

// Manifest reads the manifest of an output.
func (w *Workspace) Manifest(out Output) (pipeline.Manifest, error) {
	var m pipeline.Manifest
	data, err := os.ReadFile(manifestPath(out.Path))
	if err != nil {
		return m, missing(out, err)
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("%s is not a manifest (%w); run `churn %s` again", manifestPath(out.Path), err, out.Stage)
	}
	return m, nil
}

// Mark returns a text that changes whenever an output or its manifest is
// written. It reads neither. Without both of them it fails with fs.ErrNotExist.
func (w *Workspace) Mark(out Output) (string, error) {
	mark, gone := "", 0
	for _, path := range []string{out.Path, manifestPath(out.Path)} {
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			gone++
			mark += "gone "
		case err != nil:
			return "", err
		default:
			mark += fmt.Sprintf("%d@%d ", info.Size(), info.ModTime().UnixNano())
		}
	}
	if gone == 2 {
		return "", missingError{out}
	}
	return mark, nil
}

// Agree checks the digest of an output that was read against its manifest.
func (w *Workspace) Agree(out Output, state pipeline.FileState, sha256 string) error {
	if state.SHA256 != sha256 {
		return disagree(out)
	}
	return nil
}

// missingError says which stage writes an output that is not there. It is
// fs.ErrNotExist.
type missingError struct{ Output }

func (e missingError) Error() string {
	return fmt.Sprintf("%s is not there yet; run `churn %s` first", e.Path, e.Stage)
}

// Is makes it fs.ErrNotExist.
func (missingError) Is(target error) bool { return target == fs.ErrNotExist } //nolint:errorlint // the very value

func missing(out Output, err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return missingError{out}
	}
	return err
}

func disagree(out Output) error {
	return fmt.Errorf("%s does not agree with its manifest: an earlier run was interrupted or the file was changed; run `churn %s` again", out.Path, out.Stage)
}

// Lock keeps other processes from writing into the workspace, and removes
// what killed ones left behind. The returned function releases it.
func (w *Workspace) Lock() (release func(), err error) { return w.lock((*flock.Flock).TryLock) }

// retryLock is how often LockWaiting asks.
const retryLock = 100 * time.Millisecond

// LockWaiting is Lock for a process that waits for others to end.
func (w *Workspace) LockWaiting(ctx context.Context) (release func(), err error) {
	return w.lock(func(l *flock.Flock) (bool, error) { return l.TryLockContext(ctx, retryLock) })
}

func (w *Workspace) lock(take func(*flock.Flock) (bool, error)) (release func(), err error) {
	var locks []*flock.Flock
	release = func() {
		for _, l := range locks {
			l.Unlock() //nolint:errcheck // the lock ends with the process anyway
		}
	}
	for _, dir := range slices.Compact([]string{filepath.Clean(w.Paths.Data), filepath.Clean(w.Paths.Artifacts)}) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			release()
			return nil, fmt.Errorf("make the folder for results: %w; choose another with --set paths.data=DIR and paths.artifacts=DIR", err)
		}
		l := flock.New(filepath.Join(dir, ".lock"))
		ok, err := take(l)
		if err != nil || !ok {
			release()
			return nil, lockFault(dir, err)
		}
		locks = append(locks, l)
	}
	for _, dir := range []string{w.Paths.Raw, w.Paths.Processed, w.Paths.Features, w.Paths.Predictions, w.Paths.Metrics, w.Paths.Reports} {
		err = errors.Join(err, atomicfile.Sweep(dir))
	}
	return release, err
}

// ErrBusy is in the error of Lock where somebody else has the lock.
var ErrBusy = errors.New("another churn process")

func lockFault(dir string, err error) error {
	if err != nil {
		return fmt.Errorf("lock %s: %w", dir, err)
	}
	return fmt.Errorf("%w is writing to %s; wait for it to end, or use other folders with --set paths.data=DIR and paths.artifacts=DIR", ErrBusy, dir)
}
