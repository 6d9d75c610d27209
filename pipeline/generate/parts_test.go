package generate

import (
	"math"
	"slices"
	"testing"
	"unsafe"

	"churn/pipeline"
)

// TestDiceAgreeWithSums throws the dice of move many times from each phase and
// compares with spread, which the truth is summed with.
func TestDiceAgreeWithSums(t *testing.T) {
	p := Defaults()
	p.ChurnBaseRate = 0.9 // so that all ways are taken
	w := newWorld(p)
	d := w.day(p.StartDate + 200)
	start := learner{random: 1, signup: p.StartDate, frailty: 1, abrupt: 0.3, fadeStep: 0.2, kind: 3, course: noCourse, satisfaction: 0.5, engagement: 1}
	const throws = 40_000
	for from := engaged; from < gone; from++ {
		var want, got [phases]float64
		l := start
		l.phase = from
		want[from] = 1
		m := w.movesOn(&l, d)
		spread(&want, &m, 0)
		for range throws {
			l.phase, l.stopped = from, pipeline.NoDate
			w.move(&l, d)
			got[l.phase] += 1.0 / throws
		}
		total := 0.0
		for i := range want {
			total += want[i]
			if math.Abs(got[i]-want[i]) > 0.01 { // four deviations of a share of ½
				t.Errorf("from %s to phase %d: %.4f thrown, %.4f summed", from, i, got[i], want[i])
			}
		}
		if math.Abs(total-1) > 1e-12 {
			t.Errorf("from %s: the sum of all ways is %v", from, total)
		}
	}
}

// TestUnpaidEnd lets a bad card be charged many times and compares the day and
// the share of users lost with what the truth expects.
func TestUnpaidEnd(t *testing.T) {
	w := newWorld(Defaults())
	start := learner{random: 7, subscribed: true, paid: true, cardRisk: 0.6, charge: w.params.StartDate + 5, phase: engaged}
	on, p := w.unpaidEnd(&start)
	if on != start.charge+14 {
		t.Errorf("the last retry is on day %d after the charge", on-start.charge)
	}
	const throws = 20_000
	lost := 0.0
	l := start
	for range throws {
		l = learner{random: l.random, subscribed: true, paid: true, cardRisk: 0.6, charge: start.charge, phase: engaged}
		for date := start.charge; date <= on; date++ {
			w.bill(&l, w.day(date), nil)
		}
		if l.phase == gone {
			lost += 1.0 / throws
		}
	}
	if math.Abs(lost-p) > 0.01 {
		t.Errorf("%.4f lost, %.4f expected", lost, p)
	}
	if _, p := w.unpaidEnd(&learner{}); p != 0 {
		t.Errorf("%v without a subscription", p)
	}
}

func TestNextMonth(t *testing.T) {
	p := Defaults()
	w := newWorld(p)
	for from, want := range map[string]string{
		"2025-01-15": "2025-02-15", "2025-01-31": "2025-02-28", "2025-02-28": "2025-03-28", "2025-12-28": "2026-01-28", "2025-04-30": "2025-05-28",
	} {
		date, err := pipeline.ParseDate(from)
		if err != nil {
			t.Fatal(err)
		}
		if got := nextMonth(w.day(date)).String(); got != want {
			t.Errorf("after %s comes %s, want %s", from, got, want)
		}
	}
}

func TestSignups(t *testing.T) {
	p := Defaults()
	p.Users = 20_000
	w := newWorld(p)
	byMonth := map[string]int{}
	before := pipeline.NoDate
	for u := range p.Users {
		date := w.signups.signup(u)
		if date < before || date < p.StartDate-historyDays || date > p.last() {
			t.Fatalf("user %d signs up on %s, the one before on %s", u, date, before)
		}
		before = date
		byMonth[date.String()[:7]]++
	}
	for _, date := range []pipeline.Date{p.StartDate - historyDays - 1, p.StartDate, p.StartDate + 100, p.last()} {
		n := w.signups.joined(date)
		if n > 0 && w.signups.signup(n-1) > date || n < p.Users && w.signups.signup(n) <= date {
			t.Errorf("%d users by %s", n, date)
		}
	}
	if byMonth["2025-09"] < byMonth["2025-07"]*3/2 || byMonth["2025-01"] < byMonth["2025-05"] {
		t.Errorf("no term peaks: %v", byMonth)
	}
}

// TestRandom checks the moments of the bell and the bounds of the rest.
func TestRandom(t *testing.T) {
	r := stream(1, 2, 3)
	const n = 200_000
	sum, squares := 0.0, 0.0
	var dice [6]int
	for range n {
		v := r.bell()
		sum += v
		squares += v * v
		dice[r.below(6)]++
		if u := r.unit(); u < 0 || u >= 1 {
			t.Fatalf("unit %v", u)
		}
	}
	const tolerance = 0.01 // four deviations of the mean of n draws
	if math.Abs(sum/n) > tolerance || math.Abs(squares/n-1) > tolerance {
		t.Errorf("bell: mean %v, variance %v", sum/n, squares/n)
	}
	if slices.Min(dice[:]) < n/6-700 || slices.Max(dice[:]) > n/6+700 { // four deviations
		t.Errorf("dice %v", dice)
	}
	a, b := stream(1, 2, 3), stream(1, 2, 4)
	if a.bits() == b.bits() {
		t.Error("neighbours share a stream")
	}
}

// TestSharesAddUp holds the tables from which pick draws with a total of 1.
func TestSharesAddUp(t *testing.T) {
	w := newWorld(Defaults())
	sum := func(n int, weight func(int) float64) (s float64) {
		for i := range n {
			s += weight(i)
		}
		return s
	}
	for name, s := range map[string]float64{
		"kinds":         sum(len(w.kinds), func(i int) float64 { return w.kinds[i].share }),
		"countries":     sum(w.homeCountries, func(i int) float64 { return w.countries[i].weight }),
		"new countries": sum(len(w.countries)-w.homeCountries, func(i int) float64 { return w.countries[w.homeCountries+i].weight }),
		"sources":       sum(w.homeSources, func(i int) float64 { return w.sources[i].weight }),
		"new sources":   sum(len(w.sources)-w.homeSources, func(i int) float64 { return w.sources[w.homeSources+i].weight }),
		"weekdays":      sum(7, weekdayFactor) / 7,
	} {
		if math.Abs(s-1) > 1e-9 {
			t.Errorf("%s: the shares add up to %v", name, s)
		}
	}
}

// TestStateIsSmall holds the promise of a gibibyte for 830,000 users.
func TestStateIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(learner{}); size > 112 {
		t.Errorf("a learner takes %d bytes", size)
	}
	if size := unsafe.Sizeof(event{}); size != 16 {
		t.Errorf("an event takes %d bytes", size)
	}
}

// TestEventKindsAreInOrder holds the order that appendEvents relies on.
func TestEventKindsAreInOrder(t *testing.T) {
	want := map[eventKind]string{login: pipeline.Login, courseEnroll: pipeline.CourseEnroll, videoWatch: pipeline.VideoWatch,
		quizAttempt: pipeline.QuizAttempt, paymentSuccess: pipeline.PaymentSuccess, paymentFailed: pipeline.PaymentFailed, supportTicket: pipeline.SupportTicket}
	for k, name := range want {
		if got := pipeline.EventTypes()[k]; got != name {
			t.Errorf("kind %d is %s, not %s", k, got, name)
		}
	}
}
