package features

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Feature declares one column: what it measures, over which window, in which
// unit, when it is null, and how to say it in plain words. This is the only
// place where a feature is declared.
type Feature struct {
	Name   string `json:"name"`
	Title  string `json:"title"`            // plain language
	Window int    `json:"window,omitempty"` // days up to the as-of date; 0 = the date itself or all time
	Unit   string `json:"unit"`
	Null   string `json:"null"` // when it is null
	Theme  Theme  `json:"theme"`
	// Skewed quantities enter a linear model through log(1+x).
	Skewed bool `json:"skewed,omitempty"`
	// Grows marks what only grows in a user's life: new highs are what it does.
	// Neither this nor Monthly bears on the values.
	Grows bool `json:"-"`
	// Monthly marks what follows the calendar, since bills come by the month and
	// months are not equally long: it moves in step for all users.
	Monthly bool `json:"-"`
	// Daily marks what tells of the as-of date alone.
	Daily bool `json:"-"`
	// Course marks the columns of the original course.
	Course bool `json:"course,omitempty"`

	number func(*snapshot) float64 // nil for text
	text   func(*snapshot) string
}

// Categorical reports whether the feature is text.
func (f *Feature) Categorical() bool { return f.text != nil }

// Units that bound what a feature can be.
const (
	unitFlag   = "0 or 1"
	unitShare  = "share"
	unitPoints = "points of 100"
	unitDays   = "days"
	unitTrend  = "days per week per week"
)

// Range returns the smallest and the largest value that a numeric feature can
// have, whatever the data: what lies outside was not computed by its
// definition. An end that is not bounded is infinite.
func (f *Feature) Range() (least, most float64) {
	switch {
	case f.Unit == unitFlag, f.Unit == unitShare:
		return 0, 1
	case f.Unit == unitPoints:
		return 0, 100
	case f.Unit == unitDays && f.Window > 0:
		return 0, float64(f.Window)
	case f.Unit == unitTrend:
		return math.Inf(-1), math.Inf(1)
	}
	return 0, math.Inf(1)
}

// Lasting reports whether the feature tells of about a month or more, so that
// no quiet days empty it.
func (f *Feature) Lasting() bool { return !f.Daily && (f.Window == 0 || f.Window >= 28) }

// Binary reports whether the feature is false or true, as 0 or 1.
func (f *Feature) Binary() bool { return f.Unit == unitFlag }

const never = "never null"

// catalogBuilder collects features.
type catalogBuilder struct {
	list    []Feature
	windows []int // all windows that are measured, ascending
}

func (c *catalogBuilder) add(f Feature) { c.list = append(c.list, f) }

// unique drops features that were declared before: a configured window can
// equal one of our own.
func (c *catalogBuilder) unique() []Feature {
	seen := map[string]bool{}
	return slices.DeleteFunc(c.list, func(f Feature) bool {
		again := seen[f.Name]
		seen[f.Name] = true
		return again
	})
}

// number declares a numeric feature.
func (c *catalogBuilder) number(theme Theme, name, title, unit, null string, value func(*snapshot) float64) *Feature {
	c.add(Feature{Name: name, Title: title, Unit: unit, Null: null, Theme: theme, number: value})
	return &c.list[len(c.list)-1]
}

// Catalog returns the features for the given settings, in column order.
func Catalog(p Params) []Feature {
	c := &catalogBuilder{windows: measured(p)}
	c.static()
	from := len(c.list)
	c.ownDay()
	for i := from; i < len(c.list); i++ {
		c.list[i].Daily = true
	}
	c.courseWindows(p.WindowsDays)
	for i := range c.list {
		c.list[i].Course = true
	}
	if p.Set == SetFull {
		c.gaps(p)
		c.levels(p)
		c.money(p)
	}
	return marked(c.unique())
}

// marked marks features that move by themselves.
func marked(list []Feature) []Feature {
	for i := range list {
		f := &list[i]
		switch {
		case f.Name == "days_since_signup", f.Name == "days_since_first_activity", f.Name == "active_days_total", f.Name == "amount_total":
			f.Grows = true
		case f.Name == "days_since_last_payment", f.Name == "usual_gap_payment", strings.HasPrefix(f.Name, "payment_success_"):
			f.Monthly = true
		}
	}
	return list
}

// measured returns the windows that sums are kept for: the configured ones,
// 30 days for the course's failure rate, and the look-back of habits.
func measured(p Params) []int {
	w := append(slices.Clone(p.WindowsDays), 30, p.UsualDays)
	slices.Sort(w)
	return slices.Compact(w)
}

// at returns the position of a measured window.
func (c *catalogBuilder) at(window int) int {
	i, ok := slices.BinarySearch(c.windows, window)
	if !ok {
		panic(fmt.Sprintf("features: window %d is not measured", window))
	}
	return i
}

