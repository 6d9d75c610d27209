package serving

import (
	"context"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long files may go on changing before a hint is followed: writers
// put several in place one after the other.
const settle = 50 * time.Millisecond

// notice calls look at once, then every poll, and soon after something changed
// in one of the folders, until ctx ends. The polls are what counts: changes of
// files are a hint, which remote file systems and object stores do not give.
func notice(ctx context.Context, poll time.Duration, folders []string, look func(context.Context)) {
	changes, watch, end := hints(folders)
	defer end()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		watch() // before looking, so that nothing changes unseen in between
		drain(changes)
		look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-changes:
			pause(ctx, settle)
		}
	}
}

// hints returns a channel that gets something when a file of the folders
// changes. watch looks for folders that have appeared since. Without
// notifications from the system the channel stays silent.
func hints(folders []string) (changes <-chan struct{}, watch, end func()) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, func() {}, func() {}
	}
	out := make(chan struct{}, 1)
	go func() {
		for range w.Events {
			select {
			case out <- struct{}{}:
			default:
			}
		}
	}()
	go func() {
		for range w.Errors { // an overflow: the next poll sees it all
		}
	}()
	watch = func() {
		for _, f := range folders {
			w.Add(f) //nolint:errcheck // not there yet, perhaps; watched already is no error
		}
	}
	return out, watch, func() { w.Close() } //nolint:errcheck // ends with the process anyway
}

func drain(c <-chan struct{}) {
	select {
	case <-c:
	default:
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
