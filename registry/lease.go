package registry

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"churn/registry/store"
)

// Lease is a lock that ends by itself: whoever holds it and dies keeps others
// out until its expiry and no longer. Holders with clocks far apart, or stopped
// for longer than the lease, may overlap; what must not happen twice is decided
// by creating an object, not by a lease.
type Lease struct {
	registry *Registry
	record   leaseRecord
}

// leaseRecord is one state of a lease; the one with the highest number counts.
type leaseRecord struct {
	Name     string    `json:"name"`
	Number   int       `json:"number"`
	Holder   string    `json:"holder"`
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until"`
	Released bool      `json:"released,omitempty"`
	Version  string    `json:"version,omitempty"` // that must stay while the lease runs
	sealed
}

func (l *leaseRecord) runs(now time.Time) bool { return !l.Released && now.Before(l.Until) }

// HeldError is the error of Acquire where another holds the lease.
type HeldError struct {
	Name, Holder string
	Since, Until time.Time
}

// ErrLost is in the error of a lease that ended, or that another has taken.
var ErrLost = errors.New("it ran out or was lost")

func (h *HeldError) Error() string {
	return fmt.Sprintf("registry: the lease %q is held by %s since %s; it ends at %s at the latest", h.Name, h.Holder, h.Since.Format(time.RFC3339), h.Until.Format(time.RFC3339))
}

