// Package alarms turns what monitors find at each run into few messages: an
// alarm waits before it fires, and one message tells of each change.
//
//	            bad                 bad for rule.For             good for rule.KeepFiringFor
//	inactive ─────────▶ pending ───────────────────▶ firing ─────────────────────────────▶ resolved
//	    ▲                  │ good                                                             │ bad
//	    └──────────────────┘                              pending ◀───────────────────────────┘
//
// The states and hold times are those of Prometheus's alerting rules
// (rules/alerting.go there). Two things differ. A monitor that has nothing to
// say leaves its alarm as it is: no news do not end a trouble. And the end of
// an alarm that was told is told even while it is silenced, or whoever was
// woken would wait for ever.
package alarms

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// State is the state of an alarm.
type State string

// The states.
const (
	Inactive State = "inactive" // never bad for long enough
	Pending  State = "pending"  // bad, but not yet for long enough
	Firing   State = "firing"
	Resolved State = "resolved" // as inactive, after it has fired
)

// States lists the states.
func States() []State { return []State{Inactive, Pending, Firing, Resolved} }

// Sign is what one reading says.
type Sign int

// The signs. Unknown is a monitor that could not tell.
const (
	Unknown Sign = iota
	Good
	Bad
)

// Reading is what a monitor found for one alarm.
type Reading struct {
	Alarm   string
	Sign    Sign
	Summary string // one line for people
}

// Alarm is one alarm and what is known of it.
type Alarm struct {
	Name    string    `json:"alarm"`
	State   State     `json:"state"`
	Since   time.Time `json:"since"`                 // when the state began
	Begun   time.Time `json:"bad_since,omitzero"`    // when the present or latest trouble began
	LastBad time.Time `json:"last_bad,omitzero"`     // when it was last found bad
	Read    time.Time `json:"last_reading,omitzero"` // when its monitor last could tell
	Summary string    `json:"summary,omitempty"`     // of the trouble, or of what ended it
	Told    bool      `json:"told,omitempty"`        // a message has said that it fires, none yet that it ended
}

// read takes in one reading.
func (a *Alarm) read(r Reading, rule Rule, at time.Time) {
	if r.Sign == Unknown {
		return
	}
	a.Read = at
	if r.Sign == Bad {
		a.bad(r, rule, at)
		return
	}
	switch {
	case a.State == Pending:
		a.enter(Inactive, at)
	case a.State == Firing && at.Sub(a.LastBad) >= rule.KeepFiringFor:
		a.enter(Resolved, at)
	case a.State == Firing:
		return // the summary stays that of the trouble
	}
	a.Summary = r.Summary
}

func (a *Alarm) bad(r Reading, rule Rule, at time.Time) {
	a.LastBad, a.Summary = at, r.Summary
	if a.State == Inactive || a.State == Resolved {
		a.enter(Pending, at)
		a.Begun = at
	}
	if a.State == Pending && at.Sub(a.Begun) >= rule.For {
		a.enter(Firing, at)
	}
}

func (a *Alarm) enter(s State, at time.Time) { a.State, a.Since = s, at }

// Message says that an alarm fires, or that it has ended.
type Message struct {
	ID      string    `json:"id"` // a message that comes twice is one
	Alarm   string    `json:"alarm"`
	State   State     `json:"state"` // firing or resolved
	At      time.Time `json:"at"`    // of the evaluation that found it
	Begun   time.Time `json:"bad_since"`
	Summary string    `json:"summary"`
}

// EarlierError says that the alarms have been evaluated at a later time already.
type EarlierError struct{ At, Last time.Time }

// Error says both times.
func (e *EarlierError) Error() string {
	return fmt.Sprintf("alarms stand at %s; a look at %s does not move them", e.Last.Format(time.RFC3339), e.At.Format(time.RFC3339))
}

// Evaluate moves the alarms by what was read at a time, and returns the
// messages that are due. An evaluation that is repeated changes nothing. One at
// an earlier time than the latest is an *EarlierError, and changes nothing.
func (b *Book) Evaluate(readings []Reading, rules map[string]Rule, at time.Time) ([]Message, error) {
	at = at.UTC().Truncate(time.Second)
	if at.Before(b.Evaluated) {
		return nil, &EarlierError{At: at, Last: b.Evaluated}
	}
	b.Evaluated = at
	for _, r := range readings {
		b.alarm(r.Alarm, at).read(r, rules[r.Alarm], at)
	}
	var due []Message
	for i := range b.Alarms {
		if m, ok := b.due(&b.Alarms[i], at); ok {
			due = append(due, m)
		}
	}
	b.History = append(b.History, due...)
	b.prune()
	return due, nil
}

// alarm returns the alarm of a name, a new one if need be.
func (b *Book) alarm(name string, at time.Time) *Alarm {
	i, found := slices.BinarySearchFunc(b.Alarms, name, func(a Alarm, name string) int { return cmp.Compare(a.Name, name) })
	if !found {
		b.Alarms = slices.Insert(b.Alarms, i, Alarm{Name: name, State: Inactive, Since: at})
	}
	return &b.Alarms[i]
}

// due returns the message that the receivers of messages lack. What they
// believe is Told: so messages of an alarm take turns, whatever was silenced.
func (b *Book) due(a *Alarm, at time.Time) (Message, bool) {
	fires := a.State == Firing
	_, silenced := b.Silenced(a.Name, at)
	if fires == a.Told || fires && silenced {
		return Message{}, false
	}
	a.Told = fires
	b.Sequence++
	return Message{ID: fmt.Sprintf("%s-%d", a.Name, b.Sequence), Alarm: a.Name, State: a.State, At: at, Begun: a.Begun, Summary: a.Summary}, true
}
