package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"churn/internal/parallel"
	"churn/pipeline"
)

// Manifest says what a version holds and what it was made from. It never
// changes.
type Manifest struct {
	Version  string               `json:"version"` // v0001, v0002, …
	Kind     string               `json:"kind"`
	AsOf     pipeline.Date        `json:"as_of_date"` // last day of the data it was made from
	Digest   string               `json:"digest"`     // SHA-256 over the names and digests of the files
	Folder   string               `json:"folder"`     // of the files
	Files    []pipeline.FileState `json:"files"`      // by name
	Metrics  map[string]float64   `json:"metrics"`    // test figures, for listing
	Created  time.Time            `json:"created"`
	Parent   string               `json:"parent,omitempty"` // in production when this was trained
	Lineage  Lineage              `json:"lineage"`
	Imported *Origin              `json:"imported_from,omitempty"`
	sealed
}

// Lineage says what a version was made from and with.
type Lineage struct {
	Inputs       []pipeline.FileState `json:"inputs"`        // the training set first
	FeatureSet   string               `json:"feature_set"`   // fingerprint of names and order
	Features     json.RawMessage      `json:"features"`      // the feature spec
	Labels       json.RawMessage      `json:"labels"`        // the definition of churn
	Config       json.RawMessage      `json:"config"`        // every setting that the training read
	ConfigDigest string               `json:"config_digest"` // of Config
	Seed         uint64               `json:"seed"`
	CodeVersion  string               `json:"code_version"`
	CodeDigest   string               `json:"code_digest"` // SHA-256 of the program
}

// Origin is what an imported version was in the registry that exported it.
type Origin struct {
	Version string    `json:"version"`
	Parent  string    `json:"parent,omitempty"`
	Created time.Time `json:"created"`
	Seal    string    `json:"seal"` // of its manifest there
}

// Candidate is a version to be. Its identity is the bundle.
type Candidate struct {
	Kind    string
	AsOf    pipeline.Date
	Metrics map[string]float64
	Parent  string
	Lineage Lineage
	Files   map[string][]byte // BundleFile must be there

	imported *Origin
}

// Version is a version with all its files, checked.
type Version struct {
	Manifest
	Files map[string][]byte // by name
}

// File returns one of the files.
func (v *Version) File(name string) ([]byte, error) {
	data, ok := v.Files[name]
	if !ok {
		return nil, fmt.Errorf("registry: version %s has no %s", v.Version, name)
	}
	return data, nil
}

// fileOf returns the state of a file, empty if there is none of the name.
func (m *Manifest) fileOf(name string) pipeline.FileState {
	i := slices.IndexFunc(m.Files, func(f pipeline.FileState) bool { return f.Path == name })
	if i < 0 {
		return pipeline.FileState{}
	}
	return m.Files[i]
}

// contents returns the states of files in the order of their names, and the
// digest over all.
func contents(files map[string][]byte) (states []pipeline.FileState, sum string) {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f := pipeline.FileState{Path: name, SHA256: digest(files[name]), Bytes: int64(len(files[name]))}
		states = append(states, f)
		fmt.Fprintf(&text, "%s  %s\n", f.SHA256, f.Path) // as sha256sum prints it
	}
	return states, digest([]byte(text.String()))
}

// versionName returns the name of version n.
func versionName(n int) string { return fmt.Sprintf("v%04d", n) }

// number returns the number of a version such as v0012, or 0.
func number(version string) int {
	digits, ok := strings.CutPrefix(version, "v")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 1 || versionName(n) != version {
		return 0
	}
	return n
}

func versionKey(version string) string { return versionsDir + version + ".json" }

// Register stores a candidate and returns its manifest. A candidate whose
// bundle is registered already gets the version that it has, whose other files
// stay as they are: the same training gives the same version. Of racing callers
// each gets a number of its own, without gaps.
func (r *Registry) Register(ctx context.Context, c Candidate, now time.Time) (m Manifest, fresh bool, err error) {
	if len(c.Files[BundleFile]) == 0 {
		panic("registry: a candidate without a bundle")
	}
	for {
		m, fresh, err = r.tryRegister(ctx, c, now)
		if !taken(err) {
			return m, fresh, err
		}
	}
}

