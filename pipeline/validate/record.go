package validate

import (
	"bytes"

	"churn/pipeline"
)

// Flaw is one failed check of one record.
type Flaw struct {
	Record int // position among the events, or UserFlaw
	Field  string
	Value  string
	Demand string // what the check asks for
	What   string // what was wrong, where the demand does not say it
	// Rejects says that the record would go to quarantine. Without it the record
	// counts, though something about it is odd.
	Rejects bool
}

// UserFlaw is Flaw.Record where the user's own record is meant.
const UserFlaw = -1

// Records checks one user with his events: the same checks, one by one, that
// rows of files go through, and the same choice among events of one id (the one
// known first counts, and among those the first). accepted are the events that
// count, in the given order, their courses numbered from 1. An empty User of an
// event means the one that it is given with. Fields are trimmed in place.
func (r *Rules) Records(user *UserRecord, events []EventRecord) (u pipeline.User, accepted []pipeline.Event, flaws []Flaw) {
	var f faults
	trimUser(user)
	r.user(user, &u, &f)
	flaws = r.flaws(nil, f, UserFlaw)
	accepted, at, numbers := make([]pipeline.Event, 0, len(events)), make([]int, 0, len(events)), newCourses()
	for i := range events {
		var e pipeline.Event
		rec := &events[i]
		trimEvent(rec)
		f = f[:0]
		if len(rec.User) > 0 && !bytes.Equal(rec.User, user.ID) {
			f.add(eventUserKnown, "user_id", rec.User, "sent with user "+u.ID)
		}
		r.event(rec, u.Signup, &e, &f)
		e.Course = numbers.number(rec.Course)
		flaws = r.flaws(flaws, f, i)
		if !r.rejects(f) {
			accepted, at = append(accepted, e), append(at, i)
		}
	}
	accepted, repeats := r.unique(events, accepted, at)
	return u, accepted, append(flaws, repeats...)
}

// unique leaves out the events that repeat an id, as repeated does among files.
// accepted[k] is made from events[at[k]].
func (r *Rules) unique(events []EventRecord, accepted []pipeline.Event, at []int) (kept []pipeline.Event, flaws []Flaw) {
	best := make(map[string]int, len(at))
	for k, i := range at {
		id := string(events[i].ID)
		if b, again := best[id]; !again || accepted[k].Known < accepted[b].Known {
			best[id] = k
		}
	}
	if len(best) == len(at) {
		return accepted, nil
	}
	for k, i := range at {
		if best[string(events[i].ID)] == k {
			kept = append(kept, accepted[k])
			continue
		}
		flaw := fault{eventIDUnique, "event_id", events[i].ID, "it stands more than once; the one known first counts"}
		repeat := r.flaws(nil, faults{flaw}, i)
		repeat[0].Rejects = false // the record is left out, and nothing is lost
		flaws = append(flaws, repeat...)
	}
	return kept, flaws
}

// flaws appends the faults of one record.
func (r *Rules) flaws(out []Flaw, f faults, record int) []Flaw {
	if len(f) == 0 {
		return out
	}
	demands := specs()
	for _, x := range f {
		out = append(out, Flaw{Record: record, Field: x.field, Value: string(x.value), Demand: demands[x.check].demand, What: x.what, Rejects: r.quarantine[x.check]})
	}
	return out
}

func trimUser(u *UserRecord) {
	for _, b := range []*[]byte{&u.ID, &u.Signup, &u.Plan, &u.IsPaid, &u.Country, &u.Source} {
		*b = trim(*b)
	}
}

func trimEvent(e *EventRecord) {
	for _, b := range []*[]byte{&e.ID, &e.User, &e.Time, &e.Type, &e.Course, &e.Minutes, &e.Score, &e.Amount, &e.KnownAt} {
		*b = trim(*b)
	}
}
