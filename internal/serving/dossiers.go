package serving

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"churn/pipeline"
	"churn/pipeline/prepare"
	"churn/pipeline/score"
	"churn/server"
)

// Dossiers tells about single users from the timelines that prepare wrote, by
// the model in use. Each question reads one block of the file.
type Dossiers struct {
	options  DossierOptions
	standing standing
	current  atomic.Pointer[prepare.Lookup]
	slots    chan struct{} // a place for each question that may be under way

	looking sync.Mutex
	in      string // mark of what current is of
}

var _ server.Dossiers = (*Dossiers)(nil)

// DossierOptions are what Dossiers are made of.
type DossierOptions struct {
	Data  Data
	Model func() *Predictor // in use, or nil
	Every int               // days between two past risks
	Now   func() time.Time
	Log   *slog.Logger
}

// Data is what a follower needs of the prepared data.
type Data interface {
	// Mark changes whenever the data are written; without data it fails with
	// fs.ErrNotExist.
	Mark() (string, error)
	Open() (*prepare.Lookup, error)
}

// questions is how many dossiers are made at a time: they take a processor and
// a block of timelines each. More wait.
const questions = 8

// NewDossiers returns dossiers that have not looked for data yet.
func NewDossiers(o DossierOptions) *Dossiers {
	return &Dossiers{options: o, standing: standing{what: "prepared data", now: o.Now, log: o.Log}, slots: make(chan struct{}, questions)}
}

// Run looks for data every poll, and soon after a change in one of the folders,
// until ctx ends. Then it closes the file.
func (d *Dossiers) Run(ctx context.Context, poll time.Duration, folders []string) {
	notice(ctx, poll, folders, func(ctx context.Context) { d.Reload(ctx) }) //nolint:errcheck // in the status and the log
	d.swap(nil)
}

// Status says which data are in use, and why later ones are not.
func (d *Dossiers) Status() server.DataStatus { return d.standing.Status() }

// Reload looks for data now. It returns why the latest are not in use; nil also
// where there are none.
func (d *Dossiers) Reload(ctx context.Context) error {
	d.looking.Lock()
	defer d.looking.Unlock()
	mark, err := d.options.Data.Mark()
	switch {
	case errors.Is(err, fs.ErrNotExist) && d.current.Load() == nil, err == nil && mark == d.in:
		d.standing.fine()
		return nil
	case err != nil:
		return d.standing.unreadable(ctx, err)
	}
	if due, err := d.standing.due(mark); !due {
		return err
	}
	var l *prepare.Lookup
	err = guard(func() (err error) {
		l, err = d.options.Data.Open()
		return err
	})
	if err != nil {
		return d.standing.refuse(ctx, mark, err)
	}
	d.in = mark
	d.swap(l)
	d.standing.take(l.Header.Span.Last.String())
	d.options.Log.Info("prepared data in use", "as_of", l.Header.Span.Last.String(), "users", l.Header.Users)
	return nil
}

// swap puts a file in use, and closes the one before. Questions that it is
// answering end well.
func (d *Dossiers) swap(l *prepare.Lookup) {
	if before := d.current.Swap(l); before != nil {
		before.Close() //nolint:errcheck // it was only read
	}
}

// Dossier tells about a user as of the last day of the data.
func (d *Dossiers) Dossier(ctx context.Context, id string) (server.Dossier, error) {
	p := d.options.Model()
	if p == nil {
		return server.Dossier{}, server.ErrNoModel
	}
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-ctx.Done():
		return server.Dossier{}, ctx.Err()
	}
	timeline, span, err := d.find(id)
	if err != nil {
		return server.Dossier{}, err
	}
	return p.dossier(&timeline, &span, d.options.Every)
}

// find reads a user. A file that was closed on the way has a follower, which is
// asked instead.
func (d *Dossiers) find(id string) (pipeline.Timeline, pipeline.Span, error) {
	for {
		l := d.current.Load()
		if l == nil {
			return pipeline.Timeline{}, pipeline.Span{}, server.ErrNoSnapshot
		}
		t, ok, err := l.Find(id)
		switch {
		case errors.Is(err, os.ErrClosed) && d.current.Load() != l:
			continue
		case err == nil && !ok:
			err = server.ErrNoUser
		}
		return t, l.Header.Span, err
	}
}

const (
	shownDays  = 365 // of activity that a dossier shows
	shownRisks = 182 // days back to the earliest of its risks: 26 weeks
)

// dossier tells about one user.
func (p *Predictor) dossier(t *pipeline.Timeline, span *pipeline.Span, every int) (server.Dossier, error) {
	h, _ := t.Cut(span.Last, span)
	if !h.Exists() {
		return server.Dossier{}, server.ErrNoUser // signed up after the last day of the data
	}
	s := p.scorers.Get().(*score.Scorer)
	defer p.scorers.Put(s)
	e := s.Explain(&h)
	out := server.Dossier{ID: e.User, AsOf: e.AsOf.String(), Version: e.Version, FeatureSet: p.info.FeatureSet, Risk: e.Risk, Tier: e.Tier, AtRisk: e.AtRisk,
		BaseRisk: e.BaseRisk, Usual: e.Usual, Factors: factorsOf(e.Factors), Days: daysOf(&h)}
	out.Risks = p.pastRisks(s, t, span, every)
	return out, nil
}

// pastRisks scores a user as of the last day of the data and the dates before it,
// each by what was known then.
func (p *Predictor) pastRisks(s *score.Scorer, t *pipeline.Timeline, span *pipeline.Span, every int) []server.PastRisk {
	out := []server.PastRisk{}
	for _, date := range span.Grid(span.Last, every) {
		if date < span.Last-shownRisks {
			continue
		}
		h, _ := t.Cut(date, span)
		if !h.Exists() {
			continue
		}
		out = append(out, server.PastRisk{AsOf: date.String(), Risk: s.Risk(&h).Risk, AtRisk: p.model.Spec.Labels.InCohort(&h),
			Hindsight: date.String() < p.info.AsOf}) // dates of this form are ordered as text
	}
	return out
}

func factorsOf(factors []score.Factor) []server.Factor {
	out := make([]server.Factor, len(factors))
	for i, f := range factors {
		out[i] = server.Factor{Theme: string(f.Theme), Text: f.Text, Contribution: f.Contribution, Usual: f.Usual, Values: make([]server.FactorValue, len(f.Values))}
		for k, v := range f.Values {
			out[i].Values[k] = server.FactorValue(v)
		}
	}
	return out
}

// daysOf lists what a user did on each day of the last year with events.
func daysOf(h *pipeline.History) []server.Day {
	out := []server.Day{}
	for _, f := range h.Days() {
		if f.Day > h.AsOf()-shownDays {
			out = append(out, server.Day{Date: f.Day.String(), Active: f.IsActive(), Events: int(f.Events), Logins: int(f.Logins), Enrolls: int(f.Enrolls), Minutes: f.Minutes,
				Quizzes: int(f.Quizzes), Payments: int(f.PaymentsOK), FailedPayments: int(f.PaymentsFailed), Tickets: int(f.Tickets)})
		}
	}
	return out
}
