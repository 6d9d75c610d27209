package validate

import (
	"bytes"
	"math"
	"slices"
	"time"

	"churn/internal/table"
	"churn/pipeline"
	"churn/pipeline/source"
)

// UserColumns lists the columns of the users file in the order of UserRecord.
func UserColumns() []string { return source.UserColumns() }

// EventColumns lists the columns of the events file in the order of
// EventRecord. The last one is optional.
func EventColumns() []string { return source.EventColumns() }

// UserRecord is a row of the users file as text.
type UserRecord struct {
	ID, Signup, Plan, IsPaid, Country, Source []byte
}

// EventRecord is a row of the events file as text.
type EventRecord struct {
	ID, User, Time, Type, Course, Minutes, Score, Amount, KnownAt []byte

	number   uint64 // the id, where a file has it as an integer
	numbered bool   // ID may be empty then
}

// Rules checks single records. It is the same for files and for requests, and
// safe for use by several goroutines.
type Rules struct {
	vocabulary pipeline.Vocabulary
	isPayment  []bool
	location   *time.Location
	today      pipeline.Date   // event days after it lie in the future
	quarantine [numChecks]bool // a row that fails the check is rejected
}

// NewRules returns the rules for the given settings. Days are counted in loc.
func NewRules(p Params, v pipeline.Vocabulary, loc *time.Location, today pipeline.Date) *Rules {
	r := &Rules{vocabulary: v, location: loc, today: today}
	for i := range v.Len() {
		r.isPayment = append(r.isPayment, v.Name(i) == pipeline.PaymentSuccess || v.Name(i) == pipeline.PaymentFailed)
	}
	for i, s := range specs() {
		r.quarantine[i] = s.level == RowLevel && p.Checks[s.name].Severity == Critical
	}
	return r
}

// On returns the same rules on another day: a server lives longer than one.
func (r *Rules) On(today pipeline.Date) *Rules {
	out := *r
	out.today = today
	return &out
}

// fault is one failed check of one record.
type fault struct {
	check checkID
	field string
	value []byte
	what  string
}

// faults collects what is wrong with one record.
type faults []fault

func (f *faults) add(check checkID, field string, value []byte, what string) {
	*f = append(*f, fault{check, field, value, what})
}

// rejects reports whether any fault sends the row to quarantine.
func (r *Rules) rejects(f faults) bool {
	return slices.ContainsFunc(f, func(x fault) bool { return r.quarantine[x.check] })
}

// user checks one user record.
func (r *Rules) user(rec *UserRecord, out *pipeline.User, f *faults) {
	if len(rec.ID) == 0 {
		f.add(userIDPresent, "user_id", rec.ID, "")
	}
	signup, ok := ParseDay(rec.Signup, r.location)
	switch {
	case !ok:
		f.add(signupParses, "signup_date", rec.Signup, "")
	case signup > r.today:
		f.add(signupParses, "signup_date", rec.Signup, "today is "+r.today.String())
	}
	plan, paid := string(rec.Plan), string(rec.IsPaid)
	if plan != "free" && plan != "paid" {
		f.add(planKnown, "plan", rec.Plan, "")
	}
	if paid != "0" && paid != "1" {
		f.add(isPaidBinary, "is_paid", rec.IsPaid, "")
	}
	if (plan == "paid") != (paid == "1") && len(*f) == 0 {
		f.add(isPaidMatchesPlan, "is_paid", rec.IsPaid, "plan is "+plan)
	}
	*out = pipeline.User{ID: string(rec.ID), Signup: signup, Plan: plan, Paid: paid == "1", Country: string(rec.Country), Source: string(rec.Source)}
}

