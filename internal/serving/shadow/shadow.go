// Package shadow lets a second model score what the first one answers, off the
// path of the requests, and records how they differ: what a challenger would
// have said is known before it says it to anybody.
//
// It proves no gain, since nobody knows yet who left: it shows whether the
// challenger answers at all, how fast, and how much would change. The gate
// shows it in its decision and holds a challenger that failed to answer.
package shadow

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"churn/server"
)

// Options are what a runner is made of.
type Options struct {
	Models server.Models // the second model
	Log    server.Log    // is given its answers; may be nil
	Folder string        // of the records
	Now    func() time.Time
	Logger *slog.Logger
}

// The bounds of a runner.
const (
	queued    = 4096             // rows that wait, about 600 bytes each
	saveEvery = 10 * time.Second // what a kill can lose
)

// Runner scores rows by the second model. It is safe for concurrent use.
type Runner struct {
	options    Options
	queue      chan *job
	jobs       sync.Pool // of *job
	stop, done chan struct{}
	closing    sync.Once

	rows, failed, skipped, dropped atomic.Int64

	pair *pair // of the goroutine that scores

	mu    sync.Mutex // over what follows
	names names      // of pair
	saved *tally     // as it is on the disk, of all processes
	fresh *tally     // since
	fault string     // what went wrong last
}

var _ server.Shadow = (*Runner)(nil)

// job is a row that waits, copied.
type job struct{ server.Logged }

func (j *job) take(l *server.Logged) {
	row := j.Row
	j.Logged = *l
	j.Row = server.Row{Numeric: append(row.Numeric[:0], l.Row.Numeric...), Categorical: append(row.Categorical[:0], l.Row.Categorical...)}
}

// New returns a runner that scores until Close.
func New(o Options) *Runner {
	r := &Runner{options: o, queue: make(chan *job, queued), stop: make(chan struct{}), done: make(chan struct{}), saved: newTally(), fresh: newTally()}
	r.jobs.New = func() any { return &job{} }
	go r.run()
	return r
}

// Offer takes a row that was answered, if there is a second model and room. It
// never waits.
func (r *Runner) Offer(l server.Logged) {
	if r.options.Models.Current() == nil {
		return
	}
	j := r.jobs.Get().(*job)
	j.take(&l)
	select {
	case r.queue <- j:
	default:
		r.dropped.Add(1)
		r.jobs.Put(j)
	}
}

// Status says how the models compare.
func (r *Runner) Status() server.ShadowStatus {
	s := server.ShadowStatus{Model: r.options.Models.Status(), Rows: r.rows.Load(), Failed: r.failed.Load(), Skipped: r.skipped.Load(), Dropped: r.dropped.Load()}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Error = r.fault
	all := newTally()
	all.add(r.saved)
	all.add(r.fresh)
	if r.names != (names{}) && !all.First.IsZero() {
		c := all.comparison(r.names)
		s.Comparison = &c
	}
	return s
}

// Close scores what waits, and saves. What is offered later is lost.
func (r *Runner) Close() {
	r.closing.Do(func() { close(r.stop) })
	<-r.done
}

func (r *Runner) run() {
	defer close(r.done)
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case j := <-r.queue:
			r.score(j)
		case <-tick.C:
			r.save()
		case <-r.stop:
			for range len(r.queue) {
				r.score(<-r.queue)
			}
			r.save()
			return
		}
	}
}

// pair is two models, and how to lay out the rows of the first for the second.
type pair struct {
	first, second        server.Predictor
	names                names
	same                 bool   // one model under two names
	unlike               string // why the rows of the first are none for the second
	numeric, categorical []int  // places in the rows of the first
	row                  server.Row
}

// newPair matches the inputs of two models by name. Rows of another feature set
// are none for the second model: a name may mean another definition there.
func newPair(first, second server.Predictor) *pair {
	ours, theirs := first.Info(), second.Info()
	p := &pair{first: first, second: second, names: names{side{ours.Version, ours.Digest}, side{theirs.Version, theirs.Digest}}, same: ours.Digest == theirs.Digest}
	if ours.FeatureSet != theirs.FeatureSet {
		p.unlike = fmt.Sprintf("rows for %s have the feature set %s, and %s reads %s", ours.Version, ours.FeatureSet, theirs.Version, theirs.FeatureSet)
		return p
	}
	numeric, categorical := first.Inputs()
	wantNumeric, wantCategorical := second.Inputs()
	p.numeric, p.categorical = p.places(wantNumeric, numeric), p.places(wantCategorical, categorical)
	p.row = server.Row{Numeric: make([]float64, len(p.numeric)), Categorical: make([]string, len(p.categorical))}
	return p
}

