package features

import (
	"fmt"
	"math"
	"strconv"
)

// Theme groups features that say the same thing to a person. Windows of one
// quantity overlap, so single terms of a model compensate each other; their sum
// over a theme is what the theme contributes, and it stays exact.
type Theme string

// The themes.
const (
	ThemeRecency  Theme = "recency"
	ThemeActivity Theme = "activity"
	ThemeTrend    Theme = "trend"
	ThemeRhythm   Theme = "rhythm"
	ThemeLogin    Theme = "logins"
	ThemeVideo    Theme = "videos"
	ThemeQuiz     Theme = "quizzes"
	ThemeCourse   Theme = "courses"
	ThemePayment  Theme = "payments"
	ThemeSupport  Theme = "support"
	ThemeTenure   Theme = "tenure"
	ThemePlan     Theme = "plan"
	ThemeCountry  Theme = "country"
	ThemeSource   Theme = "source"
)

// Values reads the features of one snapshot by name.
type Values struct {
	Params  Params
	Catalog *Index
	Vector  *Vector
}

// num returns a numeric feature, NaN if it is null or not in the catalog.
func (v Values) num(name string) float64 {
	if i, ok := v.Catalog.numeric[name]; ok {
		return v.Vector.Numeric[i]
	}
	return math.NaN()
}

func (v Values) text(name string) string {
	if i, ok := v.Catalog.categorical[name]; ok {
		return v.Vector.Categorical[i]
	}
	return ""
}

func (v Values) long() int  { return v.Params.WindowsDays[len(v.Params.WindowsDays)-1] }
func (v Values) short() int { return v.Params.WindowsDays[0] }

// in returns a windowed feature.
func (v Values) in(name string, window int) float64 {
	return v.num(fmt.Sprintf("%s_%dd", name, window))
}

// Say puts into words what the user's own values are in a theme.
func (v Values) Say(t Theme) string {
	switch t {
	case ThemeRecency:
		return v.silence("activity", v.num("days_since_last_activity"), v.num("usual_gap_activity"))
	case ThemeActivity:
		return fmt.Sprintf("active on %s of the last %s", plain(v.in("active_days", v.long())), plural(v.seen(), "day"))
	case ThemeTrend:
		return v.sayTrend()
	case ThemeRhythm:
		return fmt.Sprintf("%s of the active days are at weekends", percent(v.in("weekend_share", v.long())))
	case ThemeLogin:
		return fmt.Sprintf("%s in the last %d days, %s in the last %d", plural(v.in("logins", v.long()), "login"), v.long(), plain(v.in("logins", v.short())), v.short())
	case ThemeVideo:
		return v.sayHabit("video", "watch_minutes", "minute of video")
	case ThemeQuiz:
		return v.sayQuiz()
	case ThemeCourse:
		return v.sayCourses()
	case ThemePayment:
		return v.sayPayment()
	case ThemeSupport:
		return plural(v.in("support_ticket", v.long()), "support ticket") + fmt.Sprintf(" in the last %d days", v.long())
	}
	return v.sayAccount(t)
}

func (v Values) sayAccount(t Theme) string {
	switch t {
	case ThemeTenure:
		return "signed up " + plural(v.num("days_since_signup"), "day") + " ago"
	case ThemePlan:
		return "on the " + orUnknown(v.text("plan")) + " plan"
	case ThemeCountry:
		return "country: " + orUnknown(v.text("country"))
	case ThemeSource:
		return "came through " + orUnknown(v.text("marketing_source"))
	}
	return string(t)
}

// seen returns the observed days of the long window.
func (v Values) seen() float64 {
	if d := v.in("observed_days", v.long()); !math.IsNaN(d) {
		return d
	}
	return float64(v.long())
}

