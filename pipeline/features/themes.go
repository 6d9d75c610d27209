package features

import (
	"cmp"
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

// Say puts into words what speaks for leaving among the user's own values in a
// theme. It returns "" where they would sound like the opposite: a model's term
// can raise the risk of someone whose numbers look fine on their own.
func (v Values) Say(t Theme) string {
	switch t {
	case ThemeRecency:
		return v.silence("activity", v.num("days_since_last_activity"), v.num("usual_gap_activity"))
	case ThemeActivity:
		return v.sayActivity()
	case ThemeTrend:
		return v.sayTrend()
	case ThemeRhythm:
		if share := v.in("weekend_share", v.long()); share >= 0.5 {
			return fmt.Sprintf("mostly active at weekends (%.0f%% of the days)", 100*share)
		}
		return ""
	case ThemeLogin:
		return v.sayFalling("logins", "login")
	case ThemeVideo:
		return cmp.Or(v.sayHabit("video"), v.sayFalling("watch_minutes", "minute of video"))
	case ThemeQuiz:
		return v.sayQuiz()
	case ThemeCourse:
		return v.sayCourses()
	case ThemePayment:
		return v.sayPayment()
	case ThemeSupport:
		if n := v.in("support_ticket", v.long()); n > 0 {
			return fmt.Sprintf("%s in the last %d days", plural(n, "support ticket"), v.long())
		}
		return ""
	}
	return v.sayAccount(t)
}

func (v Values) sayAccount(t Theme) string {
	switch t {
	case ThemeTenure:
		return "signed up " + plural(v.num("days_since_signup"), "day") + " ago"
	case ThemePlan:
		return textOr(v.text("plan"), "on the ", " plan", "plan not known")
	case ThemeCountry:
		return textOr(v.text("country"), "country: ", "", "country not known")
	case ThemeSource:
		return textOr(v.text("marketing_source"), "came through ", "", "not known how the user came")
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

// silence tells how long nothing happened, if that is longer than usual.
func (v Values) silence(what string, since, usual float64) string {
	switch {
	case math.IsNaN(since) || since < 1 || since <= usual:
		return ""
	case math.IsNaN(usual):
		return fmt.Sprintf("no %s in %s", what, plural(since, "day"))
	case math.Round(usual) <= 1:
		return fmt.Sprintf("no %s in %s; usually every day", what, plural(since, "day"))
	}
	return fmt.Sprintf("no %s in %s; usually every %.0f", what, plural(since, "day"), math.Round(usual))
}

// sayHabit tells of the silence of one kind of event.
func (v Values) sayHabit(kind string) string {
	return v.silence(kind, v.num("days_since_last_"+kind), v.num("usual_gap_"+kind))
}

// sayActivity tells on how few days the user was active.
func (v Values) sayActivity() string {
	active, seen := v.in("active_days", v.long()), v.seen()
	switch {
	case !(active < seen/2):
		return ""
	case seen < float64(v.long()):
		return fmt.Sprintf("%s since signing up %s ago", plural(active, "active day"), plural(seen, "day"))
	}
	return fmt.Sprintf("active on %s of the last %d days", plain(active), v.long())
}

// sayFalling tells of a quantity that is none, or less lately than before.
func (v Values) sayFalling(name, unit string) string {
	now, all := v.in(name, v.short()), v.in(name, v.long())
	switch {
	case v.short() == v.long() && !(all > 0), all == 0:
		return fmt.Sprintf("%s in the last %d days", plural(all, unit), v.long())
	case now*v.seen() < all*float64(v.short()):
		return fmt.Sprintf("%s in the last %d days, %s in the last %d", plural(all, unit), v.long(), plain(now), v.short())
	}
	return ""
}

// lowScore is the mean quiz score below which it is a reason, in points of 100:
// the usual limit for passing.
const lowScore = 60

func (v Values) sayQuiz() string {
	if score := v.in("quiz_avg_score", v.long()); score < lowScore {
		return fmt.Sprintf("mean quiz score %s of 100 in the last %d days", plain(score), v.long())
	}
	return v.sayHabit("quiz")
}

func (v Values) sayCourses() string {
	if n := v.in("courses", v.long()); n == 0 {
		return fmt.Sprintf("no course in the last %d days", v.long())
	}
	return ""
}

func (v Values) sayPayment() string {
	if failed := v.in("payment_failed", v.long()); failed > 0 {
		return fmt.Sprintf("%s in the last %d days", plural(failed, "failed payment"), v.long())
	}
	return v.sayHabit("payment")
}

// sayTrend compares the short window with the rate of the long one.
func (v Values) sayTrend() string {
	now, then := v.in("active_days", v.short()), v.in("active_days", v.long())
	expected := then * float64(v.short()) / max(v.seen(), float64(v.short()))
	if !(now < expected) || plain(now) == plain(expected) {
		if v.num("active_days_trend_28d") < 0 {
			return "fewer active days from week to week"
		}
		return ""
	}
	return fmt.Sprintf("%s in the last %d, against %s usual", plural(now, "active day"), v.short(), plain(expected))
}

// textOr puts a text between two others, or says that there is none.
func textOr(text, before, behind, none string) string {
	if text == "" {
		return none
	}
	return before + text + behind
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
