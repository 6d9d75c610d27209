package registry

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"
)

// The archive of a version is a tar: its manifest, then its files in the order
// of their names, with the time of the version and nothing of the machine. A
// version has one possible archive, so an import can compare every byte. It is
// not compressed: people look into it with tar, and a model is small.
const (
	archiveManifest = "manifest.json"
	archiveFiles    = "files/"
)

// maxArchive bounds what Import reads into memory.
const maxArchive = 256 << 20

// Export returns the archive of a version, checked.
func (r *Registry) Export(ctx context.Context, name string) (archive []byte, m Manifest, err error) {
	v, err := r.Load(ctx, name)
	if err != nil {
		return nil, m, err
	}
	archive, err = v.archive()
	return archive, v.Manifest, err
}

// archive writes a version as a tar.
func (v *Version) archive() ([]byte, error) {
	manifest := v.Manifest
	text, err := encode(&manifest)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	add := func(name string, data []byte) error {
		h := tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(data)), Mode: 0o644, ModTime: v.Created.Truncate(time.Second), Format: tar.FormatUSTAR}
		if err := w.WriteHeader(&h); err != nil {
			return err
		}
		_, err := w.Write(data)
		return err
	}
	err = add(archiveManifest, text)
	for _, f := range v.Manifest.Files {
		err = errors.Join(err, add(archiveFiles+f.Path, v.Files[f.Path]))
	}
	err = errors.Join(err, w.Close())
	return out.Bytes(), err
}

// Import registers the version of an archive. It refuses whatever Export would
// not have written, to the byte. A version whose bundle is registered already
// keeps the number that it has; a new one gets the next, and its manifest says
// where it comes from.
func (r *Registry) Import(ctx context.Context, archive io.Reader, now time.Time) (m Manifest, fresh bool, err error) {
	data, err := io.ReadAll(io.LimitReader(archive, maxArchive+1))
	if err != nil {
		return m, false, err
	}
	v, err := parseArchive(data)
	if err != nil {
		return m, false, fmt.Errorf("registry: this is not a sound archive of a version: %w; export it again", err)
	}
	origin := &Origin{Version: v.Version, Parent: v.Parent, Created: v.Created, Seal: v.Seal}
	return r.Register(ctx, Candidate{Kind: v.Kind, AsOf: v.AsOf, Metrics: v.Metrics, Lineage: v.Lineage, Files: v.Files, imported: origin}, now)
}

// fileName is what a file of a version may be called.
var fileName = regexp.MustCompile(`^[a-z0-9_][a-z0-9._-]{0,60}$`)

// parseArchive reads and checks an archive.
func parseArchive(data []byte) (*Version, error) {
	if len(data) > maxArchive {
		return nil, fmt.Errorf("it is larger than %d MiB", maxArchive>>20)
	}
	t := tar.NewReader(bytes.NewReader(data))
	text, err := member(t, archiveManifest)
	if err != nil {
		return nil, err
	}
	v := Version{Files: map[string][]byte{}}
	if err := decode(text, &v.Manifest); err != nil {
		return nil, fmt.Errorf("%s: %w", archiveManifest, err)
	}
	for _, f := range v.Manifest.Files {
		if !fileName.MatchString(f.Path) {
			return nil, fmt.Errorf("%q cannot be the name of a file", f.Path)
		}
		file, err := member(t, archiveFiles+f.Path)
		if err != nil {
			return nil, err
		}
		if digest(file) != f.SHA256 {
			return nil, fmt.Errorf("%s does not have the digest of the manifest", f.Path)
		}
		v.Files[f.Path] = file
	}
	return &v, v.oneArchive(data)
}

// oneArchive fails unless data is the one archive that a version can have.
func (v *Version) oneArchive(data []byte) error {
	states, sum := contents(v.Files)
	switch {
	case number(v.Version) == 0:
		return fmt.Errorf("%q is not a version", v.Version)
	case len(v.Files[BundleFile]) == 0:
		return fmt.Errorf("it has no %s", BundleFile)
	case sum != v.Digest || len(states) != len(v.Manifest.Files):
		return errors.New("the digest of its manifest is not that of its files")
	}
	again, err := v.archive()
	if err != nil || !bytes.Equal(again, data) {
		return errors.New("it holds more than a version, or other than as export writes it")
	}
	return nil
}

// member reads the next file of an archive, which must be the one of the name.
func member(t *tar.Reader, name string) ([]byte, error) {
	h, err := t.Next()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if h.Name != name || h.Typeflag != tar.TypeReg {
		return nil, fmt.Errorf("it holds %q where the file %q should be", h.Name, name)
	}
	if h.Size > maxArchive {
		return nil, fmt.Errorf("%s is larger than %d MiB", name, maxArchive>>20)
	}
	data, err := io.ReadAll(t)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}
