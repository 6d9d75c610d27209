package features

import (
	"math"
	"slices"

	"churn/pipeline"
)

// sums are the aggregates of one window that ends on the as-of date.
type sums struct {
	active, events, logins, enrolls, videos, quizzes     int32
	paymentsOK, paymentsFailed, tickets, weekend, scored int32
	minutes, amount, dayScores                           float64 // dayScores: sum of the daily mean scores
	courses                                              int32
}

func (s *sums) add(f *pipeline.DayFacts) {
	if f.IsActive() {
		s.active++
		if f.Day.Weekend() {
			s.weekend++
		}
	}
	s.events += f.Events
	s.logins += f.Logins
	s.enrolls += f.Enrolls
	s.videos += f.Videos
	s.quizzes += f.Quizzes
	s.paymentsOK += f.PaymentsOK
	s.paymentsFailed += f.PaymentsFailed
	s.tickets += f.Tickets
	s.minutes += f.Minutes
	s.amount += f.Amount
	if f.Scores > 0 {
		s.scored++
		s.dayScores += f.MeanScore()
	}
}

// rhythm measures the gaps between days of one kind, looking back UsualDays.
type rhythm struct {
	last    pipeline.Date // latest such day at all, NoDate if never
	newest  pipeline.Date // within the look-back
	oldest  pipeline.Date
	days    int32
	longest int32 // longest gap, days
}

// see takes in a day; days come newest first.
func (r *rhythm) see(day, since pipeline.Date) {
	if r.last == pipeline.NoDate {
		r.last = day
	}
	if day < since {
		return
	}
	if r.days == 0 {
		r.newest = day
	} else {
		r.longest = max(r.longest, int32(r.oldest-day))
	}
	r.oldest = day
	r.days++
}

// usual returns the mean gap in days, NaN with fewer than two such days.
func (r *rhythm) usual() float64 {
	if r.days < 2 {
		return math.NaN()
	}
	return float64(r.newest-r.oldest) / float64(r.days-1)
}

// since returns the days from the latest such day to asOf, NaN if never.
func (r *rhythm) since(asOf pipeline.Date) float64 {
	if r.last == pipeline.NoDate {
		return math.NaN()
	}
	return float64(asOf - r.last)
}

// snapshot is one user at one as-of date, measured in one pass over the
// history, newest day first.
type snapshot struct {
	user                                            *pipeline.User
	asOf, start                                     pipeline.Date
	day                                             *pipeline.DayFacts // the as-of date itself, nil without events
	windows                                         []sums             // by the extractor's windows
	total                                           sums
	activity, video, quiz, payment, failed, support rhythm
	streak                                          int32 // consecutive active days up to the as-of date
	weeks                                           [4]int32
	first                                           pipeline.Date // first active day
	seen                                            []uint32      // courses, scratch
}

// measure fills the snapshot. windows are ascending lengths in days.
func (s *snapshot) measure(h *pipeline.History, windows []int, usualDays int) {
	never := rhythm{last: pipeline.NoDate}
	*s = snapshot{user: h.User(), asOf: h.AsOf(), start: h.Start(), windows: s.windows[:0], seen: s.seen[:0], first: pipeline.NoDate,
		activity: never, video: never, quiz: never, payment: never, failed: never, support: never}
	days := h.Days()
	if n := len(days); n > 0 && days[n-1].Day == s.asOf {
		s.day = &days[n-1]
	}
	since := s.asOf - pipeline.Date(usualDays) + 1
	for i := len(days) - 1; i >= 0; i-- {
		f := &days[i]
		s.closeWindows(windows, int(s.asOf-f.Day))
		s.total.add(f)
		s.addCourses(f, len(windows))
		s.addRhythms(f, since)
	}
	s.closeWindows(windows, math.MaxInt)
}

// closeWindows notes the sums of all windows that do not reach back age days.
func (s *snapshot) closeWindows(windows []int, age int) {
	for len(s.windows) < len(windows) && age >= windows[len(s.windows)] {
		s.total.courses = int32(len(s.seen))
		s.windows = append(s.windows, s.total)
	}
}

// addCourses collects distinct courses while any window is open.
func (s *snapshot) addCourses(f *pipeline.DayFacts, windows int) {
	if len(s.windows) == windows {
		return
	}
	for _, c := range f.Courses {
		if !slices.Contains(s.seen, c) {
			s.seen = append(s.seen, c)
		}
	}
}

func (s *snapshot) addRhythms(f *pipeline.DayFacts, since pipeline.Date) {
	if f.IsActive() {
		if s.asOf-f.Day == pipeline.Date(s.streak) {
			s.streak++
		}
		if week := int(s.asOf-f.Day) / 7; week < len(s.weeks) {
			s.weeks[week]++
		}
		s.first = f.Day
		s.activity.see(f.Day, since)
	}
	if f.Videos > 0 {
		s.video.see(f.Day, since)
	}
	if f.Quizzes > 0 {
		s.quiz.see(f.Day, since)
	}
	if f.PaymentsOK > 0 {
		s.payment.see(f.Day, since)
	}
	if f.PaymentsFailed > 0 {
		s.failed.see(f.Day, since)
	}
	if f.Tickets > 0 {
		s.support.see(f.Day, since)
	}
}

// observed returns on how many days of a window the user could be seen: after
// signup and after the data began. Without it newcomers look inactive.
func (s *snapshot) observed(window int) float64 {
	from := max(s.start, s.user.Signup)
	return max(1, min(float64(window), float64(s.asOf-from)+1))
}

// sinceActivity returns the days since the last active day; for someone never
// active, since signup.
func (s *snapshot) sinceActivity() float64 {
	if s.activity.last == pipeline.NoDate {
		return float64(s.asOf - s.user.Signup)
	}
	return float64(s.asOf - s.activity.last)
}

// trend returns the least-squares slope of active days a week over the last
// four weeks, NaN where four weeks were not observed. With x = −1.5 … 1.5
// (oldest to newest week) the slope is Σxy/Σx² and Σx² = 5.
func (s *snapshot) trend() float64 {
	if s.observed(28) < 28 {
		return math.NaN()
	}
	w := s.weeks
	return (1.5*float64(w[0]-w[3]) + 0.5*float64(w[1]-w[2])) / 5
}

// ratio divides, NaN where there is nothing to divide by.
func ratio(a, b float64) float64 {
	if b == 0 {
		return math.NaN()
	}
	return a / b
}