// tryRegister is Register, but fails with fs.ErrExist where another took the
// number.
func (r *Registry) tryRegister(ctx context.Context, c Candidate, now time.Time) (Manifest, bool, error) {
	versions, _, highest, tail, err := r.census(ctx)
	if err != nil {
		return Manifest{}, false, err
	}
	bundle := digest(c.Files[BundleFile])
	for _, m := range versions {
		if m.fileOf(BundleFile).SHA256 == bundle {
			return m, false, nil
		}
	}
	m := Manifest{Version: versionName(highest + 1), Kind: c.Kind, AsOf: c.AsOf, Metrics: c.Metrics, Parent: c.Parent,
		Lineage: c.Lineage, Imported: c.imported, Created: now.UTC()}
	m.Files, m.Digest = contents(c.Files)
	m.Folder = modelsDir + m.Digest[:16]
	if tail.Collection > 0 { // never write into a folder that Collect may be emptying
		m.Folder += fmt.Sprintf("-%d", tail.Collection)
	}
	for _, f := range m.Files {
		key := path.Join(m.Folder, f.Path)
		if err := r.store.Write(ctx, key, c.Files[f.Path]); err != nil {
			return m, false, fmt.Errorf("registry: %w", err)
		}
	}
	if _, err := r.files(ctx, m); err != nil { // what is there, not what was sent, is registered
		return m, false, err
	}
	if err := r.put(ctx, versionKey(m.Version), &m); err != nil {
		return m, false, fmt.Errorf("registry: %w", err)
	}
	return m, true, r.notBurnt(ctx, m)
}

// notBurnt makes sure that the number of a new version was not given, and
// collected, while its writer slept between looking and writing.
func (r *Registry) notBurnt(ctx context.Context, m Manifest) error {
	tail, err := r.tail(ctx)
	if err != nil || number(m.Version) > tail.Highest {
		return err
	}
	if err := r.store.Delete(ctx, versionKey(m.Version)); err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	return fmt.Errorf("registry: the number of %s is used up: %w", m.Version, errTaken)
}

// census returns the sound manifests, oldest first, the damaged versions, the
// highest number that was ever given, and the last entry of the ledger. The ledger
// is read last: a version that went before is in it then.
func (r *Registry) census(ctx context.Context) (versions []Manifest, faults []*Damaged, highest int, tail Entry, err error) {
	versions, faults, err = r.manifests(ctx)
	if err != nil {
		return nil, nil, 0, tail, err
	}
	if tail, err = r.tail(ctx); err != nil {
		return nil, nil, 0, tail, err
	}
	highest = tail.Highest
	for _, m := range versions {
		highest = max(highest, number(m.Version))
	}
	for _, d := range faults {
		highest = max(highest, number(d.Version))
	}
	versions = slices.DeleteFunc(versions, func(m Manifest) bool { return tail.condemned(m.Version) })
	faults = slices.DeleteFunc(faults, func(d *Damaged) bool { return tail.condemned(d.Version) })
	return versions, faults, highest, tail, nil
}

// manifests returns the sound ones of all versions, also of those that are being
// removed, oldest first; and the damaged ones.
func (r *Registry) manifests(ctx context.Context) (sound []Manifest, faults []*Damaged, err error) {
	objects, err := r.store.List(ctx, versionsDir)
	if err != nil {
		return nil, nil, fmt.Errorf("registry: %w", err)
	}
	var names []string
	for _, o := range objects {
		if name := strings.TrimSuffix(path.Base(o.Key), ".json"); o.Key == versionKey(name) && number(name) > 0 {
			names = append(names, name)
		}
	}
	out, errs := make([]Manifest, len(names)), make([]error, len(names))
	parallel.Each(len(names), func(i int) { out[i], errs[i] = r.manifest(ctx, names[i]) })
	for i, err := range errs {
		var d *Damaged
		switch {
		case absent(err): // removed since it was listed
		case errors.As(err, &d):
			faults = append(faults, d)
		case err != nil:
			return nil, nil, err
		default:
			sound = append(sound, out[i])
		}
	}
	slices.SortFunc(sound, func(a, b Manifest) int { return cmp.Compare(number(a.Version), number(b.Version)) })
	return sound, faults, nil
}

// Damaged is the error of a version whose manifest was read, but is not what was
// written. Its number stays taken.
type Damaged struct {
	Version string
	Err     error
}

func (d *Damaged) Error() string { return d.Err.Error() }

func (d *Damaged) Unwrap() error { return d.Err }

const manifestRemedy = "restore it from a copy, or delete it to give the version up; other versions are not touched"

func (r *Registry) manifest(ctx context.Context, version string) (m Manifest, err error) {
	err = r.get(ctx, versionKey(version), &m, manifestRemedy)
	if errors.As(err, new(broken)) {
		return Manifest{}, &Damaged{version, err}
	}
	if err != nil {
		return Manifest{}, err
	}
	if m.Version != version {
		return Manifest{}, &Damaged{version, fmt.Errorf("registry: %s says version %q: it was renamed; restore it from a copy", r.store.Locate(versionKey(version)), m.Version)}
	}
	return m, nil
}

