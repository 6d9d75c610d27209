package server

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"
)

// EventsPrediction is the answer of /predict/events.
type EventsPrediction struct {
	Outcome
	AtRisk   bool           `json:"at_risk"`  // active lately: the model has learned from nobody else
	Features map[string]any `json:"features"` // as computed from the events: a number, a text or null each
	Stamp
}

// predictEvents answers for a user with raw events.
func (s *Server) predictEvents(c echo.Context) error {
	in, err := s.current()
	if err != nil {
		return err
	}
	w, err := s.borrow(c, in, echo.MIMEApplicationJSON)
	if err != nil {
		return err
	}
	defer s.giveBack(w)
	events, err := w.events()
	if err != nil {
		return err
	}
	scored, err := in.of.PredictEvents(events, w.reasons)
	if err != nil {
		return err
	}
	s.tell(w, scored.UserID, scored.AsOf, scored.Features, scored.Score)
	w.out = w.appendEventScore(append(w.out, '{'), in, &scored)
	return s.send(c, append(w.out, '}'))
}

func (w *work) appendEventScore(b []byte, in *inputs, e *EventScore) []byte {
	w.missing = in.missing(&e.Features, w.missing[:0])
	b = appendOutcome(b, &Outcome{User: e.UserID, Risk: e.Risk, Tier: e.Tier, Reasons: e.Reasons, AsOf: e.AsOf,
		Warnings: append(w.warnings, e.Warnings...), Missing: w.missing})
	b = strconv.AppendBool(append(b, `"at_risk":`...), e.AtRisk)
	b = append(b, `,"features":{`...)
	for i, x := range e.Features.Numeric {
		b = appendText(comma(b, i), in.numeric[i].Name)
		b = appendNumber(append(b, ':'), x)
	}
	for j, x := range e.Features.Categorical {
		b = appendText(comma(b, len(e.Features.Numeric)+j), in.categorical[j].Name)
		if b = append(b, ':'); x == "" {
			b = append(b, "null"...)
		} else {
			b = appendText(b, x)
		}
	}
	return w.appendStamp(append(b, "},"...))
}

// events reads {"user", "events", "as_of_date", "data_start"}.
func (w *work) events() (e Events, err error) {
	hasUser, hasEvents := false, false
	err = w.members(func(name []byte) (err error) {
		switch string(name) {
		case "user":
			hasUser = true
			err = w.rawUser(&e.User)
		case "events":
			hasEvents = true
			err = w.elements(func(i int) error {
				if i == maxEvents {
					return Refuse(TooLarge, "a user may have %d events", maxEvents)
				}
				e.Events = append(e.Events, RawEvent{})
				return w.rawEvent(&e.Events[i])
			})
		case "as_of_date":
			e.AsOf, err = w.date()
		case "data_start":
			e.DataStart, err = w.date()
		default:
			err = w.unknown("user, events, as_of_date or data_start")
		}
		return err
	})
	if err == nil {
		err = w.close()
	}
	if err != nil {
		return e, err
	}
	if len(w.faults) == 0 && !hasUser {
		w.add(Fault{Field: "/user", Got: "nothing", Expected: "an object with the columns of the users file"})
	}
	if len(w.faults) == 0 && !hasEvents {
		w.add(Fault{Field: "/events", Got: "nothing", Expected: "a list of objects with the columns of the events file"})
	}
	if len(w.faults) > 0 {
		return e, w.faults
	}
	return e, nil
}

// rawUser reads a record of the users file. More columns are passed over, as
// in files.
func (w *work) rawUser(u *RawUser) error {
	return w.members(func(name []byte) (err error) {
		switch string(name) {
		case "user_id":
			u.ID, err = w.field(false)
		case "signup_date":
			u.Signup, err = w.field(false)
		case "plan":
			u.Plan, err = w.field(false)
		case "is_paid":
			u.IsPaid, err = w.field(true)
		case "country":
			u.Country, err = w.field(false)
		case "marketing_source":
			u.Source, err = w.field(false)
		default:
			err = w.skip()
		}
		return err
	})
}

// rawEvent reads a record of the events file.
func (w *work) rawEvent(e *RawEvent) error {
	return w.members(func(name []byte) error {
		field := e.column(string(name))
		if field == nil {
			return w.skip()
		}
		text, err := w.field(false)
		*field = text
		return err
	})
}

// column returns where the value of a column goes; nil if it is none.
func (e *RawEvent) column(name string) *string {
	switch name {
	case "event_id":
		return &e.ID
	case "user_id":
		return &e.User
	case "event_time":
		return &e.Time
	case "event_type":
		return &e.Type
	case "course_id":
		return &e.Course
	case "watch_minutes":
		return &e.Minutes
	case "quiz_score":
		return &e.Score
	case "amount":
		return &e.Amount
	case "known_at":
		return &e.KnownAt
	}
	return nil
}

// field reads a value as a file would hold it: a number as it is written, null
// as nothing, and a boolean, where it may be one, as 0 or 1.
func (w *work) field(boolean bool) (string, error) {
	switch kind := w.decoder.PeekKind(); {
	case kind == jsontext.KindNumber:
		v, err := w.value()
		if err == nil && len(v) > maxText {
			w.fault(clip(string(v)), "a number of at most "+strconv.Itoa(maxText)+" digits")
		}
		return string(v), err
	case boolean && kind == jsontext.KindTrue:
		return "1", w.token()
	case boolean && kind == jsontext.KindFalse:
		return "0", w.token()
	case kind == jsontext.KindString || kind == jsontext.KindNull:
		text, err := w.text()
		return string(text), err
	}
	return "", w.wrong("a text, a number or null")
}