// silence tells how long nothing happened, against the user's own habit.
func (v Values) silence(what string, since, usual float64) string {
	switch {
	case math.IsNaN(since):
		return "no " + what + " so far"
	case since == 0:
		return "last " + what + " today"
	case math.IsNaN(usual):
		return fmt.Sprintf("no %s in %s", what, plural(since, "day"))
	case math.Round(usual) <= 1:
		return fmt.Sprintf("no %s in %s; usually every day", what, plural(since, "day"))
	}
	return fmt.Sprintf("no %s in %s; usually every %.0f", what, plural(since, "day"), math.Round(usual))
}

// sayHabit tells of the silence if it is longer than usual, else of the amount.
func (v Values) sayHabit(kind, amount, unit string) string {
	since, usual := v.num("days_since_last_"+kind), v.num("usual_gap_"+kind)
	if math.IsNaN(since) && !v.has("days_since_last_"+kind) || since <= max(usual, 1) {
		return fmt.Sprintf("%s in the last %d days", plural(v.in(amount, v.long()), unit), v.long())
	}
	return v.silence(kind, since, usual)
}

func (v Values) has(name string) bool { _, ok := v.Catalog.numeric[name]; return ok }

func (v Values) sayQuiz() string {
	score := v.in("quiz_avg_score", v.long())
	since, usual := v.num("days_since_last_quiz"), v.num("usual_gap_quiz")
	if !math.IsNaN(score) && !(since > max(usual, 1)) {
		return fmt.Sprintf("mean quiz score %s of 100 in the last %d days", plain(score), v.long())
	}
	return v.sayHabit("quiz", "quiz_attempts", "quiz attempt")
}

func (v Values) sayCourses() string {
	n := v.in("courses", v.long())
	if math.IsNaN(n) || n == 0 {
		return fmt.Sprintf("%s in the last %d days", plural(v.in("enroll", v.long()), "enrolment"), v.long())
	}
	return fmt.Sprintf("%s in the last %d days", plural(n, "course"), v.long())
}

func (v Values) sayPayment() string {
	if failed := v.in("payment_failed", v.long()); failed > 0 {
		return fmt.Sprintf("%s in the last %d days", plural(failed, "failed payment"), v.long())
	}
	since := v.num("days_since_last_payment")
	if math.IsNaN(since) {
		return fmt.Sprintf("%s in the last %d days", plural(v.in("payment_success", v.long()), "payment"), v.long())
	}
	if usual := v.num("usual_gap_payment"); since > max(usual, 1) || math.IsNaN(usual) && since > 0 {
		return v.silence("payment", since, usual)
	}
	return fmt.Sprintf("mean payment of %s", plain(v.num("amount_per_payment")))
}

// sayTrend compares the short window with the rate of the long one.
func (v Values) sayTrend() string {
	now, then := v.in("active_days", v.short()), v.in("active_days", v.long())
	expected := then * float64(v.short()) / max(v.seen(), float64(v.short()))
	return fmt.Sprintf("%s in the last %d, against %s usual", plural(now, "active day"), v.short(), plain(expected))
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// plain writes a number as a person would: whole, or with one decimal if small.
func plain(x float64) string {
	switch {
	case math.IsNaN(x):
		return "0"
	case x >= 10:
		return strconv.FormatFloat(math.Round(x), 'f', 0, 64)
	}
	return strconv.FormatFloat(math.Round(10*x)/10, 'f', -1, 64)
}

func percent(x float64) string {
	if math.IsNaN(x) {
		return "none"
	}
	return strconv.FormatFloat(math.Round(100*x), 'f', 0, 64) + "%"
}

// plural writes "1 day", "3 days", "no days".
func plural(n float64, unit string) string {
	number := plain(n)
	word, rest := unit, ""
	for i := range unit {
		if unit[i] == ' ' && word == unit && unit[:i] == "minute" {
			word, rest = unit[:i], unit[i:]
		}
	}
	switch {
	case number == "1":
		return "1 " + word + rest
	case number == "0":
		number = "no"
	}
	return number + " " + word + "s" + rest
}
