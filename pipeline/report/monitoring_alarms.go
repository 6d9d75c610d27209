package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"churn/pipeline"
	"churn/pipeline/monitor/alarms"
)

// moment writes a time to the minute.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

func noAlarms(asOf pipeline.Date) string {
	return fmt.Sprintf("The alarms have not been evaluated: `churn monitor all --as-of %s` does.", asOf)
}

// told returns the messages that were told by a date, oldest first. A date is
// looked at when it is over: as of its end, or on the next day.
func (m Monitored) told(d pipeline.Date) []alarms.Message {
	if d == m.AsOf && !m.Past {
		return m.Alarms.History
	}
	year, month, day := (d + 2).Time().Date()
	next := time.Date(year, month, day, 0, 0, 0, 0, cmp.Or(m.Zone, time.UTC))
	return slices.DeleteFunc(slices.Clone(m.Alarms.History), func(a alarms.Message) bool { return !a.At.Before(next) })
}

// firingOn returns the messages of the alarms that fired by a date.
func (m Monitored) firingOn(d pipeline.Date) []alarms.Message { return firing(m.told(d)) }

// firing returns the messages that no later one of the same alarm has ended.
func firing(messages []alarms.Message) (out []alarms.Message) {
	for _, a := range messages {
		out = slices.DeleteFunc(out, func(b alarms.Message) bool { return b.Alarm == a.Alarm })
		if a.State == alarms.Firing {
			out = append(out, a)
		}
	}
	return out
}

// alarmed draws when alarms fired.
func (m Monitored) alarmed() *section {
	s := &section{ID: "alarms", Title: "Alarms", Lead: "An alarm fires when a monitor fails for as long as its rule says, and tells so once; it ends once the monitor was good for long enough."}
	if m.Alarms.Evaluated.IsZero() {
		s.Lead = noAlarms(m.AsOf)
		return s
	}
	messages := m.told(m.AsOf)
	if len(messages) > 0 {
		s.Figures = append(s.Figures, m.firedFigure(messages))
	} else {
		s.Notes = append(s.Notes, "No alarm has fired up to this date.")
	}
	if !m.Past {
		s.Tables = append(s.Tables, m.stateTable())
		s.Notes = append(s.Notes, m.silences()...)
	} else {
		s.Notes = append(s.Notes, fmt.Sprintf("Alarms were evaluated later, too (last at %s); this is what was told up to the date.", moment(m.Alarms.Evaluated)))
	}
	return s
}

// dayOf is a time on the axis of dates.
func dayOf(t time.Time) float64 { return float64(t.Unix()) / (24 * 60 * 60) }

// firedFigure draws a bar for each time that an alarm fired.
func (m Monitored) firedFigure(messages []alarms.Message) figure {
	var names []string
	t := table{Head: []string{"when", "alarm", "", "bad since", "what"}, Words: true}
	for _, a := range messages {
		names = append(names, a.Alarm)
	}
	for _, a := range slices.Backward(messages) {
		t.Rows = append(t.Rows, []string{moment(a.At), a.Alarm, string(a.State), moment(a.Begun), a.Summary})
	}
	slices.Sort(names)
	names = slices.Compact(names)
	end := dayOf(messages[len(messages)-1].At)
	c := chart{y: rows(names), height: float64(len(names)*rowHeight + 56)}
	dates := append(m.dates(), m.AsOf+1)
	if first := pipeline.Date(dayOf(messages[0].At)); first < dates[0] {
		dates = append([]pipeline.Date{first}, dates...)
	}
	c.x = calendar("date", dates)
	end = max(end, float64(m.AsOf+1))
	for i, a := range messages {
		if a.State != alarms.Firing {
			continue
		}
		y, to := -float64(slices.Index(names, a.Alarm)), end
		if k := slices.IndexFunc(messages[i+1:], func(b alarms.Message) bool { return b.Alarm == a.Alarm }); k >= 0 {
			to = dayOf(messages[i+1+k].At)
		}
		c.spans = append(c.spans, span{y: y, half: 0.25, from: dayOf(a.At), to: to, ink: inkRule})
	}
	return draws("When alarms fired", "A bar is the time from the first message to the last; one that reaches the right edge fires still.", c, t)
}

func (m Monitored) stateTable() table {
	t := table{Caption: "The alarms as they stand, evaluated " + moment(m.Alarms.Evaluated), Head: []string{"alarm", "state", "since", "what"}, Words: true}
	for _, a := range m.Alarms.Alarms {
		state := string(a.State)
		if _, silenced := m.Alarms.Silenced(a.Name, m.Alarms.Evaluated); silenced {
			state += ", silenced"
		}
		t.Rows = append(t.Rows, []string{a.Name, state, moment(a.Since), a.Summary})
	}
	return t
}

// silences lists those in force.
func (m Monitored) silences() (out []string) {
	for _, x := range m.Alarms.Silences {
		if x.Active(m.Alarms.Evaluated) {
			out = append(out, fmt.Sprintf("%s is silenced until %s by %s: %s", x.Alarm, moment(x.Until), x.By, x.Reason))
		}
	}
	return out
}
