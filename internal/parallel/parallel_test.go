package parallel

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

// count returns a next function for the items 0…n-1.
func count(n int) func() (int, bool, error) {
	i := -1
	return func() (int, bool, error) { i++; return i, i < n, nil }
}

// The law: results arrive in the order of the items, whatever each one takes.
func TestOrderedKeepsOrder(t *testing.T) {
	const n = 500
	var got []int
	work := func(i int) (int, error) {
		time.Sleep(time.Duration(i*7919%50) * time.Microsecond)
		return i * i, nil
	}
	if err := Ordered(t.Context(), count(n), work, func(r int) error { got = append(got, r); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(got) != n {
		t.Fatalf("%d results, want %d", len(got), n)
	}
	for i, r := range got {
		if r != i*i {
			t.Fatalf("result %d is %d, want %d", i, r, i*i)
		}
	}
}

// The law: an error of any part ends the run, is returned, and everything
// before it has been handed on.
func TestOrderedStopsAtTheFirstError(t *testing.T) {
	bad := errors.New("bad")
	for name, at := range map[string]int{"next": 0, "work": 1, "sink": 2} {
		last := -1
		next := count(1000)
		err := Ordered(t.Context(), func() (int, bool, error) {
			i, ok, _ := next()
			if at == 0 && i == 40 {
				return 0, false, bad
			}
			return i, ok, nil
		}, func(i int) (int, error) {
			if at == 1 && i >= 40 {
				return 0, bad
			}
			return i, nil
		}, func(i int) error {
			if at == 2 && i == 40 {
				return bad
			}
			last = i
			return nil
		})
		if !errors.Is(err, bad) || last != 39 {
			t.Errorf("%s: error %v after item %d, want %v after 39", name, err, last, bad)
		}
	}
}

func TestOrderedEndsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var worked atomic.Int64
	err := Ordered(ctx, func() (int, bool, error) { return 0, true, nil }, func(int) (int, error) {
		if worked.Add(1) == 20 {
			cancel()
		}
		return 0, nil
	}, func(int) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestEachCallsEveryIndexOnce(t *testing.T) {
	for _, n := range []int{0, 1, 3, 1000} {
		calls := make([]atomic.Int32, n)
		Each(n, func(i int) { calls[i].Add(1) })
		for i := range calls {
			if c := calls[i].Load(); c != 1 {
				t.Fatalf("n = %d: index %d was worked on %d times", n, i, c)
			}
		}
	}
}

// The law: Merge yields everything once, in order for each producer, and stop
// leaves no goroutine behind that emits.
func TestMerge(t *testing.T) {
	const producers, items = 40, 25
	next, stop := Merge(context.Background(), producers, func(i int, emit func([2]int) error) error {
		for k := range items {
			if err := emit([2]int{i, k}); err != nil {
				return err
			}
		}
		return nil
	})
	defer stop()
	var seen [producers]int
	for x, ok, err := next(); ok || err != nil; x, ok, err = next() {
		if err != nil || seen[x[0]] != x[1] {
			t.Fatalf("%v after %d items (%v)", x, seen[x[0]], err)
		}
		seen[x[0]]++
	}
	for i, n := range seen {
		if n != items {
			t.Errorf("%d items of producer %d, want %d", n, i, items)
		}
	}
}

func TestMergeEnds(t *testing.T) {
	broken := errors.New("broken")
	next, stop := Merge(context.Background(), 100, func(i int, emit func(int) error) error {
		if i == 3 {
			return broken
		}
		return emit(i)
	})
	var err error
	for ok := true; ok; {
		_, ok, err = next()
	}
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	stop() // must not wait for those whom nobody hears
}
