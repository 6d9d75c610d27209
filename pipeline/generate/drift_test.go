package generate

import (
	"slices"
	"testing"

	"churn/pipeline"
)

// after is what a drift should change, measured from its date on.
type after struct {
	active   int     // user-days with activity
	minutes  float64 // mean length of a video
	score    float64 // mean of quizzes
	failed   float64 // share of charges
	amount   float64 // mean of charges
	leaving  float64 // mean hazard of those engaged at the end, factor on the base
	paying   float64 // the same of subscribers
	newcomer float64 // the same of those who signed up since
	newHome  int     // sign-ups from new sources
	scripted int     // user-days of more than 50 videos of one length
	oldIDs   int     // events in courses of the first catalogue
	newIDs   int     // events in courses of the second
}

func measure(o *observed, from int) after {
	var a after
	var sums [supportTicket + 1]float64
	var n [supportTicket + 1]float64
	for _, days := range o.active {
		a.active += count(days[from:])
	}
	for _, events := range o.events[from:] {
		alike := map[uint32]int{}
		for _, e := range events {
			sums[e.kind] += float64(e.value)
			n[e.kind]++
			if e.kind == videoWatch && e.value == 50 {
				alike[e.user]++
			}
			if e.course < coursesPerCatalogue {
				a.oldIDs++
			} else if e.course != noCourse {
				a.newIDs++
			}
		}
		for _, k := range alike {
			if k > 50 {
				a.scripted++
			}
		}
	}
	a.minutes, a.score = sums[videoWatch]/n[videoWatch]/100, sums[quizAttempt]/n[quizAttempt]/10
	a.failed = n[paymentFailed] / (n[paymentFailed] + n[paymentSuccess])
	a.amount = (sums[paymentFailed] + sums[paymentSuccess]) / (n[paymentFailed] + n[paymentSuccess]) / 100
	a.measureHazards(o, o.params.StartDate+pipeline.Date(from))
	return a
}

func (a *after) measureHazards(o *observed, date pipeline.Date) {
	d := o.day(o.params.last())
	var all, paying, newcomers []float64
	for i := range o.learners {
		l := &o.learners[i]
		if l.signup >= date && int(l.source) >= o.homeSources {
			a.newHome++
		}
		if l.phase == gone || l.signup > d.date {
			continue
		}
		h := o.hazard(l, d) / o.baseHazard
		all = append(all, h)
		if l.subscribed {
			paying = append(paying, h)
		}
		if l.signup >= date {
			newcomers = append(newcomers, h)
		}
	}
	a.leaving, a.paying, a.newcomer = mean(all), mean(paying), mean(newcomers)
}

func mean(v []float64) (m float64) {
	for _, x := range v {
		m += x / float64(len(v))
	}
	return m
}

func TestDrift(t *testing.T) {
	const from, days = 60, 130
	p := Defaults()
	p.Users, p.Days = 1500, days
	base := observe(t, p)
	was := measure(base, from)
	changes := map[string]func(is after) bool{
		DriftEngagement: func(is after) bool {
			return float64(is.active) < 0.8*float64(was.active) && is.leaving > 1.2*was.leaving
		},
		DriftContent: func(is after) bool {
			return is.minutes > 1.3*was.minutes && is.score < was.score-5 && is.oldIDs == 0 && was.newIDs == 0
		},
		DriftPricing: func(is after) bool {
			return is.failed > 1.3*was.failed && is.amount > 1.3*was.amount && is.paying > 1.5*was.paying
		},
		DriftAcquisition: func(is after) bool {
			return is.newHome > 60 && was.newHome == 0 && is.newcomer > 1.3*was.newcomer
		},
		DriftBots: func(is after) bool { return is.scripted > 500 && was.scripted == 0 },
	}
	for _, name := range DriftNames() {
		t.Run(name, func(t *testing.T) {
			q := p
			q.Drifts = []Drift{{Name: name, Date: p.StartDate + from}}
			o := observe(t, q)
			for i := range from {
				if !slices.Equal(o.events[i], base.events[i]) {
					t.Fatalf("day %d lies before the drift and differs", i)
				}
			}
			if is := measure(o, from); !changes[name](is) {
				t.Errorf("without %+v\nwith    %+v", was, is)
			}
		})
	}
}
