package serving

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// load asks without pause, in several goroutines, until it is stopped.
type load struct {
	asked atomic.Int64
	stop  func()
}

func newLoad(t *testing.T, goroutines int, ask func()) *load {
	t.Helper()
	l, ended := &load{}, make(chan struct{})
	var running sync.WaitGroup
	for range goroutines {
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

// more waits until so many more questions have been asked.
func (l *load) more(n int64) {
	for before := l.asked.Load(); l.asked.Load() < before+n; {
		time.Sleep(50 * time.Microsecond)
	}
}
