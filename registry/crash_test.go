package registry

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"churn/registry/store"
)

// dying is a store whose user is killed: after so many operations all fail.
// The one in which it dies may have been done, its answer being lost, or not.
type dying struct {
	store.Store
	mu      sync.Mutex
	left    int
	done    bool // the operation in which it dies is done
	changed bool // that operation was a change
}

var errKilled = errors.New("killed")

// alive counts one operation.
func (d *dying) alive(change bool) (alive, lastBreath bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left--
	if d.left == -1 {
		d.changed = change
	}
	return d.left >= 0, d.left == -1 && d.done && change
}

func (d *dying) operate(change bool, do func() error) error {
	alive, lastBreath := d.alive(change)
	if alive {
		return do()
	}
	if lastBreath {
		do() //nolint:errcheck // nobody hears the answer
	}
	return errKilled
}

func (d *dying) dies(do func() error) error   { return d.operate(false, do) }
func (d *dying) change(do func() error) error { return d.operate(true, do) }

func (d *dying) Read(ctx context.Context, key string) (data []byte, err error) {
	err = d.dies(func() (err error) { data, err = d.Store.Read(ctx, key); return err })
	return data, err
}

func (d *dying) List(ctx context.Context, folder string) (out []store.Object, err error) {
	err = d.dies(func() (err error) { out, err = d.Store.List(ctx, folder); return err })
	return out, err
}

func (d *dying) Create(ctx context.Context, key string, data []byte) error {
	return d.change(func() error { return d.Store.Create(ctx, key, data) })
}

func (d *dying) Write(ctx context.Context, key string, data []byte) error {
	return d.change(func() error { return d.Store.Write(ctx, key, data) })
}

func (d *dying) Delete(ctx context.Context, key string) error {
	return d.change(func() error { return d.Store.Delete(ctx, key) })
}

