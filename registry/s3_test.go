package registry

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"churn/registry/s3test"
)

// The laws of the registry on a real S3 server: numbers and turns have one
// winner each, the chain holds, gc and export work.
func TestS3(t *testing.T) {
	ctx := context.Background()
	server := s3test.Start(t)
	at0 := strings.Replace(server.URL, "?", "/a/registry?", 1)
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			if _, _, err := open(t, at0).Register(ctx, candidate(fmt.Sprint(i%10)), at(0)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	r := open(t, at0)
	from := ""
	for turn := range 2 {
		wins := make(chan string, 50)
		for i := range 50 {
			if to := versionName(1 + i%10); to != from {
				group.Go(func() {
					if _, err := open(t, at0).Move(ctx, Move{Action: ActionPromote, From: from, To: to, Actor: fmt.Sprint(i), Time: at(turn)}); err == nil {
						wins <- to
					}
				})
			}
		}
		group.Wait()
		if len(wins) != 1 {
			t.Fatalf("turn %d has %d winners", turn, len(wins))
		}
		from = <-wins
	}
	sound(t, r, "after the races")
	if _, err := r.Collect(ctx, GC{Actor: "gc", Time: at(60), Now: at(60)}); err != nil {
		t.Error(err)
	}
	versions, err := r.List(ctx)
	if err != nil || len(versions) != 2 {
		t.Errorf("%d versions after gc: %v", len(versions), err)
	}
	sound(t, r, "after gc")
}

// The law: two processes in one bucket do as two in one folder.
func TestS3TwoProcesses(t *testing.T) { twoProcesses(t, s3test.Start(t).URL) }

// The law: the server, killed in the middle of writes and started again, shows
// no half of anything; whoever was told of a failure does the same again, and it
// succeeds; in the end there is every version once and a turn for every move.
func TestS3ServerKilled(t *testing.T) {
	const writers, each, kills = 3, 8, 8
	server := s3test.Start(t)
	r := open(t, server.URL)
	promote(t, r, register(t, r, "base"), 0)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				persist(t, ctx, r, fmt.Sprintf("writer %d, bundle %d, %s", w, i, strings.Repeat("x", 200_000)))
			}
		})
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	rng := rand.New(rand.NewPCG(4, 8))
	killed := 0
	for over := false; !over || killed < kills; killed++ {
		select {
		case <-done:
			over = true
		case <-time.After(time.Duration(rng.IntN(400)) * time.Millisecond):
		}
		server.Kill(t)
		server.Run(t)
		sound(t, r, fmt.Sprint("after kill ", killed))
	}
	versions, err := r.List(ctx)
	if err != nil || len(versions) != 1+writers*each {
		t.Errorf("%d versions: %v", len(versions), err)
	}
	entries, err := r.History(ctx)
	if err != nil || len(entries) != 1+writers*each {
		t.Errorf("%d entries: %v", len(entries), err)
	}
	t.Logf("%d kills, %d versions, %d turns", killed, len(versions), len(entries))
}

// persist registers and promotes a version, as often as it takes.
func persist(t *testing.T, ctx context.Context, r *Registry, bundle string) {
	var version string
	attempt := func(do func() error) bool {
		err := do()
		if err != nil && (strings.Contains(err.Error(), "seal") || strings.Contains(err.Error(), "digest") || strings.Contains(err.Error(), "damaged")) {
			t.Error("half of something was read: ", err)
		}
		return err == nil
	}
	for ctx.Err() == nil && !attempt(func() error {
		m, _, err := r.Register(ctx, candidate(bundle), at(0))
		version = m.Version
		return err
	}) {
	}
	for ctx.Err() == nil && !attempt(func() error {
		aliases, err := r.Aliases(ctx)
		if err != nil || aliases.Production == version {
			return err
		}
		_, err = r.Move(ctx, Move{Action: ActionPromote, From: aliases.Production, To: version, Actor: version, Time: at(0)})
		var moved *Moved
		if errors.As(err, &moved) && wasPromoted(ctx, r, version) {
			return nil // the answer was lost, and others went on since
		}
		return err
	}) {
	}
	if ctx.Err() != nil {
		t.Error(ctx.Err())
	}
}

// wasPromoted looks whether a version has had its turn.
func wasPromoted(ctx context.Context, r *Registry, version string) bool {
	entries, _ := r.History(ctx) //nolint:errcheck // then it is asked again
	for _, e := range entries {
		if e.To == version {
			return true
		}
	}
	return false
}
