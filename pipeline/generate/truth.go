package generate

import "churn/pipeline"

// outlook returns the probability of no active day in the horizon days after
// the end of day d, given the state of the learner.
//
// As long as a learner is not active, satisfaction, habit, tenure and season
// change in a known way, so that only phases and billing are random. The sum
// over all ways is carried forward day by day: weight[p] is the probability to
// be in phase p without an active day so far. Two things are approximated:
// a charge that fails in the horizon changes the hazard only if it ends the
// subscription, and those who leave in the horizon come back with the chance
// that belongs to the mean of the days that they have been gone.
func (w *world) outlook(l *learner, d *day) float64 {
	if l.bot && w.day(d.date+horizon).drift.bots {
		return 0 // as good as: a script fails on one day in 33
	}
	if l.phase == gone {
		return w.silenceOfGone(l, d)
	}
	var weight [phases]float64
	weight[l.phase] = 1
	v := *l
	away := 0.0 // mean days since the weight in gone left
	unpaidOn, unpaid := w.unpaidEnd(l)
	for date := d.date + 1; date <= d.date+horizon; date++ {
		next := w.day(date)
		v.age(next)
		away++
		stay := weight[gone] * (1 - comeBack(away, next))
		if date == unpaidOn {
			drain(&weight, unpaid)
		}
		m := w.movesOn(&v, next)
		spread(&weight, &m, comeBack(away, next))
		away *= stay / max(weight[gone], tiny)
		usual, tide := w.activity(&v, next), w.tide(&v, next)
		for p := range weight {
			weight[p] *= 1 - activityIn(phase(p), usual, tide)
		}
		v.rest()
	}
	sum := 0.0
	for _, p := range weight {
		sum += p
	}
	return sum
}

// tiny keeps 0/0 out where nobody has left.
const tiny = 1e-300

// silenceOfGone is outlook for one who has gone: to return is to be active.
func (w *world) silenceOfGone(l *learner, d *day) float64 {
	p := 1.0
	for date := d.date + 1; date <= d.date+horizon; date++ {
		p *= 1 - comeBack(float64(date-l.stopped), w.day(date))
	}
	return p
}

// drain moves the share p of all phases to gone.
func drain(weight *[phases]float64, p float64) {
	for i := range weight[:gone] {
		weight[gone] += weight[i] * p
		weight[i] *= 1 - p
	}
}

// spread moves the weights by one day. Who comes back from gone is active that
// day, and out of the sum.
func spread(weight *[phases]float64, m *moves, back float64) {
	was := *weight
	leave := (was[engaged] + was[binging]) * m.leave
	left := was[gone-1] * m.fade
	weight[gone] = was[gone]*(1-back) + left + leave*m.abrupt
	weight[paused] = was[paused]*(1-m.resume) + was[engaged]*m.pause
	weight[binging] = was[binging]*(1-m.leave-m.calm) + was[engaged]*m.binge
	weight[engaged] = was[engaged]*(1-m.leave-m.binge-m.pause) + was[binging]*m.calm + was[paused]*m.resume
	in := leave * (1 - m.abrupt)
	for p := fading; p < gone; p++ {
		weight[p] = was[p]*(1-m.fade-m.repent) + in
		weight[engaged] += was[p] * m.repent
		in = was[p] * m.fade
	}
}

// truth is what is really so about one user at the end of a day.
type truth struct {
	hazard float64       // daily
	state  string        // see the package comment
	churn  pipeline.Date // NoDate if not gone
	silent float64       // probability of no active day in the next 30
}

func (w *world) truthOf(l *learner, d *day) truth {
	t := truth{state: l.phase.String(), churn: l.stopped, silent: w.outlook(l, d)}
	switch {
	case l.bot && d.drift.bots:
		t.state = "bot"
	case l.phase != gone:
		t.hazard = w.hazard(l, w.day(d.date+1))
	}
	return t
}
