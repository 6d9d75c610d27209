package generate

import (
	"math"
	"time"

	"churn/pipeline"
)

// world is what is the same for everybody on a day.
type world struct {
	params      Params
	decideDaily float64 // daily probability that an average engaged user decides to leave
}

func newWorld(p Params) *world {
	return &world{params: p, decideDaily: 1 - math.Pow(1-p.ChurnBaseRate, 1.0/30)}
}

// drifted reports whether a drift has set in.
func (w *world) drifted(name string, day pipeline.Date) bool {
	for _, d := range w.params.Drifts {
		if d.Name == name && day >= d.Date {
			return true
		}
	}
	return false
}

// climate is the state of the world on one day.
type climate struct {
	day        pipeline.Date
	weekday    time.Weekday
	season     float64 // factor on activity, about 1
	activity   float64 // factor of drift on activity
	leave      float64 // factor of drift and season on the decision to leave
	leavePaid  float64 // further factor for payers
	videoScale float64 // factor on video length
	difficulty float64 // of quizzes, in logits
	price      float64 // factor on amounts
	cardRisk   float64 // added probability that a payment fails
	catalogue  uint16  // number of the first course
	bots       bool
}

func (w *world) climate(day pipeline.Date) climate {
	c := climate{day: day, weekday: day.Weekday(), season: season(day), activity: 1, leave: 1, leavePaid: 1, videoScale: 1, price: 1}
	if holiday(day) {
		c.season *= 0.45
	}
	c.leave = 1 / math.Sqrt(c.season) // quiet seasons lose people too
	if w.drifted(DriftEngagement, day) {
		c.activity, c.leave = 0.6, c.leave*2.2
	}
	if w.drifted(DriftContent, day) {
		c.videoScale, c.difficulty, c.catalogue = 1.7, 1.1, courseCount
	}
	if w.drifted(DriftPricing, day) {
		c.price, c.cardRisk, c.leavePaid = 1.5, 0.15, 2
	}
	c.bots = w.drifted(DriftBots, day)
	return c
}

// season follows the terms of schools: busy from January to April and from
// September to November, quiet in July and August.
func season(day pipeline.Date) float64 {
	factors := [...]float64{1.15, 1.1, 1.08, 1.02, 0.98, 0.9, 0.75, 0.78, 1.15, 1.15, 1.08, 0.9}
	t := day.Time()
	month := int(t.Month()) - 1
	next := (month + 1) % 12
	return factors[month] + (factors[next]-factors[month])*float64(t.Day()-1)/31
}

// holiday covers Christmas to New Year, 1 May and two days in November, as a
// portal with users in many countries sees them.
func holiday(day pipeline.Date) bool {
	t := day.Time()
	switch m, d := t.Month(), t.Day(); {
	case m == time.December && d >= 24, m == time.January && d == 1, m == time.May && d == 1:
		return true
	case m == time.November && (d == 27 || d == 28):
		return true
	}
	return false
}

// courseCount is the number of courses of a catalogue.
const courseCount = 24

// courseName returns the id of a course; the second catalogue has other names.
func courseName(n uint16) string {
	subjects := [...]string{"python", "sql", "statistics", "docker", "kubernetes", "golang", "excel", "english"}
	levels := [...]string{"basics", "practice", "expert"}
	i := n % courseCount
	name := subjects[i%8] + "-" + levels[i/8]
	if n >= courseCount {
		name += "-v2"
	}
	return name
}

// courseUnits returns how many videos a course has.
func courseUnits(n uint16) uint16 { return 14 + n%courseCount*2 }

// attribution is where users come from, with the share of each.
type share struct {
	name   string
	weight float64
}

func countries() []share {
	return []share{{"US", .28}, {"IN", .24}, {"UK", .14}, {"DE", .1}, {"CA", .08}, {"AU", .07}, {"SG", .05}, {"FR", .04}}
}

func sources() []share {
	return []share{{"organic", .36}, {"referral", .16}, {"youtube", .18}, {"ads", .22}, {"partner", .08}}
}

func newCountries() []share { return []share{{"BR", .5}, {"NG", .3}, {"US", .2}} }
func newSources() []share   { return []share{{"affiliate", .6}, {"social", .3}, {"ads", .1}} }

// pick chooses by weight with one uniform number.
func pick(list []share, u float64) string {
	for _, s := range list {
		if u -= s.weight; u < 0 {
			return s.name
		}
	}
	return list[len(list)-1].name
}

// sourceFit says how well people from a source fit: a factor on their decision
// to leave.
func sourceFit(source string) float64 {
	switch source {
	case "referral":
		return 0.75
	case "partner":
		return 0.8
	case "ads":
		return 1.35
	case "affiliate", "social":
		return 1.9
	}
	return 1
}