// event checks one event record of a user who signed up on signup. The course
// of out is left to the caller, who numbers courses.
func (r *Rules) event(rec *EventRecord, signup pipeline.Date, out *pipeline.Event, f *faults) (second int32) {
	if len(rec.ID) == 0 && !rec.numbered {
		f.add(eventIDPresent, "event_id", rec.ID, "")
	}
	at := r.times(rec, signup, out, f)
	kind := r.vocabulary.Index(rec.Type)
	if kind < 0 {
		f.add(eventTypeKnown, "event_type", rec.Type, "")
		kind = 0
	}
	out.Type = uint8(kind)
	out.Minutes = r.quantity(rec.Minutes, watchMinutesRange, "watch_minutes", pipeline.MaxMinutes, f)
	out.Score = r.quantity(rec.Score, quizScoreRange, "quiz_score", maxScore, f)
	r.amount(rec.Amount, r.isPayment[kind], out, f)
	return at.second
}

// maxScore bounds quiz_score.
const maxScore = 100

// endOfDay is the last second of a day.
const endOfDay = 86399

// times checks event_time and known_at.
func (r *Rules) times(rec *EventRecord, signup pipeline.Date, out *pipeline.Event, f *faults) moment {
	at, err := parseMoment(rec.Time, r.location)
	out.Day, out.Known = at.day, at.day
	if err != nil {
		f.add(eventTimeParses, "event_time", rec.Time, err.Error())
		return at
	}
	if at.day > r.today {
		f.add(eventTimeFuture, "event_time", rec.Time, "today is "+r.today.String())
	}
	if at.day < signup {
		f.add(eventBeforeSignup, "event_time", rec.Time, "signed up on "+signup.String())
	}
	if len(rec.KnownAt) == 0 {
		return at
	}
	known, err := parseMoment(rec.KnownAt, r.location)
	if day, ok := ParseDay(rec.KnownAt, r.location); ok && len(rec.KnownAt) == len("2006-01-02") {
		known, err = moment{day: day, second: endOfDay}, nil // known in the course of that day
	}
	switch {
	case err != nil:
		f.add(knownAtValid, "known_at", rec.KnownAt, err.Error())
	case known.day < at.day || known.day == at.day && known.second < at.second:
		f.add(knownAtValid, "known_at", rec.KnownAt, "before event_time "+string(rec.Time))
	case known.day > r.today:
		f.add(knownAtValid, "known_at", rec.KnownAt, "today is "+r.today.String())
	default:
		out.Known = known.day
	}
	return at
}

// quantity reads an optional number in [0, limit].
func (r *Rules) quantity(b []byte, check checkID, field string, limit float64, f *faults) float64 {
	if len(b) == 0 {
		return math.NaN()
	}
	v, err := table.ParseFloat(b)
	if err != nil {
		f.add(check, field, b, "not a number")
		return math.NaN()
	}
	if !(v >= 0 && v <= limit) {
		f.add(check, field, b, "")
		return math.NaN() // where the check is only a warning, the row counts without the value
	}
	return v
}

// amount reads the amount, which payments must have.
func (r *Rules) amount(b []byte, payment bool, out *pipeline.Event, f *faults) {
	out.Amount = math.NaN()
	if len(b) == 0 && !payment {
		return
	}
	v, err := table.ParseFloat(b)
	switch {
	case payment && (err != nil || !(v > 0 && v <= pipeline.MaxAmount)):
		f.add(paymentAmount, "amount", b, "")
	case err != nil:
		f.add(nonPaymentAmount, "amount", b, "not a number")
	case !payment && v != 0:
		f.add(nonPaymentAmount, "amount", b, "")
	default:
		out.Amount = v
	}
}

// idKey maps an id to 64 bits: an integer to itself, any other text to its
// hash. Among a billion ids a false duplicate has a probability of about 3 %;
// it would cost one event.
func idKey(rec *EventRecord, hash func([]byte) uint64) uint64 {
	if rec.numbered {
		return rec.number
	}
	if n, ok := integer(rec.ID); ok {
		return n
	}
	return hash(rec.ID)
}

func trim(b []byte) []byte {
	if n := len(b); n > 0 && (b[0] <= ' ' || b[n-1] <= ' ') {
		return bytes.TrimSpace(b)
	}
	return b
}
