package prepare

import (
	"slices"

	"churn/pipeline"
)

// staged is the accepted events of a run of users, as columns side by side.
type staged struct {
	users  []uint32 // of each event, counted from the first user of the run
	events []pipeline.Event
	texts  []text // of each event, only if events_clean is written
}

// text is what events_clean needs beyond the event.
type text struct {
	id       []byte
	second   int32
	position uint64 // files are read side by side: events of one second are in its order
}

// reset empties s and keeps its memory.
func (s *staged) reset() { s.users, s.events, s.texts = s.users[:0], s.events[:0], s.texts[:0] }

// byUser puts the events grouped by user into sorted, in the given order
// within each (a counting sort), and returns where each of the n users begins;
// the last position is the end.
func (s *staged) byUser(n int, sorted *staged) (from []int) {
	from = make([]int, n+1)
	for _, u := range s.users {
		from[u+1]++
	}
	for i := range n {
		from[i+1] += from[i]
	}
	sorted.events = slices.Grow(sorted.events[:0], len(s.events))[:len(s.events)]
	sorted.texts = slices.Grow(sorted.texts[:0], len(s.texts))[:len(s.texts)]
	next := append([]int(nil), from...)
	for i, u := range s.users {
		sorted.events[next[u]] = s.events[i]
		if len(s.texts) > 0 {
			sorted.texts[next[u]] = s.texts[i]
		}
		next[u]++
	}
	return from
}
