package generate

import (
	"math"

	"churn/pipeline"
)

const (
	// historyDays is how long before the first day the earliest users signed
	// up, days.
	historyDays = 730
	// warmUpDays is how long before the first day the simulation begins, days,
	// so that the first day finds people in the midst of things. Half a year
	// lets habits and phases forget how they were begun.
	warmUpDays = 180
	// horizon is how far churn_probability_30d looks ahead, days.
	horizon = 30
)

// world is what all learners share. It does not change.
type world struct {
	params                     Params
	calendar                   []day // from historyDays before the first day to two months after the last
	signups                    schedule
	catalogue                  catalogue
	countries                  []country
	sources                    []source
	kinds                      []kind
	pattern                    [7]float64
	homeCountries, homeSources int
	baseHazard                 float64 // daily, in an average condition
}

// averageCondition is the mean of all hazard factors over engaged learners of
// the default world, as TestWorldBehavesLikePeople measures it: what the
// base hazard is divided by, so that ChurnBaseRate means what it says.
const averageCondition = 1.24

func newWorld(p Params) *world {
	w := &world{params: p, catalogue: newCatalogue(p.Seed), kinds: newKinds(), pattern: weeklyPattern()}
	w.countries, w.homeCountries = newCountries()
	w.sources, w.homeSources = newSources()
	s := newSeason()
	// The truth looks horizon days beyond the last day, and asks on which day a
	// charge after that, at most a month and its retries later, would fail.
	last := p.last() + 3*horizon
	for date := p.StartDate - historyDays; date <= last; date++ {
		w.calendar = append(w.calendar, newDay(&p, &s, w.countries, date))
	}
	w.signups = newSchedule(w.calendar[:historyDays+p.Days], p.Users)
	w.baseHazard = -math.Log1p(-p.ChurnBaseRate) / 30 / averageCondition
	return w
}

// day returns the facts of a date.
func (w *world) day(date pipeline.Date) *day { return &w.calendar[date-w.calendar[0].date] }

// live lets one learner live through day d and appends the events.
func (w *world) live(l *learner, d *day, out []event) []event {
	if l.bot && d.drift.bots {
		l.phase, l.stopped = engaged, pipeline.NoDate
		if l.chance(botActivity) {
			out = w.crawl(l, d, out)
		}
		return out
	}
	out = w.bill(l, d, out)
	l.age(d)
	isFirst := d.date == l.signup
	if !isFirst {
		w.move(l, d)
	}
	if isFirst || l.returned || l.chance(activityIn(l.phase, w.activity(l, d), w.tide(l, d))) {
		l.subscribe(d, 0.02) // few who lost their subscription take it up again
		return w.study(l, d, out)
	}
	l.rest()
	return out
}

// botActivity is the daily probability that a bot runs: scripts break too.
const botActivity = 0.97

// warmUp brings a new learner to the eve of the first day. Of those who signed
// up before the warm-up, the older they are the more have left by then.
func (w *world) warmUp(l *learner, scratch []event) []event {
	start := w.params.StartDate
	if l.signup >= start {
		return scratch
	}
	from := max(l.signup, start-warmUpDays)
	if age := float64(from - l.signup); age > 0 {
		l.charge = from + pipeline.Date(l.below(30))
		const halfLife = 260 // days in which half of a generation leaves for long
		if l.chance(1 - math.Exp2(-age/halfLife)) {
			l.stop(from - 1 - pipeline.Date(l.below(int(age))))
			l.subscribed = false
		}
	}
	for date := from; date < start; date++ {
		scratch = w.live(l, w.day(date), scratch[:0])
	}
	return scratch
}
