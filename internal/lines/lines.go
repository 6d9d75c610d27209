// Package lines reads text files line by line: in blocks, so that several cores
// can work on one file.
package lines

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync/atomic"

	"churn/internal/table"
)

const (
	blockSize = 1 << 20  // bytes read at once
	maxLine   = 16 << 20 // bytes of one line; beyond it the file is not one of lines
)

// Block is a run of whole lines of one file.
type Block struct {
	File  string
	First int // number of the first line, from 1
	Data  []byte
}

// Each calls visit for every line of the block, without its line end.
func (b *Block) Each(visit func(number int, line []byte)) {
	data := b.Data
	for n := b.First; len(data) > 0; n++ {
		line, rest, _ := bytes.Cut(data, []byte{'\n'})
		visit(n, bytes.TrimSuffix(line, []byte{'\r'}))
		data = rest
	}
}

// Reader reads one file: plain, .gz, .bz2 or .zst.
type Reader struct {
	path  string
	in    io.Reader
	close func() error
	sum   hash.Hash
	read  atomic.Int64
	rest  []byte // after the last whole line
	line  int    // number of the first line in rest
	eof   bool
}

// Open opens a file.
func Open(path string) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := &Reader{path: path, close: f.Close, sum: sha256.New(), line: 1}
	in, free, err := table.Decompress(path, io.TeeReader(f, io.MultiWriter(r.sum, counter{&r.read})))
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w; the file is damaged or not of the kind that its name says: copy or export it again", path, err)
	}
	r.in, r.close = in, func() error { free(); return f.Close() }
	return r, nil
}

// counter counts what is written to it.
type counter struct{ n *atomic.Int64 }

func (c counter) Write(b []byte) (int, error) { c.n.Add(int64(len(b))); return len(b), nil }

// Next returns the next block; ok is false after the last.
func (r *Reader) Next() (b *Block, ok bool, err error) {
	for {
		if err := r.fill(); err != nil {
			return nil, false, err
		}
		end := bytes.LastIndexByte(r.rest, '\n') + 1
		if r.eof {
			end = len(r.rest)
		}
		switch {
		case end > 0:
			b = &Block{File: r.path, First: r.line, Data: r.rest[:end:end]}
			r.line += bytes.Count(b.Data, []byte{'\n'})
			r.rest = bytes.Clone(r.rest[end:])
			return b, true, nil
		case r.eof:
			return nil, false, nil
		case len(r.rest) > maxLine:
			return nil, false, fmt.Errorf("%s: line %d: longer than %d MiB; the file must have one JSON value a line", r.path, r.line, maxLine>>20)
		}
	}
}

// fill appends a block of input to rest, in new memory: blocks that were handed
// out stay untouched.
func (r *Reader) fill() error {
	if r.eof {
		return nil
	}
	buffer := make([]byte, len(r.rest)+blockSize)
	n := copy(buffer, r.rest)
	for n < len(buffer) {
		m, err := r.in.Read(buffer[n:])
		n += m
		if errors.Is(err, io.EOF) {
			r.eof = true
			break
		}
		if err != nil {
			return fmt.Errorf("%s: after line %d: %w; the file is damaged or was cut off: copy or export it again", r.path, r.line, err)
		}
	}
	r.rest = buffer[:n]
	return nil
}

// Offset returns how many bytes of the file have been read. It can be called
// while another goroutine reads.
func (r *Reader) Offset() int64 { return r.read.Load() }

// SHA256 returns the digest of the file; valid after the last block.
func (r *Reader) SHA256() string { return hex.EncodeToString(r.sum.Sum(nil)) }

// Close releases the file.
func (r *Reader) Close() error { return r.close() }
