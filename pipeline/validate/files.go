package validate

import (
	"context"
	"errors"
	"io"

	"churn/internal/parallel"
	"churn/internal/spill"
	"churn/internal/table"
	"churn/pipeline/source"
)

// rowSink takes the bad rows.
type rowSink interface {
	NewBatch() *table.Batch
	Append(b *table.Batch) error
}

// findings is what was found so far, in all files or in one.
type findings struct {
	params     Params
	report     Report
	quarantine rowSink
}

func (v *findings) check(id checkID) *Check { return &v.report.Checks[id] }

// eventFile is one file of events. Several are read at once, so each keeps its
// findings to itself until those of all files before it are in.
type eventFile struct {
	findings
	number  int
	reader  *table.Reader // nil where the rows cannot be read
	columns source.Columns
	offset  int64
	bad     int64 // rows in quarantine
}

// eventBlock is a run of rows of a file; without rows it is the file's end.
type eventBlock struct {
	*table.Block
	file *eventFile
}

// eventFiles reads all files of events. Their blocks come as they are ready:
// nothing of what is kept depends on their order but the findings, which merge
// puts in the order of the files.
type eventFiles struct {
	*validation
	scanner *eventScanner
	shelf   *spill.Buckets // bad rows by file
	opened  []*eventFile
	ended   []*eventFile // nil before its end
	merged  int          // how many have been merged
}

func (v *validation) newEventFiles(s *eventScanner) *eventFiles {
	n := len(v.in.Files.Events)
	return &eventFiles{validation: v, scanner: s, shelf: spill.New(v.in.TempDir, "quarantine", n, v.in.Memory/keyShare), opened: make([]*eventFile, n), ended: make([]*eventFile, n)}
}

// read runs the one pass.
func (e *eventFiles) read(ctx context.Context) error {
	next, stop := parallel.Merge(ctx, len(e.opened), e.readFile)
	err := parallel.Ordered(ctx, next, e.scanner.scan, e.collect)
	stop()
	for _, f := range e.opened {
		if f != nil && f.reader != nil {
			f.reader.Close() // left open by an error
		}
	}
	return err
}

// readFile emits the blocks of one file, and its end.
func (e *eventFiles) readFile(number int, emit func(eventBlock) error) error {
	f := &eventFile{findings: findings{params: e.params, report: Report{Checks: e.params.List()}}, number: number}
	f.quarantine = &shelf{e.shelf, f}
	e.opened[number] = f
	names := EventColumns()
	r, ok, err := f.open(e.in.Files.Events[number], eventsColumns, names, names[:len(names)-1])
	if err != nil {
		return err
	}
	if ok {
		f.reader, f.columns = r, source.Locate(r, names)
	}
	for ok {
		b, err := r.ReadBlock()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := emit(eventBlock{b, f}); err != nil {
			return err
		}
	}
	return emit(eventBlock{nil, f})
}

// collect takes in the results of a block; those of a file arrive in order.
func (e *eventFiles) collect(b *blockResult) error {
	f := b.file
	if b.end {
		if f.reader != nil {
			f.closeFile(f.reader, f.report.Events.Rows)
			f.reader = nil
		}
		e.ended[f.number] = f
		return e.merge()
	}
	e.progress(f.reader.Offset() - f.offset)
	f.offset = f.reader.Offset()
	f.report.Events.Rows += b.rows
	err := errors.Join(e.take(b), f.takeBad(b.bad, &b.failures))
	e.scanner.pool.Put(b)
	return err
}

// merge adds the findings of files that have ended, as far as all files before
// them have.
func (e *eventFiles) merge() error {
	for e.merged < len(e.ended) && e.ended[e.merged] != nil {
		f := e.ended[e.merged]
		for id := range f.report.Checks {
			e.check(checkID(id)).add(&f.report.Checks[id], e.params.Examples)
		}
		e.report.Inputs = append(e.report.Inputs, f.report.Inputs...)
		if err := e.out.CopyRows(f.bad, func(w io.Writer) error { return e.shelf.CopyTo(w, f.number) }); err != nil {
			return err
		}
		e.ended[e.merged], e.opened[e.merged] = &eventFile{}, nil
		e.merged++
	}
	return nil
}

// add adds what a check found in a further file.
func (c *Check) add(more *Check, examples int) {
	c.Checked += more.Checked
	c.Failures += more.Failures
	c.Examples = append(c.Examples, more.Examples[:min(len(more.Examples), max(examples-len(c.Examples), 0))]...)
}

// shelf keeps the bad rows of one file until it is their turn.
type shelf struct {
	rows *spill.Buckets
	file *eventFile
}

// NewBatch returns an empty batch.
func (s *shelf) NewBatch() *table.Batch { return table.NewBatch(quarantineSchema()) }

// Append keeps the rows of a batch.
func (s *shelf) Append(b *table.Batch) error {
	s.file.bad += int64(b.Rows())
	return s.rows.Append(s.file.number, b.Bytes())
}