func (p *pair) places(wanted, given []server.Input) (at []int) {
	for _, w := range wanted {
		k := slices.IndexFunc(given, func(g server.Input) bool { return g.Name == w.Name })
		if k < 0 {
			p.unlike = "rows for " + p.names.Champion.Version + " do not have " + w.Name
		}
		at = append(at, k)
	}
	return at
}

// lay returns a row of the first model as the second reads it. It is used again.
func (p *pair) lay(row *server.Row) server.Row {
	for i, k := range p.numeric {
		p.row.Numeric[i] = row.Numeric[k]
	}
	for i, k := range p.categorical {
		p.row.Categorical[i] = row.Categorical[k]
	}
	return p.row
}

// score lets the second model score a row, and gives the job back.
func (r *Runner) score(j *job) {
	defer r.jobs.Put(j)
	second := r.options.Models.Current()
	if second == nil {
		return
	}
	if r.pair == nil || r.pair.first != j.Model || r.pair.second != second {
		r.meet(newPair(j.Model, second))
	}
	p := r.pair
	if p.same {
		return
	}
	if p.unlike != "" {
		r.skipped.Add(1)
		r.note(j.Time, func(t *tally) { t.Skipped++ }, p.unlike)
		return
	}
	row := p.lay(&j.Row)
	started := r.options.Now()
	score, err := predict(second, row)
	took := r.options.Now().Sub(started)
	if err != nil {
		r.failed.Add(1)
		r.note(j.Time, func(t *tally) { t.Failed++ }, err.Error())
		return
	}
	r.rows.Add(1)
	r.note(j.Time, func(t *tally) { t.compare(j.Score, score, took) }, "")
	if r.options.Log != nil {
		l := j.Logged
		l.Model, l.Row, l.Score, l.Shadow = second, row, score, true
		r.options.Log.Record(l)
	}
}

// predict returns a sound answer, or why there is none.
func predict(p server.Predictor, row server.Row) (score server.Score, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("%s cannot score a row: %v", p.Info().Version, reflect.TypeOf(fault)) // what it says may hold values of a person
		}
	}()
	score = p.Predict(row, 0)
	if !(score.Risk >= 0 && score.Risk <= 1) || math.IsNaN(score.Margin) {
		return score, fmt.Errorf("%s answers a risk of %v", p.Info().Version, score.Risk)
	}
	return score, nil
}

// meet takes another pair of models to compare.
func (r *Runner) meet(p *pair) {
	r.save()
	r.pair = p
	saved := newTally()
	if record, err := read(r.options.Folder, p.names); err != nil {
		r.options.Logger.Warn("the record of the second model cannot be read", "error", err)
	} else if record != nil {
		saved = record.Tally
	}
	r.mu.Lock()
	r.names, r.saved, r.fresh, r.fault = p.names, saved, newTally(), ""
	r.mu.Unlock()
	r.options.Logger.Info("two models are compared", "model_version", p.names.Champion.Version, "shadow", p.names.Challenger.Version)
}

// note counts a row. A fault is told once.
func (r *Runner) note(at time.Time, count func(*tally), fault string) {
	r.mu.Lock()
	r.fresh.seen(at)
	count(r.fresh)
	fresh := fault != "" && r.fault != fault
	if fresh {
		r.fault = fault
	}
	r.mu.Unlock()
	if fresh {
		r.options.Logger.Warn("the second model did not score a row", "error", fault)
	}
}

// save adds what is new to the record on the disk.
func (r *Runner) save() {
	r.mu.Lock()
	fresh, of := r.fresh, r.names
	r.mu.Unlock()
	if fresh.First.IsZero() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), saveEvery/2)
	defer cancel()
	all, err := merge(ctx, r.options.Folder, of, fresh)
	if err != nil {
		r.options.Logger.Warn("the record of the second model cannot be written; it is tried again", "error", err)
		return
	}
	r.mu.Lock()
	r.saved, r.fresh = all, newTally()
	r.mu.Unlock()
}
