package alarms

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var epoch = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// look is one evaluation of one alarm, and what came of it.
type look struct {
	at       time.Time
	sign     Sign
	silenced bool
	messages []Message
	after    Alarm
}

// laws checks what holds for every history of an alarm.
func laws(trace []look, rule Rule) error {
	told, was := false, Inactive
	var badSince, lastBad time.Time // of an unbroken run of bad readings
	for i, l := range trace {
		switch l.sign {
		case Bad:
			if badSince.IsZero() {
				badSince = l.at
			}
			lastBad = l.at
		case Good:
			if was != Firing {
				badSince = time.Time{}
			}
		}
		if len(l.messages) > 1 {
			return fmt.Errorf("look %d: %d messages of one change", i, len(l.messages))
		}
		for _, m := range l.messages {
			if (m.State == Firing) == told {
				return fmt.Errorf("look %d: %s was told twice", i, m.State)
			}
			if told = m.State == Firing; told && l.silenced {
				return fmt.Errorf("look %d: fires aloud while silenced", i)
			}
		}
		fires := l.after.State == Firing
		switch {
		case fires && was != Firing && (l.sign != Bad || l.at.Sub(badSince) < rule.For):
			return fmt.Errorf("look %d: fires after %v of %v", i, l.at.Sub(badSince), rule.For)
		case !fires && was == Firing && (l.sign != Good || l.at.Sub(lastBad) < rule.KeepFiringFor):
			return fmt.Errorf("look %d: ends %v after it was bad, %v are to be kept", i, l.at.Sub(lastBad), rule.KeepFiringFor)
		case l.sign == Bad && !fires && l.at.Sub(badSince) >= rule.For:
			return fmt.Errorf("look %d: bad for %v, and does not fire", i, l.at.Sub(badSince))
		case told && !fires:
			return fmt.Errorf("look %d: its end was lost", i)
		case fires && !told && !l.silenced:
			return fmt.Errorf("look %d: it fires, and nobody was told", i)
		}
		if !fires && was == Firing {
			badSince = time.Time{}
		}
		was = l.after.State
	}
	return nil
}

// history plays a random life of one alarm beside another that is always good.
func history(t *testing.T, r *rand.Rand, rule Rule) (trace []look) {
	t.Helper()
	b, at := Book{Format: format}, epoch
	rules := map[string]Rule{Drift: rule}
	for range 60 {
		at = at.Add(time.Duration(r.IntN(4)) * time.Hour)
		switch r.IntN(8) {
		case 0:
			b.Silence(Silence{Alarm: []string{Drift, All}[r.IntN(2)], Reason: "x", From: at, Until: at.Add(time.Duration(r.IntN(12)) * time.Hour)})
		case 1:
			b.Unsilence(Drift, at)
		}
		sign := []Sign{Unknown, Good, Good, Bad, Bad, Bad}[r.IntN(6)]
		readings := []Reading{{Drift, sign, "s"}, {Scores, Good, ""}}
		messages, err := b.Evaluate(readings, rules, at)
		if err != nil {
			t.Fatal(err)
		}
		_, silenced := b.Silenced(Drift, at)
		trace = append(trace, look{at, sign, silenced, messages, *b.alarm(Drift, at)})
		if r.IntN(8) == 0 {
			repeated(t, &b, readings, rules, at)
		}
	}
	return trace
}

// repeated checks that the same evaluation again, and an earlier one, change
// nothing.
func repeated(t *testing.T, b *Book, readings []Reading, rules map[string]Rule, at time.Time) {
	t.Helper()
	before := encode(t, *b)
	if again, err := b.Evaluate(readings, rules, at); len(again) > 0 || err != nil || encode(t, *b) != before {
		t.Fatalf("the same evaluation again gave %v, %v\n%s", again, err, cmp.Diff(before, encode(t, *b)))
	}
	var earlier *EarlierError
	if _, err := b.Evaluate([]Reading{{Drift, Bad, ""}}, rules, at.Add(-time.Hour)); !errors.As(err, &earlier) || encode(t, *b) != before {
		t.Fatalf("an earlier evaluation gave %v", err)
	}
}

