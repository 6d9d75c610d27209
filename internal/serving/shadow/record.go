package shadow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"churn/internal/atomicfile"
	"churn/server"
)

// side is a model: a registry that was made anew begins at the same versions.
type side struct {
	Version string `json:"version"`
	Digest  string `json:"digest"`
}

// names are the two models of a record.
type names struct {
	Champion   side `json:"champion"`
	Challenger side `json:"challenger"`
}

// record is a file: the sum of what all processes have counted of two models.
type record struct {
	names
	Summary server.ShadowComparison `json:"summary"`
	Tally   *tally                  `json:"tally"`
}

func pathOf(folder string, n names) string {
	return filepath.Join(folder, n.Champion.Version+"_"+n.Challenger.Version+".json")
}

// Read returns how two models have compared, each given by version and digest,
// by the records in a folder; nil if they have not met.
func Read(folder string, champion, challenger [2]string) (*server.ShadowComparison, error) {
	r, err := read(folder, names{side{champion[0], champion[1]}, side{challenger[0], challenger[1]}})
	if r == nil || err != nil {
		return nil, err
	}
	return &r.Summary, nil
}

// read returns the record of two models, nil if there is none.
func read(folder string, n names) (*record, error) {
	path := pathOf(folder, n)
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil //nolint:nilnil // see above
	}
	r := record{Tally: newTally()}
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w; remove the file to begin anew", path, err)
	case r.names != n || r.Tally == nil:
		return nil, nil //nolint:nilnil // of other models under the same names
	}
	r.Summary = r.Tally.comparison(n)
	return &r, nil
}

// merge adds a tally to the record of two models, under a lock that other
// processes respect, and returns the sum.
func merge(ctx context.Context, folder string, n names, fresh *tally) (*tally, error) {
	if err := atomicfile.MakeDir(folder); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(folder, ".lock"))
	if ok, err := lock.TryLockContext(ctx, 20*time.Millisecond); err != nil || !ok {
		return nil, fmt.Errorf("lock %s: %w", folder, err)
	}
	defer lock.Unlock() //nolint:errcheck // it ends with the process anyway
	if err := atomicfile.Sweep(folder); err != nil {
		return nil, err
	}
	r, err := read(folder, n)
	if err != nil {
		return nil, err
	}
	if r == nil {
		r = &record{names: n, Tally: newTally()}
	}
	r.Tally.add(fresh)
	r.Summary = r.Tally.comparison(n)
	_, err = atomicfile.WriteJSON(pathOf(folder, n), r)
	return r.Tally, err
}