func (c *catalogBuilder) static() {
	c.number(ThemeTenure, "days_since_signup", "days since signup", unitDays, never, func(s *snapshot) float64 { return float64(s.asOf - s.user.Signup) }).Skewed = true
	c.add(Feature{Name: "plan", Title: "plan", Unit: "free or paid", Null: never, Theme: ThemePlan, text: func(s *snapshot) string { return s.user.Plan }})
	c.number(ThemePlan, "is_paid", "is a paying customer", unitFlag, never, func(s *snapshot) float64 {
		if s.user.Paid {
			return 1
		}
		return 0
	})
	c.add(Feature{Name: "country", Title: "country", Unit: "code", Null: "empty text", Theme: ThemeCountry, text: func(s *snapshot) string { return s.user.Country }})
	c.add(Feature{Name: "marketing_source", Title: "how the user came", Unit: "name", Null: "empty text", Theme: ThemeSource, text: func(s *snapshot) string { return s.user.Source }})
}

// ownDay declares the aggregates of the as-of date itself.
func (c *catalogBuilder) ownDay() {
	count := func(theme Theme, name, title string, get func(*sums) int32) {
		c.number(theme, name, title+" on the as-of date", "events", never, func(s *snapshot) float64 {
			if s.day == nil {
				return 0
			}
			var one sums
			one.add(s.day)
			return float64(get(&one))
		}).Skewed = true
	}
	count(ThemeActivity, "is_active_day", "was active", func(s *sums) int32 { return s.active })
	c.list[len(c.list)-1].Unit = unitFlag
	count(ThemeActivity, "total_events", "events", func(s *sums) int32 { return s.events })
	count(ThemeLogin, "logins_count", "logins", func(s *sums) int32 { return s.logins })
	count(ThemeCourse, "enroll_count", "enrolments", func(s *sums) int32 { return s.enrolls })
	c.number(ThemeVideo, "watch_minutes_sum", "minutes watched on the as-of date", "minutes", never, func(s *snapshot) float64 {
		if s.day == nil {
			return 0
		}
		return s.day.Minutes
	}).Skewed = true
	count(ThemeQuiz, "quiz_attempts_count", "quiz attempts", func(s *sums) int32 { return s.quizzes })
	c.number(ThemeQuiz, "quiz_avg_score", "mean quiz score on the as-of date", unitPoints, "no score that day", func(s *snapshot) float64 {
		if s.day == nil {
			return math.NaN()
		}
		return s.day.MeanScore()
	})
	count(ThemePayment, "payment_success_count", "payments", func(s *sums) int32 { return s.paymentsOK })
	count(ThemePayment, "payment_failed_count", "failed payments", func(s *sums) int32 { return s.paymentsFailed })
	count(ThemeSupport, "support_ticket_count", "support tickets", func(s *sums) int32 { return s.tickets })
}

// courseWindows declares the windows of the data contract.
func (c *catalogBuilder) courseWindows(windows []int) {
	c.number(ThemeRecency, "days_since_last_activity", "days since the last activity", unitDays, "never null; days since signup if never active", (*snapshot).sinceActivity).Skewed = true
	counts := []struct {
		theme       Theme
		name, title string
		unit        string
		get         func(*sums) float64
	}{
		{ThemeActivity, "active_days", "active days", unitDays, func(s *sums) float64 { return float64(s.active) }},
		{ThemeActivity, "events", "events", "events", func(s *sums) float64 { return float64(s.events) }},
		{ThemeLogin, "logins", "logins", "events", func(s *sums) float64 { return float64(s.logins) }},
		{ThemeCourse, "enroll", "enrolments", "events", func(s *sums) float64 { return float64(s.enrolls) }},
		{ThemeVideo, "watch_minutes", "minutes watched", "minutes", func(s *sums) float64 { return s.minutes }},
		{ThemeQuiz, "quiz_attempts", "quiz attempts", "events", func(s *sums) float64 { return float64(s.quizzes) }},
		{ThemePayment, "payment_success", "payments", "events", func(s *sums) float64 { return float64(s.paymentsOK) }},
		{ThemePayment, "payment_failed", "failed payments", "events", func(s *sums) float64 { return float64(s.paymentsFailed) }},
		{ThemeSupport, "support_ticket", "support tickets", "events", func(s *sums) float64 { return float64(s.tickets) }},
	}
	for _, x := range counts {
		for _, w := range windows {
			c.window(x.theme, x.name, x.title, x.unit, never, w, x.get).Skewed = true
		}
	}
	for _, w := range windows {
		c.window(ThemeQuiz, "quiz_avg_score", "mean of the daily mean quiz scores", unitPoints, "no score in the window", w,
			func(s *sums) float64 { return ratio(s.dayScores, float64(s.scored)) })
	}
	i := c.at(30)
	c.number(ThemePayment, "payment_fail_rate_30d", "share of payments that failed in the last 30 days", unitShare, "never null; 0 without payments", func(s *snapshot) float64 {
		ok, failed := s.windows[i].paymentsOK, s.windows[i].paymentsFailed
		return float64(failed) / float64(max(ok+failed, 1))
	}).Window = 30
}

// window declares one aggregate over the last w days.
func (c *catalogBuilder) window(theme Theme, name, title, unit, null string, w int, get func(*sums) float64) *Feature {
	i := c.at(w)
	f := c.number(theme, fmt.Sprintf("%s_%dd", name, w), fmt.Sprintf("%s in the last %d days", title, w), unit, null,
		func(s *snapshot) float64 { return get(&s.windows[i]) })
	f.Window = w
	return f
}
