package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/gofrs/flock"

	"churn/internal/atomicfile"
)

// folder is a store in a local folder: an object is a file. Its temporaries
// stand in the folder itself, and writers share a lock, so that Sweep knows
// whether somebody still needs them.
type folder struct {
	dir  string
	link func(from, to string) error // os.Link, but for tests
}

var _ Store = (*folder)(nil)

func newFolder(dir string) *folder { return &folder{dir: filepath.Clean(dir), link: os.Link} }

const lockFile = ".lock"

// Sweep removes what killed writers left in a folder store, unless somebody
// is writing just now.
func Sweep(dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	l := flock.New(filepath.Join(dir, lockFile))
	if ok, err := l.TryLock(); err != nil || !ok {
		return err
	}
	return errors.Join(atomicfile.Sweep(dir), l.Unlock())
}

func (f *folder) Locate(key string) string { return filepath.Join(f.dir, filepath.FromSlash(key)) }

func (f *folder) Read(ctx context.Context, key string) ([]byte, error) {
	if err := errors.Join(ctx.Err(), CheckKey(key)); err != nil {
		return nil, named(f, key, err)
	}
	return os.ReadFile(f.Locate(key))
}

func (f *folder) Create(ctx context.Context, key string, data []byte) error {
	err := f.locked(ctx, key, (*flock.Flock).RLock, func(path string) error { return atomicfile.WriteNew(f.dir, path, data, f.link) })
	if !unlinkable(err) {
		return err
	}
	// Some file systems know no links. There, creators go one by one.
	return f.locked(ctx, key, (*flock.Flock).Lock, func(path string) error {
		if _, err := os.Lstat(path); err == nil {
			return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
		}
		return atomicfile.WriteVia(f.dir, path, data)
	})
}

// unlinkable reports whether a file system said that it makes no links.
func unlinkable(err error) bool {
	return slices.ContainsFunc([]error{syscall.EPERM, syscall.ENOTSUP, syscall.EOPNOTSUPP, syscall.ENOSYS, syscall.EMLINK},
		func(e error) bool { var l *os.LinkError; return errors.As(err, &l) && errors.Is(l.Err, e) })
}

func (f *folder) Write(ctx context.Context, key string, data []byte) error {
	if there, err := f.Read(ctx, key); err == nil && bytes.Equal(there, data) {
		return nil
	}
	return f.locked(ctx, key, (*flock.Flock).RLock, func(path string) error { return atomicfile.WriteVia(f.dir, path, data) })
}

// locked makes the folder of a key, and calls write with its path under the
// lock.
func (f *folder) locked(ctx context.Context, key string, lock func(*flock.Flock) error, write func(path string) error) error {
	if err := errors.Join(ctx.Err(), CheckKey(key)); err != nil {
		return named(f, key, err)
	}
	path := f.Locate(key)
	if err := atomicfile.MakeDir(filepath.Dir(path)); err != nil {
		return err
	}
	l := flock.New(filepath.Join(f.dir, lockFile))
	if err := lock(l); err != nil {
		return fmt.Errorf("lock %s: %w", f.dir, err)
	}
	return errors.Join(write(path), l.Unlock())
}

func (f *folder) List(ctx context.Context, in string) (out []Object, err error) {
	if err := errors.Join(ctx.Err(), checkFolder(in)); err != nil {
		return nil, named(f, in, err)
	}
	root := f.Locate(in)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // deleted meanwhile, or never there
			return nil
		case err != nil:
			return err
		case path != root && strings.HasPrefix(d.Name(), "."): // the lock, temporaries, and what file managers leave
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return ctx.Err()
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(f.dir, path)
		out = append(out, Object{Key: filepath.ToSlash(rel), Bytes: info.Size(), Modified: info.ModTime()})
		return err
	})
	slices.SortFunc(out, func(a, b Object) int { return strings.Compare(a.Key, b.Key) })
	return out, err
}

func (f *folder) Delete(ctx context.Context, key string) error {
	if err := errors.Join(ctx.Err(), CheckKey(key)); err != nil {
		return named(f, key, err)
	}
	path := f.Locate(key)
	if err := os.Remove(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	dir := filepath.Dir(path)
	err := atomicfile.SyncDir(dir)
	if strings.Count(key, "/") > 1 && os.Remove(dir) == nil { // it was the last of its folder
		err = errors.Join(err, atomicfile.SyncDir(filepath.Dir(dir)))
	}
	return err
}

// named adds the object to an error, unless it names it already.
func named(s Store, key string, err error) error {
	if err == nil || strings.Contains(err.Error(), s.Locate(key)) {
		return err
	}
	return fmt.Errorf("%s: %w", s.Locate(key), err)
}
