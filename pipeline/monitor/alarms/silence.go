package alarms

import (
	"slices"
	"time"
)

// All is the name of a silence of every alarm.
const All = "all"

// Silence keeps an alarm from telling that it fires, for a reason and a time.
type Silence struct {
	Alarm  string    `json:"alarm"` // or All
	Reason string    `json:"reason"`
	By     string    `json:"by"`
	From   time.Time `json:"from"`
	Until  time.Time `json:"until"`
	Ended  time.Time `json:"ended,omitzero"` // before Until, by unsilence or by a later silence
}

// Active reports whether a silence is in force at a time after it was made.
func (s Silence) Active(at time.Time) bool { return s.Ended.IsZero() && at.Before(s.Until) }

// covers reports whether a silence is of an alarm.
func (s Silence) covers(alarm string) bool { return s.Alarm == alarm || s.Alarm == All }

// Silenced returns the silence of an alarm that is in force, if there is one.
func (b *Book) Silenced(alarm string, at time.Time) (Silence, bool) {
	i := slices.IndexFunc(b.Silences, func(s Silence) bool { return s.covers(alarm) && s.Active(at) })
	if i < 0 {
		return Silence{}, false
	}
	return b.Silences[i], true
}

// SilencedUntil returns the latest end of the silences of an alarm that nobody
// has ended; it may have passed.
func (b *Book) SilencedUntil(alarm string) (until time.Time) {
	for _, s := range b.Silences {
		if s.covers(alarm) && s.Ended.IsZero() && s.Until.After(until) {
			until = s.Until
		}
	}
	return until
}

// Silence adds a silence in the place of one of the same name. Silences that
// have ended stay in the book as a record.
func (b *Book) Silence(s Silence) {
	b.Unsilence(s.Alarm, s.From)
	b.Silences = append(b.Silences, s)
	b.prune()
}

// Unsilence ends the silence of a name, and reports whether there was one. An
// alarm that fires is told at the next evaluation.
func (b *Book) Unsilence(name string, at time.Time) (ended bool) {
	for i := range b.Silences {
		if s := &b.Silences[i]; s.Alarm == name && s.Active(at) {
			s.Ended, ended = at, true
		}
	}
	return ended
}
