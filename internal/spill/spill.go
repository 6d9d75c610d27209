// Package spill holds byte records in numbered buckets: in memory while they
// fit, on disk when they do not, with one way to read them back.
package spill

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Buckets is a set of append-only buckets. It is used by one goroutine while
// it is filled; Read can then be called by several.
type Buckets struct {
	dir     string // existing folder for the spilled files
	name    string
	limit   int64 // bytes held in memory before all buckets go to disk
	held    int64
	memory  [][]byte
	spilled []bool
}

// New returns n empty buckets that keep up to limit bytes in memory and put
// more into files dir/name-<bucket>. The caller owns and removes dir.
func New(dir, name string, n int, limit int64) *Buckets {
	return &Buckets{dir: dir, name: name, limit: limit, memory: make([][]byte, n), spilled: make([]bool, n)}
}

// Len returns the number of buckets.
func (b *Buckets) Len() int { return len(b.memory) }

// Append adds data to a bucket.
func (b *Buckets) Append(bucket int, data []byte) error {
	b.memory[bucket] = append(b.memory[bucket], data...)
	b.held += int64(len(data))
	if b.held > b.limit {
		return b.flush()
	}
	return nil
}

func (b *Buckets) path(bucket int) string {
	return filepath.Join(b.dir, b.name+"-"+strconv.Itoa(bucket))
}

// flush moves everything in memory to disk. Files are opened for the moment of
// writing only: hundreds of buckets must not need hundreds of descriptors.
func (b *Buckets) flush() error {
	for i, data := range b.memory {
		if len(data) == 0 {
			continue
		}
		if err := appendFile(b.path(i), data); err != nil {
			return fmt.Errorf("spill to %s: %w", b.dir, err)
		}
		b.spilled[i] = true
		b.memory[i] = data[:0]
	}
	b.held = 0
	return nil
}

func appendFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// Read returns everything that was appended to a bucket, in order, and frees
// its memory: a bucket can be read once.
func (b *Buckets) Read(bucket int) ([]byte, error) {
	tail := b.memory[bucket]
	b.memory[bucket] = nil
	if !b.spilled[bucket] {
		return tail, nil
	}
	head, err := os.ReadFile(b.path(bucket))
	if err != nil {
		return nil, fmt.Errorf("read back spilled data: %w", err)
	}
	os.Remove(b.path(bucket)) // frees the disk early; the folder goes at the end anyway
	return append(head, tail...), nil
}
