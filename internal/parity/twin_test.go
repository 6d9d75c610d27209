package parity

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"churn/pipeline"
	"churn/pipeline/prepare"
)

// counted is the integers of one user at an as-of date over a window, from
// which all features of the window are made.
type counted struct {
	Events, Active, Logins, Enrolls, Videos, Quizzes, PaymentsOK, PaymentsFailed, Tickets int32
	Scores                                                                                int32
	ActiveDays                                                                            int
	FutureDays                                                                            int // active days of the label window
	Courses                                                                               string
	Minutes, Score, Amount                                                                float64 // exact sums of each day, rounded, then added by day
}

// twin counts in the simplest way: for each user, date and window it looks at
// every row of the data, whose texts it reads with the standard library.
type twin struct {
	location *time.Location
	active   []string
	double   bool // quantities are binary fractions
	users    [][]string
	events   []fact
}

type fact struct {
	user, kind, course     string
	day, known             pipeline.Date
	minutes, score, amount *big.Rat
}

// count is the definition of a snapshot.
func (w *twin) count(user string, asOf pipeline.Date, window, label int) counted {
	var c counted
	courses, activeDays, futureDays := map[string]bool{}, map[pipeline.Date]bool{}, map[pipeline.Date]bool{}
	type pair struct{ day, known pipeline.Date }
	sums := map[pair]*[3]*big.Rat{}
	for _, f := range w.events {
		if f.user != user {
			continue
		}
		activity := slices.Contains(w.active, f.kind)
		if f.day > asOf && f.day <= asOf+pipeline.Date(label) && activity {
			futureDays[f.day] = true
		}
		if f.day > asOf || f.known > asOf || f.day <= asOf-pipeline.Date(window) {
			continue
		}
		c.Events++
		if activity {
			c.Active++
			activeDays[f.day] = true
		}
		counter := map[string]*int32{"login": &c.Logins, "course_enroll": &c.Enrolls, "video_watch": &c.Videos, "quiz_attempt": &c.Quizzes,
			"payment_success": &c.PaymentsOK, "payment_failed": &c.PaymentsFailed, "support_ticket": &c.Tickets}[f.kind]
		if counter != nil { // nil: of a type beyond the seven
			*counter++
		}
		if f.course != "" {
			courses[f.course] = true
		}
		p := pair{f.day, f.known}
		if sums[p] == nil {
			sums[p] = &[3]*big.Rat{new(big.Rat), new(big.Rat), new(big.Rat)}
		}
		for i, x := range []*big.Rat{f.minutes, f.score, f.amount} {
			if x != nil && (i < 2 || f.kind == "payment_success") {
				sums[p][i].Add(sums[p][i], x)
			}
		}
		if f.score != nil {
			c.Scores++
		}
	}
	var pairs []pair
	for p := range sums {
		pairs = append(pairs, p)
	}
	slices.SortFunc(pairs, func(a, b pair) int { return int(a.day-b.day)*100000 + int(a.known-b.known) })
	byDay := map[pipeline.Date]*[3]float64{}
	for _, p := range pairs {
		if byDay[p.day] == nil {
			byDay[p.day] = &[3]float64{}
		}
		for i := range 3 {
			v, _ := sums[p][i].Float64()
			byDay[p.day][i] += v
		}
	}
	for d := asOf - pipeline.Date(window) + 1; d <= asOf; d++ {
		if v := byDay[d]; v != nil {
			c.Minutes, c.Score, c.Amount = c.Minutes+v[0], c.Score+v[1], c.Amount+v[2]
		}
	}
	c.ActiveDays, c.FutureDays, c.Courses = len(activeDays), len(futureDays), sorted(courses)
	return c
}

