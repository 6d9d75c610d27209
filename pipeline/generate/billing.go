package generate

import "churn/pipeline"

// A failed charge is tried again after 3, 4 and 7 more days; each retry
// succeeds less often. Then the subscription ends.
const retries = 3

func retryGap(failed uint8) pipeline.Date { return [retries]pipeline.Date{3, 4, 7}[failed-1] }

func retryFails(failed uint8) float64 { return [retries]float64{0.55, 0.65, 0.75}[failed-1] }

// leavesUnpaid is the share of users who go with their subscription; the
// others learn on without paying.
const leavesUnpaid = 0.7

// failRisk returns the probability that the charge due on day d fails.
func (l *learner) failRisk(d *day) float64 {
	if l.dunning > 0 {
		return retryFails(l.dunning)
	}
	if d.drift.pricing {
		return min(2.2*float64(l.cardRisk), 0.9)
	}
	return float64(l.cardRisk)
}

// price returns the monthly price in hundredths of the currency unit.
func (l *learner) price(d *day) int32 {
	switch {
	case d.drift.pricing && l.pro:
		return 4099
	case d.drift.pricing:
		return 2699
	case l.pro:
		return 2999
	}
	return 1999
}

// bill charges the learner if a charge is due on day d. Billing runs in the
// small hours, by itself.
func (w *world) bill(l *learner, d *day, out []event) []event {
	if !l.subscribed || l.charge > d.date {
		return out
	}
	if l.phase == gone && l.dunning == 0 && l.chance(0.35) {
		l.subscribed = false // noticed the bill of a portal that is not used
		return out
	}
	e := event{second: uint32(2*3600 + l.below(3*3600)), value: l.price(d), course: noCourse}
	if l.chance(l.failRisk(d)) {
		e.kind = paymentFailed
		l.chargeFailed(d)
	} else {
		e.kind = paymentSuccess
		l.dunning, l.charge = 0, nextMonth(d)
	}
	return append(out, e)
}

// chargeFailed plans a retry or ends the subscription.
func (l *learner) chargeFailed(d *day) {
	l.satisfaction = max(l.satisfaction-0.08, 0)
	l.dunning++
	if l.dunning <= retries {
		l.charge = d.date + retryGap(l.dunning)
		return
	}
	l.subscribed, l.dunning = false, 0
	if l.phase != gone && l.chance(leavesUnpaid) {
		l.stop(d.date)
	}
}

// nextMonth returns the same day of the next month, at most the 28th, so that
// every month has it.
func nextMonth(d *day) pipeline.Date {
	return d.date + pipeline.Date(d.length-max(d.dom-28, 0))
}

// unpaidEnd returns the day on which the subscription ends if the next charge
// and its retries all fail, and the probability that this happens and takes
// the user with it. Without a subscription the probability is 0.
func (w *world) unpaidEnd(l *learner) (pipeline.Date, float64) {
	if !l.subscribed {
		return pipeline.NoDate, 0
	}
	v := *l
	p := leavesUnpaid
	for {
		p *= v.failRisk(w.day(v.charge))
		if v.dunning == retries {
			return v.charge, p
		}
		v.dunning++
		v.charge += retryGap(v.dunning)
	}
}
