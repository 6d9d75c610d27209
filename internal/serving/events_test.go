package serving

import (
	"errors"
	"strings"
	"testing"

	"churn/pipeline"
	"churn/server"
)

// someone is a user with a few events.
func someone() server.Events {
	return server.Events{
		User: server.RawUser{ID: "u1", Signup: "2025-01-03", Plan: "free", IsPaid: "0", Country: "DE", Source: "ads"},
		Events: []server.RawEvent{
			{ID: "e1", Time: "2025-01-05T10:00:00", Type: pipeline.Login},
			{ID: "e2", User: "u1", Time: "2025-01-07T10:00:00", Type: pipeline.VideoWatch, Minutes: "12.5"},
		},
	}
}

func TestPredictEventsNames(t *testing.T) {
	w := newWorld(t, 100)
	w.settings.Span = nil
	p := NewPredictor(w.models(t)["v0001"], server.ModelInfo{}, w.settings)
	for _, c := range []struct {
		name   string
		change func(*server.Events)
		field  string
	}{
		{"signup", func(e *server.Events) { e.User.Signup = "soon" }, "/user/signup_date"},
		{"plan", func(e *server.Events) { e.User.Plan = "gold" }, "/user/plan"},
		{"no id", func(e *server.Events) { e.User.ID = " " }, "/user/user_id"},
		{"time", func(e *server.Events) { e.Events[1].Time = "yesterday" }, "/events/1/event_time"},
		{"future", func(e *server.Events) { e.Events[0].Time = "2199-01-01T00:00:00" }, "/events/0/event_time"},
		{"type", func(e *server.Events) { e.Events[0].Type = "dance" }, "/events/0/event_type"},
		{"minutes", func(e *server.Events) { e.Events[1].Minutes = "-3" }, "/events/1/watch_minutes"},
		{"another user", func(e *server.Events) { e.Events[1].User = "u2" }, "/events/1/user_id"},
		{"known before", func(e *server.Events) { e.Events[1].KnownAt = "2025-01-06" }, "/events/1/known_at"},
		{"as-of", func(e *server.Events) { e.AsOf = "May" }, "/as_of_date"},
		{"as-of in the future", func(e *server.Events) { e.AsOf = "2199-01-01" }, "/as_of_date"},
		{"as-of before signup", func(e *server.Events) { e.AsOf = "2025-01-01" }, "/as_of_date"},
		{"start", func(e *server.Events) { e.DataStart = "?" }, "/data_start"},
		{"as-of before the data", func(e *server.Events) { e.DataStart, e.AsOf = "2025-01-20", "2025-01-10" }, "/as_of_date"},
		{"no date to be had", func(e *server.Events) { e.Events = nil }, "/as_of_date"},
	} {
		in := someone()
		c.change(&in)
		_, err := p.PredictEvents(in, 3)
		var faults server.Faults
		if !errors.As(err, &faults) || faults[0].Field != c.field || faults[0].Expected == "" {
			t.Errorf("%s: %v, want a fault of %s", c.name, err, c.field)
		}
	}
}

// What is odd but counts is a warning; without dates of its own a request is as
// of its latest event, and its data start with the user.
func TestPredictEventsDefaults(t *testing.T) {
	w := newWorld(t, 100)
	w.settings.Span = nil
	p := NewPredictor(w.models(t)["v0001"], server.ModelInfo{}, w.settings)
	in := someone()
	in.Events = append(in.Events, in.Events[0], server.RawEvent{ID: "e0", Time: "2025-01-01T10:00:00", Type: pipeline.Login})
	got, err := p.PredictEvents(in, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got.AsOf != "2025-01-07" || !got.AtRisk || len(got.Reasons) != 0 || len(got.Warnings) != 2 {
		t.Errorf("%+v", got)
	}
	if f := got.Warnings[0]; f.Field != "/events/3/event_time" || !strings.Contains(f.Expected, "signed up on 2025-01-03") {
		t.Errorf("%+v", f)
	}
	if f := got.Warnings[1]; f.Field != "/events/2/event_id" || !strings.Contains(f.Expected, "known first") {
		t.Errorf("%+v", f)
	}
	stated := someone()
	stated.DataStart, stated.AsOf = "2025-01-01", "2025-01-07"
	twin, err := p.PredictEvents(someone(), 3)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := p.PredictEvents(stated, 3); err != nil || again.Risk != twin.Risk {
		t.Errorf("%v, %v: data that begin before the user give %v, want %v", again, err, again.Risk, twin.Risk)
	}
}
