package pipeline

import (
	"cmp"
	"slices"
	"sort"
)

// Timeline is everything that is known of one user, in days.
type Timeline struct {
	User User
	// Days is ordered by (Day, Known) and holds at most one element for each
	// such pair.
	Days []DayFacts
}

// NewTimeline aggregates the events of one user. It sorts events in place by
// (Day, Known). Sums are exact and courses ascend, so neither depends on the
// order of the events within such a pair.
func NewTimeline(user User, events []Event, v Vocabulary) Timeline {
	byDay := func(a, b Event) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Known, b.Known))
	}
	if !slices.IsSortedFunc(events, byDay) {
		slices.SortStableFunc(events, byDay)
	}
	t := Timeline{User: user, Days: make([]DayFacts, 0, countDays(events))}
	courses := make([]uint32, 0, len(events)) // of all days, one after the other
	from := 0                                 // where those of the present day begin
	var day sums
	for i := range events {
		e := &events[i]
		if n := len(t.Days); n == 0 || t.Days[n-1].Day != e.Day || t.Days[n-1].Known != e.Known {
			t.Days = append(t.Days, DayFacts{Day: e.Day, Known: e.Known})
			from, day = len(courses), sums{}
		}
		f := &t.Days[len(t.Days)-1]
		f.add(e, &v)
		day.add(e, &v)
		if i+1 == len(events) || events[i+1].Day != e.Day || events[i+1].Known != e.Known {
			day.store(f)
		}
		if at, found := slices.BinarySearch(courses[from:], e.Course); e.Course != 0 && !found {
			courses = slices.Insert(courses, from+at, e.Course)
			f.Courses = courses[from:len(courses):len(courses)]
		}
	}
	return t
}

func countDays(events []Event) (n int) {
	for i := range events {
		if i == 0 || events[i].Day != events[i-1].Day || events[i].Known != events[i-1].Known {
			n++
		}
	}
	return n
}

// Merged returns the days with late facts folded into their day: one element
// a calendar day, as the whole data tells them today.
func (t *Timeline) Merged() []DayFacts {
	for i := 1; i < len(t.Days); i++ {
		if t.Days[i].Day == t.Days[i-1].Day {
			return merged(t.Days)
		}
	}
	return t.Days
}

// Cut separates the timeline at the end of the as-of date. The history holds
// facts whose event day and known day both lie on or before asOf; the future
// holds those whose event day lies after it. A fact of the past that becomes
// known later is in neither.
func (t *Timeline) Cut(asOf Date, span *Span) (History, Future) {
	k := sort.Search(len(t.Days), func(i int) bool { return t.Days[i].Day > asOf })
	h := History{user: &t.User, asOf: asOf, start: span.StartKnownAt(asOf), days: knownBy(t.Days[:k], asOf)}
	return h, Future{asOf: asOf, days: t.Days[k:], all: t.Days}
}

// knownBy drops what was not yet known on asOf and merges what remains by day.
// Without late facts it returns days itself.
func knownBy(days []DayFacts, asOf Date) []DayFacts {
	late := slices.ContainsFunc(days, func(f DayFacts) bool { return f.Known != f.Day })
	if !late {
		return days
	}
	return merged(slices.DeleteFunc(slices.Clone(days), func(f DayFacts) bool { return f.Known > asOf }))
}

func merged(days []DayFacts) []DayFacts {
	unique := func(i int) bool { return i == 0 || days[i-1].Day != days[i].Day }
	out := days[:0:0]
	for i := range days {
		if unique(i) {
			out = append(out, days[i])
			continue
		}
		out[len(out)-1].merge(&days[i])
	}
	return out
}

// History is what was known of one user at the end of an as-of date. Only
// Timeline.Cut makes one.
type History struct {
	user        *User
	asOf, start Date
	days        []DayFacts
}

// User returns the account.
func (h *History) User() *User { return h.user }

// AsOf returns the as-of date; the history includes it.
func (h *History) AsOf() Date { return h.asOf }

// Start returns the first day of the whole data, as known on the as-of date.
// Windows do not reach before it.
func (h *History) Start() Date { return h.start }

// Days returns the days with at least one event, ascending, one element a day.
func (h *History) Days() []DayFacts { return h.days }

// Exists reports whether there is a snapshot at all: not before the user
// signed up, and not before anything was known.
func (h *History) Exists() bool { return h.asOf >= h.user.Signup && h.start != NoDate }

// ActiveWithin reports whether the user was active in the last days days up
// to and including the as-of date.
func (h *History) ActiveWithin(days int) bool {
	for i := len(h.days) - 1; i >= 0 && h.days[i].Day > h.asOf-Date(days); i-- {
		if h.days[i].IsActive() {
			return true
		}
	}
	return false
}

