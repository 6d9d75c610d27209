package predictionlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"churn/internal/wire"
	"churn/server"
)

// Entry is one prediction of the log. A reader uses its Row again for the next
// one; the rest may be kept.
type Entry struct {
	Time      time.Time
	RequestID string
	Route     string
	UserID    string // "" where the request named none
	AsOf      string
	Model     *Model
	Row       server.Row // in the order of the model's names; NaN and "" are missing
	Margin    float64
	Risk      float64
	Tier      string
	Shadow    bool // by the second model: nobody was answered with it
}

// Query selects entries. The zero Query is everything that was answered.
type Query struct {
	From, To         time.Time // From ≤ time < To; zero = open
	AsOfFrom, AsOfTo string    // dates, both inclusive; "" = open
	UserID           string    // "" = all
	Version          string    // "" = all
	Shadow           bool      // those of second models instead of those that were answered
}

func (q *Query) selects(e *Entry) bool {
	return e.Shadow == q.Shadow && (q.UserID == "" || e.UserID == q.UserID) && (q.Version == "" || e.Model.Version == q.Version) &&
		!e.Time.Before(q.From) && (q.To.IsZero() || e.Time.Before(q.To)) &&
		e.AsOf >= q.AsOfFrom && (q.AsOfTo == "" || e.AsOf <= q.AsOfTo)
}

// holds reports whether a frame can hold what is selected, by its times.
func (q *Query) holds(h head) bool {
	return !time.Unix(0, h.last).Before(q.From) && (q.To.IsZero() || time.Unix(0, h.first).Before(q.To))
}

// Summary says what was read.
type Summary struct {
	Files   int   `json:"files"`
	Rows    int64 `json:"rows"`       // that the query selects
	Torn    int   `json:"torn_files"` // whose end is not whole: a kill cut it off, or it is being written
	Damaged int64 `json:"damaged_frames"`
}

// Each calls visit for the selected entries: file by file in the order in which
// they were begun, each in the order of its rows, which is that of time but for
// rows that were answered together. Files of several servers overlap. It stops
// at the first error of visit. A folder that is not there has no entries.
func Each(ctx context.Context, folder string, q Query, visit func(*Entry) error) (Summary, error) {
	files, err := list(folder)
	if err != nil {
		return Summary{}, fmt.Errorf("read the prediction log: %w", err)
	}
	r := newReader(q, visit)
	defer r.zstd.Close()
	for _, f := range files {
		if !q.To.IsZero() && f.began.After(q.To.Add(time.Minute)) { // rows wait for one another, though not so long
			continue
		}
		err := r.file(ctx, f.path)
		if errors.Is(err, os.ErrNotExist) {
			continue // it has just become too old
		}
		if err != nil {
			return r.summary, err
		}
		r.summary.Files++
	}
	return r.summary, nil
}

// listed is a file of a folder.
type listed struct {
	path    string
	began   time.Time
	changed time.Time
	size    int64
}

// list returns the files of a folder in the order in which they were begun.
func list(folder string) (out []listed, err error) {
	entries, err := os.ReadDir(folder) // sorted by name
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		stamp, _, _ := strings.Cut(e.Name(), "-")
		began, bad := time.Parse(timeInName, stamp)
		if bad != nil || filepath.Ext(e.Name()) != extension {
			continue
		}
		info, gone := e.Info()
		if gone != nil {
			continue
		}
		out = append(out, listed{filepath.Join(folder, e.Name()), began, info.ModTime(), info.Size()})
	}
	return out, err
}

// reader reads files one after the other.
type reader struct {
	query   Query
	visit   func(*Entry) error
	zstd    *zstd.Decoder
	summary Summary
	models  map[uint64]*Model // of the file at hand
	entry   Entry
	body    []byte
	payload []byte
	texts   map[string]string // those seen lately, so that each takes its memory once
}

func newReader(q Query, visit func(*Entry) error) *reader {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxFrame))
	if err != nil {
		panic("predictionlog: " + err.Error()) // the options are constants
	}
	return &reader{query: q, visit: visit, zstd: z, texts: map[string]string{}}
}

