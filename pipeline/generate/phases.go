package generate

import "churn/pipeline"

// moves are the daily probabilities to pass from one phase to another; what is
// left stays. The simulation throws them as dice and the truth sums over them,
// so that they are written once.
type moves struct {
	leave  float64 // engaged or binging: begin to fade or be gone
	abrupt float64 // share of leave that skips the fade
	binge  float64 // engaged → binging
	calm   float64 // binging → engaged
	pause  float64 // engaged → paused
	resume float64 // paused → engaged
	fade   float64 // fading → next stage, and from the last to gone
	repent float64 // fading → engaged
}

// movesOn returns the probabilities of day d for a learner.
func (w *world) movesOn(l *learner, d *day) moves {
	m := moves{
		leave:  w.hazard(l, d),
		abrupt: float64(l.abrupt),
		binge:  w.kinds[l.kind].binge,
		calm:   1.0 / 3,            // a binge lasts three days
		pause:  0.0016 * d.pausing, // a busy spell in 20 months of plain days
		resume: 1.0 / 18,           // a busy spell lasts two to three weeks
		fade:   float64(l.fadeStep),
		repent: 0.008, // a sixth of the three-week fades is no end
	}
	if d.pausing > 1 {
		m.resume = 1.0 / 25 // vacations do not end before they end
	}
	return m
}

// comeBack returns the probability that a user who has been gone for the given
// days returns on day d: one in four within a month, ever fewer later.
func comeBack(days float64, d *day) float64 {
	return 0.0105 * d.returns / (1 + days/35)
}

// move lets the learner pass to the phase of day d.
func (w *world) move(l *learner, d *day) {
	l.returned = false
	if l.phase == gone {
		if l.chance(comeBack(float64(d.date-l.stopped), d)) {
			l.comeHome(d)
		}
		return
	}
	m := w.movesOn(l, d)
	u := l.unit()
	switch l.phase {
	case paused:
		if u < m.resume {
			l.phase = engaged
		}
	case engaged, binging:
		w.moveActive(l, d, &m, u)
	default:
		l.moveFading(d, &m, u)
	}
}

// moveActive moves an engaged or bingeing learner; u is the die.
func (w *world) moveActive(l *learner, d *day, m *moves, u float64) {
	if u < m.leave {
		l.phase = fading
		if u < m.leave*m.abrupt { // the same die: its lower part
			l.stop(d.date)
		}
		return
	}
	u -= m.leave
	switch {
	case l.phase == binging && u < m.calm:
		l.phase = engaged
	case l.phase == binging:
	case u < m.binge:
		l.phase = binging
	case u < m.binge+m.pause:
		l.phase = paused
	}
}

func (l *learner) moveFading(d *day, m *moves, u float64) {
	switch {
	case u < m.repent:
		l.phase = engaged
	case u < m.repent+m.fade && l.phase == gone-1:
		l.stop(d.date)
	case u < m.repent+m.fade:
		l.phase++
	}
}

// stop ends the spell. Most cancel their subscription at once; the others go
// on paying for a while.
func (l *learner) stop(date pipeline.Date) {
	l.phase, l.stopped = gone, date
	if l.subscribed && l.chance(0.65) {
		l.subscribed, l.dunning = false, 0
	}
}

// comeHome begins a new spell, with what is left of the habit.
func (l *learner) comeHome(d *day) {
	l.phase, l.stopped, l.returned = engaged, pipeline.NoDate, true
	l.engagement = max(l.engagement, 0.8)
	l.satisfaction = max(l.satisfaction, 0.9*l.mood)
	l.subscribe(d, 0.8)
}

// subscribe starts charging a user of the paid plan again, with probability p,
// from the next day on.
func (l *learner) subscribe(d *day, p float64) {
	if l.paid && !l.subscribed && l.chance(p) {
		l.subscribed, l.dunning, l.charge = true, 0, d.date+1
	}
}
