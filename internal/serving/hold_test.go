package serving

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
)

// keeper is a shelf that keeps versions, and writes down what is asked of it.
type keeper struct {
	*shelf
	fault error
	told  []string
}

func (k *keeper) Hold(_ context.Context, version, reader string, until, now time.Time) (Held, error) {
	k.told = append(k.told, fmt.Sprintf("%s for %s, %s", version, reader, until.Sub(now)))
	return let{k, version}, k.fault
}

type let struct {
	*keeper
	version string
}

func (l let) Release(ctx context.Context) error {
	l.told = append(l.told, "release "+l.version)
	return ctx.Err()
}

// The law: the version in use is held, and no other; the hold is renewed long
// before it ends, goes over to the next version, and ends with the follower. A
// version that is refused changes nothing of it.
func TestHoldsTheVersionInUse(t *testing.T) {
	k, now := &keeper{shelf: newShelf()}, time.Unix(1e9, 0)
	f := NewFollower(FollowOptions{Alias: "production", Versions: k, Reader: "me", Settings: settings, Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	look := func(after time.Duration, want ...string) {
		t.Helper()
		now = now.Add(after)
		k.told = nil
		f.Reload(t.Context()) //nolint:errcheck // some are refused
		if !slices.Equal(k.told, want) {
			t.Errorf("after %s: %q, want %q", after, k.told, want)
		}
	}
	look(0) // nothing to hold yet
	k.put("v0001", "d1", constantBundle(t, 0.25))
	look(time.Second, "v0001 for me (production), 24h0m0s")
	look(time.Second)
	k.put("v0002", "d2", []byte("{"))
	look(time.Second)
	look(holdAgain, "v0001 for me (production), 24h0m0s")
	k.put("v0003", "d3", constantBundle(t, 0.5))
	look(time.Second, "release v0001", "v0003 for me (production), 24h0m0s")
	ctx, end := context.WithCancel(t.Context())
	end()
	k.told = nil
	if f.Run(ctx, time.Hour, nil); !slices.Equal(k.told, []string{"release v0003"}) {
		t.Errorf("at the end: %q", k.told)
	}
}

// The law: a version that cannot be held answers all the same, is told of once,
// and tried again, but not at each look.
func TestHoldThatFails(t *testing.T) {
	k, now, log := &keeper{shelf: newShelf(), fault: errors.New("read-only")}, time.Unix(1e9, 0), &strings.Builder{}
	f := NewFollower(FollowOptions{Alias: "production", Versions: k, Reader: "me", Settings: settings, Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(log, nil))})
	k.put("v0001", "d1", constantBundle(t, 0.25))
	for range 25 { // two minutes
		if err := f.Reload(t.Context()); err != nil || f.Current() == nil {
			t.Fatal(err)
		}
		now = now.Add(5 * time.Second)
	}
	if len(k.told) != 3 || strings.Count(log.String(), "level=WARN") != 1 || !strings.Contains(log.String(), "read-only") {
		t.Errorf("%q\n%s", k.told, log)
	}
	k.fault = nil
	now = now.Add(holdRetry)
	if err := f.Reload(t.Context()); err != nil || len(k.told) != 4 {
		t.Errorf("%q: %v", k.told, err)
	}
	now = now.Add(holdRetry)
	if err := f.Reload(t.Context()); err != nil || len(k.told) != 4 {
		t.Errorf("%q: %v", k.told, err)
	}
}
