package serving

import (
	"context"
	"time"
)

// A model in use is in memory as a whole, so that a collection of its files
// stops no answer. They are kept nevertheless: while a newer version is refused,
// the one that answers must be there to go back to.
const (
	holdFor     = 24 * time.Hour // what a process that dies leaves behind is over then
	holdAgain   = holdFor / 2    // renewals leave a record each
	holdRetry   = time.Minute    // after a fault
	releaseTime = 5 * time.Second
)

// Holder keeps versions from being collected. Versions may be one.
type Holder interface {
	// Hold keeps a version until a time, for a reader of that name; again, it
	// prolongs that.
	Hold(ctx context.Context, version, reader string, until, now time.Time) (Held, error)
}

// Held is a version that is kept.
type Held interface {
	Release(ctx context.Context) error
}

// grip is what a follower holds.
type grip struct {
	version string
	held    Held      // nil: it could not be held
	next    time.Time // when to hold again
	fault   string    // that was told
}

// hold keeps the version in use, and no other. That it cannot is a warning:
// answers do not depend on it. The caller holds looking.
func (f *Follower) hold(ctx context.Context) {
	holder, ok := f.options.Versions.(Holder)
	if !ok || f.options.Reader == "" || ctx.Err() != nil {
		return
	}
	if f.grip.version != f.in.Version {
		f.letGo(ctx)
		f.grip = grip{version: f.in.Version}
	}
	now := f.options.Now()
	if f.in.Version == "" || now.Before(f.grip.next) {
		return
	}
	held, err := holder.Hold(ctx, f.in.Version, f.options.Reader+" ("+f.options.Alias+")", now.Add(holdFor), now)
	if err != nil {
		f.grip.next = now.Add(holdRetry)
		if ctx.Err() == nil && f.grip.fault != err.Error() {
			f.grip.fault = err.Error()
			f.options.Log.Warn("the model in use cannot be kept from `churn registry gc`; it goes on answering", "model_version", f.in.Version, "error", err)
		}
		return
	}
	f.grip = grip{version: f.in.Version, held: held, next: now.Add(holdAgain)}
}

// letGo gives up what is held. If that fails it ends by itself.
func (f *Follower) letGo(ctx context.Context) {
	if f.grip.held == nil {
		return
	}
	if err := f.grip.held.Release(ctx); err != nil {
		f.options.Log.Warn("a model that is not in use any more stays held for a while", "model_version", f.grip.version, "for", holdFor, "error", err)
	}
	f.grip = grip{}
}

// release gives up what is held, at the end.
func (f *Follower) release(ctx context.Context) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer stop()
	f.looking.Lock()
	defer f.looking.Unlock()
	f.letGo(ctx)
}
