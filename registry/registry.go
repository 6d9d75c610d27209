// Package registry keeps trained models: immutable, numbered versions, and
// aliases that say which of them is in use.
//
//	<dir>/v0001/bundle.json metrics.json model_card.md manifest.json
//	<dir>/aliases.json
//
// A version appears complete or not at all: it is written into a temporary
// folder, synced, and renamed. Everything in it is checked against the SHA-256
// digests of its manifest whenever it is read.
package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"churn/internal/atomicfile"
	"churn/pipeline"
)

// The aliases.
const (
	Production = "production"
	Previous   = "previous"
)

// The files of a version.
const (
	BundleFile   = "bundle.json"
	MetricsFile  = "metrics.json"
	CardFile     = "model_card.md"
	manifestFile = "manifest.json"
	aliasesFile  = "aliases.json"
)

// Registry is a folder of versions.
type Registry struct{ dir string }

// Open returns the registry in dir, which need not exist yet.
func Open(dir string) *Registry { return &Registry{dir: dir} }

// Manifest says what a version holds and what it was made from.
type Manifest struct {
	Version      string               `json:"version"`
	Kind         string               `json:"kind"`
	AsOf         pipeline.Date        `json:"as_of_date"` // last day of the data it was made from
	Files        []pipeline.FileState `json:"files"`
	Inputs       []pipeline.FileState `json:"inputs"`
	ConfigDigest string               `json:"config_digest"`
	FeatureSet   string               `json:"feature_set"`
	Seed         uint64               `json:"seed"`
	CodeVersion  string               `json:"code_version"`
	Metrics      map[string]float64   `json:"metrics"` // test figures, for comparing candidates
	Created      time.Time            `json:"created"`
}

// Candidate is a version to be.
type Candidate struct {
	Manifest               // Version, Files and Created are filled in by Register
	Bundle, Metrics []byte // JSON
	Card            func(version string) []byte
}

// Register stores a candidate and returns its version. A candidate whose
// bundle is stored already gets the version that it has: the same training
// gives the same version.
func (r *Registry) Register(c Candidate, now time.Time) (version string, fresh bool, err error) {
	unlock, err := r.lock()
	if err != nil {
		return "", false, err
	}
	defer unlock()
	versions, err := r.List()
	if err != nil {
		return "", false, err
	}
	next := 1
	for _, m := range versions {
		if slices.ContainsFunc(m.Files, func(f pipeline.FileState) bool { return f.Path == BundleFile && f.SHA256 == digest(c.Bundle) }) {
			return m.Version, false, nil
		}
		next = max(next, number(m.Version)+1)
	}
	c.Version = fmt.Sprintf("v%04d", next)
	c.Created = now.UTC()
	return c.Version, true, r.write(c)
}

// write puts the version in place with one rename.
func (r *Registry) write(c Candidate) error {
	temp, err := atomicfile.TempDir(r.dir, c.Version)
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	files := []struct {
		name string
		data []byte
	}{{BundleFile, c.Bundle}, {MetricsFile, c.Metrics}, {CardFile, c.Card(c.Version)}}
	c.Manifest.Files = nil
	for _, f := range files {
		info, err := atomicfile.Write(filepath.Join(temp, f.name), f.data)
		if err != nil {
			return err
		}
		c.Manifest.Files = append(c.Manifest.Files, pipeline.FileState{Path: f.name, SHA256: info.SHA256, Bytes: info.Bytes})
	}
	if _, err := atomicfile.WriteJSON(filepath.Join(temp, manifestFile), c.Manifest); err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(temp, 0o755), os.Rename(temp, filepath.Join(r.dir, c.Version))); err != nil {
		return fmt.Errorf("register %s: %w", c.Version, err)
	}
	return atomicfile.SyncDir(r.dir)
}

// lock serialises writers. The folder is made if need be.
func (r *Registry) lock() (unlock func(), err error) {
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return nil, err
	}
	l := flock.New(filepath.Join(r.dir, ".lock"))
	if err := l.Lock(); err != nil {
		return nil, fmt.Errorf("lock the registry %s: %w", r.dir, err)
	}
	return func() { l.Unlock() }, nil //nolint:errcheck // ends with the process anyway
}

// List returns the manifests of all versions, oldest first.
func (r *Registry) List() ([]Manifest, error) {
	entries, err := os.ReadDir(r.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Manifest
	for _, e := range entries {
		if number(e.Name()) == 0 {
			continue
		}
		m, err := r.manifest(e.Name())
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b Manifest) int { return number(a.Version) - number(b.Version) })
	return out, nil
}

// number returns the number of a version such as v0012, or 0.
func number(version string) int {
	digits, ok := strings.CutPrefix(version, "v")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 1 {
		return 0
	}
	return n
}

func (r *Registry) manifest(version string) (Manifest, error) {
	var m Manifest
	path := filepath.Join(r.dir, version, manifestFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return m, fmt.Errorf("registry: version %s: %w; restore the file, or remove the folder of the version", version, err)
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("registry: %s is damaged: %w; restore the file, or remove the folder of the version", path, err)
	}
	if m.Version != version {
		return m, fmt.Errorf("registry: %s says version %q; the folder was renamed or damaged", path, m.Version)
	}
	return m, nil
}

// Resolve returns the version that a version name or an alias means.
func (r *Registry) Resolve(name string) (string, error) {
	if number(name) > 0 {
		if _, err := os.Stat(filepath.Join(r.dir, name)); err != nil {
			return "", fmt.Errorf("registry: there is no version %s; `churn registry list` shows them", name)
		}
		return name, nil
	}
	aliases, err := r.Aliases()
	if err != nil {
		return "", err
	}
	if v := aliases[name]; v != "" {
		return v, nil
	}
	if name == Production {
		return "", errors.New("registry: no model is in production yet; run `churn train` and `churn promote`, or `churn run-all`")
	}
	return "", fmt.Errorf("registry: %q is neither a version nor an alias; `churn registry list` shows them", name)
}

// Load returns the manifest and one file of a version, after checking the
// digests of all its files.
func (r *Registry) Load(name, file string) (Manifest, []byte, error) {
	version, err := r.Resolve(name)
	if err != nil {
		return Manifest{}, nil, err
	}
	m, err := r.manifest(version)
	if err != nil {
		return m, nil, err
	}
	var wanted []byte
	for _, f := range m.Files {
		path := filepath.Join(r.dir, version, f.Path)
		data, err := os.ReadFile(path)
		if err != nil {
			return m, nil, fmt.Errorf("registry: version %s: %w; restore it, or promote another version", version, err)
		}
		if digest(data) != f.SHA256 {
			return m, nil, fmt.Errorf("registry: %s does not have the digest of its manifest: it was changed or damaged; restore it, or promote another version", path)
		}
		if f.Path == file {
			wanted = data
		}
	}
	if wanted == nil {
		return m, nil, fmt.Errorf("registry: version %s has no %s", version, file)
	}
	return m, wanted, nil
}
