package features

import (
	"fmt"
	"math"
)

// gaps declares rhythm: what silence means depends on the user's own habit.
func (c *catalogBuilder) gaps(p Params) {
	within := fmt.Sprintf("in the last %d days", p.UsualDays)
	fewDays := "fewer than two such days " + within
	kinds := []struct {
		theme       Theme
		name, title string
		get         func(*snapshot) *rhythm
	}{
		{ThemeVideo, "video", "video", func(s *snapshot) *rhythm { return &s.video }},
		{ThemeQuiz, "quiz", "quiz", func(s *snapshot) *rhythm { return &s.quiz }},
		{ThemePayment, "payment", "payment", func(s *snapshot) *rhythm { return &s.payment }},
		{ThemePayment, "failed_payment", "failed payment", func(s *snapshot) *rhythm { return &s.failed }},
		{ThemeSupport, "support_ticket", "support ticket", func(s *snapshot) *rhythm { return &s.support }},
	}
	for _, k := range kinds {
		c.number(k.theme, "days_since_last_"+k.name, "days since the last "+k.title, unitDays, "never happened", func(s *snapshot) float64 { return k.get(s).since(s.asOf) }).Skewed = true
	}
	for _, k := range kinds[:3] {
		f := c.number(k.theme, "usual_gap_"+k.name, "usual days between days with a "+k.title, unitDays, fewDays, func(s *snapshot) float64 { return k.get(s).usual() })
		f.Skewed, f.Window = true, p.UsualDays
	}
	add := func(name, title, unit, null string, value func(*snapshot) float64) *Feature {
		f := c.number(ThemeRecency, name, title, unit, null, value)
		f.Window = p.UsualDays
		return f
	}
	add("usual_gap_activity", "usual days between active days", unitDays, fewDays, func(s *snapshot) float64 { return s.activity.usual() }).Skewed = true
	add("longest_gap_activity", "longest gap between active days", unitDays, fewDays, func(s *snapshot) float64 {
		if s.activity.days < 2 {
			return math.NaN()
		}
		return float64(s.activity.longest)
	}).Skewed = true
	add("gap_against_usual", "days since the last activity against the usual gap", "ratio", fewDays, func(s *snapshot) float64 { return ratio(s.sinceActivity(), s.activity.usual()) }).Skewed = true
	add("gap_against_longest", "days since the last activity against the longest gap", "ratio", fewDays, func(s *snapshot) float64 {
		if s.activity.days < 2 {
			return math.NaN()
		}
		return s.sinceActivity() / float64(s.activity.longest)
	}).Skewed = true
	streak := c.number(ThemeActivity, "streak_days", "active days in a row up to the as-of date", unitDays, never, func(s *snapshot) float64 { return float64(s.streak) })
	streak.Skewed, streak.Daily = true, true // one day without activity ends it
}

// levels declares how much and where to: exposure, shares, ratios, trend.
func (c *catalogBuilder) levels(p Params) {
	windows := p.WindowsDays
	for _, w := range windows {
		i := c.at(w)
		c.number(ThemeTenure, fmt.Sprintf("observed_days_%dd", w), fmt.Sprintf("days of the last %d on which the user could be seen", w), unitDays, never,
			func(s *snapshot) float64 { return s.observed(w) }).Window = w
		c.number(ThemeActivity, fmt.Sprintf("active_share_%dd", w), fmt.Sprintf("share of active days among the observed ones of the last %d", w), unitShare, never,
			func(s *snapshot) float64 { return float64(s.windows[i].active) / s.observed(w) }).Window = w
	}
	c.window(ThemeActivity, "active_days", "active days", unitDays, never, p.UsualDays, func(s *sums) float64 { return float64(s.active) }).Skewed = true
	c.window(ThemeActivity, "events", "events", "events", never, p.UsualDays, func(s *sums) float64 { return float64(s.events) }).Skewed = true
	c.window(ThemeVideo, "watch_minutes", "minutes watched", "minutes", never, p.UsualDays, func(s *sums) float64 { return s.minutes }).Skewed = true
	long := windows[len(windows)-1]
	for _, short := range windows[:len(windows)-1] {
		c.pace(ThemeTrend, "active_days", "active days", short, long, func(s *sums) float64 { return float64(s.active) })
		c.pace(ThemeTrend, "events", "events", short, long, func(s *sums) float64 { return float64(s.events) })
		c.pace(ThemeVideo, "watch_minutes", "minutes watched", short, long, func(s *sums) float64 { return s.minutes })
	}
	c.number(ThemeTrend, "active_days_trend_28d", "change of active days a week, from week to week, over four weeks", unitTrend, "fewer than 28 days observed", (*snapshot).trend).Window = 28
	c.window(ThemeCourse, "courses", "different courses", "courses", never, long, func(s *sums) float64 { return float64(s.courses) }).Skewed = true
	c.window(ThemeCourse, "courses", "different courses", "courses", never, p.UsualDays, func(s *sums) float64 { return float64(s.courses) }).Skewed = true
	c.window(ThemeRhythm, "weekend_share", "share of active days at weekends", unitShare, "no active day in the window", long, func(s *sums) float64 { return ratio(float64(s.weekend), float64(s.active)) })
	c.window(ThemeActivity, "events_per_active_day", "events per active day", "events", "no active day in the window", long, func(s *sums) float64 { return ratio(float64(s.events), float64(s.active)) }).Skewed = true
	c.number(ThemeActivity, "active_days_total", "active days ever", unitDays, never, func(s *snapshot) float64 { return float64(s.total.active) }).Skewed = true
	c.number(ThemeTenure, "days_since_first_activity", "days since the first active day", unitDays, "never active", func(s *snapshot) float64 {
		if s.total.active == 0 {
			return math.NaN()
		}
		return float64(s.asOf - s.first)
	}).Skewed = true
}

// pace declares the daily rate of a short window against that of a long one.
func (c *catalogBuilder) pace(theme Theme, name, title string, short, long int, get func(*sums) float64) {
	i, j := c.at(short), c.at(long)
	f := c.number(theme, fmt.Sprintf("%s_pace_%dd_%dd", name, short, long), fmt.Sprintf("%s a day in the last %d days against the last %d", title, short, long), "ratio", fmt.Sprintf("none in the last %d days", long),
		func(s *snapshot) float64 {
			return ratio(get(&s.windows[i])*s.observed(long), get(&s.windows[j])*s.observed(short))
		})
	f.Window = long
}

// money declares what was paid.
func (c *catalogBuilder) money(p Params) {
	amount := func(s *sums) float64 { return s.amount }
	c.window(ThemePayment, "amount", "amount paid", "currency units", never, p.UsualDays, amount).Skewed = true
	c.window(ThemePayment, "payment_success", "payments", "events", never, p.UsualDays, func(s *sums) float64 { return float64(s.paymentsOK) }).Skewed = true
	c.window(ThemePayment, "payment_failed", "failed payments", "events", never, p.UsualDays, func(s *sums) float64 { return float64(s.paymentsFailed) }).Skewed = true
	c.number(ThemePayment, "amount_total", "amount paid ever", "currency units", never, func(s *snapshot) float64 { return s.total.amount }).Skewed = true
	c.number(ThemePayment, "amount_per_payment", "mean amount of a payment", "currency units", "never paid", func(s *snapshot) float64 {
		return ratio(s.total.amount, float64(s.total.paymentsOK))
	}).Skewed = true
}
