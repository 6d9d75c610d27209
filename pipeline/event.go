package pipeline

import (
	"cmp"
	"math"
	"slices"
)

// The event types that features are computed from. The list of accepted types
// is configurable; a type beyond these seven counts in total_events, and as
// activity where labels.activity_events names it.
const (
	Login          = "login"
	CourseEnroll   = "course_enroll"
	VideoWatch     = "video_watch"
	QuizAttempt    = "quiz_attempt"
	PaymentSuccess = "payment_success"
	PaymentFailed  = "payment_failed"
	SupportTicket  = "support_ticket"
)

// CourseComplete is the event type of a finished course. It feeds no feature of
// its own; labels read it where labels.completed_is_churn is false.
const CourseComplete = "course_complete"

// EventTypes lists the event types of the data contract, in its order.
func EventTypes() []string {
	return []string{Login, CourseEnroll, VideoWatch, QuizAttempt, PaymentSuccess, PaymentFailed, SupportTicket}
}

// User is one account as the users file describes it. Plan, Paid, Country and
// Source are the values at the time of the export: the contract has no history
// of them.
type User struct {
	ID      string
	Signup  Date
	Plan    string
	Paid    bool
	Country string
	Source  string
}

// Event is one accepted fact about one user, with time already an integer day.
type Event struct {
	Day     Date    // calendar day of event_time
	Known   Date    // calendar day of known_at; never before Day
	Type    uint8   // index into the Vocabulary
	Course  uint32  // course number (0 = none); numbers are only compared, never ordered
	Minutes float64 // watch_minutes; NaN if empty
	Score   float64 // quiz_score, 0…100; NaN if empty
	Amount  float64 // amount; NaN if empty
}

// Vocabulary says what each accepted event type means.
type Vocabulary struct {
	types    []string
	activity []bool
	counter  []func(*DayFacts) *int32
	steps    []step // nil: nobody asks for them
}

// step is what an event means for the course that it names.
type step uint8

const (
	noStep step = iota
	begun
	completed
)

// NewVocabulary returns the vocabulary of the accepted types, of which
// activity names those that learners do themselves.
func NewVocabulary(types, activity []string) Vocabulary {
	v := Vocabulary{types: slices.Clone(types)}
	for _, t := range types {
		v.activity = append(v.activity, slices.Contains(activity, t))
		v.counter = append(v.counter, counterOf(t))
	}
	return v
}

// Completing returns the vocabulary in which the given types complete a course.
// Timelines then keep enrolments and completions (DayFacts.Steps); without any
// such type they do not.
func (v Vocabulary) Completing(types []string) Vocabulary {
	if len(types) == 0 {
		return v
	}
	v.steps = make([]step, len(v.types))
	for i, t := range v.types {
		switch {
		case slices.Contains(types, t):
			v.steps[i] = completed
		case t == CourseEnroll:
			v.steps[i] = begun
		}
	}
	return v
}

// Index returns the number of an event type, or -1 if it is not accepted.
func (v Vocabulary) Index(name []byte) int {
	for i, t := range v.types {
		if t == string(name) {
			return i
		}
	}
	return -1
}

// Name returns the event type with the given number.
func (v Vocabulary) Name(i int) string { return v.types[i] }

// Len returns the number of accepted event types.
func (v Vocabulary) Len() int { return len(v.types) }

func counterOf(eventType string) func(*DayFacts) *int32 {
	switch eventType {
	case Login:
		return func(f *DayFacts) *int32 { return &f.Logins }
	case CourseEnroll:
		return func(f *DayFacts) *int32 { return &f.Enrolls }
	case VideoWatch:
		return func(f *DayFacts) *int32 { return &f.Videos }
	case QuizAttempt:
		return func(f *DayFacts) *int32 { return &f.Quizzes }
	case PaymentSuccess:
		return func(f *DayFacts) *int32 { return &f.PaymentsOK }
	case PaymentFailed:
		return func(f *DayFacts) *int32 { return &f.PaymentsFailed }
	case SupportTicket:
		return func(f *DayFacts) *int32 { return &f.Tickets }
	default:
		return func(f *DayFacts) *int32 { return &f.Others }
	}
}

// DayFacts is what one user did on one calendar day, as far as it became known
// on one day: counts, sums and the courses touched.
type DayFacts struct {
	Day, Known     Date
	Events         int32 // all events
	Active         int32 // events of the activity types
	Logins         int32
	Enrolls        int32
	Videos         int32
	Quizzes        int32
	PaymentsOK     int32
	PaymentsFailed int32
	Tickets        int32
	Others         int32   // events of types beyond the contract's seven
	Minutes        float64 // sum of watch_minutes, minutes
	ScoreSum       float64 // sum of quiz scores
	Scores         int32   // number of quiz scores
	Amount         float64 // sum of the amounts of successful payments, currency units
	Courses        []uint32
	Steps          []Step // empty unless the vocabulary has types that complete a course
}

// Step says that a course was begun, or completed.
type Step struct {
	Course    uint32 // 0 = none was named
	Completed bool
}

// compareSteps orders steps by course, and completions last.
func compareSteps(a, b Step) int {
	if a.Course != b.Course || a.Completed == b.Completed {
		return cmp.Compare(a.Course, b.Course)
	}
	if a.Completed {
		return 1
	}
	return -1
}

// IsActive reports whether the learner did anything that day.
func (f *DayFacts) IsActive() bool { return f.Active > 0 }

// MeanScore returns the day's mean quiz score, NaN without a score.
func (f *DayFacts) MeanScore() float64 {
	if f.Scores == 0 {
		return math.NaN()
	}
	return f.ScoreSum / float64(f.Scores)
}

// add counts one event of the same day and known day; its quantities and its
// course are NewTimeline's business.
func (f *DayFacts) add(e *Event, v *Vocabulary) {
	f.Events++
	*v.counter[e.Type](f)++
	if v.activity[e.Type] {
		f.Active++
	}
	if !math.IsNaN(e.Score) {
		f.Scores++
	}
	if v.steps != nil {
		f.step(v, e.Type, e.Course)
	}
}

// step keeps what an event of a type means for the course that it names.
func (f *DayFacts) step(v *Vocabulary, eventType uint8, course uint32) {
	if s := v.steps[eventType]; s != noStep {
		f.addStep(Step{Course: course, Completed: s == completed})
	}
}

// addStep keeps the steps in order, each once.
func (f *DayFacts) addStep(s Step) {
	if at, found := slices.BinarySearchFunc(f.Steps, s, compareSteps); !found {
		f.Steps = slices.Insert(f.Steps, at, s)
	}
}

// merge adds the facts of the same day that became known later.
func (f *DayFacts) merge(g *DayFacts) {
	f.Known = max(f.Known, g.Known)
	f.Events += g.Events
	f.Active += g.Active
	f.Logins += g.Logins
	f.Enrolls += g.Enrolls
	f.Videos += g.Videos
	f.Quizzes += g.Quizzes
	f.PaymentsOK += g.PaymentsOK
	f.PaymentsFailed += g.PaymentsFailed
	f.Tickets += g.Tickets
	f.Others += g.Others
	f.Minutes += g.Minutes
	f.ScoreSum += g.ScoreSum
	f.Scores += g.Scores
	f.Amount += g.Amount
	courses := slices.Clone(f.Courses)
	for _, c := range g.Courses {
		if !slices.Contains(courses, c) {
			courses = append(courses, c)
		}
	}
	f.Courses = courses
	f.Steps = slices.Clone(f.Steps)
	for _, s := range g.Steps {
		f.addStep(s)
	}
}
