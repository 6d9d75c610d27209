package generate

import "churn/pipeline"

// event is one row of the events file in 16 bytes. The order of a day's events
// is by second, then user, then the order in which they were made.
type event struct {
	second uint32 // of the day
	user   uint32 // number from 0
	value  int32  // video: 1/100 minute; quiz: 1/10 point; payment: 1/100 currency unit
	course uint16
	kind   eventKind
}

type eventKind uint8

const (
	login eventKind = iota
	courseEnroll
	videoWatch
	quizAttempt
	paymentSuccess
	paymentFailed
	supportTicket
)

// endOfDay is the second from which on nothing new is begun, so that no session
// crosses midnight: from a login just before it, ticket and enrolment take
// less than 300 s.
const endOfDay = 86_400 - 300

// study is an active day: one session, sometimes more.
func (w *world) study(l *learner, d *day, out []event) []event {
	sessions, again := 1, 0.14+0.1*float64(l.engagement) // a fifth of days have a second session
	if l.phase == binging {
		again = 0.65 // two or three sessions
	}
	for sessions < 4 && l.chance(again) {
		sessions++
	}
	second := w.sessionStart(l, d)
	for range sessions {
		if second >= endOfDay {
			break
		}
		out, second = w.session(l, d, second, out)
		second += uint32(l.between(1800, 4*3600)) // half an hour to four hours between sessions
	}
	l.practise()
	return out
}

// sessionStart draws a second near the favourite time; weekends are less
// regular.
func (w *world) sessionStart(l *learner, d *day) uint32 {
	spread := 75.0 // minutes
	if d.weekday == 0 || d.weekday == 6 {
		spread = 150
	}
	minute := clamp(float64(l.minute)+spread*l.bell(), 5, 23.5*60)
	return uint32(minute*60) + uint32(l.below(60))
}

// session is a login and what follows. It returns the second of its end.
func (w *world) session(l *learner, d *day, second uint32, out []event) ([]event, uint32) {
	out = append(out, event{second: second, kind: login, course: noCourse})
	second += 5 + uint32(l.below(60))
	out, second = w.ask(l, d, second, out)
	if out, second = w.enroll(l, d, second, out); l.course == noCourse {
		return out, second
	}
	// Who fades or has lost the habit stays less long.
	drive := float64(l.volume) * fadeFactor(l.phase) * (0.5 + 0.5*float64(l.engagement))
	if d.drift.engagement {
		drive *= 0.75 // shorter sessions too
	}
	videos := int(w.kinds[l.kind].videos*drive*(0.3+1.4*l.unit()) + 0.5)
	for range videos {
		if second >= endOfDay || l.course == noCourse {
			break
		}
		out, second = w.watch(l, d, second, out)
	}
	return out, second
}

// ask opens a support ticket now and then: rarely, often after a failed
// payment, and more when unhappy.
func (w *world) ask(l *learner, d *day, second uint32, out []event) ([]event, uint32) {
	unhappy := 1 - float64(l.satisfaction)
	p := 0.004 + 0.03*unhappy*unhappy // of active days: 0.7 % when content, 2 % when angry
	if l.dunning > 0 {
		p += 0.15
	}
	if l.waiting(d) || !l.chance(p) {
		return out, second
	}
	l.ticketUntil = d.date + 1 + pipeline.Date(l.below(8)) // answered in one to eight days
	l.satisfaction = max(l.satisfaction-0.03, 0)
	return append(out, event{second: second, kind: supportTicket, course: noCourse}), second + 120
}

// enroll chooses a course if the learner has none and is in the mood, or has
// one that is no longer offered.
func (w *world) enroll(l *learner, d *day, second uint32, out []event) ([]event, uint32) {
	if l.course != noCourse && retired(l.course, d) {
		l.course = noCourse
	}
	willing := 0.3
	if l.finished == 0 {
		willing = 0.85 // newcomers came for a course
	}
	if l.course != noCourse || !l.chance(willing) {
		return out, second
	}
	l.course, l.progress = w.catalogue.choose(&l.random, d), 0
	return append(out, event{second: second, kind: courseEnroll, course: l.course}), second + 20 + uint32(l.below(90))
}

// watch is one video and perhaps the quiz after it. Who fades breaks off.
func (w *world) watch(l *learner, d *day, second uint32, out []event) ([]event, uint32) {
	c := &w.catalogue.courses[l.course]
	share := clamp(0.9+0.25*l.bell(), 0.05, 1) * (0.5 + 0.5*fadeFactor(l.phase))
	minutes := c.minutes * (1 + 0.3*l.bell()) * share
	minutes = clamp(minutes, 0.1, float64(endOfDay+29-min(second, endOfDay))/60) // ends before midnight
	out = append(out, event{second: second, kind: videoWatch, course: l.course, value: int32(minutes*100 + 0.5)})
	second += uint32(minutes*60) + 5 + uint32(l.below(60))
	if l.chance(0.28) && second < endOfDay {
		out = append(out, event{second: second, kind: quizAttempt, course: l.course, value: l.quiz(c, share)})
		second += 60 + uint32(l.below(240))
	}
	l.advance(c)
	return out, second
}

// quiz returns the score in tenths of a point. Skill and effort (how much of
// the video was watched, and the habit) make it; the result makes the mood.
func (l *learner) quiz(c *course, share float64) int32 {
	effort := 0.6*share + 0.4*float64(l.engagement)
	score := clamp(52+11*(float64(l.skill)-c.difficulty)+20*effort+10*l.bell(), 0, 100)
	const expected = 66 // points: what learners hope for
	l.satisfaction = float32(clamp(float64(l.satisfaction)+(score-expected)/100*0.2, 0, 1))
	return int32(score*10 + 0.5)
}

// advance counts a video and ends the course after the last.
func (l *learner) advance(c *course) {
	l.progress += float32(1 / c.videos)
	if l.progress < 1 {
		return
	}
	l.course, l.progress = noCourse, 0
	l.finished = min(l.finished+1, 255-1)
	l.satisfaction = min(l.satisfaction+0.1, 1)
}

// crawl is a day of a bot: videos opened on the minute, all day or half of it,
// each "watched" for the same half minute, and quizzes without an error.
func (w *world) crawl(l *learner, d *day, out []event) []event {
	second := uint32(l.minute)*60%(12*3600) + 7
	out = append(out, event{second: second, kind: login, course: noCourse})
	if l.course == noCourse || retired(l.course, d) {
		l.course = w.catalogue.choose(&l.random, d)
		out = append(out, event{second: second + 1, kind: courseEnroll, course: l.course})
	}
	for range 60 + l.below(40) {
		second += 60
		out = append(out, event{second: second, kind: videoWatch, course: l.course, value: 50})
	}
	return append(out, event{second: second + 60, kind: quizAttempt, course: l.course, value: 1000})
}