// encode returns the text of a book, which decodes to the same text.
func encode(t *testing.T, b Book) string {
	t.Helper()
	data, err := b.encode()
	if err != nil {
		t.Fatal(err)
	}
	read, err := Store{}.decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := read.encode(); err != nil || string(again) != string(data) {
		t.Fatalf("read back as another book (%v)\n%s", err, cmp.Diff(string(data), string(again)))
	}
	return string(data)
}

func TestLaws(t *testing.T) {
	fired := 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		rule := Rule{For: time.Duration(r.IntN(3)) * 2 * time.Hour, KeepFiringFor: time.Duration(r.IntN(3)) * 2 * time.Hour}
		trace := history(t, r, rule)
		if err := laws(trace, rule); err != nil {
			t.Fatalf("seed %d, %+v: %v", seed, rule, err)
		}
		for _, l := range trace {
			fired += len(l.messages)
		}
	}
	if fired < 100 {
		t.Errorf("only %d messages: the histories show too little", fired)
	}
}

// The mutants: faulty machines that the laws must tell from a sound one.
func TestLawsCatch(t *testing.T) {
	rule := Rule{For: 2 * time.Hour, KeepFiringFor: 2 * time.Hour}
	at := func(h int) time.Time { return epoch.Add(time.Duration(h) * time.Hour) }
	in := func(s State) Alarm { return Alarm{State: s} }
	firing, resolved := []Message{{State: Firing}}, []Message{{State: Resolved}}
	sound := func() []look {
		return []look{{at(0), Bad, false, nil, in(Pending)}, {at(2), Bad, false, firing, in(Firing)}, {at(3), Good, false, nil, in(Firing)},
			{at(4), Unknown, true, nil, in(Firing)}, {at(5), Good, true, resolved, in(Resolved)}}
	}
	if err := laws(sound(), rule); err != nil {
		t.Fatal(err)
	}
	mutants := map[string]func([]look){
		"fires early":            func(l []look) { l[1].at = at(1) },
		"fires late":             func(l []look) { l[1].after, l[1].messages = in(Pending), nil },
		"fires without a cause":  func(l []look) { l[1].sign = Unknown },
		"ends early":             func(l []look) { l[2].after, l[2].messages = in(Resolved), resolved },
		"no news end it":         func(l []look) { l[4].sign = Unknown },
		"a silence eats the end": func(l []look) { l[4].messages = nil },
		"tells twice":            func(l []look) { l[2].messages = firing },
		"two messages at once":   func(l []look) { l[1].messages = append(firing, firing...) },
		"tells nobody":           func(l []look) { l[1].messages = nil },
		"fires aloud":            func(l []look) { l[1].silenced = true },
	}
	for name, mutate := range mutants {
		trace := sound()
		mutate(trace)
		if laws(trace, rule) == nil {
			t.Errorf("%s: the laws do not see it", name)
		}
	}
}

// A silence that ends while the alarm fires lets the message out; one that
// covers the whole trouble lets nothing out.
func TestSilence(t *testing.T) {
	b := Book{Format: format}
	see := func(h int, s Sign) []Message {
		m, err := b.Evaluate([]Reading{{Drift, s, fmt.Sprint(h)}}, nil, epoch.Add(time.Duration(h)*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	b.Silence(Silence{Alarm: Drift, Reason: "known", From: epoch, Until: epoch.Add(5 * time.Hour)})
	for h, s := range []Sign{Bad, Good, Bad, Bad, Bad} {
		if m := see(h, s); len(m) > 0 {
			t.Errorf("hour %d: %v", h, m)
		}
	}
	m := see(5, Bad)
	if len(m) != 1 || m[0].State != Firing || !m[0].Begun.Equal(epoch.Add(2*time.Hour)) || m[0].Summary != "5" {
		t.Errorf("after the silence: %+v", m)
	}
	if again := see(6, Good); len(again) != 1 || again[0].State != Resolved || again[0].ID == m[0].ID {
		t.Errorf("its end: %+v", again)
	}
	if len(b.Silences) != 1 || len(b.History) != 2 {
		t.Errorf("the record: %+v, %+v", b.Silences, b.History)
	}
}
