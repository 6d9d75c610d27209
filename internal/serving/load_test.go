package serving

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// load asks without pause, in two goroutines, until it is stopped.
type load struct {
	asked atomic.Int64
	stop  func()
}

func newLoad(t *testing.T, ask func()) *load {
	t.Helper()
	l, ended := &load{}, make(chan struct{})
	var running sync.WaitGroup
	for range 2 {
		running.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
				}
				ask()
				l.asked.Add(1)
			}
		})
	}
	l.stop = sync.OnceFunc(func() {
		close(ended)
		running.Wait()
	})
	t.Cleanup(l.stop)
	return l
}

// more waits until some more questions have been asked.
func (l *load) more() {
	for before := l.asked.Load(); l.asked.Load() < before+5; {
		time.Sleep(50 * time.Microsecond)
	}
}
