package serving

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"churn/internal/atomicfile"
	"churn/internal/serving/snapshot"
	"churn/server"
)

// Users answers from the table of the last scoring, by a store on disk that is
// built from it. Whatever is wrong with a later table, the one in use goes on.
//
//	predictions ⇒ manifest → digest ─ a store of it in the cache? ─ yes → open ─┐
//	                                └ no → build, by one server at a time ──────┴→ swap → close the old one
//
// Several servers may share a cache: a store is complete or absent and never
// changes, and one that nobody needs any more is removed with a delay.
type Users struct {
	options  UsersOptions
	standing standing
	history  *history
	current  atomic.Pointer[held]
	damaged  atomic.Bool // the store in use was found to be damaged
	none     atomic.Bool // there are no predictions

	looking sync.Mutex // over what follows
	in      string     // mark of the table that current is of
	models  fingerprints
	unused  map[string]time.Time // since when, by name of a store
}

var _ server.Users = (*Users)(nil)

// held is a store in use.
type held struct {
	store    *snapshot.Store
	snapshot server.Snapshot
	model    string // digest of the version that scored
}

// UsersOptions are what Users are made of.
type UsersOptions struct {
	Tables Tables
	// FeatureSets returns the fingerprints of the features of the models in the
	// registry, by digest of the version.
	FeatureSets func(ctx context.Context) (map[string]string, error)
	Cache       string // folder of the stores
	Now         func() time.Time
	Log         *slog.Logger
}

// NewUsers returns users that have not looked for predictions yet.
func NewUsers(o UsersOptions) *Users {
	return &Users{options: o, standing: standing{what: "predictions", now: o.Now, log: o.Log}, unused: map[string]time.Time{},
		models: fingerprints{read: o.FeatureSets, log: o.Log}, history: newHistory(o)}
}

// Run looks for predictions every poll, and soon after a change in one of the
// folders, until ctx ends. Then it closes the store.
func (u *Users) Run(ctx context.Context, poll time.Duration, folders []string) {
	notice(ctx, poll, folders, u.look)
	u.swap(nil)
}

// look takes the latest predictions, and then sums up those of earlier dates,
// which can take a while where none has been summed up before.
func (u *Users) look(ctx context.Context) {
	u.Reload(ctx) //nolint:errcheck // in the status and the log
	u.history.refresh(ctx, u)
}

// Status says which predictions are in use, and why later ones are not.
func (u *Users) Status() server.DataStatus { return u.standing.Status() }

// Snapshot describes the snapshot in use.
func (u *Users) Snapshot(context.Context) (server.Snapshot, error) {
	if h := u.current.Load(); h != nil {
		return h.snapshot, nil
	}
	return server.Snapshot{}, u.absent()
}

// absent says why there is no snapshot.
func (u *Users) absent() error {
	if u.none.Load() {
		return server.ErrNoSnapshot
	}
	return server.ErrNotInUse
}

// Find returns a user and the snapshot that it is of.
func (u *Users) Find(_ context.Context, id string) (user server.User, s server.Snapshot, err error) {
	s, err = u.ask(func(store *snapshot.Store) (err error) {
		user, err = store.Find(id)
		return err
	})
	return user, s, err
}

// List returns a page.
func (u *Users) List(_ context.Context, q server.Query) (page server.Page, err error) {
	s, err := u.ask(func(store *snapshot.Store) (err error) {
		page, err = store.List(q)
		return err
	})
	page.Snapshot = s
	return page, err
}

// History returns a line for every kept table.
func (u *Users) History(context.Context) ([]server.Snapshot, error) { return u.history.all(), nil }

// ask puts a question to the store in use. One that was closed on the way has a
// follower, which is asked instead.
func (u *Users) ask(question func(*snapshot.Store) error) (server.Snapshot, error) {
	for {
		h := u.current.Load()
		if h == nil {
			return server.Snapshot{}, u.absent()
		}
		err := question(h.store)
		if errors.Is(err, snapshot.ErrClosed) && u.current.Load() != h {
			continue
		}
		if errors.Is(err, snapshot.ErrDamaged) {
			u.damaged.Store(true) // the next look builds it again
		}
		return h.snapshot, err
	}
}

// Reload looks for predictions now. It returns why the latest are not in use;
// nil also where there are none.
func (u *Users) Reload(ctx context.Context) error {
	u.looking.Lock()
	defer u.looking.Unlock()
	defer u.clean()
	table, err := u.options.Tables.Latest()
	none := errors.Is(err, fs.ErrNotExist) && u.current.Load() == nil
	u.none.Store(none)
	switch {
	case none:
		u.standing.fine()
		return nil
	case err != nil:
		return u.standing.unreadable(ctx, err)
	case table.Mark == u.in && !u.damaged.Load():
		u.complete(ctx)
		u.standing.fine()
		return nil
	}
	if due, err := u.standing.due(table.Mark); !due {
		return err
	}
	if err := guard(func() error { return u.use(ctx, table) }); err != nil {
		return u.standing.refuse(ctx, table.Mark, err)
	}
	return nil
}