// everything returns all objects of a store.
func everything(t testing.TB, s store.Store) map[string]string {
	t.Helper()
	objects, err := s.List(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, o := range objects {
		data, err := s.Read(context.Background(), o.Key)
		if err != nil {
			t.Fatal(err)
		}
		out[o.Key] = string(data)
	}
	return out
}

// sound fails the test unless everything verifies and production loads.
func sound(t testing.TB, r *Registry, when string) {
	t.Helper()
	v, err := r.Verify(context.Background(), nil)
	if err != nil || len(v.Faults) > 0 {
		t.Fatalf("%s: %q (%v)", when, v.Faults, err)
	}
	if _, err := r.Load(context.Background(), Production); err != nil {
		t.Fatalf("%s: %v", when, err)
	}
}

// lived returns a registry with a past: four versions, of which the first and
// the third were in use.
func lived(t testing.TB) *Registry {
	t.Helper()
	r := inMemory(t)
	for key, text := range past() {
		if err := r.store.Create(context.Background(), key, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// past is made once.
var past = sync.OnceValue(func() map[string]string {
	t := &testing.B{}
	r := inMemory(t)
	for _, bundle := range []string{"a", "b", "c", "d"} {
		register(t, r, bundle)
	}
	promote(t, r, "v0001", 1)
	promote(t, r, "v0003", 2)
	return everything(t, r.store)
})

// calls are what a writer does that may be killed.
func calls(t testing.TB) map[string]func(context.Context, *Registry) error {
	archive, _, err := lived(t).Export(context.Background(), "v0003")
	if err != nil {
		t.Fatal(err)
	}
	other := inMemory(t)
	register(t, other, "from elsewhere")
	foreign, _, err := other.Export(context.Background(), "v0001")
	if err != nil {
		t.Fatal(err)
	}
	return map[string]func(context.Context, *Registry) error{
		"register": func(ctx context.Context, r *Registry) error {
			_, _, err := r.Register(ctx, candidate("e"), at(9))
			return err
		},
		"promote": func(ctx context.Context, r *Registry) error {
			sum, err := r.PutDecision(ctx, []byte(`{"verdict":"PROMOTE"}`), []byte("# PROMOTE\n"))
			if err != nil {
				return err
			}
			_, err = r.Move(ctx, Move{Action: ActionPromote, From: "v0003", To: "v0004", Actor: "t", Time: at(9), Verdict: "PROMOTE", Decision: sum})
			return err
		},
		"rollback": func(ctx context.Context, r *Registry) error {
			_, err := r.Move(ctx, Move{Action: ActionRollback, From: "v0003", To: "v0001", Actor: "t", Reason: "worse", Time: at(9)})
			return err
		},
		"challenger": func(ctx context.Context, r *Registry) error {
			_, err := r.Move(ctx, Move{Action: ActionChallenger, To: "v0004", Actor: "t", Time: at(9)})
			return err
		},
		"collect": func(ctx context.Context, r *Registry) error {
			_, err := r.Collect(ctx, GC{Actor: "t", Time: at(60), Now: at(60)})
			return err
		},
		"collect, then register what was collected": func(ctx context.Context, r *Registry) error {
			if _, err := r.Collect(ctx, GC{Actor: "t", Time: at(60), Now: at(60)}); err != nil {
				return err
			}
			_, _, err := r.Register(ctx, candidate("b"), at(61))
			return err
		},
		"import what is there": func(ctx context.Context, r *Registry) error {
			_, _, err := r.Import(ctx, bytes.NewReader(archive), at(9))
			return err
		},
		"import": func(ctx context.Context, r *Registry) error {
			_, _, err := r.Import(ctx, bytes.NewReader(foreign), at(9))
			return err
		},
	}
}

// The law: killed after any operation, a writer leaves a registry that reads
// and verifies, and the same call then ends with the very objects of an
// undisturbed one.
func TestKilledAfterAnyOperation(t *testing.T) {
	ctx := context.Background()
	for name, call := range calls(t) {
		calm := lived(t)
		if err := call(ctx, calm); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want, kills := everything(t, calm.store), 0
		for _, done := range []bool{false, true} {
			for k := 0; ; k++ {
				r := lived(t)
				d := &dying{Store: r.store, left: k, done: done}
				err := call(ctx, New(d))
				if d.left >= 0 {
					break // it ended first
				}
				if done && !d.changed {
					continue // a reading whose answer was lost: as without it
				}
				if kills++; !errors.Is(err, errKilled) {
					t.Fatalf("%s, killed after %d operations (the next done: %v): %v", name, k, done, err)
				}
				sound(t, r, name+", killed")
				if err := call(ctx, r); err != nil {
					t.Fatalf("%s after the kill: %v", name, err)
				}
				sound(t, r, name+", again")
				if got := everything(t, r.store); !maps.Equal(got, want) {
					t.Errorf("%s, killed after %d operations (done: %v), ends with %d objects, want %d: %v", name, k, done, len(got), len(want), differing(got, want))
				}
			}
		}
		if kills < 5 {
			t.Errorf("%s: %d kills only", name, kills)
		}
	}
}

func differing(a, b map[string]string) (keys []string) {
	for key := range a {
		if a[key] != b[key] {
			keys = append(keys, key)
		}
	}
	for key := range b {
		if _, there := a[key]; !there {
			keys = append(keys, "no "+key)
		}
	}
	return keys
}

// The law: whatever comes between the steps of a Collect, a version that was
// promoted meanwhile stays, or its promotion was refused; never is one in use
// that is not there.
func TestCollectAgainstPromotion(t *testing.T) {
	ctx := context.Background()
	outcomes := map[string]int{}
	for k := range 60 {
		r := lived(t)
		var refused error
		between := &interrupting{Store: r.store, at: k, do: func() {
			_, refused = r.Move(ctx, Move{Action: ActionPromote, From: "v0003", To: "v0002", Actor: "t", Time: at(9)})
		}}
		_, err := New(between).Collect(ctx, GC{Actor: "gc", Time: at(60), Now: at(60)})
		if err != nil {
			t.Fatal(err)
		}
		if between.at >= 0 {
			break
		}
		sound(t, r, "after both")
		aliases, err := r.Aliases(ctx)
		if err != nil || (refused == nil) != (aliases.Production == "v0002") {
			t.Fatalf("step %d: production is %s, the promotion said %v (%v)", k, aliases.Production, refused, err)
		}
		if refused != nil {
			outcomes["refused"]++
		} else {
			outcomes["promoted"]++
		}
	}
	if outcomes["refused"] == 0 || outcomes["promoted"] == 0 {
		t.Errorf("one of the outcomes never came: %v", outcomes)
	}
}

// interrupting does something before the operation at.
type interrupting struct {
	store.Store
	mu sync.Mutex
	at int
	do func()
}

func (i *interrupting) step() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.at == 0 {
		i.do()
	}
	i.at--
}

func (i *interrupting) Read(ctx context.Context, key string) ([]byte, error) {
	i.step()
	return i.Store.Read(ctx, key)
}

func (i *interrupting) List(ctx context.Context, folder string) ([]store.Object, error) {
	i.step()
	return i.Store.List(ctx, folder)
}

func (i *interrupting) Create(ctx context.Context, key string, data []byte) error {
	i.step()
	return i.Store.Create(ctx, key, data)
}

func (i *interrupting) Delete(ctx context.Context, key string) error {
	i.step()
	return i.Store.Delete(ctx, key)
}

// The law: whatever is collected between the steps of a Register, its version
// is whole, and its number was never another's.
func TestRegisterAgainstCollect(t *testing.T) {
	ctx := context.Background()
	steps := 0
	for k := range 60 {
		r := lived(t)
		between := &interrupting{Store: r.store, at: k, do: func() {
			register(t, r, "e") // takes the number that was looked for, and goes at once
			if _, err := r.Collect(ctx, GC{Actor: "gc", Time: at(60), Now: at(60)}); err != nil {
				t.Fatal(err)
			}
		}}
		m, _, err := New(between).Register(ctx, candidate("b"), at(9))
		if err != nil {
			t.Fatal(err)
		}
		if between.at >= 0 {
			break
		}
		steps++
		sound(t, r, "after both")
		v, err := r.Load(ctx, m.Version)
		if m.Version == "v0002" { // it was found, and then collected
			continue
		}
		if err != nil || string(v.Files[BundleFile]) != "b" || number(m.Version) < 6 {
			t.Errorf("step %d: %s: %v", k, m.Version, err)
		}
	}
	if steps < 5 {
		t.Errorf("%d steps only", steps)
	}
}

// later is long after whatever the store has dated.
func later() time.Time { return time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC) }
