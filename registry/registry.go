// Package registry keeps trained models: immutable, numbered versions, and a
// ledger that says which of them was in use when, why, and by whose hand.
//
//	versions/v0001.json          the manifest of a version; creating it decides the number
//	models/<digest>/<file>       the files of a version
//	ledger/00000001.json         the moves of the aliases, hash-chained; creating one decides the turn
//	decisions/<digest>.json|.md  why the gate decided as it did
//	leases/<name>-00000001.json  locks with an expiry
//
// Nothing is changed once it is written, so readers see a state or the next one,
// never half of one, and no lock is needed: writers race for the next number,
// and the store (package store) lets one win. Manifests, entries and leases carry
// a SHA-256 of their own text, manifests carry those of the files, and entries the
// seal of the entry before. All of it is checked whenever it is read. A chain
// shows what was changed or taken out of its middle; that its last entries were
// taken away it cannot show.
//
// Killed at any moment, a writer leaves at most files that no manifest names,
// which Collect removes.
package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"churn/registry/store"
)

// The aliases.
const (
	Production = "production"
	Challenger = "challenger"
	Previous   = "previous"
)

// The files of a version. A version has a bundle; the rest it may have.
const (
	BundleFile    = "bundle.json"
	MetricsFile   = "metrics.json"
	CardFile      = "model_card.md"
	ProfileFile   = "profile.json"
	SignatureFile = "signature.json"
	SampleFile    = "sample.json"
)

// The folders of the layout.
const (
	versionsDir  = "versions/"
	modelsDir    = "models/"
	ledgerDir    = "ledger/"
	decisionsDir = "decisions/"
	leasesDir    = "leases/"
)

// LedgerFolder is where a registry in a local folder gets a file with each move
// of an alias.
func LedgerFolder(root string) string { return filepath.Join(root, filepath.FromSlash(ledgerDir)) }

// Registry is a place with versions and a ledger. Its methods may be called
// from several goroutines, and by several processes on one place.
type Registry struct{ store store.Store }

// New returns the registry in a store.
func New(s store.Store) *Registry { return &Registry{store: s} }

// Open returns the registry in a folder, which need not exist yet, or at the
// URL of a store (see store.Open).
func Open(ctx context.Context, place string) (*Registry, error) {
	for _, old := range []string{"aliases.json", "v0001"} {
		if _, err := os.Stat(filepath.Join(place, old)); err == nil && !strings.Contains(place, "://") {
			return nil, fmt.Errorf("registry: %s was written by an earlier version of churn (it has %s), whose layout is not read any more; move it away (mv %[1]s %[1]s.old), and run `churn train` and `churn promote` to fill a new one", place, old)
		}
	}
	s, err := store.Open(ctx, place)
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	return New(s), nil
}

// String returns where the registry is.
func (r *Registry) String() string { return strings.TrimSuffix(r.store.Locate(""), "/") }

// put writes a sealed object under a key that must be free.
func (r *Registry) put(ctx context.Context, key string, v framed) error {
	text, err := encode(v)
	if err != nil {
		return fmt.Errorf("registry: encode %s: %w", r.store.Locate(key), err)
	}
	return r.store.Create(ctx, key, text)
}

// get reads a sealed object. remedy says what to do if it is damaged.
func (r *Registry) get(ctx context.Context, key string, v framed, remedy string) error {
	text, err := r.store.Read(ctx, key)
	if err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	if err := decode(text, v); err != nil {
		return broken{fmt.Errorf("registry: %s: %w; %s", r.store.Locate(key), err, remedy)}
	}
	return nil
}

// broken is the error of an object that was read, but is not what was written.
type broken struct{ error }

func (b broken) Unwrap() error { return b.error }

func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) }

func taken(err error) bool { return errors.Is(err, fs.ErrExist) }
