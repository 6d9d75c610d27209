package generate

import "churn/pipeline"

// phase is where a learner stands towards the portal.
type phase uint8

const (
	engaged phase = iota
	binging
	paused
	fading // fading+0 … fading+4 are the stages of a fade
	gone   = fading + fadeStages
	phases = int(gone) + 1
)

const fadeStages = 5

// String names the phase as the truth file does.
func (p phase) String() string {
	switch {
	case p == engaged:
		return "engaged"
	case p == binging:
		return "binging"
	case p == paused:
		return "paused"
	case p < gone:
		return "fading"
	}
	return "gone"
}

// learner is the whole state of one user. It is kept small: all users are in
// memory, and nothing else grows with their number.
type learner struct {
	random

	// Who the user is.
	signup   pipeline.Date
	rate     float32 // activity probability of a usual day (weekly: of the own weekday)
	skill    float32 // deviations from the mean
	frailty  float32 // hazard factor
	fadeStep float32 // daily probability to pass to the next stage of a fade
	abrupt   float32 // share of endings without a fade
	mood     float32 // satisfaction that the user tends to, 0…1
	follows  float32 // how far activity follows terms and holidays, about 0…1
	volume   float32 // factor on the length of sessions
	cardRisk float32 // probability that a charge fails
	minute   int16   // favourite minute of the UTC day
	kind     uint8   // indices into the tables of the world
	country  uint8
	source   uint8
	weekday  uint8 // favourite weekday of weekly learners
	paid     bool  // plan
	pro      bool  // the dearer of two prices
	bot      bool  // runs a script once the bots drift is in force

	// How it stands.
	phase        phase
	dunning      uint8 // failed charges of this month
	subscribed   bool  // is charged
	returned     bool  // came back today
	course       uint16
	finished     uint8         // courses completed
	stopped      pipeline.Date // first day of phase gone; NoDate if not gone
	charge       pipeline.Date // day of the next charge or retry
	ticketUntil  pipeline.Date // day on which the last ticket is answered
	progress     float32       // share of the course done
	satisfaction float32       // 0…1
	engagement   float32       // habit, factor on activity; 1 is usual
}

// The habit: active days move it to what satisfaction is worth, days without
// let it decay, half of it in some seven weeks.
const (
	habitFloor = 0.35
	habitDecay = 0.014
	habitGain  = 0.05
)

// fadeFactor is the activity that is left in each stage of a fade.
func fadeFactor(p phase) float64 {
	if p < fading || p >= gone {
		return 1
	}
	return [fadeStages]float64{0.70, 0.48, 0.32, 0.20, 0.11}[p-fading]
}

// age moves what moves on every day, whatever the user does.
func (l *learner) age(d *day) {
	l.satisfaction += 0.02 * (l.mood - l.satisfaction) // half of anger or joy passes in five weeks
	if l.waiting(d) {
		l.satisfaction = max(l.satisfaction-0.02, 0) // a week of waiting is worth a bad quiz or two
	}
}

// waiting reports whether a support ticket is open.
func (l *learner) waiting(d *day) bool { return l.ticketUntil > d.date }

// rest is a day without activity.
func (l *learner) rest() {
	l.engagement -= habitDecay * (l.engagement - habitFloor)
}

// practise is an active day.
func (l *learner) practise() {
	l.engagement += habitGain * (0.55 + 0.8*l.satisfaction - l.engagement)
}

// hazard returns the probability that a learner in this condition, if engaged,
// begins to leave on day d.
func (w *world) hazard(l *learner, d *day) float64 {
	tenure := float64(d.date - l.signup)
	unhappy := 1 - float64(l.satisfaction)
	h := w.baseHazard * d.leaving * float64(l.frailty)
	h *= 0.2 + 5.5*unhappy*unhappy // 0.7 at satisfaction 0.7, 2.2 at 0.4
	h *= 0.75 + 1.3/(1+tenure/20)  // newcomers try and go: 2 at first, 1.1 after two months
	if habit := float64(l.engagement); habit < 1 {
		h *= 1 + 1.2*(1-habit)
	}
	if l.course == noCourse {
		h *= 2.3 // finished, and nothing begun since
	}
	if l.dunning > 0 {
		h *= 2
	}
	if l.waiting(d) {
		h *= 1.7
	}
	return min(h*planFactor(l, d), 0.2) // no more than a fifth leave in a day
}

// planFactor is the hazard factor of who pays: they leave less, until the
// price goes up.
func planFactor(l *learner, d *day) float64 {
	switch {
	case !l.subscribed:
		return 1.1
	case d.drift.pricing:
		return 1.9
	}
	return 0.75
}

// activity returns the probability that a learner in phase engaged is active
// on day d, 0…0.97.
func (w *world) activity(l *learner, d *day) float64 {
	p := float64(l.rate * l.engagement)
	if w.kinds[l.kind].weekly {
		p *= w.pattern[(d.weekday+7-int(l.weekday))%7]
	} else {
		p *= d.weekly
	}
	return min(p*w.tide(l, d), 0.97)
}

// tide is the factor that terms and holidays have on a learner.
func (w *world) tide(l *learner, d *day) float64 {
	f := float64(l.follows)
	t := 1 + f*(d.term-1)
	if d.drift.engagement {
		t = d.term // spares nobody
	}
	t *= 1 - f*(1-d.holiday)
	if d.national>>l.country&1 != 0 {
		t *= 0.6
	}
	return max(t, 0)
}

// activityIn returns the activity probability in a phase, given that of phase
// engaged and the tide.
func activityIn(p phase, usual, tide float64) float64 {
	switch {
	case p == engaged:
		return usual
	case p == binging:
		return min(0.85*tide, 0.97)
	case p == paused, p == gone:
		return 0
	}
	return usual * fadeFactor(p)
}
