package generate

import (
	"math"

	"churn/pipeline"
)

// kind numbers the event types in the order of the data contract.
type kind uint8

const (
	login kind = iota
	enroll
	video
	quiz
	paymentOK
	paymentFailed
	ticket
)

// event is one event of a day; value is in hundredths of a minute, tenths of
// a point or hundredths of a currency unit.
type event struct {
	second int32
	user   int32
	value  int32
	course uint16 // number + 1, 0 = none
	kind   kind
}

// diary collects the events of one user's day.
type diary struct {
	events []event
	user   int32
}

func (d *diary) add(second float64, k kind, course uint16, value float64) {
	s := int32(max(0, min(second, 86399)))
	d.events = append(d.events, event{second: s, user: d.user, kind: k, course: course, value: int32(math.Round(value))})
}

// step lives one day of a user and writes it down.
func (p *person) step(w *world, c *climate, d *diary) {
	d.user = p.number
	switch {
	case c.day < p.signup:
		return
	case p.phase == absent:
		p.join(w, c, d)
		return
	}
	p.live(w, c)
	p.pay(c, d)
	if c.bots && p.machine {
		p.runMachine(c, d)
		return
	}
	active := p.phase == engaged || p.phase == fading
	returned := p.phase == engaged && p.returns > 0 && p.mood == 1.1
	if u := p.uniform(); active && (returned || u < p.activityOn(c)) {
		p.learn(c, d)
	}
}

// join is the first day: sign up, log in, enrol. Users from before the start
// are taken up where time has brought them.
func (p *person) join(w *world, c *climate, d *diary) {
	p.phase = engaged
	p.nextPay = monthly(p.payDay, c.day)
	if tenure := float64(c.day - p.signup); tenure > 0 {
		p.course, p.enrolled, p.unit = uint16(p.uniform()*courseCount), true, uint16(p.uniform()*10)
		if p.uniform() > math.Exp(-tenure*w.decideDaily*p.frailty) {
			p.phase, p.churned = gone, p.signup+pipeline.Date(tenure*p.uniform())
			p.cancel = p.uniform() < 0.6
		}
		return
	}
	second := (p.hour + 0.7*p.normal()) * 3600
	d.add(second, login, 0, 0)
	p.begin(second+60, c, d)
}

// begin enrols in the next course.
func (p *person) begin(second float64, c *climate, d *diary) {
	p.course, p.unit, p.enrolled, p.idle = c.catalogue+uint16(p.uniform()*courseCount), 0, true, -1
	d.add(second, enroll, p.course+1, 0)
}

// learn is a day with one to three sessions.
func (p *person) learn(c *climate, d *diary) {
	vigour := p.mood
	if p.phase == fading {
		vigour *= 1 - 0.7*float64(p.fadeDay)/float64(p.fadeDays)
	}
	second := (p.hour + 1.2*p.normal()) * 3600
	for session := 0; session < 3; session++ {
		p.session(second, vigour, c, d)
		second += 2400 + 9000*p.uniform()
		if p.uniform() > 0.25*vigour {
			break
		}
	}
	if p.uniform() < 0.004+0.01*max(0, -p.liking) {
		d.add(second, ticket, 0, 0)
		p.liking += 0.5 * (p.uniform() - 0.65) // most tickets end badly enough to be remembered
	}
}

// session is a login with videos and perhaps a quiz.
func (p *person) session(second, vigour float64, c *climate, d *diary) {
	d.add(second, login, 0, 0)
	if !p.enrolled || p.idle >= 0 {
		if p.uniform() > 0.35 {
			return // has finished, only looks around
		}
		p.begin(second+30, c, d)
	}
	videos := int(p.effort*vigour*(0.5+p.uniform()) + p.uniform())
	for range min(videos, 8) {
		minutes := 9 * c.videoScale * math.Exp(0.5*p.normal()) * (0.6 + 0.4*min(vigour, 1.5))
		second += 60 + 60*minutes
		d.add(second, video, p.course+1, 100*min(minutes, 180))
		p.unit++
	}
	if videos > 0 && p.uniform() < 0.4*vigour {
		p.attempt(second+120, vigour, c, d)
	}
	if p.unit >= courseUnits(p.course) {
		p.idle, p.enrolled = 0, false
		p.liking += 0.3
	}
}

// attempt is a quiz; its score depends on skill and effort, and tells on mood.
func (p *person) attempt(second, vigour float64, c *climate, d *diary) {
	logit := 1.1 + 0.8*p.skill + 0.4*(vigour-1) + 0.2*p.effort - c.difficulty + 0.6*p.normal()
	score := 100 / (1 + math.Exp(-logit))
	d.add(second, quiz, p.course+1, 10*score)
	p.liking = 0.93*p.liking + 0.12*(score-62)/25
}

// maxRetries is how often a failed payment is tried again before the account
// is closed.
const maxRetries = 3

// pay charges payers once a month, and again after 3, 5 and 7 days if it fails.
func (p *person) pay(c *climate, d *diary) {
	if !p.paid || p.cancel || c.day < p.nextPay {
		return
	}
	if p.phase == gone && p.retries == 0 && p.uniform() < 0.45 {
		p.cancel = true // remembers to cancel
		return
	}
	second, amount := 3*3600+3600*p.uniform(), 1900*c.price
	if p.uniform() < p.card-c.cardRisk {
		d.add(second, paymentOK, 0, amount)
		p.retries, p.nextPay = 0, monthly(p.payDay, c.day)
		return
	}
	d.add(second, paymentFailed, 0, amount)
	p.liking -= 0.15
	if p.retries++; p.retries > maxRetries {
		p.cancel = true
		if p.phase != gone { // involuntary churn: locked out
			p.phase, p.churned = gone, c.day
		}
		return
	}
	p.nextPay = c.day + pipeline.Date(1+2*p.retries)
}

// monthly returns the next date after day with the given day of the month.
func monthly(payDay int32, day pipeline.Date) pipeline.Date {
	t := day.Time()
	next := pipeline.DateFromCivil(t.Year(), int(t.Month()), int(payDay))
	if next > day {
		return next
	}
	month, year := int(t.Month())+1, t.Year()
	if month > 12 {
		month, year = 1, year+1
	}
	return pipeline.DateFromCivil(year, month, int(payDay))
}

// runMachine is a day of a bot: every half hour, to the second, round the clock.
func (p *person) runMachine(c *climate, d *diary) {
	for s := 0.0; s < 86400; s += 1800 {
		d.add(s, login, 0, 0)
		d.add(s+5, video, c.catalogue+uint16(int(s/1800)%courseCount)+1, 500)
	}
}
