package health

import (
	"fmt"
	"maps"
	"slices"

	"churn/pipeline"
	"churn/pipeline/validate"
)

// Freshness says how far the data reaches.
type Freshness struct {
	Verdict
	LastEvent   pipeline.Date `json:"last_event_date"`
	MissingDays int           `json:"missing_days"` // whole days without an event up to the as-of date
	WarnDays    int           `json:"warn_days"`
	FailDays    int           `json:"fail_days"`
	Types       []Silence     `json:"event_types"`
}

// Silence says how long an event type has not been seen.
type Silence struct {
	Type      string        `json:"event_type"`
	LastEvent pipeline.Date `json:"last_event_date"`
	Days      int           `json:"silent_days"` // whole days to the last day of the data
	Longest   int           `json:"longest_before"`
	Status    Status        `json:"status"`
}

// freshness compares the last day of the data with the as-of date, and that of
// each type with its own habits, as validation does.
func freshness(t *tally, p Params) Freshness {
	last := lastDay(t)
	f := Freshness{WarnDays: p.FreshnessWarnDays, FailDays: p.FreshnessFailDays, LastEvent: pipeline.NoDate}
	if last < 0 {
		f.say(Fail, "no event was known on %s", t.asOf)
		return f
	}
	f.LastEvent, f.MissingDays, f.Status = t.first+pipeline.Date(last), t.lag(last), OK
	text := fmt.Sprintf("the latest event is of %s, %d whole days before the end of %s", f.LastEvent, f.MissingDays, t.asOf)
	switch {
	case f.MissingDays >= f.FailDays:
		f.say(Fail, "%s", text)
	case f.MissingDays >= f.WarnDays:
		f.say(Warn, "%s", text)
	}
	for k, name := range kinds()[:numKinds-1] {
		if s, ok := t.silence(k, last); ok {
			s.Type = name
			f.Types = append(f.Types, s)
			if s.Status != OK {
				f.say(s.Status, "%s was last seen on %s, %d days before the data ends; longest silence before: %d days", name, s.LastEvent, s.Days, s.Longest)
			}
		}
	}
	return f
}

// seldom is the number of days with an event below which a type is too rare to
// say what silence is usual.
const seldom = 10

// given is the number of days after which a silent type is taken as given up.
const given = usualWeeks * week

// silence returns how long a kind has been silent. A silence of more than twice
// the longest before is a warning, until everybody knows: whether it is a fault,
// its volume tells.
func (t *tally) silence(kind, last int) (s Silence, ok bool) {
	previous, seen, longest := -1, 0, 0
	for d := range t.days[:last+1] {
		if t.within(d, kind, week) == 0 {
			continue
		}
		if seen++; previous >= 0 {
			longest = max(longest, d-previous)
		}
		previous = d
	}
	if seen < seldom {
		return s, false
	}
	s = Silence{LastEvent: t.first + pipeline.Date(previous), Days: last - previous, Longest: longest - 1, Status: OK}
	if s.Days > 2*longest && s.Days <= given {
		s.Status = Warn
	}
	return s, true
}

// Late says how many facts became known on a later day than they are of.
type Late struct {
	Verdict
	Events    int64   `json:"events"` // that became known in the last week
	Late      int64   `json:"late"`   // of these, of an earlier day
	Share     float64 `json:"share"`
	Usual     float64 `json:"usual_share"` // median of the eight weeks before
	P50       int32   `json:"lag_days_p50"`
	P90       int32   `json:"lag_days_p90"`
	P99       int32   `json:"lag_days_p99"`
	Max       int32   `json:"lag_days_max"`
	WarnShare float64 `json:"warn_share"` // above the usual one
	FailShare float64 `json:"fail_share"`
}

// late judges what became known in the last week, at the resolution of days.
// Counting by the day of knowing needs no waiting for what is still to come.
func late(t *tally, p Params) Late {
	l := Late{WarnShare: p.LateWarnShare, FailShare: p.LateFailShare}
	sum := func(end int) (a arrival) {
		for _, b := range t.arrivals[max(0, end-week+1) : end+1] {
			a.all, a.late = a.all+b.all, a.late+b.late
		}
		return a
	}
	end := len(t.arrivals) - 1
	now := sum(end)
	l.Events, l.Late = now.all, now.late
	if now.all == 0 {
		l.say(Unmeasured, "nothing became known in the week to %s", t.asOf)
		return l
	}
	var before []float64
	for e := end - week; e >= week-1 && len(before) < usualWeeks; e -= week {
		if a := sum(e); a.all > 0 {
			before = append(before, float64(a.late)/float64(a.all))
		}
	}
	l.Share, l.Usual, l.Status = float64(now.late)/float64(now.all), median(before), OK
	l.P50, l.P90, l.P99, l.Max = quantile(t.lags, 0.5), quantile(t.lags, 0.9), quantile(t.lags, 0.99), quantile(t.lags, 1)
	text := fmt.Sprintf("%.1f%% of the facts of the last week became known on a later day; usual are %.1f%%", 100*l.Share, 100*l.Usual)
	switch more := l.Share - l.Usual; {
	case more > l.FailShare:
		l.say(Fail, "%s", text)
	case more > l.WarnShare:
		l.say(Warn, "%s", text)
	}
	return l
}

