package store

import (
	"os"
	"syscall"
)

// WithoutLinks returns the store in a folder whose file system knows no links.
func WithoutLinks(dir string) Store {
	f := newFolder(dir)
	f.link = func(from, to string) error { return &os.LinkError{Op: "link", Old: from, New: to, Err: syscall.EPERM} }
	return f
}
