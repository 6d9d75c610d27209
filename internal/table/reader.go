package table

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"crypto/sha256"
	"encoding/hex"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	blockSize = 1 << 20 // bytes read at once: large enough to amortise, small enough for caches
	maxRecord = 4 << 20 // bytes in one record; beyond it a quote was left open
)

// Notes are things about the form of a file that its records do not show.
type Notes struct {
	BOM            bool  // began with a byte order mark, which was skipped
	CRLF, LF       int64 // line ends of each kind
	NoFinalNewline bool  // the last line has no line end
	Empty          bool  // not even a header
}

// Reader reads one file of records, block by block. Blocks come in order;
// their records can be scanned by any goroutine.
type Reader struct {
	path   string
	header []string
	notes  Notes
	blocks blockReader
	close  func() error
	sum    hash.Hash
	size   *countingReader
}

type blockReader interface {
	// readBlock returns the next block, or io.EOF.
	readBlock() (*Block, error)
}

// Open opens a .csv, .csv.gz, .csv.zst or .parquet file and reads its header.
func Open(path string) (*Reader, error) { return OpenColumns(path, nil) }

// OpenColumns is Open for those who want the named columns only (nil: all). The
// header is that of the file; of a Parquet file, cells of other columns are
// neither read nor decoded, and are empty.
func OpenColumns(path string, columns []string) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := &Reader{path: path, close: f.Close, sum: sha256.New()}
	if isParquet(path) {
		err = r.openParquet(f, columns)
	} else {
		err = r.openCSV(f)
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Path returns the path that was opened.
func (r *Reader) Path() string { return r.path }

// Header returns the column names as the file has them, trimmed.
func (r *Reader) Header() []string { return r.header }

// Notes returns what was seen of the file's form so far; complete after io.EOF.
func (r *Reader) Notes() Notes { return r.notes }

// ReadBlock returns the next block of records, or io.EOF after the last.
func (r *Reader) ReadBlock() (*Block, error) { return r.blocks.readBlock() }

// Next is ReadBlock in the form that parallel.Ordered takes: ok is false after
// the last block.
func (r *Reader) Next() (block *Block, ok bool, err error) {
	block, err = r.ReadBlock()
	if errors.Is(err, io.EOF) {
		return nil, false, nil
	}
	return block, err == nil, err
}

// Each calls visit for the remaining records, one after the other, until the
// first error. A record is valid during the call only.
func (r *Reader) Each(visit func(*Record) error) error {
	for {
		block, ok, err := r.Next()
		if err != nil || !ok {
			return err
		}
		rec := block.Scan()
		for rec.Next() {
			if err := visit(rec); err != nil {
				return err
			}
		}
		if rec.Err() != nil {
			return rec.Err()
		}
		block.Release()
	}
}

// Column returns the position of a column, or -1.
func (r *Reader) Column(name string) int {
	for i, h := range r.header {
		if h == name {
			return i
		}
	}
	return -1
}

// SHA256 returns the digest of the whole file; valid after io.EOF.
func (r *Reader) SHA256() string { return hex.EncodeToString(r.sum.Sum(nil)) }

// Offset returns how many bytes of the file have been read. It can be called
// while another goroutine reads.
func (r *Reader) Offset() int64 {
	if r.size == nil {
		return 0
	}
	return r.size.n.Load()
}

// Close releases the file.
func (r *Reader) Close() error { return r.close() }

type countingReader struct {
	r io.Reader
	n atomic.Int64
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n.Add(int64(n))
	return n, err
}

func (r *Reader) openCSV(f *os.File) error {
	r.size = &countingReader{r: io.TeeReader(f, r.sum)}
	in, closeInput, err := Decompress(r.path, r.size)
	if err != nil {
		return fmt.Errorf("%s: %w; the file is damaged or not of the kind that its name says: copy or export it again", r.path, err)
	}
	r.close = func() error { closeInput(); return f.Close() }
	c := &csvBlocks{path: r.path, in: in, notes: &r.notes, line: 1}
	r.blocks = c
	header, err := c.readHeader()
	if err != nil {
		return err
	}
	for _, h := range header {
		r.header = append(r.header, strings.TrimSpace(h))
	}
	return nil
}

// Decompress returns what is in a file, which may end in .gz, .bz2 or .zst. It
// chooses by the name, as people name their files; the function that comes with
// it frees memory.
func Decompress(path string, in io.Reader) (io.Reader, func(), error) {
	nothing := func() {}
	switch filepath.Ext(path) {
	case ".gz":
		z, err := gzip.NewReader(bufio.NewReaderSize(in, blockSize))
		return z, nothing, err
	case ".bz2":
		return bzip2.NewReader(in), nothing, nil
	case ".zst":
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, nothing, err
		}
		return z, z.Close, nil
	}
	return in, nothing, nil
}

