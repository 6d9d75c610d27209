package prepare

import "churn/pipeline"

// staged is the accepted events of a run of users, as columns side by side.
type staged struct {
	users  []uint32 // of each event, counted from the first user of the run
	events []pipeline.Event
	texts  []text // of each event, only if events_clean is written
}

// text is what events_clean needs beyond the event.
type text struct {
	id     []byte
	second int32
}

// byUser returns the events grouped by user, in the given order within each
// (a counting sort), and where each of the n users begins; the last position
// is the end.
func (s *staged) byUser(n int) (sorted *staged, from []int) {
	from = make([]int, n+1)
	for _, u := range s.users {
		from[u+1]++
	}
	for i := range n {
		from[i+1] += from[i]
	}
	sorted = &staged{events: make([]pipeline.Event, len(s.events)), texts: make([]text, len(s.texts))}
	next := append([]int(nil), from...)
	for i, u := range s.users {
		sorted.events[next[u]] = s.events[i]
		if s.texts != nil {
			sorted.texts[next[u]] = s.texts[i]
		}
		next[u]++
	}
	return sorted, from
}
