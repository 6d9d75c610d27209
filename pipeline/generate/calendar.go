package generate

import (
	"math"
	"time"

	"churn/pipeline"
)

// day is what one calendar day means to everybody.
type day struct {
	date     pipeline.Date
	prefix   string  // "2006-01-02T", of event times
	weekday  int     // Sunday = 0
	dom      int     // day of the month, 1…31
	length   int     // days in the month
	weekly   float64 // activity factor of the weekday
	term     float64 // activity factor of the season, for learners who follow terms fully
	holiday  float64 // activity factor of holidays that all countries have
	national uint32  // bit per country that has a holiday of its own
	leaving  float64 // hazard factor of the season and of the engagement drift
	pausing  float64 // factor on the chance of a pause
	signups  float64 // intensity of sign-ups
	campaign float64 // share of the day's sign-ups that a campaign brought
	returns  float64 // factor on the chance to come back: win-back mails at the start of terms
	drift    drifts
}

// drifts tells which drifts are in force.
type drifts struct{ engagement, content, pricing, acquisition, bots bool }

// Factors by month, January first, for its middle; days in between are
// interpolated, so that nothing jumps on the first of a month.
type season struct{ term, leaving, signups [12]float64 }

// newSeason returns the year of a portal in the northern hemisphere: terms
// begin in January and September, few learn in July and August, and the ends
// of terms are when people leave.
func newSeason() season {
	return season{
		term:    [12]float64{1.12, 1.10, 1.05, 1.00, 1.05, 0.90, 0.70, 0.74, 1.18, 1.14, 1.06, 0.84},
		leaving: [12]float64{0.85, 0.90, 1.00, 1.00, 1.10, 1.30, 1.25, 1.00, 0.80, 0.85, 1.00, 1.15},
		signups: [12]float64{1.60, 1.10, 0.95, 0.85, 0.80, 0.70, 0.65, 0.95, 1.90, 1.20, 0.90, 0.70},
	}
}

// smooth interpolates between the middles of months.
func smooth(by *[12]float64, month, dom, length int) float64 {
	at := (float64(dom) - 0.5) / float64(length) // 0…1 within the month
	if at < 0.5 {
		return by[(month+11)%12]*(0.5-at) + by[month]*(0.5+at)
	}
	return by[month]*(1.5-at) + by[(month+1)%12]*(at-0.5)
}

// weekdayFactor is the activity by weekday of people who have no fixed day:
// most at the beginning of the working week, least on Friday and Saturday.
// The mean is 1.
func weekdayFactor(weekday int) float64 {
	return [7]float64{1.01, 1.14, 1.15, 1.10, 1.03, 0.82, 0.75}[weekday]
}

// signupFactor is the number of sign-ups by weekday: people decide on Mondays.
func signupFactor(weekday int) float64 {
	return [7]float64{0.95, 1.20, 1.12, 1.05, 1.00, 0.88, 0.80}[weekday]
}

// newDay returns the facts of a date under the parameters.
func newDay(p *Params, s *season, countries []country, date pipeline.Date) day {
	year, m, dom := date.Time().Date()
	month := int(m) - 1
	length := time.Date(year, m+1, 0, 0, 0, 0, 0, time.UTC).Day()
	d := day{
		date: date, prefix: date.String() + "T", weekday: int(date.Weekday()), dom: dom, length: length,
		term: smooth(&s.term, month, dom, length), holiday: 1, leaving: smooth(&s.leaving, month, dom, length),
		pausing: 1, returns: 1,
		drift: drifts{
			engagement: date >= p.driftDate(DriftEngagement), content: date >= p.driftDate(DriftContent),
			pricing: date >= p.driftDate(DriftPricing), acquisition: date >= p.driftDate(DriftAcquisition),
			bots: date >= p.driftDate(DriftBots),
		},
	}
	d.weekly = weekdayFactor(d.weekday)
	d.setHolidays(month+1, dom, countries)
	d.setSignups(p, s, month, year)
	if d.drift.engagement {
		d.term *= 0.72   // the drift that a monitor should find: a quarter less activity,
		d.leaving *= 1.7 // and a churn rate well above the sampling noise of a few thousand users
	}
	return d
}

// setHolidays sets what holidays and vacations do. Month is 1…12.
func (d *day) setHolidays(month, dom int, countries []country) {
	at := month*100 + dom
	switch {
	case at >= 1224 && at <= 1226, at == 1231, at == 101:
		d.holiday = 0.30
	case at > 1226, at == 102:
		d.holiday = 0.60
	case at == 501:
		d.holiday = 0.70
	}
	switch {
	case at >= 710 && at <= 820: // summer vacation
		d.pausing = 4
	case at >= 1218 || at <= 102: // Christmas
		d.pausing = 5
	case at >= 103 && at <= 120, at >= 901 && at <= 920:
		d.pausing, d.returns = 0.5, 1.8
	}
	for i, c := range countries {
		if at == c.holiday {
			d.national |= 1 << i
		}
	}
}

// setSignups sets the intensity of sign-ups: growth, season, weekday and
// campaigns, one of three to six days in each month.
func (d *day) setSignups(p *Params, s *season, month, year int) {
	const yearly = 0.7 // log-growth in a year: sign-ups double
	grown := math.Exp(yearly * float64(d.date-p.StartDate) / 365)
	base := grown * smooth(&s.signups, month, d.dom, d.length) * signupFactor(d.weekday)
	r := stream(p.Seed, saltCampaign, uint64(year*12+month))
	first, days, boost := 1+r.below(24), 3+r.below(4), r.between(0.8, 2.5)
	if d.dom >= first && d.dom < first+days {
		d.campaign = boost / (1 + boost)
		base *= 1 + boost
	}
	d.signups = base
}
