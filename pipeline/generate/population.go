package generate

import (
	"math"
	"sort"

	"churn/pipeline"
)

// Purposes of random streams: a change to one cannot move the dice of another.
const (
	saltUser = iota + 1
	saltCampaign
	saltCatalogue
	saltBot
)

type country struct {
	code    string
	weight  float64 // share of sign-ups
	offset  int     // local time minus UTC, hours, without summer time
	holiday int     // national holiday, month·100 + day
}

// newCountries returns the home countries and, from index home on, those that
// the acquisition drift adds.
func newCountries() (all []country, home int) {
	return []country{
		{"US", 0.28, -6, 704}, {"IN", 0.18, 5, 815}, {"GB", 0.12, 0, 1226}, {"DE", 0.11, 1, 1003},
		{"BR", 0.10, -3, 907}, {"FR", 0.08, 1, 714}, {"CA", 0.07, -5, 701}, {"ES", 0.06, 1, 1012},
		{"NG", 0.45, 1, 1001}, {"ID", 0.30, 7, 817}, {"PH", 0.25, 8, 612},
	}, 8
}

type source struct {
	name   string
	weight float64 // share of sign-ups
	mood   float64 // added to the satisfaction that users tend to
	leave  float64 // hazard factor
}

// newSources returns the usual marketing sources and, from index home on,
// those that the acquisition drift adds. Who comes by recommendation fits best.
func newSources() (all []source, home int) {
	return []source{
		{"organic", 0.36, 0.03, 0.9}, {"referral", 0.16, 0.05, 0.75}, {"email", 0.14, 0.01, 0.95},
		{"paid_ads", 0.22, -0.04, 1.3}, {"social", 0.12, -0.03, 1.2},
		{"influencer", 0.55, -0.12, 1.8}, {"coupon_site", 0.45, -0.15, 2.1},
	}, 5
}

// campaignSource is the index of the source that campaigns bring users from.
const campaignSource = 3

// kind is a way to learn. A weekly learner who is silent for eight days is
// well; a daily learner silent for four is not.
type kind struct {
	name      string
	share     float64
	low, high float64 // activity probability of a usual day (weekly: of the own weekday)
	binge     float64 // daily chance that a binge begins
	videos    float64 // mean videos in a session
	leave     float64 // hazard factor
	weekly    bool
}

func newKinds() []kind {
	return []kind{
		{"daily", 0.17, 0.45, 0.85, 0, 3.8, 0.75, false},
		{"regular", 0.27, 0.14, 0.40, 0.01, 4.2, 0.95, false},
		{"weekly", 0.20, 0.60, 0.90, 0, 5.5, 0.85, true},
		{"binger", 0.13, 0.015, 0.05, 0.06, 6.0, 1.1, false},
		{"occasional", 0.23, 0.035, 0.10, 0.004, 3.2, 1.3, false},
	}
}

// weeklyPattern is the share of the own-day probability that a weekly learner
// has on each of the days after it: a small second day, else hardly anything.
func weeklyPattern() [7]float64 { return [7]float64{1, 0.06, 0.04, 0.22, 0.04, 0.05, 0.10} }

// schedule spreads sign-ups over days: user i of n signs up where the
// cumulated intensity reaches (i+½)/n. Users are thus numbered in the order in
// which they sign up, and the day is a pure function of the number.
type schedule struct {
	first pipeline.Date
	upTo  []float64 // cumulated intensity at the end of each day; the last is the total
	users int
}

func newSchedule(days []day, users int) schedule {
	s := schedule{first: days[0].date, users: users, upTo: make([]float64, len(days))}
	total := 0.0
	for i := range days {
		total += days[i].signups
		s.upTo[i] = total
	}
	return s
}

func (s *schedule) signup(user int) pipeline.Date {
	at := (float64(user) + 0.5) / float64(s.users) * s.upTo[len(s.upTo)-1]
	return s.first + pipeline.Date(sort.Search(len(s.upTo)-1, func(i int) bool { return s.upTo[i] > at }))
}

// joined returns the number of users who have signed up by the end of date.
func (s *schedule) joined(date pipeline.Date) int {
	return sort.Search(s.users, func(i int) bool { return s.signup(i) > date })
}