// List returns the manifests of all versions, oldest first. Where some are
// damaged, the error says so, a *Damaged for each, and the others are returned
// nevertheless.
func (r *Registry) List(ctx context.Context) ([]Manifest, error) {
	versions, faults, _, _, err := r.census(ctx)
	for _, d := range faults {
		err = errors.Join(err, d)
	}
	return versions, err
}

// Manifest returns the manifest of what a name means, see Resolve. No other
// version is looked at, unless the name is a digest.
func (r *Registry) Manifest(ctx context.Context, name string) (Manifest, error) {
	return r.find(ctx, name)
}

// Resolve returns the version that a name means: a version, an alias, or
// sha256: and the begin of a content digest.
func (r *Registry) Resolve(ctx context.Context, name string) (string, error) {
	m, err := r.find(ctx, name)
	return m.Version, err
}

// find returns the manifest of what a name means.
func (r *Registry) find(ctx context.Context, name string) (Manifest, error) {
	if prefix, ok := strings.CutPrefix(name, "sha256:"); ok {
		return r.findDigest(ctx, prefix)
	}
	tail, err := r.tail(ctx)
	if err != nil && number(name) == 0 {
		return Manifest{}, err // a damaged ledger hides what aliases mean, not the versions
	}
	version := name
	if number(name) == 0 {
		if version = tail.Aliases.Of(name); version == "" {
			return Manifest{}, r.noAlias(name)
		}
	}
	m, err := r.manifest(ctx, version)
	switch gone := tail.condemned(version) || absent(err); {
	case gone && number(version) <= tail.Highest:
		return Manifest{}, fmt.Errorf("registry: version %s was removed by `churn registry gc`; `churn registry list` shows those that are there", version)
	case gone && version == name:
		return Manifest{}, fmt.Errorf("registry: there is no version %s; `churn registry list` shows them", name)
	}
	return m, err
}

func (r *Registry) noAlias(name string) error {
	switch name {
	case Production:
		return fmt.Errorf("registry: no model is in production yet; run `churn train` and `churn promote`, or `churn run-all`")
	case Challenger, Previous:
		return fmt.Errorf("registry: there is no %s model; `churn registry list` shows what there is", name)
	}
	return fmt.Errorf("registry: %q is neither a version nor an alias; `churn registry list` shows them", name)
}

// minPrefix is the shortest begin of a digest that names a version.
const minPrefix = 6

func (r *Registry) findDigest(ctx context.Context, prefix string) (Manifest, error) {
	versions, err := r.List(ctx)
	if err != nil && !errors.As(err, new(*Damaged)) {
		return Manifest{}, err
	}
	found := slices.DeleteFunc(versions, func(m Manifest) bool { return !strings.HasPrefix(m.Digest, prefix) })
	switch {
	case len(prefix) < minPrefix:
		return Manifest{}, fmt.Errorf("registry: sha256:%s is too short to name a version; give at least %d digits", prefix, minPrefix)
	case len(found) == 0:
		return Manifest{}, errors.Join(fmt.Errorf("registry: no version has the digest sha256:%s; `churn registry list` shows them", prefix), err)
	case len(found) > 1:
		return Manifest{}, fmt.Errorf("registry: sha256:%s means %s and %s; give more digits", prefix, found[0].Version, found[1].Version)
	}
	return found[0], nil
}

// Load returns a version with all its files, whose digests it has checked.
func (r *Registry) Load(ctx context.Context, name string) (*Version, error) {
	m, err := r.find(ctx, name)
	if err != nil {
		return nil, err
	}
	files, err := r.files(ctx, m)
	if err != nil {
		return nil, err
	}
	return &Version{Manifest: m, Files: files}, nil
}

// files reads and checks the files of a version.
func (r *Registry) files(ctx context.Context, m Manifest) (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, f := range m.Files {
		data, err := r.file(ctx, m, f)
		if err != nil {
			return nil, err
		}
		out[f.Path] = data
	}
	return out, nil
}

func (r *Registry) file(ctx context.Context, m Manifest, f pipeline.FileState) ([]byte, error) {
	key := path.Join(m.Folder, f.Path)
	data, err := r.store.Read(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("registry: version %s: %w; restore it, or use another version", m.Version, err)
	}
	if digest(data) != f.SHA256 {
		return nil, fmt.Errorf("registry: %s does not have the digest of its manifest: it was changed or damaged; restore it, or use another version", r.store.Locate(key))
	}
	return data, nil
}
