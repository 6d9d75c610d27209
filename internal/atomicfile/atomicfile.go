// Package atomicfile writes files that are either complete or absent: to a
// temporary name beside the target, synced, renamed, and the folder synced.
package atomicfile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// tempMark is in the name of every temporary file and folder, so that what a
// killed process left behind can be told from results.
const tempMark = ".tmp-"

// File is a file that is being written. It is complete under its final name
// only after Commit.
type File struct {
	file   *os.File
	target string
	sum    hash.Hash
	size   int64
}

// Info describes a committed file.
type Info struct {
	SHA256 string // hex digest of the bytes
	Bytes  int64
}

// Create starts a file that Commit will put at path. Missing folders are made.
func Create(path string) (*File, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, explain(err)
	}
	return createIn(dir, path)
}

// createIn starts a file at path whose temporary stands in dir.
func createIn(dir, path string) (*File, error) {
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+tempMark+"*")
	if err != nil {
		return nil, explain(err)
	}
	return &File{file: f, target: path, sum: sha256.New()}, nil
}

// Write appends to the temporary file.
func (f *File) Write(b []byte) (int, error) {
	n, err := f.file.Write(b)
	f.sum.Write(b[:n])
	f.size += int64(n)
	if err != nil {
		return n, fmt.Errorf("write %s: %w", f.target, explain(err))
	}
	return n, nil
}

// Commit syncs the file, gives it its final name and syncs the folder.
func (f *File) Commit() (Info, error) {
	err := errors.Join(f.file.Chmod(0o644), f.file.Sync(), f.file.Close())
	if err == nil {
		err = os.Rename(f.file.Name(), f.target)
	}
	if err != nil {
		os.Remove(f.file.Name())
		return Info{}, fmt.Errorf("write %s: %w", f.target, explain(err))
	}
	info := Info{SHA256: hex.EncodeToString(f.sum.Sum(nil)), Bytes: f.size}
	return info, SyncDir(filepath.Dir(f.target))
}

// Abort removes the temporary file. It is harmless after Commit.
func (f *File) Abort() {
	f.file.Close()
	os.Remove(f.file.Name())
}

// Write writes data to path at once.
func Write(path string, data []byte) (Info, error) {
	f, err := Create(path)
	if err != nil {
		return Info{}, err
	}
	if _, err := f.Write(data); err != nil {
		f.Abort()
		return Info{}, err
	}
	return f.Commit()
}

// WriteVia is Write with the temporary file in the folder temp, which must be
// on the same file system. The folder of path must exist.
func WriteVia(temp, path string, data []byte) error {
	f, err := createIn(temp, path)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		f.Abort()
		return err
	}
	_, err = f.Commit()
	return err
}

// WriteNew writes data to path unless there is a file. Of racing writers, of
// whatever process, one wins; the others get an error that is fs.ErrExist. The
// temporary file stands in the folder temp, on the same file system. link is
// os.Link, which does what rename does not: it refuses an existing name. Its
// error is returned as it is.
func WriteNew(temp, path string, data []byte, link func(from, to string) error) error {
	f, err := createIn(temp, path)
	if err != nil {
		return err
	}
	defer f.Abort() // the temporary name goes in any case
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := errors.Join(f.file.Chmod(0o644), f.file.Sync()); err != nil {
		return fmt.Errorf("write %s: %w", path, explain(err))
	}
	if err := link(f.file.Name(), path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// MakeDir makes a folder and those above it, durably.
func MakeDir(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := MakeDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return explain(err)
	}
	return SyncDir(parent)
}

// Probe does in a folder all that writing a file needs, and removes what it
// wrote. It returns the time that the file system gave the file.
func Probe(dir string) (written time.Time, err error) {
	f, err := createIn(dir, filepath.Join(dir, "probe"))
	if err != nil {
		return written, err
	}
	f.target = f.file.Name() + "-renamed" // temporary by its name, whatever happens
	if _, err := f.Write([]byte("churn\n")); err != nil {
		f.Abort()
		return written, err
	}
	if _, err := f.Commit(); err != nil {
		return written, err
	}
	info, err := os.Stat(f.target)
	if err == nil {
		written = info.ModTime()
	}
	return written, errors.Join(err, os.Remove(f.target))
}

// Leftovers returns the temporary files and folders in dir: of writers at work,
// and of those that were killed.
func Leftovers(dir string) (paths []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") && strings.Contains(e.Name(), tempMark) {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths, err
}

// WriteJSON writes v as indented JSON with a final newline.
func WriteJSON(path string, v any) (Info, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return Info{}, fmt.Errorf("encode %s: %w", path, err)
	}
	return Write(path, append(data, '\n'))
}

// Digest returns the SHA-256 of the file at path.
func Digest(path string) (Info, error) {
	f, err := os.Open(path)
	if err != nil {
		return Info{}, err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	return Info{SHA256: hex.EncodeToString(sum.Sum(nil)), Bytes: n}, err
}

// SyncDir makes renames in a folder durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// TempDir makes a temporary folder inside dir. The caller renames or removes it.
func TempDir(dir, name string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", explain(err)
	}
	path, err := os.MkdirTemp(dir, "."+name+tempMark+"*")
	return path, explain(err)
}

// explain adds what to do to the errors that a user can mend.
func explain(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: the disk is full; free some space and run the same command again, earlier results are intact", err)
	case errors.Is(err, syscall.EROFS), errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w: choose a folder that you may write to with --set paths.data=DIR and paths.artifacts=DIR", err)
	}
	return err
}

// Sweep removes the temporary files and folders that killed processes left in
// dir. Call it only while holding the lock of the folder.
func Sweep(dir string) error {
	paths, err := Leftovers(dir)
	for _, path := range paths {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}
