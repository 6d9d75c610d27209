// Package predictionlog keeps what the server has answered: for every
// prediction its inputs by name, its outputs, and which model it was. Monitors
// read it, and labels are joined to it later. Reasons are not in it: they follow
// from inputs and version.
//
// Guarantees: a request never waits for the log, which drops and counts what
// there is no room for; every process writes files of its own, so that several
// may share a folder; nothing of a finished file is ever changed; what a kill
// loses is what was not written yet, at most serve.log.flush_every, and a frame
// that it cut off is recognised and left out. A machine that loses power may
// lose more of the file at hand: files are synced when they are finished.
//
// The files hold ids and features of people: they are for their owner alone
// (mode 0600), and go after serve.log.keep_days.
package predictionlog

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/zstd"

	"churn/server"
)

// Options are what a writer is made of.
type Options struct {
	Params Params
	Folder string // made if it is not there
	Now    func() time.Time
	Log    *slog.Logger
}

// Writer appends predictions to files. It is safe for concurrent use.
type Writer struct {
	options Options
	scratch sync.Pool // of *[]byte
	models  atomic.Pointer[[]*numbered]

	mu     sync.Mutex
	active *block // being filled; nil = none yet
	closed bool

	full, free chan *block
	stop, done chan struct{}

	kept, dropped, faults atomic.Int64

	file   file // of the goroutine that writes
	pruned time.Time
	failed error // what is wrong with the disk
}

var _ server.Log = (*Writer)(nil)

// numbered is a model with its number, and its payload.
type numbered struct {
	predictor server.Predictor
	number    uint64
	payload   []byte
}

// keptModels is how many models a writer remembers: those in use, and the ones
// that requests under way may still hold.
const keptModels = 8

// block is rows that are written together.
type block struct {
	data   []byte
	head   head
	models []*numbered
}

// NewWriter returns a writer on a folder, which it must be able to write to.
// The params must be valid. Close ends it.
func NewWriter(o Options) (*Writer, error) {
	if err := os.MkdirAll(o.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("serve.log.folder: %w; choose another, or keep nothing with serve.log.sample=0", err)
	}
	probe, err := os.CreateTemp(o.Folder, ".probe-*")
	if err != nil {
		return nil, fmt.Errorf("serve.log.folder: %w; choose another, or keep nothing with serve.log.sample=0", err)
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return nil, fmt.Errorf("serve.log.folder: %w", err)
	}
	blocks := int(bytesOf(o.Params.Buffer) / blockSize)
	w := &Writer{options: o, full: make(chan *block, blocks), free: make(chan *block, blocks), stop: make(chan struct{}), done: make(chan struct{})}
	w.scratch.New = func() any { return new([]byte) }
	w.models.Store(&[]*numbered{})
	for range blocks {
		w.free <- &block{}
	}
	w.file.open(o.Folder)
	w.prune()
	go w.run()
	return w, nil
}

// Record takes a prediction, if its user is in the sample. It never waits for
// the disk.
func (w *Writer) Record(l server.Logged) {
	if !w.sampled(&l) {
		return
	}
	m, b := w.numbered(l.Model), w.scratch.Get().(*[]byte)
	*b = appendRow((*b)[:0], &l)
	if !w.append(m, *b, l.Time.UnixNano()) {
		w.dropped.Add(1)
	}
	w.scratch.Put(b)
}

// sampled reports whether a row is kept: all rows of a user are, or none, here
// and in every other process. Rows of nobody go by their request.
func (w *Writer) sampled(l *server.Logged) bool {
	of := l.UserID
	if of == "" {
		of = l.RequestID
	}
	return w.options.Params.Sample == 1 || float64(xxhash.Sum64String(of)>>11)/(1<<53) < w.options.Params.Sample
}

// numbered returns a model with its number.
func (w *Writer) numbered(p server.Predictor) *numbered {
	for _, m := range *w.models.Load() {
		if m.predictor == p {
			return m
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	known := *w.models.Load()
	next := uint64(1)
	for _, m := range known {
		if m.predictor == p {
			return m
		}
		next = m.number + 1
	}
	m := &numbered{predictor: p, number: next, payload: appendModel(nil, next, modelOf(p))}
	known = append(slices.Clone(known[max(0, len(known)-keptModels+1):]), m)
	w.models.Store(&known)
	return m
}

// append puts a row into the block at hand and reports whether there was room.
func (w *Writer) append(m *numbered, row []byte, at int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	if w.active == nil {
		select {
		case w.active = <-w.free:
			w.active.reset()
		default:
			return false
		}
	}
	w.active.append(m, row, at)
	if len(w.active.data) >= blockSize {
		w.full <- w.active // it has room for every block there is
		w.active = nil
	}
	return true
}

func (b *block) reset() {
	clear(b.models)
	b.data, b.models, b.head = b.data[:0], b.models[:0], head{kind: kindRows}
}

func (b *block) append(m *numbered, row []byte, at int64) {
	if b.head.rows == 0 {
		b.head.first, b.head.last = at, at
	}
	b.head.first, b.head.last = min(b.head.first, at), max(b.head.last, at)
	b.head.rows++
	if !slices.Contains(b.models, m) {
		b.models = append(b.models, m)
	}
	b.data = append(binary.AppendUvarint(b.data, m.number), row...)
}

// Status counts what was done.
func (w *Writer) Status() server.LogStatus {
	return server.LogStatus{Kept: w.kept.Load(), Dropped: w.dropped.Load(), Faults: w.faults.Load()}
}

// Close writes what is there and finishes the file. What is recorded later is
// dropped. It returns what is wrong with the disk, if anything.
func (w *Writer) Close() error {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.stop)
	}
	w.mu.Unlock()
	<-w.done
	return w.failed
}

