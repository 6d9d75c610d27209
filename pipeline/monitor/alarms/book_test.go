package alarms

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// The law: of updates at once, none is lost.
func TestUpdatesAtOnce(t *testing.T) {
	s := Store{filepath.Join(t.TempDir(), "metrics", "alarms.json")}
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			err := s.Update(t.Context(), func(b *Book) error {
				b.Silence(Silence{Alarm: fmt.Sprint(i), From: epoch, Until: epoch.Add(time.Hour)})
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if b, err := s.Read(); err != nil || len(b.Silences) != 20 {
		t.Errorf("%d of 20 silences, %v", len(b.Silences), err)
	}
}

// What fails leaves the file as it was; what changes nothing does not write.
func TestUpdateThatFails(t *testing.T) {
	s := Store{filepath.Join(t.TempDir(), "alarms.json")}
	silence := func(b *Book) error { b.Silence(Silence{Alarm: Drift, Until: epoch}); return nil }
	if err := s.Update(t.Context(), silence); err != nil {
		t.Fatal(err)
	}
	before, _ := os.Stat(s.Path)
	fault := errors.New("no")
	err := s.Update(t.Context(), func(b *Book) error { *b = Book{}; return fault })
	if !errors.Is(err, fault) {
		t.Error(err)
	}
	if err := s.Update(t.Context(), func(*Book) error { return nil }); err != nil {
		t.Error(err)
	}
	if after, err := os.Stat(s.Path); err != nil || !os.SameFile(before, after) {
		t.Errorf("the file is another (%v)", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Update(ended, silence); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

func TestDamaged(t *testing.T) {
	for name, text := range map[string]string{
		"cut off":       `{"format": 1, "alarms": [`,
		"empty":         ``,
		"another":       `{"format": 2}`,
		"a field more":  `{"format": 1, "mood": "good"}`,
		"unknown state": `{"format": 1, "alarms": [{"alarm": "drift", "state": "loud", "since": "2026-03-01T00:00:00Z"}]}`,
		"out of order":  `{"format": 1, "alarms": [{"alarm": "b", "state": "firing", "since": "2026-03-01T00:00:00Z"}, {"alarm": "a", "state": "firing", "since": "2026-03-01T00:00:00Z"}]}`,
	} {
		s := Store{filepath.Join(t.TempDir(), "alarms.json")}
		if err := os.WriteFile(s.Path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := s.Update(t.Context(), func(*Book) error { t.Error(name + ": was read"); return nil })
		if err == nil || !strings.Contains(err.Error(), s.Path) || !strings.Contains(err.Error(), "move it away") {
			t.Errorf("%s: %v", name, err)
		}
		if now, _ := os.ReadFile(s.Path); string(now) != text {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

// The record is bounded, and forgets no silence in force.
func TestPrune(t *testing.T) {
	b := Book{Evaluated: epoch}
	b.Silence(Silence{Alarm: Drift, From: epoch, Until: epoch.Add(time.Hour)})
	for i := range 2 * keptSilences {
		b.Silence(Silence{Alarm: fmt.Sprint(i), From: epoch, Until: epoch})
	}
	if _, ok := b.Silenced(Drift, epoch); !ok || len(b.Silences) != keptSilences {
		t.Errorf("%d silences, in force: %v", len(b.Silences), ok)
	}
}

func TestParams(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Error(err)
	}
	bad := Params{On: "loud", Webhook: "nowhere", Rules: map[string]Rule{"mood": {}, Drift: {For: -1, KeepFiringFor: -1}}}
	err := bad.Validate()
	for _, key := range []string{"on", "webhook", "rules.mood", "rules.drift.for", "rules.drift.keep_firing_for"} {
		if err == nil || !strings.Contains(err.Error(), "monitor.alarms."+key+": ") {
			t.Errorf("no fault of %s in %v", key, err)
		}
	}
}
