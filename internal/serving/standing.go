package serving

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"churn/server"
)

const (
	// grace is how long something may fail before it is refused: it may be looked
	// at between the table and its manifest, which are written one after the other.
	grace = 2 * time.Second
	// retryAfter is when what was refused is tried again: the fault may be one of
	// the place, such as a full disk.
	retryAfter = time.Minute
)

// standing is what is known of files that are followed: which are in use, and
// why the latest are not.
type standing struct {
	what string // in the log
	now  func() time.Time
	log  *slog.Logger

	mu           sync.Mutex
	status       server.DataStatus
	failed       string // mark of what failed last
	err          error  // why
	first, tried time.Time
	refused      bool
}

// Status returns what is known now.
func (s *standing) Status() server.DataStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// due reports whether something is worth trying, by its mark, and otherwise why
// it was not sound.
func (s *standing) due(mark string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait := grace
	if s.refused {
		wait = retryAfter
	}
	return s.failed != mark || s.now().Sub(s.tried) >= wait, s.err
}

// take notes that what there is now is in use.
func (s *standing) take(asOf string) {
	s.mu.Lock()
	s.status.AsOf, s.status.Since = asOf, s.now().UTC()
	s.status.Swaps++
	s.mu.Unlock()
	s.fine()
}

// fine notes that what is in use is the latest.
func (s *standing) fine() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Checked, s.status.Error = s.now().UTC(), ""
	s.failed, s.err, s.refused = "", nil, false
}

// refuse notes something that is not sound: loudly once, and again only where
// the fault is another.
func (s *standing) refuse(ctx context.Context, mark string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.mu.Lock()
	now := s.now()
	if s.failed != mark {
		s.failed, s.first, s.refused = mark, now, false
	}
	s.err, s.tried = err, now
	fresh := !s.refused && now.Sub(s.first) >= grace
	if fresh {
		s.refused = true
		s.status.Refusals++
	}
	loud := s.refused
	s.mu.Unlock()
	if loud {
		s.report(err, fresh)
	}
	return err
}

// unreadable notes that the files could not be looked at.
func (s *standing) unreadable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.mu.Lock()
	s.status.Errors++
	s.mu.Unlock()
	s.report(err, false)
	return err
}

// report puts a fault into the status, and into the log if it is new.
func (s *standing) report(err error, fresh bool) {
	s.mu.Lock()
	fresh = fresh || s.status.Error != err.Error()
	s.status.Error = err.Error()
	asOf := s.status.AsOf
	s.mu.Unlock()
	if fresh {
		s.log.Error("the latest "+s.what+" are not taken", "error", err, "in_use", asOf)
	}
}

// guard turns a panic over what is read into an error: what is in use must go on.
func guard(read func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("it cannot be read: %v", r)
		}
	}()
	return read()
}