// use takes a table.
func (u *Users) use(ctx context.Context, t Table) error {
	store, err := u.storeOf(ctx, t)
	if err != nil {
		return err
	}
	s := store.Snapshot()
	s.Scored, s.FeatureSet = t.Finished, u.models.of(ctx, t.Model)
	u.in = t.Mark
	u.damaged.Store(false)
	if before := u.swap(&held{store, s, t.Model}); before != nil && before.store == store {
		u.standing.fine()
		return nil
	}
	u.standing.take(s.AsOf)
	u.options.Log.Info("predictions in use", "as_of", s.AsOf, "model_version", s.Version, "users", s.Users, "store", store.Name())
	return nil
}

// complete looks up the fingerprint of the features, where the registry could
// not be read when the predictions were taken.
func (u *Users) complete(ctx context.Context) {
	h := *u.current.Load()
	if h.snapshot.FeatureSet != "" {
		return
	}
	if h.snapshot.FeatureSet = u.models.of(ctx, h.model); h.snapshot.FeatureSet != "" {
		u.swap(&h)
	}
}

// swap puts a store in use, and closes the one before once its last question is
// answered.
func (u *Users) swap(h *held) (before *held) {
	before = u.current.Swap(h)
	if before != nil && (h == nil || before.store != h.store) {
		if err := before.store.Close(); err != nil {
			u.options.Log.Warn("close a store of users", "store", before.store.Name(), "error", err)
		}
	}
	return before
}

// storeOf returns the store of a table: the one in use where its digest is the
// same and the table still has it, one in the cache, or a new one.
func (u *Users) storeOf(ctx context.Context, t Table) (*snapshot.Store, error) {
	if h := u.current.Load(); h != nil && h.snapshot.Digest == t.SHA256 && !u.damaged.Load() {
		return h.store, t.Verify()
	}
	if s := u.cached(t); s != nil {
		return s, nil
	}
	unlock, err := u.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if s := u.cached(t); s != nil { // another server has built it meanwhile
		return s, nil
	}
	return snapshot.Build(ctx, u.options.Cache, t.Source)
}

// cached opens the store of a table, if there is a sound one.
func (u *Users) cached(t Table) *snapshot.Store {
	names, err := snapshot.Names(u.options.Cache)
	if err != nil {
		return nil // building says what is wrong with the folder
	}
	for _, name := range names {
		if !strings.HasPrefix(name, t.Prefix()) {
			continue
		}
		path := filepath.Join(u.options.Cache, name)
		s, err := snapshot.Open(path)
		if err == nil {
			return s
		}
		u.options.Log.Warn("a store of users cannot be opened", "error", err)
		if errors.Is(err, snapshot.ErrDamaged) {
			os.Remove(path) //nolint:errcheck // or it is met, and left aside, again
		}
	}
	return nil
}

// lockEvery is how often a server that waits for another one looks whether it has
// built the store.
const lockEvery = 200 * time.Millisecond

// lock lets one server build at a time, and removes what killed ones left. A file
// system without locks is no hindrance: then two may build the same.
func (u *Users) lock(ctx context.Context) (unlock func(), err error) {
	dir := u.options.Cache
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder for the stores of users: %w; choose one that you may write to with --set paths.cache=DIR", err)
	}
	l := flock.New(filepath.Join(dir, ".lock"))
	locked, err := l.TryLockContext(ctx, lockEvery)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return nil, fmt.Errorf("lock the folder for the stores of users: %w; choose one that you may write to with --set paths.cache=DIR", err)
	case err != nil || !locked:
		u.options.Log.Warn("the folder for the stores of users cannot be locked", "folder", dir, "error", err)
		return func() {}, nil
	}
	if err := atomicfile.Sweep(dir); err != nil {
		u.options.Log.Warn("remove what was left in the folder for the stores of users", "error", err)
	}
	return func() { l.Unlock() }, nil //nolint:errcheck // the lock ends with the process anyway
}

// keepUnused is how long a store stays that nobody here needs: another server may
// still be answering from it.
const keepUnused = 10 * time.Minute

// clean removes the stores of earlier tables.
func (u *Users) clean() {
	h := u.current.Load()
	names, err := snapshot.Names(u.options.Cache)
	if h == nil || err != nil {
		return
	}
	needed := snapshot.Source{SHA256: h.snapshot.Digest}
	before := u.unused
	u.unused = map[string]time.Time{}
	for _, name := range names {
		if strings.HasPrefix(name, needed.Prefix()) {
			continue
		}
		since, known := before[name]
		if !known {
			since = u.options.Now()
		}
		if u.options.Now().Sub(since) < keepUnused || os.Remove(filepath.Join(u.options.Cache, name)) != nil {
			u.unused[name] = since
		}
	}
}
