package serving

import (
	"fmt"
	"os"
	"strings"
	"time"

	"churn/internal/serving/snapshot"
	"churn/internal/workspace"
)

// Table is a table of predictions, as its manifest describes it.
type Table struct {
	snapshot.Source
	Mark     string    // changes whenever the table or its manifest is written
	Finished time.Time // when churn score had finished
	Model    string    // digest of the version that scored
}

// Tables is what a follower needs of the predictions.
type Tables interface {
	// Latest returns the table of the last scoring; without one it fails with
	// fs.ErrNotExist.
	Latest() (Table, error)
	// Kept returns the tables that are kept, by rising as-of date, without those
	// that have no manifest.
	Kept() ([]Table, error)
}

// workspaceTables are the tables of a workspace.
type workspaceTables struct{ files *workspace.Workspace }

// WorkspaceTables returns the tables of predictions of a workspace.
func WorkspaceTables(w *workspace.Workspace) Tables { return &workspaceTables{w} }

func (t *workspaceTables) Latest() (Table, error) { return t.read(t.files.LatestPredictions()) }

func (t *workspaceTables) Kept() ([]Table, error) {
	outputs, err := t.files.KeptPredictions()
	if err != nil {
		return nil, err
	}
	var out []Table
	for _, o := range outputs {
		if table, err := t.read(o); err == nil { // one without a manifest is being written, or was left half written
			out = append(out, table)
		}
	}
	return out, nil
}

func (t *workspaceTables) read(out workspace.Output) (Table, error) {
	mark, err := t.files.Mark(out) // first, so that a later change shows
	if err != nil {
		return Table{}, err
	}
	m, err := t.files.Manifest(out)
	if err != nil {
		return Table{}, err
	}
	if len(m.Output.SHA256) < 64 {
		return Table{}, fmt.Errorf("the manifest of %s has no digest; run `churn score` again", out.Path)
	}
	if _, err := os.Stat(out.Path); err != nil {
		return Table{}, fmt.Errorf("%s has a manifest and cannot be read (%v); run `churn score` again", out.Path, err) //nolint:errorlint // it is no absence of predictions
	}
	table := Table{Source: snapshot.Source{Path: out.Path, SHA256: m.Output.SHA256}, Mark: mark, Finished: m.Finished.UTC()}
	for _, in := range m.Inputs {
		if strings.HasPrefix(in.Path, "registry/") {
			table.Model = in.SHA256
		}
	}
	return table, nil
}
