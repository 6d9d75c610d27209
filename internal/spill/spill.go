// Package spill holds byte records in numbered buckets: in memory while they
// fit, on disk when they do not, with one way to read them back.
package spill

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// pageSize is how much memory a bucket takes at a time: growing one slice
// instead would copy everything again and again.
const pageSize = 32 << 10

// Buckets is a set of append-only buckets. It is used by one goroutine while
// it is filled; Read can then be called by several.
type Buckets struct {
	dir     string // existing folder for the spilled files
	name    string
	limit   int64 // bytes held in memory before all buckets go to disk
	held    int64
	memory  [][][]byte // pages by bucket
	free    [][]byte   // emptied pages
	spilled []bool
}

// New returns n empty buckets that keep up to limit bytes in memory and put
// more into files dir/name-<bucket>. The caller owns and removes dir.
func New(dir, name string, n int, limit int64) *Buckets {
	return &Buckets{dir: dir, name: name, limit: limit, memory: make([][][]byte, n), spilled: make([]bool, n)}
}

// Len returns the number of buckets.
func (b *Buckets) Len() int { return len(b.memory) }

// Append adds data, a run of whole records, to a bucket.
func (b *Buckets) Append(bucket int, data []byte) error {
	if len(data) == 0 {
		return nil
	}
	pages := b.memory[bucket]
	n := len(pages)
	if n == 0 || len(pages[n-1])+len(data) > cap(pages[n-1]) {
		page := b.page(len(data))
		b.held += int64(cap(page))
		pages, n = append(pages, page), n+1
	}
	pages[n-1] = append(pages[n-1], data...)
	b.memory[bucket] = pages
	if b.held > b.limit {
		return b.flush()
	}
	return nil
}

// page returns an empty page with room for size bytes.
func (b *Buckets) page(size int) []byte {
	if n := len(b.free); n > 0 && size <= pageSize {
		page := b.free[n-1]
		b.free = b.free[:n-1]
		return page
	}
	return make([]byte, 0, max(pageSize, size))
}

func (b *Buckets) path(bucket int) string {
	return filepath.Join(b.dir, b.name+"-"+strconv.Itoa(bucket))
}

// flush moves everything in memory to disk. Files are opened for the moment of
// writing only: hundreds of buckets must not need hundreds of descriptors.
func (b *Buckets) flush() error {
	for i, pages := range b.memory {
		if len(pages) == 0 {
			continue
		}
		if err := appendFile(b.path(i), pages); err != nil {
			return fmt.Errorf("spill to %s: %w; free some space, or raise prepare.memory", b.dir, err)
		}
		b.spilled[i] = true
		b.memory[i] = pages[:0]
		for _, page := range pages {
			if cap(page) == pageSize {
				b.free = append(b.free, page[:0])
			}
		}
	}
	b.held = 0
	return nil
}

func appendFile(path string, pages [][]byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	for _, page := range pages {
		if _, err := f.Write(page); err != nil {
			f.Close()
			return err
		}
	}
	return f.Close()
}

// Read returns everything that was appended to a bucket, in order, as pieces
// of whole records, and frees its memory: a bucket can be read once.
func (b *Buckets) Read(bucket int) ([][]byte, error) {
	pages := b.memory[bucket]
	b.memory[bucket] = nil
	if !b.spilled[bucket] {
		return pages, nil
	}
	head, err := os.ReadFile(b.path(bucket))
	if err != nil {
		return nil, fmt.Errorf("read back spilled data: %w", err)
	}
	os.Remove(b.path(bucket)) // frees the disk early; the folder goes at the end anyway
	return append([][]byte{head}, pages...), nil
}

// CopyTo writes everything that was appended to a bucket, in order, and frees
// its memory: for a bucket that may be larger than memory. It is called by the
// goroutine that fills the buckets.
func (b *Buckets) CopyTo(w io.Writer, bucket int) error {
	if b.spilled[bucket] {
		if err := copyFile(w, b.path(bucket)); err != nil {
			return fmt.Errorf("read back spilled data: %w", err)
		}
		os.Remove(b.path(bucket))
	}
	for _, page := range b.memory[bucket] {
		b.held -= int64(cap(page))
		if _, err := w.Write(page); err != nil {
			return err
		}
	}
	b.memory[bucket] = nil
	return nil
}

func copyFile(w io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}