// Finished reports whether the user had completed what he enrolled in last, as
// far as that was known on the as-of date. It is false where the timelines keep
// no completions.
func (h *History) Finished() bool { return finished(h.days) }

// Future is what happened to one user after an as-of date. Only Timeline.Cut
// makes one.
type Future struct {
	asOf Date
	days []DayFacts
	all  []DayFacts // the past too: a course is completed that was begun before
}

// Finished reports whether, by the end of (asOf, asOf+window], the user had
// completed what he enrolled in last, whenever that became known.
func (f *Future) Finished(window int) bool {
	end := f.asOf + Date(window)
	n := sort.Search(len(f.all), func(i int) bool { return f.all[i].Day > end })
	return finished(f.all[:n])
}

// finished reports whether all courses of the latest day with enrolments were
// completed on that day or later. Where the enrolments lie before the data, the
// courses of the latest day with any stand for them.
func finished(days []DayFacts) bool {
	if !slices.ContainsFunc(days, func(f DayFacts) bool { return slices.ContainsFunc(f.Steps, isCompletion) }) {
		return false
	}
	last, courses := latestEnrolment(days)
	for i := len(days) - 1; i >= 0 && days[i].Day >= last; i-- {
		for _, s := range days[i].Steps {
			if s.Completed {
				courses = slices.DeleteFunc(courses, func(c uint32) bool { return c == s.Course })
			}
		}
	}
	return len(courses) == 0
}

func isCompletion(s Step) bool { return s.Completed }

// latestEnrolment returns the latest day with enrolments and their courses. If
// there is none, the courses are those of the latest day that has any, and the
// day is before all others.
func latestEnrolment(days []DayFacts) (last Date, courses []uint32) {
	last = NoDate
	for i := len(days) - 1; i >= 0 && days[i].Day >= last; i-- {
		for _, s := range days[i].Steps {
			if !s.Completed {
				last, courses = days[i].Day, append(courses, s.Course)
			}
		}
	}
	for i := len(days) - 1; i >= 0 && len(courses) == 0; i-- {
		courses = slices.Clone(days[i].Courses)
	}
	return last, courses
}

// ActiveDays counts the distinct active days in (asOf, asOf+window].
func (f *Future) ActiveDays(window int) (n int) {
	last := NoDate
	for i := range f.days {
		d := &f.days[i]
		if d.Day > f.asOf+Date(window) {
			break
		}
		if d.IsActive() && d.Day != last {
			n, last = n+1, d.Day
		}
	}
	return n
}

// Span tells the days that the whole data set covers, and since when that was
// known.
type Span struct {
	First, Last Date // first and last event day; NoDate without events
	// Starts holds, in ascending order of Known, each day on which an earlier
	// first day became known.
	Starts []Start
}

// Start says that on day Known the first day of the data was known to be First.
type Start struct{ Known, First Date }

// NewSpan returns the span of a data set from the first event day by known day.
func NewSpan(last Date, firstByKnown map[Date]Date) Span {
	s := Span{First: NoDate, Last: last}
	known := make([]Date, 0, len(firstByKnown))
	for k := range firstByKnown {
		known = append(known, k)
	}
	slices.Sort(known)
	for _, k := range known {
		if first := firstByKnown[k]; len(s.Starts) == 0 || first < s.First {
			s.First = first
			s.Starts = append(s.Starts, Start{Known: k, First: first})
		}
	}
	return s
}

// StartKnownAt returns the first day of the data as it was known on asOf, or
// NoDate where nothing was known yet.
func (s *Span) StartKnownAt(asOf Date) Date {
	start := NoDate
	for _, e := range s.Starts {
		if e.Known > asOf {
			break
		}
		start = e.First
	}
	return start
}

// Grid returns the as-of dates every `every` days counted back from last,
// ascending, none before the first day of the data.
func (s *Span) Grid(last Date, every int) []Date {
	var dates []Date
	for d := last; s.First != NoDate && d >= s.First; d -= Date(every) {
		dates = append(dates, d)
	}
	slices.Reverse(dates)
	return dates
}

// Insert adds the facts of one day and known day, keeping the order. Facts of
// the same pair are merged.
func (t *Timeline) Insert(f DayFacts) {
	i, found := slices.BinarySearchFunc(t.Days, f, func(a, b DayFacts) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Known, b.Known))
	})
	if found {
		t.Days[i].merge(&f)
		return
	}
	t.Days = slices.Insert(t.Days, i, f)
}