// leaseName is what a lease may be called.
var leaseName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,60}$`)

func leaseKey(name string, n int) string { return fmt.Sprintf("%s%s-%08d.json", leasesDir, name, n) }

// Acquire takes a lease for ttl, or fails with *HeldError. A holder that has it
// already gets it again.
func (r *Registry) Acquire(ctx context.Context, name, holder string, ttl time.Duration, now time.Time) (*Lease, error) {
	return r.acquire(ctx, leaseRecord{Name: name, Holder: holder, Since: now.UTC(), Until: now.UTC().Add(ttl)}, now)
}

func (r *Registry) acquire(ctx context.Context, wanted leaseRecord, now time.Time) (*Lease, error) {
	if !leaseName.MatchString(wanted.Name) {
		panic("registry: a lease called " + wanted.Name)
	}
	for {
		last, err := r.lastLease(ctx, wanted.Name)
		if err != nil {
			return nil, err
		}
		if last.runs(now) && last.Holder != wanted.Holder {
			return nil, &HeldError{last.Name, last.Holder, last.Since, last.Until}
		}
		next := wanted
		next.Number = last.Number + 1
		switch err := r.put(ctx, leaseKey(next.Name, next.Number), &next); {
		case err == nil:
			return &Lease{r, next}, nil
		case !taken(err):
			return nil, fmt.Errorf("registry: %w", err)
		}
	}
}

// LeaseHolder tells who has a lease, nil if nobody.
func (r *Registry) LeaseHolder(ctx context.Context, name string, now time.Time) (*HeldError, error) {
	last, err := r.lastLease(ctx, name)
	if err != nil || !last.runs(now) {
		return nil, err
	}
	return &HeldError{last.Name, last.Holder, last.Since, last.Until}, nil
}

// lastLease returns the state of a lease, a zero one if there never was one.
func (r *Registry) lastLease(ctx context.Context, name string) (last leaseRecord, err error) {
	numbers, err := r.numbers(ctx, leasesDir, name+"-")
	if err != nil || len(numbers) == 0 {
		return last, err
	}
	n := numbers[len(numbers)-1]
	err = r.get(ctx, leaseKey(name, n), &last, "if no process holds it, delete it")
	return last, err
}

// Until returns when the lease ends unless it is renewed.
func (l *Lease) Until() time.Time { return l.record.Until }

// Renew prolongs the lease to ttl from now. It fails with ErrLost if another
// has it, and otherwise if the registry cannot be reached: then the lease runs on
// as it was.
func (l *Lease) Renew(ctx context.Context, ttl time.Duration, now time.Time) error {
	if err := l.Held(ctx, now); err != nil {
		return err
	}
	next := l.record
	next.Until = now.UTC().Add(ttl)
	err := l.advance(ctx, next)
	if taken(err) {
		return fmt.Errorf("%w: %w", err, ErrLost)
	}
	return err
}

// Held fails with ErrLost unless the lease is still the caller's.
func (l *Lease) Held(ctx context.Context, now time.Time) error {
	last, err := l.registry.lastLease(ctx, l.record.Name)
	if err != nil {
		return err
	}
	if last.Number != l.record.Number || !last.runs(now) {
		return fmt.Errorf("registry: the lease %q, taken at %s: %w; the last to have it: %q", l.record.Name, l.record.Since.Format(time.RFC3339), ErrLost, last.Holder)
	}
	return nil
}

// Release ends the lease. It is no error if it was lost already.
func (l *Lease) Release(ctx context.Context) error {
	next := l.record
	next.Released = true
	if err := l.advance(ctx, next); err != nil && !taken(err) {
		return err
	}
	return nil
}

// advance writes the next state.
func (l *Lease) advance(ctx context.Context, next leaseRecord) error {
	next.Number++
	if err := l.registry.put(ctx, leaseKey(next.Name, next.Number), &next); err != nil {
		return fmt.Errorf("registry: renew or release the lease %q: %w", next.Name, err)
	}
	l.record = next
	return nil
}

// Hold keeps a version from being collected until a time: for a reader that
// may read its files again. It fails if the version is not there. A holder that
// calls again prolongs its hold.
func (r *Registry) Hold(ctx context.Context, version, holder string, until, now time.Time) (*Lease, error) {
	if _, err := r.find(ctx, version); err != nil { // or each try would leave a record
		return nil, err
	}
	name := fmt.Sprintf("reader-%s-%s", version, digest([]byte(holder))[:8])
	l, err := r.acquire(ctx, leaseRecord{Name: name, Holder: holder, Since: now.UTC(), Until: until.UTC(), Version: version}, now)
	if err != nil {
		return nil, err
	}
	// Looked at again after the lease was written: Collect looks in the other order.
	if _, err := r.find(ctx, version); err != nil {
		return nil, errors.Join(err, l.Release(ctx))
	}
	return l, nil
}

// readers returns a running lease of each version that is being read.
func (r *Registry) readers(ctx context.Context, now time.Time) (map[string]leaseRecord, error) {
	last, _, err := r.leases(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]leaseRecord{}
	for _, name := range last {
		l, err := r.lastLease(ctx, name)
		if err != nil {
			return nil, err
		}
		if l.Version != "" && l.runs(now) {
			out[l.Version] = l
		}
	}
	return out, nil
}

// leases returns the names of all leases, and all objects of the folder.
func (r *Registry) leases(ctx context.Context) (names []string, objects []store.Object, err error) {
	objects, err = r.store.List(ctx, leasesDir)
	if err != nil {
		return nil, nil, fmt.Errorf("registry: %w", err)
	}
	for _, o := range objects {
		if name := leaseOf(o.Key); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, objects, nil
}

// leaseOf returns the name of the lease that an object belongs to, or "".
func leaseOf(key string) string {
	m := leaseObject.FindStringSubmatch(key)
	if m == nil {
		return ""
	}
	return m[1]
}

var leaseObject = regexp.MustCompile(`^leases/([a-z][a-z0-9-]*)-[0-9]{8}\.json$`)

// oldLeases returns the records of leases that are of no use any more: those
// that a later one has replaced, and the last ones of readers, if they are old
// and over. The last record of another lease stays, so that its numbers go on.
func (r *Registry) oldLeases(ctx context.Context, old func(store.Object) bool) (keys []string, err error) {
	_, objects, err := r.leases(ctx)
	if err != nil {
		return nil, err
	}
	for i, o := range objects {
		name := leaseOf(o.Key)
		last := i+1 == len(objects) || leaseOf(objects[i+1].Key) != name // in the order of their numbers
		if name == "" || !old(o) || last && !strings.HasPrefix(name, "reader-") {
			continue
		}
		if last {
			l, err := r.lastLease(ctx, name)
			if err != nil {
				return nil, err
			}
			if !l.Released && !old(store.Object{Modified: l.Until}) {
				continue
			}
		}
		keys = append(keys, o.Key)
	}
	return keys, nil
}