// run writes blocks until Close.
func (w *Writer) run() {
	defer close(w.done)
	tick := time.NewTicker(w.options.Params.FlushEvery)
	defer tick.Stop()
	for {
		select {
		case b := <-w.full:
			w.write(b)
		case <-tick.C:
			w.flush()
			w.tidy()
		case <-w.stop:
			w.flush()
			w.finish()
			return
		}
	}
}

// flush writes all that has been recorded.
func (w *Writer) flush() {
	for len(w.full) > 0 { // nobody else takes from it
		w.write(<-w.full)
	}
	w.mu.Lock()
	b := w.active
	w.active = nil
	w.mu.Unlock()
	if b != nil {
		w.write(b)
	}
}

// write appends a block to the file at hand, or to the next.
func (w *Writer) write(b *block) {
	defer func() { w.free <- b }()
	if w.failed != nil && w.options.Now().Before(w.file.retry) {
		w.dropped.Add(int64(b.head.rows))
		return
	}
	err := w.rotate(b.head.first)
	if err == nil {
		err = w.file.append(b)
	}
	if err != nil {
		w.dropped.Add(int64(b.head.rows))
		w.fault(err)
		return
	}
	w.kept.Add(int64(b.head.rows))
	if w.failed != nil {
		w.failed = nil
		w.options.Log.Info("the prediction log is written again", "folder", w.options.Folder)
	}
}

// retryAfter is how long a full or broken disk is left alone.
const retryAfter = 10 * time.Second

// fault notes that the disk does not take what it is given. Rows are dropped,
// requests go on.
func (w *Writer) fault(err error) {
	w.faults.Add(1)
	w.file.abandon()
	w.file.retry = w.options.Now().Add(retryAfter)
	if w.failed == nil {
		w.options.Log.Error("the prediction log cannot be written; predictions are answered and not kept", "error", err)
	}
	w.failed = err
}

// rotate begins the next file where there is none, or the one at hand is large
// or old enough.
func (w *Writer) rotate(first int64) error {
	if w.file.file != nil && !w.old() && w.file.size < bytesOf(w.options.Params.RotateSize) {
		return nil
	}
	w.finish()
	w.prune()
	return w.file.create(time.Unix(0, first).UTC(), w.options.Now())
}

func (w *Writer) old() bool {
	return w.options.Now().Sub(w.file.began) >= w.options.Params.RotateEvery
}

// tidy finishes an old file though nothing more comes, and lets old files go.
func (w *Writer) tidy() {
	if w.file.file != nil && w.old() {
		w.finish()
	}
	if w.options.Now().Sub(w.pruned) >= time.Hour {
		w.prune()
	}
}

func (w *Writer) finish() {
	if err := w.file.finish(); err != nil {
		w.fault(err)
	}
}

// file is the file at hand.
type file struct {
	folder string
	file   *os.File // nil = none
	size   int64
	began  time.Time
	known  map[uint64]bool // models that it describes
	out    []byte
	zstd   *zstd.Encoder
	retry  time.Time
}

func (f *file) open(folder string) {
	f.folder = folder
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic("predictionlog: " + err.Error()) // the options are constants
	}
	f.zstd = z
}

const (
	extension  = ".plog"
	timeInName = "20060102T150405.000Z"
)

// create begins a file. Its name has the time of its first row, and chance, so
// that no other process makes the same.
func (f *file) create(first, now time.Time) error {
	path := filepath.Join(f.folder, first.Format(timeInName)+"-"+rand.Text()[:10]+extension)
	opened, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	f.file, f.size, f.began, f.known = opened, 0, now, map[uint64]bool{}
	f.out = append(f.out[:0], magic...)
	return nil
}

// append writes a block, after the models that are new in the file, at once.
func (f *file) append(b *block) error {
	if f.size > 0 {
		f.out = f.out[:0]
	}
	for _, m := range b.models {
		if !f.known[m.number] {
			f.out = appendFrame(f.out, head{kind: kindModel}, m.payload, f.zstd)
			f.known[m.number] = true
		}
	}
	f.out = appendFrame(f.out, b.head, b.data, f.zstd)
	n, err := f.file.Write(f.out)
	if err == nil {
		f.size += int64(n)
	}
	return err
}

// finish syncs and closes the file, which nobody changes from then on.
func (f *file) finish() error {
	if f.file == nil {
		return nil
	}
	err := errors.Join(f.file.Sync(), f.file.Close())
	f.file = nil
	return err
}

// abandon ends a file that could not be written, without what was half written.
func (f *file) abandon() {
	if f.file == nil {
		return
	}
	if f.size == 0 {
		os.Remove(f.file.Name()) //nolint:errcheck // the disk is at fault already
	} else {
		f.file.Truncate(f.size) //nolint:errcheck // likewise; readers know a torn end
	}
	f.file.Close() //nolint:errcheck // likewise
	f.file = nil
}

// prune lets old files go, and the oldest where all are too large together. A
// file that another process may still write to stays.
func (w *Writer) prune() {
	now := w.options.Now()
	w.pruned = now
	files, err := list(w.options.Folder)
	if err != nil {
		w.options.Log.Warn("list the files of the prediction log", "error", err)
		return
	}
	oldest := now.AddDate(0, 0, -w.options.Params.KeepDays)
	var total int64
	for _, f := range slices.Backward(files) {
		total += f.size
		finished := now.Sub(f.changed) > w.options.Params.RotateEvery+time.Hour
		if f.changed.Before(oldest) || finished && total > bytesOf(w.options.Params.KeepSize) {
			w.remove(f.path)
		}
	}
}

func (w *Writer) remove(path string) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		w.options.Log.Warn("remove an old file of the prediction log", "error", err)
		return
	}
	w.options.Log.Info("an old file of the prediction log is gone", "path", path)
}