func sorted(set map[string]bool) string {
	var out []string
	for s := range set {
		out = append(out, s)
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// counts does the same by a timeline, as features and labels do.
func counts(t *pipeline.Timeline, h *prepare.Header, asOf pipeline.Date, window, label int) counted {
	var c counted
	history, future := t.Cut(asOf, &h.Span)
	courses := map[string]bool{}
	for _, f := range history.Days() {
		if f.Day <= asOf-pipeline.Date(window) {
			continue
		}
		c.Events, c.Active, c.Logins, c.Enrolls, c.Videos, c.Quizzes = c.Events+f.Events, c.Active+f.Active, c.Logins+f.Logins, c.Enrolls+f.Enrolls, c.Videos+f.Videos, c.Quizzes+f.Quizzes
		c.PaymentsOK, c.PaymentsFailed, c.Tickets, c.Scores = c.PaymentsOK+f.PaymentsOK, c.PaymentsFailed+f.PaymentsFailed, c.Tickets+f.Tickets, c.Scores+f.Scores
		c.Minutes, c.Score, c.Amount = c.Minutes+f.Minutes, c.Score+f.ScoreSum, c.Amount+f.Amount
		if f.IsActive() {
			c.ActiveDays++
		}
		for _, n := range f.Courses {
			courses[h.Courses[n-1]] = true
		}
	}
	c.FutureDays, c.Courses = future.ActiveDays(label), sorted(courses)
	return c
}

// newTwin reads the rows. It knows which are to be accepted from the list that
// the file of data gives, and of repeated ids it takes the one known first.
func newTwin(t *testing.T, d *data, active []string, today pipeline.Date) *twin {
	t.Helper()
	loc, err := time.LoadLocation(d.zone)
	if err != nil {
		t.Fatal(err)
	}
	w := &twin{location: loc, active: active, double: d.numbers == "double"}
	ids := map[string]bool{}
	for _, u := range d.users {
		id := strings.TrimSpace(u[0])
		if signup, err := pipeline.ParseDate(u[1]); id != "" && err == nil && signup <= today && (u[2] == "free" || u[2] == "paid") && !ids[id] {
			ids[id] = true
			w.users = append(w.users, append([]string{id}, u[1:]...))
		}
	}
	first := map[string]int{}
	for _, row := range d.events {
		f, ok := w.fact(row, today)
		id := strings.TrimSpace(row[0])
		if !ok || id == "" || !ids[f.user] {
			continue
		}
		if at, again := first[id]; !again {
			first[id] = len(w.events)
			w.events = append(w.events, f)
		} else if f.known < w.events[at].known {
			w.events[at] = f
		}
	}
	return w
}

func (w *twin) fact(row []string, today pipeline.Date) (f fact, ok bool) {
	f = fact{user: strings.TrimSpace(row[1]), kind: strings.TrimSpace(row[3]), course: strings.TrimSpace(row[4])}
	at, ok := w.at(row[2])
	f.day, f.known = pipeline.DateOf(at), pipeline.DateOf(at)
	if row[8] != "" {
		known, fine := w.at(row[8])
		f.known = pipeline.DateOf(known)
		ok = ok && fine && !known.Truncate(time.Second).Before(at.Truncate(time.Second)) && f.known <= today
	}
	payment := f.kind == "payment_success" || f.kind == "payment_failed"
	f.minutes, f.score, f.amount = w.quantity(row[5], 9), w.quantity(row[6], 9), rat(row[7], 6)
	zero := new(big.Rat)
	ok = ok && f.day <= today && slices.Contains(append(pipeline.EventTypes(), pipeline.CourseComplete), f.kind) && (f.minutes == nil || f.minutes.Cmp(zero) >= 0) &&
		(f.score == nil || f.score.Cmp(zero) >= 0 && f.score.Cmp(big.NewRat(100, 1)) <= 0) && (!payment || f.amount != nil && f.amount.Cmp(zero) > 0)
	return f, ok
}

func (w *twin) at(text string) (time.Time, bool) {
	for _, layout := range []string{"2006-01-02 15:04:05.999999Z07:00", "2006-01-02T15:04:05.999999Z07:00"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.In(w.location), true
		}
	}
	for _, layout := range []string{"2006-01-02 15:04:05.999999", "2006-01-02T15:04:05.999999"} {
		if at, err := time.ParseInLocation(layout, text, time.UTC); err == nil { // days only: a gap in the zone must not move them
			return at, true
		}
	}
	return time.Time{}, false
}

// quantity reads a number. A binary fraction is rounded to whole units by one
// product, which is the contract.
func (w *twin) quantity(text string, digits int) *big.Rat {
	if !w.double || text == "" {
		return rat(text, digits)
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic(err)
	}
	unit := float64(pow10(digits))
	return new(big.Rat).Quo(new(big.Rat).SetFloat64(math.Floor(v*unit+0.5)), new(big.Rat).SetFloat64(unit))
}

// rat reads a decimal and rounds it half up to so many digits.
func rat(text string, digits int) *big.Rat {
	if text == "" {
		return nil
	}
	v, ok := new(big.Rat).SetString(text)
	if !ok {
		panic(fmt.Sprintf("%q is no decimal", text))
	}
	unit := new(big.Rat).SetInt64(int64(pow10(digits)))
	v.Mul(v, unit).Add(v, big.NewRat(1, 2))
	whole := new(big.Int).Div(v.Num(), v.Denom()) // Euclidean: a floor
	return v.SetInt(whole).Quo(v, unit)
}