// file reads one file.
func (r *reader) file(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read the prediction log: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("read the prediction log: %w", err)
	}
	whole, err := r.frames(ctx, f, info.Size())
	if err != nil {
		return fmt.Errorf("read the prediction log, %s: %w", path, err)
	}
	if !whole {
		r.summary.Torn++
	}
	return nil
}

// frames reads a file of a size and reports whether it is whole. What follows a
// frame without an end is left out; one that is not what was written is
// skipped, and the next one read.
func (r *reader) frames(ctx context.Context, f io.ReaderAt, size int64) (whole bool, err error) {
	r.models = map[uint64]*Model{}
	start := make([]byte, len(magic))
	if n, err := f.ReadAt(start, 0); n < len(start) || string(start) != magic {
		return false, unlessEnd(err)
	}
	var front [frameHead + bodyHead]byte
	for at := int64(len(magic)); at < size; {
		n, err := f.ReadAt(front[:], at)
		if n < frameHead {
			return false, unlessEnd(err)
		}
		length, sum := int64(binary.LittleEndian.Uint32(front[:])), binary.LittleEndian.Uint32(front[4:])
		if length == 0 || length > maxFrame || length > size-at-frameHead {
			return false, ctx.Err()
		}
		h, _, bad := readHead(front[frameHead:min(int64(n), frameHead+length)])
		if bad != nil || h.kind == kindModel || r.query.holds(h) {
			if err := r.frame(f, at+frameHead, length, sum); err != nil {
				return false, err
			}
		}
		if err := ctx.Err(); err != nil {
			return false, err
		}
		at += frameHead + length
	}
	return true, nil
}

// unlessEnd returns an error that is not the end of a file.
func unlessEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// frame reads one frame.
func (r *reader) frame(f io.ReaderAt, at, length int64, sum uint32) error {
	if int64(cap(r.body)) < length {
		r.body = make([]byte, length)
	}
	r.body = r.body[:length]
	if _, err := f.ReadAt(r.body, at); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if checksum(r.body) != sum {
		r.summary.Damaged++
		return nil
	}
	err := r.decode(r.body)
	if errors.Is(err, errDamaged) {
		r.summary.Damaged++
		return nil
	}
	return err
}

// decode reads the body of a frame.
func (r *reader) decode(body []byte) (err error) {
	h, n, err := readHead(body)
	if err != nil {
		return err
	}
	if r.payload, err = r.zstd.DecodeAll(body[n:], r.payload[:0]); err != nil {
		return errDamaged
	}
	if h.kind == kindModel {
		number, m, err := readModel(r.payload)
		if err == nil {
			r.models[number] = m
		}
		return err
	}
	return r.rows(h.rows)
}

// rows reads the rows of a payload.
func (r *reader) rows(n uint64) error {
	b := wire.NewReader(r.payload)
	for range n {
		m := r.models[b.Uvarint()]
		if m == nil {
			return errDamaged // its own frame was
		}
		r.entry.read(&b, m)
		if b.Bad() {
			return errDamaged
		}
		if !r.query.selects(&r.entry) {
			continue
		}
		r.intern(&r.entry)
		r.summary.Rows++
		if err := r.visit(&r.entry); err != nil {
			return err
		}
	}
	if b.Len() > 0 {
		return errDamaged
	}
	return nil
}

// maxTexts bounds the texts that are remembered: some categorical inputs have
// many values.
const maxTexts = 10_000

// intern lets equal texts share their memory, where a caller keeps them.
func (r *reader) intern(e *Entry) {
	for _, text := range []*string{&e.Route, &e.AsOf, &e.Tier} {
		*text = r.same(*text)
	}
	for i, text := range e.Row.Categorical {
		e.Row.Categorical[i] = r.same(text)
	}
}

func (r *reader) same(text string) string {
	if known, ok := r.texts[text]; ok {
		return known
	}
	if len(r.texts) < maxTexts {
		r.texts[text] = text
	}
	return text
}
