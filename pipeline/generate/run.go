package generate

import (
	"context"
	"fmt"
	"path/filepath"

	"churn/internal/parallel"
	"churn/internal/table"
	"churn/pipeline"
)

// Output is one written file.
type Output struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
}

// Report is what a simulation made.
type Report struct {
	Users       int64         `json:"users"`
	Events      int64         `json:"events"`
	Payments    int64         `json:"payments"`    // charges, successful and failed
	Churned     int64         `json:"churned"`     // spells that ended
	Reactivated int64         `json:"reactivated"` // users who came back, each time
	First       pipeline.Date `json:"first_date"`  // day of the first event; empty without events
	Last        pipeline.Date `json:"last_date"`   // day of the last event
	Outputs     []Output      `json:"outputs"`     // users, events, truth
}

// Run simulates the world of p and writes users, events and truth to the
// folder dir, each complete or not at all. It calls progress, which may be
// nil, from one goroutine with the days simulated and all days. Memory grows
// with the users (about 100 bytes each) and with the events of one day, not
// with the days.
func Run(ctx context.Context, p Params, dir string, progress func(done, total int64)) (Report, error) {
	if err := p.Validate(); err != nil {
		return Report{}, err
	}
	files, err := createFiles(p, dir)
	if err != nil {
		return Report{}, err
	}
	defer files.abort()
	if progress == nil {
		progress = func(int64, int64) {}
	}
	r := run{simulation: newSimulation(ctx, newWorld(p)), files: files, progress: progress}
	r.report = Report{Users: int64(p.Users), First: pipeline.NoDate, Last: pipeline.NoDate}
	if err := r.writeUsers(ctx); err != nil {
		return Report{}, err
	}
	if err := r.writeEvents(ctx); err != nil {
		return Report{}, err
	}
	r.report.Payments, r.report.Churned, r.report.Reactivated = r.tally.payments, r.tally.churned, r.tally.reactivated
	r.report.Outputs, err = files.commit()
	return r.report, err
}

// files are the three tables in the making.
type files struct {
	writers [3]*table.Writer // users, events, truth
	paths   [3]string
}

const (
	usersFile = iota
	eventsFile
	truthFile
)

func createFiles(p Params, dir string) (*files, error) {
	f := &files{}
	schemas := [3]table.Schema{usersSchema(), eventsSchema(), truthSchema()}
	for i, name := range [3]string{"users", "events", "truth"} {
		path := filepath.Join(dir, name+"."+string(p.Format))
		w, err := table.Create(path, p.Format, schemas[i])
		if err != nil {
			f.abort()
			return nil, fmt.Errorf("create %s: %w", path, err)
		}
		f.writers[i], f.paths[i] = w, path
	}
	return f, nil
}

// abort drops what is not committed.
func (f *files) abort() {
	for _, w := range f.writers {
		if w != nil {
			w.Abort()
		}
	}
}

// commit puts all tables at their paths.
func (f *files) commit() ([]Output, error) {
	var outputs []Output
	for i, w := range f.writers {
		info, err := w.Commit()
		if err != nil {
			return nil, err
		}
		outputs = append(outputs, Output{Path: f.paths[i], SHA256: info.SHA256, Rows: info.Rows, Bytes: info.Bytes})
	}
	return outputs, nil
}

// run is a simulation that is written down.
type run struct {
	*simulation
	files    *files
	progress func(done, total int64)
	report   Report
	today    *day
	pending  []event // of today, not yet handed out
}

// writeUsers writes all accounts.
func (r *run) writeUsers(ctx context.Context) error {
	return r.byChunk(ctx, usersFile, r.params.Users, func(b *table.Batch, u int) {
		r.appendUser(b, u)
	})
}

// writeTruth writes the state of all who have signed up by the end of day d.
func (r *run) writeTruth(ctx context.Context, d *day) error {
	return r.byChunk(ctx, truthFile, r.signups.joined(d.date), func(b *table.Batch, u int) {
		r.appendTruth(b, u, d)
	})
}

// byChunk writes a row for each of the first n users, chunks in parallel.
func (r *run) byChunk(ctx context.Context, file, n int, row func(b *table.Batch, u int)) error {
	first, w := 0, r.files.writers[file]
	next := func() (int, bool, error) {
		at := first
		first += chunkUsers
		return at, at < n, nil
	}
	encode := func(at int) (*table.Batch, error) {
		b := w.NewBatch()
		for u := at; u < min(at+chunkUsers, n); u++ {
			row(b, u)
		}
		return b, nil
	}
	return parallel.Ordered(ctx, next, encode, w.Append)
}

// batchEvents is the number of events encoded at once: half a megabyte of
// text, which stays in the cache of a core.
const batchEvents = 8192

// batch is a run of events of one day.
type batch struct {
	day     *day
	firstID int64 // event_id of the first
	events  []event
}

// writeEvents lives through all days and writes their events: while some
// cores encode one day, the others live through the next.
func (r *run) writeEvents(ctx context.Context) error {
	w := r.files.writers[eventsFile]
	next := func() (batch, bool, error) { return r.nextBatch(ctx) }
	encode := func(b batch) (*table.Batch, error) {
		out := w.NewBatch()
		r.appendEvents(out, b)
		return out, nil
	}
	return parallel.Ordered(ctx, next, encode, w.Append)
}

// nextBatch returns the next events in order; ok is false after the last.
func (r *run) nextBatch(ctx context.Context) (b batch, ok bool, err error) {
	for len(r.pending) == 0 {
		if r.next > r.params.last() {
			return b, false, nil
		}
		if err := ctx.Err(); err != nil {
			return b, false, err
		}
		if err := r.oneDay(ctx); err != nil {
			return b, false, err
		}
	}
	n := min(batchEvents, len(r.pending))
	b = batch{day: r.today, firstID: r.report.Events + 1, events: r.pending[:n]}
	r.pending = r.pending[n:]
	r.report.Events += int64(n)
	return b, true, nil
}

// oneDay simulates a day and, on the weekly grid, writes its truth.
func (r *run) oneDay(ctx context.Context) error {
	r.today, r.pending = r.liveDay()
	if date := r.today.date; len(r.pending) > 0 {
		if r.report.First == pipeline.NoDate {
			r.report.First = date
		}
		r.report.Last = date
	}
	const gridDays = 7 // as features.every_days: a truth for every usual snapshot
	last := r.params.last()
	if (last-r.today.date)%gridDays == 0 {
		if err := r.writeTruth(ctx, r.today); err != nil {
			return err
		}
	}
	r.progress(int64(r.today.date-r.params.StartDate)+1, int64(r.params.Days))
	return nil
}
