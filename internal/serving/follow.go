package serving

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"churn/model/bundle"
	"churn/pipeline/score"
	"churn/server"
)

// Pointer is what an alias points to: a version, and the digest of its files,
// since a registry that was made anew begins at the same numbers.
type Pointer struct{ Version, Digest string }

// Version is a version of the registry, its digests checked.
type Version struct {
	Info   server.ModelInfo
	Bundle []byte
	// Check compares the answers of the decoded bundle with those that training
	// stored. May be nil.
	Check func(*bundle.Bundle) error
}

// Versions is what a follower needs of the registry.
type Versions interface {
	// Point returns what an alias points to; an empty version is nothing yet.
	Point(ctx context.Context, alias string) (Pointer, error)
	Load(ctx context.Context, version string) (Version, error)
}

// Follower holds the model that an alias of the registry points to. It takes a
// new one only after it was loaded whole, its digests agree, and it has answered
// rows; whatever goes wrong, the one in use goes on.
type Follower struct {
	options FollowOptions
	current atomic.Pointer[Predictor]

	looking sync.Mutex // held by who looks at the registry
	grip    grip       // likewise
	mu      sync.Mutex // over what follows
	in      Pointer    // what current is
	refused Pointer
	status  server.ModelStatus
}

var _ server.Models = (*Follower)(nil)

// FollowOptions are what a follower is made of.
type FollowOptions struct {
	Alias    string
	Versions Versions
	Reader   string          // names this process to whom Versions keeps the model in use, if it is a Holder; "" = it is not kept
	MayEnd   bool            // the alias may come to point to nothing; then there is no model
	Settings func() Settings // of a predictor, asked for each
	Now      func() time.Time
	Log      *slog.Logger
}

// NewFollower returns a follower that has not looked yet.
func NewFollower(o FollowOptions) *Follower {
	return &Follower{options: o, status: server.ModelStatus{Alias: o.Alias}}
}

// Run looks at the registry every poll, and soon after a change in one of the
// folders, until ctx ends. Then it gives up its hold on the model in use.
func (f *Follower) Run(ctx context.Context, poll time.Duration, folders []string) {
	defer f.release(ctx)
	notice(ctx, poll, folders, func(ctx context.Context) { f.Reload(ctx) }) //nolint:errcheck // in the status and the log
}

// Current returns the model in use, or nil.
func (f *Follower) Current() server.Predictor {
	if p := f.current.Load(); p != nil {
		return p
	}
	return nil
}

// Predictor returns the model in use, or nil.
func (f *Follower) Predictor() *Predictor { return f.current.Load() }

// Status says what is known of the model in use, and why a newer one is not.
func (f *Follower) Status() server.ModelStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

// Reload looks at the registry now. It returns why the model that it names is
// not in use; nil also where the registry names none yet.
func (f *Follower) Reload(ctx context.Context) error {
	f.looking.Lock()
	defer f.looking.Unlock()
	defer f.hold(ctx)
	at, err := f.options.Versions.Point(ctx, f.options.Alias)
	switch {
	case err != nil:
		return f.unreadable(ctx, err)
	case at.Version == "" && f.options.MayEnd:
		f.leave()
		return nil
	case at.Version == "" && f.in.Version != "":
		return f.unreadable(ctx, fmt.Errorf("the registry names no %s model any more", f.options.Alias))
	case at.Version == "" || at == f.in:
		f.fine()
		return nil
	}
	p, err := f.load(ctx, at)
	if err != nil {
		return f.refuse(ctx, at, err)
	}
	f.take(at, p)
	return nil
}

// load makes a predictor of a version and lets it answer before anybody asks.
func (f *Follower) load(ctx context.Context, at Pointer) (p *Predictor, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("it cannot be used: %v", r)
		}
	}()
	v, err := f.options.Versions.Load(ctx, at.Version)
	if err != nil {
		return nil, err
	}
	if v.Info.Digest != at.Digest {
		return nil, errors.New("it changed while it was read")
	}
	b, err := bundle.Decode(v.Bundle)
	if err != nil {
		return nil, err
	}
	m, err := score.NewModel(b, at.Version)
	if err != nil {
		return nil, err
	}
	if v.Check != nil {
		if err := v.Check(b); err != nil {
			return nil, err
		}
	}
	v.Info.WindowDays = m.Spec.Labels.WindowDays
	p = NewPredictor(m, v.Info, f.options.Settings())
	return p, warm(p)
}

// warm lets a predictor answer rows of which nothing is known, so that its
// scratch space is there and its tables are in memory before the first request.
func warm(p *Predictor) error {
	numeric, categorical := p.Inputs()
	row := server.Row{Numeric: make([]float64, len(numeric)), Categorical: make([]string, len(categorical))}
	for i := range row.Numeric {
		row.Numeric[i] = math.NaN()
	}
	for range 16 {
		if s := p.Predict(row, server.MaxReasons); !(s.Risk >= 0 && s.Risk <= 1) {
			return fmt.Errorf("it answers a risk of %v to a row without values", s.Risk)
		}
	}
	return nil
}

// take puts a predictor in use.
func (f *Follower) take(at Pointer, p *Predictor) {
	now := f.options.Now().UTC()
	f.mu.Lock()
	f.current.Store(p)
	from := f.in.Version
	f.in, f.refused = at, Pointer{}
	f.status.Version, f.status.Since, f.status.Checked = at.Version, now, now
	f.status.Refused, f.status.Error = "", ""
	f.status.Swaps++
	f.mu.Unlock()
	f.options.Log.Info("model in use", "model_version", at.Version, "digest", at.Digest, "before", from)
}

// fine notes that the registry was read and names the model in use.
func (f *Follower) fine() {
	now := f.options.Now().UTC()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refused = Pointer{}
	f.status.Checked, f.status.Refused, f.status.Error = now, "", ""
}

// leave goes on without a model, as the registry does.
func (f *Follower) leave() {
	f.fine()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.current.Store(nil)
	f.in, f.status.Version, f.status.Since = Pointer{}, "", time.Time{}
}

// refuse notes a version that is not sound: loudly once, and again only where
// something about it changes, though it is tried at each look, since it may be
// restored.
func (f *Follower) refuse(ctx context.Context, at Pointer, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	err = fmt.Errorf("version %s is refused: %w", at.Version, err)
	f.mu.Lock()
	fresh := f.refused != at
	if fresh {
		f.status.Refusals++
	}
	f.refused = at
	f.status.Refused, f.status.Checked = at.Version, f.options.Now().UTC()
	f.mu.Unlock()
	f.report(err, fresh)
	return err
}

// unreadable notes that the registry could not be read.
func (f *Follower) unreadable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	f.mu.Lock()
	f.status.Errors++
	f.mu.Unlock()
	f.report(err, false)
	return err
}

// report puts a fault into the status, and into the log if it is new.
func (f *Follower) report(err error, fresh bool) {
	f.mu.Lock()
	fresh = fresh || f.status.Error != err.Error()
	f.status.Error = err.Error()
	version := f.in.Version
	f.mu.Unlock()
	if fresh {
		f.options.Log.Error("the registry's model is not taken", "error", err, "alias", f.options.Alias, "in_use", version)
	}
}
