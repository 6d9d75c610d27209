package serving

import (
	"strconv"

	"churn/pipeline"
	"churn/pipeline/score"
	"churn/pipeline/validate"
	"churn/server"
)

// PredictEvents scores a user from raw events: the same checks, the same cut at
// the as-of date and the same features as those of batch runs.
func (p *Predictor) PredictEvents(in server.Events, reasons int) (server.EventScore, error) {
	today := pipeline.DateOf(p.settings.Now().In(p.settings.Location))
	record, records := recordsOf(&in)
	user, events, flaws := p.rules.On(today).Records(&record, records)
	wrong, odd := faultsOf(flaws)
	if len(wrong) > 0 {
		return server.EventScore{}, wrong
	}
	asOf, span, wrong := p.frame(&in, user.Signup, events, today)
	if len(wrong) > 0 {
		return server.EventScore{}, wrong
	}
	timeline := pipeline.NewTimeline(user, events, p.vocabulary)
	h, _ := timeline.Cut(asOf, &span)
	if !h.Exists() {
		return server.EventScore{}, server.Faults{{Field: "/as_of_date", Got: asOf.String(),
			Expected: "a date on which there is something to see: not before the signup (" + user.Signup.String() + ") or the start of the data"}}
	}
	s := p.scorers.Get().(*score.Scorer)
	defer p.scorers.Put(s)
	result := s.History(&h)
	return server.EventScore{Score: scoreOf(result.Score, reasons), UserID: user.ID, AsOf: asOf.String(),
		AtRisk: p.model.Spec.Labels.InCohort(&h), Features: rowOf(s.Last()), Warnings: odd}, nil
}

// recordsOf returns the records as the checks read them.
func recordsOf(in *server.Events) (validate.UserRecord, []validate.EventRecord) {
	u := &in.User
	user := validate.UserRecord{ID: []byte(u.ID), Signup: []byte(u.Signup), Plan: []byte(u.Plan), IsPaid: []byte(u.IsPaid), Country: []byte(u.Country), Source: []byte(u.Source)}
	events := make([]validate.EventRecord, len(in.Events))
	for i := range in.Events {
		e := &in.Events[i]
		events[i] = validate.EventRecord{ID: []byte(e.ID), User: []byte(e.User), Time: []byte(e.Time), Type: []byte(e.Type), Course: []byte(e.Course),
			Minutes: []byte(e.Minutes), Score: []byte(e.Score), Amount: []byte(e.Amount), KnownAt: []byte(e.KnownAt)}
	}
	return user, events
}

// maxFaults is how many faults and how many warnings an answer lists.
const maxFaults = 100

// faultsOf separates what cannot be used from what is odd.
func faultsOf(flaws []validate.Flaw) (wrong, odd server.Faults) {
	for _, f := range flaws {
		field := "/user/" + f.Field
		if f.Record != validate.UserFlaw {
			field = "/events/" + strconv.Itoa(f.Record) + "/" + f.Field
		}
		expected := f.Demand
		if f.What != "" {
			expected += "; " + f.What
		}
		fault := server.Fault{Field: field, Got: strconv.Quote(f.Value), Expected: expected}
		list := &odd
		if f.Rejects {
			list = &wrong
		}
		if len(*list) < maxFaults {
			*list = append(*list, fault)
		}
	}
	return wrong, odd
}

// frame returns the as-of date, and the span of the data behind the events.
func (p *Predictor) frame(in *server.Events, signup pipeline.Date, events []pipeline.Event, today pipeline.Date) (asOf pipeline.Date, span pipeline.Span, wrong server.Faults) {
	span = p.span(signup, events)
	asOf = span.Last
	read := func(field, text string, into *pipeline.Date) {
		d, err := pipeline.ParseDate(text)
		switch {
		case err != nil:
			wrong = append(wrong, server.Fault{Field: field, Got: strconv.Quote(text), Expected: "a date such as 2026-04-30"})
		case d > today:
			wrong = append(wrong, server.Fault{Field: field, Got: strconv.Quote(text), Expected: "a date not after today, " + today.String()})
		}
		*into = d
	}
	if in.DataStart != "" {
		var first pipeline.Date
		read("/data_start", in.DataStart, &first)
		span.First, span.Starts = first, []pipeline.Start{{Known: first, First: first}}
	}
	switch {
	case in.AsOf != "":
		read("/as_of_date", in.AsOf, &asOf)
	case len(events) == 0:
		wrong = append(wrong, server.Fault{Field: "/as_of_date", Got: "nothing", Expected: "a date such as 2026-04-30, since there is no event to take it from"})
	}
	return asOf, span, wrong
}

// span returns that of the data, up to the latest event. Where the data is not
// known here, it starts with the user: on the day of signup or, where that is
// earlier, of the first event.
func (p *Predictor) span(signup pipeline.Date, events []pipeline.Event) pipeline.Span {
	last, firstByKnown := pipeline.NoDate, map[pipeline.Date]pipeline.Date{signup: signup}
	for i := range events {
		e := &events[i]
		last = max(last, e.Day)
		if first, ok := firstByKnown[e.Known]; !ok || e.Day < first {
			firstByKnown[e.Known] = e.Day
		}
	}
	if p.settings.Span != nil {
		s := *p.settings.Span
		s.Last = last
		return s
	}
	return pipeline.NewSpan(last, firstByKnown)
}