// newLearner returns user number i (from 0) on the day of signup.
func (w *world) newLearner(i int) learner {
	l := learner{random: stream(w.params.Seed, saltUser, uint64(i)), signup: w.signups.signup(i), course: noCourse, stopped: pipeline.NoDate}
	d := w.day(l.signup)
	k := l.pick(len(w.kinds), 1, func(i int) float64 { return w.kinds[i].share })
	l.kind = uint8(k)
	w.acquire(&l, d)
	l.setTemper(&w.kinds[k], w.sources[l.source])
	l.setClock(w.countries[l.country].offset)
	l.setAccount(w, d)
	if d.drift.acquisition {
		l.rate *= 0.8 // people with less time for learning
	}
	l.bot = w.isBot(i, d)
	return l
}

// acquire sets where the user comes from.
func (w *world) acquire(l *learner, d *day) {
	low, high := 0, w.homeSources
	fromNew := l.chance(0.6) && d.drift.acquisition // drawn always, so that the drift moves no other die
	if fromNew {
		low, high = w.homeSources, len(w.sources)
	}
	l.source = uint8(low + l.pick(high-low, 1, func(i int) float64 { return w.sources[low+i].weight }))
	if l.chance(d.campaign) && !fromNew {
		l.source = campaignSource
	}
	low, high = 0, w.homeCountries
	if fromNew {
		low, high = w.homeCountries, len(w.countries)
	}
	l.country = uint8(low + l.pick(high-low, 1, func(i int) float64 { return w.countries[low+i].weight }))
}

// setTemper sets what kind of person the user is.
func (l *learner) setTemper(k *kind, s source) {
	l.rate = float32(l.between(k.low, k.high))
	l.skill = float32(l.bell())
	const spread = 0.3 // log-deviation of hazards between alike users: some are just not made for it
	l.frailty = float32(k.leave * s.leave * math.Exp(spread*l.bell()-spread*spread/2))
	const fadeDays = 5 // a fade has five stages and lasts 7 to 35 days on average
	l.fadeStep = float32(fadeDays / l.between(7, 35))
	l.abrupt = float32(l.between(0, 0.4)) // share of endings without a fade; a fifth on average
	l.mood = float32(clamp(0.62+s.mood+0.11*l.bell()+0.04*float64(l.skill), 0.1, 0.95))
	l.follows = float32(l.between(0.2, 1.2)) // pupils follow the terms more than professionals do
	l.volume = float32(math.Exp(0.35 * l.bell()))
	l.satisfaction, l.engagement = l.mood, 1
}

// setClock sets the favourite time and day. Times are kept within the UTC day:
// what matters is that they differ between people and cluster in the evening.
func (l *learner) setClock(offset int) {
	local := 19.5 + 2*l.bell() // hours; most learn after work
	if l.chance(0.25) {
		local = 8.5 + 1.5*l.bell() // or before it
	}
	utc := math.Mod(local-float64(offset)+48, 24)
	l.minute = int16(clamp(utc*60, 15, 23.2*60))
	l.weekday = uint8(l.pick(7, 8, func(i int) float64 { return [7]float64{1.5, 1.2, 1.1, 1.0, 0.8, 0.8, 1.6}[i] }))
}

// setAccount sets plan and card.
func (l *learner) setAccount(w *world, d *day) {
	l.paid = l.chance(w.params.PaidRatio)
	l.pro = l.chance(0.3)
	badCard := l.chance(0.08) // a prepaid or empty card: a third of all charges fail
	l.cardRisk = 0.035
	if badCard {
		l.cardRisk = 0.3
	}
	const trial = 7 // days before the first charge
	l.subscribed, l.charge = l.paid, l.signup+trial
}

// isBot tells whether account i runs a script once the drift is in force: one
// in twelve of those who sign up then, and one in 200 of the others, whose
// passwords were stolen. The draw has its own stream.
func (w *world) isBot(i int, d *day) bool {
	r := stream(w.params.Seed, saltBot, uint64(i))
	u := r.unit()
	return u < 1.0/200 || d.drift.bots && u < 1.0/12
}

func clamp(v, low, high float64) float64 { return min(max(v, low), high) }
