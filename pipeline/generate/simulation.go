package generate

import (
	"context"

	"churn/internal/parallel"
	"churn/pipeline"
)

// chunkUsers is the number of users worked on at once. It is fixed, so that
// the number of cores shows nowhere; it is large enough to make the hand-over
// cheap and small enough to keep two dozen cores busy with 20,000 users.
const chunkUsers = 1024

// simulation is a world and its learners on their way through time.
type simulation struct {
	*world
	learners []learner
	chunks   []chunk
	next     pipeline.Date // the day to live through
	places   []uint32      // scratch of inOrder: one counter a second
	tally    tally
}

type chunk struct {
	first, last int // users [first, last)
	events      []event
	tally       tally
}

// tally counts what happened from the first day on.
type tally struct{ churned, reactivated, payments int64 }

func (t *tally) add(o tally) {
	t.churned += o.churned
	t.reactivated += o.reactivated
	t.payments += o.payments
}

// newSimulation returns the world on the eve of its first day. It ends early,
// to be discarded, when ctx ends.
func newSimulation(ctx context.Context, w *world) *simulation {
	n := w.params.Users
	s := &simulation{world: w, learners: make([]learner, n), next: w.params.StartDate, places: make([]uint32, 86_400)}
	for first := 0; first < n; first += chunkUsers {
		s.chunks = append(s.chunks, chunk{first: first, last: min(first+chunkUsers, n)})
	}
	parallel.Each(len(s.chunks), func(i int) {
		c := &s.chunks[i]
		for u := c.first; u < c.last && ctx.Err() == nil; u++ {
			s.learners[u] = w.newLearner(u)
			c.events = w.warmUp(&s.learners[u], c.events)
		}
	})
	return s
}

// liveDay lets everybody live through the next day and returns its events in
// order, in a new slice.
func (s *simulation) liveDay() (*day, []event) {
	d := s.day(s.next)
	joined := s.signups.joined(d.date)
	used := (joined + chunkUsers - 1) / chunkUsers
	parallel.Each(used, func(i int) { s.chunks[i].live(s, d, joined) })
	total := 0
	for i := range s.chunks[:used] {
		total += len(s.chunks[i].events)
		s.tally.add(s.chunks[i].tally)
	}
	s.next++
	return d, s.inOrder(s.chunks[:used], total)
}

// live lets the users of a chunk who have signed up live through day d.
func (c *chunk) live(s *simulation, d *day, joined int) {
	c.events, c.tally = c.events[:0], tally{}
	for u := c.first; u < min(c.last, joined); u++ {
		l := &s.learners[u]
		was, from := l.phase, len(c.events)
		c.events = s.world.live(l, d, c.events)
		for i := from; i < len(c.events); i++ {
			c.events[i].user = uint32(u)
			if k := c.events[i].kind; k == paymentSuccess || k == paymentFailed {
				c.tally.payments++
			}
		}
		switch {
		case was != gone && l.phase == gone:
			c.tally.churned++
		case was == gone && l.phase != gone:
			c.tally.reactivated++
		}
	}
}

// inOrder sorts the events of a day by second and, within one, by user and the
// order in which they were made: a counting sort, which is stable.
func (s *simulation) inOrder(chunks []chunk, total int) []event {
	clear(s.places)
	for i := range chunks {
		for j := range chunks[i].events {
			s.places[chunks[i].events[j].second]++
		}
	}
	at := uint32(0)
	for i, n := range s.places {
		s.places[i] = at
		at += n
	}
	sorted := make([]event, total)
	for i := range chunks {
		for _, e := range chunks[i].events {
			sorted[s.places[e.second]] = e
			s.places[e.second]++
		}
	}
	return sorted
}
