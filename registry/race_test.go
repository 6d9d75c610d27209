package registry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

// actAsPromoter makes the test binary a process that races for turns.
const actAsPromoter = "TEST_BINARY_RACES_FOR_TURNS_IN"

func TestMain(m *testing.M) {
	if place := os.Getenv(actAsPromoter); place != "" {
		os.Exit(raceIn(place))
	}
	os.Exit(m.Run())
}

const turns = 12

// raceIn registers a version of its own and one that the other process
// registers too, and then fights for production, turn by turn. It prints the
// turns that it won.
func raceIn(place string) int {
	ctx := context.Background()
	me := fmt.Sprint("process ", os.Getpid())
	r, err := Open(ctx, place)
	if err != nil {
		return fail(err)
	}
	mine, _, err := r.Register(ctx, candidate(me), at(0))
	if err != nil {
		return fail(err)
	}
	for won := 0; won < turns; {
		aliases, err := r.Aliases(ctx)
		if err != nil {
			return fail(err)
		}
		if aliases.Production == mine.Version { // the other's turn; both give up what they hold
			mine, _, err = r.Register(ctx, candidate(fmt.Sprint(me, won)), at(0))
			if err != nil {
				return fail(err)
			}
		}
		e, err := r.Move(ctx, Move{Action: ActionPromote, From: aliases.Production, To: mine.Version, Actor: me, Time: at(0)})
		var moved *Moved
		switch {
		case err == nil:
			won++
			fmt.Println(e.Number)
		case !errors.As(err, &moved):
			return fail(err)
		}
	}
	return 0
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// The law: two processes on one folder give every version its own number and
// every turn one winner, and the chain holds.
func TestTwoProcesses(t *testing.T) { twoProcesses(t, t.TempDir()) }

func twoProcesses(t *testing.T, place string) {
	t.Helper()
	var racers [2]*exec.Cmd
	var said [2]strings.Builder
	for i := range racers {
		racers[i] = exec.Command(os.Args[0])
		racers[i].Env = append(os.Environ(), actAsPromoter+"="+place)
		racers[i].Stdout, racers[i].Stderr = &said[i], os.Stderr
		if err := racers[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	winner := map[string]string{}
	for i := range racers {
		if err := racers[i].Wait(); err != nil {
			t.Fatal(err)
		}
		for n := range strings.Lines(said[i].String()) {
			if n = strings.TrimSpace(n); winner[n] != "" {
				t.Errorf("both won turn %s", n)
			}
			winner[n] = fmt.Sprint("process ", racers[i].Process.Pid)
		}
	}
	r := open(t, place)
	sound(t, r, "after the race")
	entries, err := r.History(context.Background())
	if err != nil || len(entries) != 2*turns || len(winner) != 2*turns {
		t.Fatalf("%d entries and %d wins of %d turns: %v", len(entries), len(winner), 2*turns, err)
	}
	for _, e := range entries {
		if winner[fmt.Sprint(e.Number)] != e.Actor {
			t.Errorf("turn %d was won by %s, the ledger says %s", e.Number, winner[fmt.Sprint(e.Number)], e.Actor)
		}
	}
	versions, err := r.List(context.Background())
	for i, m := range versions {
		if m.Version != versionName(i+1) {
			t.Errorf("version %d is %s: %v", i+1, m.Version, err)
		}
	}
}

// The law: of fifty racing promotions from the same state one wins each turn.
func TestFiftyRacingPromotions(t *testing.T) {
	ctx := context.Background()
	for name, r := range map[string]*Registry{"memory": inMemory(t), "folder": open(t, t.TempDir())} {
		for i := range 50 {
			register(t, r, fmt.Sprint(i))
		}
		from := ""
		for turn := range 2 {
			errs, start := make([]error, 50), make(chan struct{})
			var group sync.WaitGroup
			for i := range errs {
				if versionName(i+1) == from {
					errs[i] = errors.New("is in production")
					continue
				}
				group.Go(func() {
					<-start
					_, errs[i] = r.Move(ctx, Move{Action: ActionPromote, From: from, To: versionName(i + 1), Actor: fmt.Sprint(i), Time: at(turn)})
				})
			}
			close(start)
			group.Wait()
			winner := slices.Index(errs, nil)
			aliases, err := r.Aliases(ctx)
			if err != nil || winner < 0 || slices.Index(errs[winner+1:], nil) >= 0 || aliases.Production != versionName(winner+1) || aliases.Previous != from {
				t.Fatalf("%s, turn %d: winner %d, aliases %+v (%v)", name, turn, winner, aliases, err)
			}
			from = aliases.Production
		}
		sound(t, r, name)
		if h, err := r.History(ctx); len(h) != 2 || err != nil {
			t.Errorf("%s: %d entries: %v", name, len(h), err)
		}
	}
}

// The law: racing moves of different aliases do not hinder each other.
func TestUnrelatedEntriesDoNotMatter(t *testing.T) {
	r := lived(t)
	ctx := context.Background()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			if i > 0 { // the same challenger, moved by compare-and-swap: some come too late
				r.Move(ctx, Move{Action: ActionChallenger, To: "v0004", Actor: fmt.Sprint(i), Time: at(9)}) //nolint:errcheck // see above
				return
			}
			if _, err := r.Move(ctx, Move{Action: ActionRollback, From: "v0003", To: "v0001", Actor: "t", Reason: "worse", Time: at(9)}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	sound(t, r, "after all")
	if aliases, err := r.Aliases(ctx); err != nil || aliases != (Aliases{"v0001", "v0004", "v0003"}) {
		t.Errorf("%+v: %v", aliases, err)
	}
}