// quantile returns the least lag that a share q of the facts do not exceed.
func quantile(lags map[int32]int64, q float64) (lag int32) {
	total, upTo := int64(0), int64(0)
	for _, n := range lags {
		total += n
	}
	for _, lag = range slices.Sorted(maps.Keys(lags)) {
		if upTo += lags[lag]; float64(upTo) >= q*float64(total) {
			return lag
		}
	}
	return lag
}

// Rejected says what validation refused.
type Rejected struct {
	Verdict
	UserShare  float64          `json:"users_share"`
	EventShare float64          `json:"events_share"`
	WarnShare  float64          `json:"warn_share"`
	FailShare  float64          `json:"fail_share"` // validate.max_reject_rate
	Checks     []validate.Check `json:"checks"`     // that refused rows, or failed
}

// rejected takes over what validation has found.
func rejected(v *validate.Report, p Params, most float64) Rejected {
	r := Rejected{UserShare: v.Users.RejectRate(), EventShare: v.Events.RejectRate(), WarnShare: p.RejectWarnShare, FailShare: most}
	r.Status = OK
	for _, c := range v.Checks {
		if c.Severity == validate.Critical && c.Failures > 0 || c.Status == validate.Errored {
			r.Checks = append(r.Checks, c)
		}
	}
	for _, reason := range v.Reasons {
		r.say(Fail, "%s", reason)
	}
	if v.Accepted {
		r.more("users", v.Users, r.UserShare)
		r.more("events", v.Events, r.EventShare)
	} else if len(v.Reasons) == 0 {
		r.say(Fail, "validation did not accept the data")
	}
	return r
}

func (r *Rejected) more(what string, c validate.Counts, share float64) {
	if share > r.WarnShare {
		r.say(Warn, "%d of %d rows of %s (%.2f%%) were rejected", c.Rejected, c.Rows, what, 100*share)
	}
}

// Duplicates says what stands twice.
type Duplicates struct {
	Verdict
	EventIDs   int64   `json:"event_ids"` // events whose event_id stood before; they are left out
	EventShare float64 `json:"event_ids_share"`
	UserIDs    int64   `json:"user_ids"`
	Equal      int64   `json:"equal_rows"` // events that differ in event_id only; they count
	EqualShare float64 `json:"equal_rows_share"`
	WarnShare  float64 `json:"warn_share"` // of event ids
}

// The checks of validation that find what stands twice.
const (
	checkEventID = "event_id_unique"
	checkUserID  = "user_id_unique"
	checkEqual   = "duplicate_rows"
)

// duplicates takes over what validation has found. Equal rows can be real, so
// that they count by the severity that validation gives them.
func duplicates(v *validate.Report, p Params) Duplicates {
	d := Duplicates{WarnShare: p.DuplicateWarnShare}
	d.Status = OK
	for _, c := range v.Checks {
		share := float64(c.Failures) / float64(max(1, c.Checked))
		switch c.Name {
		case checkEventID:
			if d.EventIDs, d.EventShare = c.Failures, share; share > p.DuplicateWarnShare {
				d.say(Warn, "%d of %d events have an event_id that stood before (%.2f%%)", c.Failures, c.Checked, 100*share)
			}
		case checkUserID:
			if d.UserIDs = c.Failures; c.Failures > 0 {
				d.say(Warn, "%d users stand in the users file again", c.Failures)
			}
		case checkEqual:
			d.Equal, d.EqualShare = c.Failures, share
			if s := severityOf(c); s != OK {
				d.say(s, "%d of %d events equal another apart from event_id (%.2f%%)", c.Failures, c.Checked, 100*share)
			}
		}
	}
	return d
}

// severityOf turns the outcome of a check on the whole data into a status.
func severityOf(c validate.Check) Status {
	switch {
	case c.Status == validate.Errored || c.Status == validate.Failed && c.Severity == validate.Critical:
		return Fail
	case c.Status == validate.Failed && c.Severity == validate.Warning:
		return Warn
	}
	return OK
}
