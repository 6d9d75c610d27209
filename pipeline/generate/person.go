package generate

import (
	"math"
	"math/rand/v2"

	"churn/pipeline"
)

// phase is where a user stands in his life with the portal.
type phase uint8

const (
	absent  phase = iota // not signed up yet
	engaged              // learns in his own rhythm
	fading               // has decided to leave, learns less and less
	gone                 // has left
)

func (p phase) String() string {
	return [...]string{"absent", "engaged", "fading", "gone"}[p]
}

// person is one user: what he is like, and where he stands.
type person struct {
	rng     rand.PCG
	number  int32
	signup  pipeline.Date
	paid    bool
	country string
	source  string

	rate     float64    // probability of an active day at full engagement, average season
	weekly   [7]float64 // factor by weekday, mean about 1
	hour     float64    // preferred hour of the day
	skill    float64    // logits
	effort   float64    // videos a session, 0.5…3
	frailty  float64    // factor on the decision to leave
	card     float64    // probability that a payment goes through
	payDay   int32      // day of the month, 1…28
	machine  bool       // is taken over by a bot when bots come
	phase    phase
	mood     float64 // slow fluctuation of engagement, mean 1
	liking   float64 // satisfaction, about −2…2
	fadeDay  int32   // days since the decision
	fadeDays int32   // length of the fading
	course   uint16
	unit     uint16 // videos of the course seen
	enrolled bool
	idle     int32 // days since a course was completed and no other begun, −1 = in a course
	retries  int32 // failed payments in a row
	nextPay  pipeline.Date
	cancel   bool          // no longer pays
	churned  pipeline.Date // day on which he stopped, NoDate
	returns  int32
}

// uniform returns a number in [0, 1).
func (p *person) uniform() float64 { return float64(p.rng.Uint64()>>11) / (1 << 53) }

// normal returns a standard normal number (Box and Muller 1958).
func (p *person) normal() float64 {
	u := 1 - p.uniform()
	return math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*p.uniform())
}

// newPerson draws a user. Characters differ widely: daily, weekly and bingeing
// learners, so that the same silence means different things.
func newPerson(w *world, number int) person {
	p := person{number: int32(number), rng: *rand.NewPCG(w.params.Seed, uint64(number)), churned: pipeline.NoDate, idle: -1, phase: absent}
	for range 4 {
		p.uniform() // neighbouring seeds of a PCG begin alike
	}
	p.paid = p.uniform() < w.params.PaidRatio
	p.signup = signupDate(w, &p)
	uCountry, uSource := p.uniform(), p.uniform()
	p.country, p.source = pick(countries(), uCountry), pick(sources(), uSource)
	p.rate = 0.04 + 0.8*math.Pow(p.uniform(), 2.2)
	p.rhythm()
	p.hour = 7 + 15*math.Sqrt(p.uniform())
	p.skill = p.normal()
	p.effort = 0.5 + 2.5*p.uniform()*p.uniform()
	p.frailty = math.Exp(0.75*p.normal()-0.28) * sourceFit(p.source) * (1.35 - 0.9*p.rate)
	p.mood, p.liking = 1, 0.3*p.normal()
	p.card = 1 - 0.12*p.uniform()*p.uniform()
	p.payDay = 1 + int32(28*p.uniform())
	p.machine = number%33 == 7
	if p.paid {
		p.frailty *= 0.7
	}
	if w.drifted(DriftAcquisition, p.signup) {
		p.country, p.source = pick(newCountries(), uCountry), pick(newSources(), uSource)
		p.rate, p.frailty = p.rate*0.6, p.frailty*1.6
	}
	return p
}

// rhythm draws the weekly pattern.
func (p *person) rhythm() {
	style := p.uniform()
	favourite := int(7 * p.uniform())
	for d := range p.weekly {
		weekend := d == 0 || d == 6
		switch {
		case style < 0.2: // one evening a week
			p.weekly[d] = 0.25
			if d == favourite {
				p.weekly[d] = 5.5
			}
		case style < 0.4: // at weekends
			p.weekly[d] = 0.5
			if weekend {
				p.weekly[d] = 2.25
			}
		case weekend: // on working days
			p.weekly[d] = 0.65
		default:
			p.weekly[d] = 1.14
		}
	}
}

// signupDate spreads sign-ups: just over half had joined in the two years
// before the start, the others come in over time, more of them when terms begin.
func signupDate(w *world, p *person) pipeline.Date {
	start, days := w.params.StartDate, float64(w.params.Days)
	if u := p.uniform(); u < 0.55 {
		return start - 1 - pipeline.Date(math.Min(700, -170*math.Log(1-p.uniform())))
	}
	for {
		day := start + pipeline.Date(days*p.uniform())
		burst := 0.5
		if t := day.Time(); (t.Month() == 1 || t.Month() == 9) && t.Day() < 22 {
			burst = 1
		}
		if p.uniform() < burst {
			return day
		}
	}
}

// activityOn returns the probability of an active day.
func (p *person) activityOn(c *climate) float64 {
	probability := p.rate * p.weekly[c.weekday] * c.season * c.activity * p.mood
	if p.phase == fading {
		probability *= 1 - float64(p.fadeDay)/float64(p.fadeDays)
	}
	return min(probability, 0.97)
}

// decide returns the probability that an engaged user decides today to leave.
func (p *person) decide(w *world, c *climate) float64 {
	h := w.decideDaily * p.frailty * c.leave * math.Exp(-0.55*p.liking-1.6*(p.mood-1))
	if p.paid {
		h *= c.leavePaid
	}
	if tenure := c.day - p.signup; tenure < 21 {
		h *= 1.9 // many never get going
	}
	if p.idle > 3 {
		h *= 2.6 // has finished and begins nothing new
	}
	return min(h, 0.5)
}

// Constants of leaving and coming back.
const (
	abruptShare = 0.28  // of those who decide stop at once
	fadeMin     = 7     // days
	fadeSpan    = 28    // further days, at most
	returnDaily = 0.004 // daily probability that someone who has left returns
	fadeTypical = fadeMin + fadeSpan/2
)

// live moves the user through one day's changes of phase, before he acts.
func (p *person) live(w *world, c *climate) {
	p.mood = max(0.25, 1+0.965*(p.mood-1)+0.07*p.normal())
	u := p.uniform()
	switch p.phase {
	case engaged:
		if u < p.decide(w, c) {
			p.leave(c.day)
		}
	case fading:
		if p.fadeDay++; p.fadeDay >= p.fadeDays {
			p.phase, p.churned = gone, c.day
		}
	case gone:
		if u < returnDaily && !p.cancelled() {
			p.phase, p.churned, p.liking, p.mood = engaged, pipeline.NoDate, max(p.liking, -0.2), 1.1
			p.returns++
		}
	}
	if p.idle >= 0 {
		p.idle++
	}
}

// cancelled reports whether he was locked out: a payer whose card failed for good.
func (p *person) cancelled() bool { return p.paid && p.cancel && p.retries >= maxRetries }

// leave begins the end: at once, or by fading.
func (p *person) leave(day pipeline.Date) {
	if p.uniform() < abruptShare {
		p.phase, p.churned = gone, day
		return
	}
	p.phase, p.fadeDay, p.fadeDays = fading, 0, fadeMin+int32(fadeSpan*p.uniform())
}