// csvBlocks cuts a stream of CSV into blocks of whole records.
type csvBlocks struct {
	path  string
	in    io.Reader
	notes *Notes
	rest  []byte // bytes after the last whole record
	line  int    // number of the first line in rest
	eof   bool
	pool  sync.Pool // of *[]byte, buffers of released blocks
}

// readHeader reads the first record.
func (c *csvBlocks) readHeader() ([]string, error) {
	if err := c.fill(); err != nil {
		return nil, err
	}
	if bytes.HasPrefix(c.rest, []byte("\xef\xbb\xbf")) {
		c.notes.BOM = true
		c.rest = c.rest[3:]
	}
	if len(bytes.TrimSpace(c.rest)) == 0 && c.eof {
		c.notes.Empty = true
		return nil, nil
	}
	for {
		if end := firstRecord(c.rest); end > 0 || c.eof {
			if end <= 0 {
				end = len(c.rest)
			}
			block := &Block{File: c.path, FirstLine: 1, data: c.rest[:end]}
			c.count(c.rest[:end])
			c.rest = c.rest[end:]
			c.line += block.lines()
			rec := block.Scan()
			rec.Next()
			return rec.Strings(), rec.Err()
		}
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
}

// firstRecord returns the length of the first record with its line end, or 0.
func firstRecord(b []byte) int {
	quoted := false
	for i, ch := range b {
		switch {
		case ch == '"':
			quoted = !quoted
		case ch == '\n' && !quoted:
			return i + 1
		}
	}
	return 0
}

// buffer returns size bytes of a released buffer, if there is one that is
// large enough: fresh memory for every block costs more than reading it.
func (c *csvBlocks) buffer(size int) []byte {
	if b, ok := c.pool.Get().(*[]byte); ok && cap(*b) >= size {
		return (*b)[:size]
	}
	return make([]byte, size, max(size, blockSize+blockSize/4))
}

// fill appends up to a block of input to rest, in a new buffer so that blocks
// already handed out stay untouched.
func (c *csvBlocks) fill() error {
	if len(c.rest) > maxRecord {
		return fmt.Errorf("%s: line %d: a record longer than %d MiB; a quote (\") was probably opened and never closed", c.path, c.line, maxRecord>>20)
	}
	buf := c.buffer(len(c.rest) + blockSize)
	copy(buf, c.rest)
	n, err := readFull(c.in, buf[len(c.rest):])
	c.rest = buf[:len(c.rest)+n]
	switch {
	case err == io.EOF: //nolint:errorlint // identity is meant
		c.eof = true
	case err != nil:
		return fmt.Errorf("%s: after line %d: %w; the file is damaged or was cut off: copy or export it again", c.path, c.line, err)
	}
	return nil
}

// readFull reads until buf is full or the input ends, which is io.EOF however
// much was read: io.ReadFull would report an input that ends early by the same
// ErrUnexpectedEOF as a decompressor reports a file that was cut off.
func readFull(in io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = in.Read(buf[n:])
		n += m
	}
	return n, err
}

func (c *csvBlocks) readBlock() (*Block, error) {
	for {
		if !c.eof {
			if err := c.fill(); err != nil {
				return nil, err
			}
		}
		end := lastRecord(c.rest)
		if c.eof {
			end = len(c.rest)
		}
		if end == 0 && c.eof {
			return nil, io.EOF
		}
		if end == 0 {
			continue
		}
		b := &Block{File: c.path, FirstLine: c.line, data: c.rest[:end:end], buffer: c.rest, pool: &c.pool}
		c.count(b.data)
		c.rest = bytes.Clone(c.rest[end:]) // the block's buffer may be reused any time
		c.line += b.lines()
		return b, nil
	}
}

// lastRecord returns where the last whole record of b ends, or 0. A line end
// inside quotes ends no record.
func lastRecord(b []byte) int {
	if bytes.IndexByte(b, '"') < 0 {
		return bytes.LastIndexByte(b, '\n') + 1
	}
	end, quoted := 0, false
	for i, ch := range b {
		switch {
		case ch == '"':
			quoted = !quoted
		case ch == '\n' && !quoted:
			end = i + 1
		}
	}
	return end
}

func (c *csvBlocks) count(data []byte) {
	lf := int64(bytes.Count(data, []byte{'\n'}))
	if bytes.IndexByte(data, '\r') >= 0 {
		crlf := int64(bytes.Count(data, []byte("\r\n")))
		c.notes.CRLF += crlf
		lf -= crlf
	}
	c.notes.LF += lf
	c.notes.NoFinalNewline = len(data) > 0 && data[len(data)-1] != '\n'
}
