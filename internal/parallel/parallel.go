// Package parallel runs work on several cores without letting their number
// change a result.
package parallel

import (
	"context"
	"runtime"
	"sync"
)

// Ordered reads items with next, works on up to GOMAXPROCS of them at once and
// hands the results to sink in the order of the items. next and sink each run
// in one goroutine. next ends the stream with ok == false. The first error in
// item order, or that of ctx, ends everything and is returned; all goroutines
// have ended by then.
func Ordered[T, R any](ctx context.Context, next func() (item T, ok bool, err error), work func(T) (R, error), sink func(R) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	workers := runtime.GOMAXPROCS(0)
	type job struct {
		item T
		done chan struct{}
		out  R
		err  error
	}
	todo, inOrder := make(chan *job), make(chan *job, 2*workers)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for j := range todo {
				j.out, j.err = work(j.item)
				close(j.done)
			}
		})
	}
	group.Go(func() {
		defer close(inOrder)
		defer close(todo)
		for ctx.Err() == nil {
			item, ok, err := next()
			if err == nil && !ok {
				return
			}
			j := &job{item: item, done: make(chan struct{}), err: err}
			select {
			case inOrder <- j:
			case <-ctx.Done():
				return
			}
			if err != nil {
				close(j.done)
				return
			}
			todo <- j
		}
	})
	for j := range inOrder {
		<-j.done
		if ctx.Err() != nil {
			continue // drain: the producer has stopped
		}
		if j.err == nil {
			j.err = sink(j.out)
		}
		if j.err != nil {
			cancel(j.err)
		}
	}
	group.Wait()
	return context.Cause(ctx)
}

// Each calls work(i) for every i in [0, n) on up to GOMAXPROCS goroutines and
// returns when all have ended.
func Each(n int, work func(i int)) {
	var group sync.WaitGroup
	todo := make(chan int)
	for range min(runtime.GOMAXPROCS(0), n) {
		group.Go(func() {
			for i := range todo {
				work(i)
			}
		})
	}
	for i := range n {
		todo <- i
	}
	close(todo)
	group.Wait()
}

// Merge runs produce(i, emit) for every i in [0, n) on up to GOMAXPROCS
// goroutines and yields what they emit, in order for each i and in any order
// among them: what becomes of it must not depend on that. next ends the stream
// with ok == false, or with the first error. stop ends all goroutines and must
// be called; after it emit fails.
func Merge[T any](ctx context.Context, n int, produce func(i int, emit func(T) error) error) (next func() (T, bool, error), stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	type item struct {
		value T
		err   error
	}
	out := make(chan item)
	send := func(x item) error {
		select {
		case out <- x:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	var group sync.WaitGroup
	group.Go(func() {
		defer close(out)
		Each(n, func(i int) {
			if ctx.Err() != nil {
				return
			}
			if err := produce(i, func(v T) error { return send(item{value: v}) }); err != nil {
				send(item{err: err}) //nolint:errcheck // nobody listens any more
			}
		})
	})
	next = func() (T, bool, error) {
		x, ok := <-out
		return x.value, ok && x.err == nil, x.err
	}
	return next, func() { cancel(); group.Wait() }
}
