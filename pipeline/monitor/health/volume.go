package health

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"churn/pipeline"
)

// Level is the number of events of one type in a day or a week, and what is
// expected of it.
type Level struct {
	Type     string        `json:"event_type"` // or all
	First    pipeline.Date `json:"first_date"`
	Last     pipeline.Date `json:"last_date"`
	Events   int64         `json:"events"`
	Usual    float64       `json:"usual"`    // median of the same weekday, or of the weeks, of the eight weeks before
	Expected float64       `json:"expected"` // usual, moved by the trend of such ratios
	Low      float64       `json:"low"`      // the band: outside of it with volume_false_alarms over all counts together
	High     float64       `json:"high"`
	Odds     float64       `json:"p_value"`
	Holiday  bool          `json:"holiday,omitempty"`
	Habit    bool          `json:"habit,omitempty"` // it was as far away before, more than once
	Status   Status        `json:"status"`
	model    model
}

// Volume compares the numbers of events with the weekly pattern.
type Volume struct {
	Verdict
	FalseAlarms  float64  `json:"false_alarms"` // the limits
	WarnRatio    float64  `json:"warn_ratio"`
	FailRatio    float64  `json:"fail_ratio"`
	FailDayRatio float64  `json:"fail_day_ratio"`
	Rare         []string `json:"too_rare,omitempty"` // types with too few events to judge, or too erratic
	Levels       []Level  `json:"levels"`             // weeks first, then days
}

const (
	usualWeeks = 8  // as in validation
	leastWeeks = 4  // with fewer, a median says too little
	leastDay   = 20 // events expected of a day, as in validation
	leastWeek  = 5  // and of a week: below, a count of 0 is no news
	leastDays  = 14 // ratios of days behind trend and spread
	mostDays   = 56 // eight weeks of them
	leastBacks = 5  // ratios of weeks
	mostBacks  = 26
	// leastSpread is the least relative standard deviation that is believed: no
	// portal is as regular as a few quiet weeks can look.
	leastSpread = 0.05
	// mostSpread is the one beyond which there is no pattern to compare with.
	mostSpread = 1.0
)

// volume judges the last week of the data and its days.
func volume(t *tally, p Params) Volume {
	v := Volume{FalseAlarms: p.VolumeFalseAlarms, WarnRatio: p.VolumeWarnRatio, FailRatio: p.VolumeFailRatio, FailDayRatio: p.VolumeFailDayRatio}
	names := kinds()
	last := lastDay(t)
	for k, name := range names {
		weekly, days := t.levels(k, last)
		if len(weekly)+len(days) == 0 && t.seen(k) {
			v.Rare = append(v.Rare, name)
		}
		v.Levels = append(append(v.Levels, weekly...), days...)
	}
	slices.SortStableFunc(v.Levels, func(a, b Level) int { return cmp.Compare(b.Last-b.First, a.Last-a.First) })
	alpha := p.VolumeFalseAlarms / float64(max(1, len(v.Levels))) // Bonferroni's
	for i := range v.Levels {
		l := &v.Levels[i]
		for d := l.First; d <= l.Last; d++ {
			l.Holiday = l.Holiday || p.Holiday(d)
		}
		l.Low, l.High = l.model.band(alpha)
		l.Status = l.judge(p, alpha)
	}
	v.conclude(t, last)
	v.settled(t, last)
	return v
}

// lastDay returns the index of the last day with an event, -1 without one.
func lastDay(t *tally) int {
	for d := len(t.days) - 1; d >= 0; d-- {
		if t.within(d, numKinds-1, week) > 0 {
			return d
		}
	}
	return -1
}

func (t *tally) seen(kind int) bool {
	return slices.ContainsFunc(t.days, func(d oneDay) bool { return d[kind] != [week + 1]int64{} })
}

// levels returns the week that ends with the day last, and its days, of one
// kind; those that cannot be judged are left out.
func (t *tally) levels(kind, last int) (weekly, days []Level) {
	if e, why := expect(t.weeks(kind, last), weekPattern()); why == fit {
		weekly = append(weekly, e.level(kinds()[kind], t.date(last-week+1), t.date(last)))
	}
	for i := max(0, last-week+1); i <= last; i++ {
		if e, why := expect(t.daily(kind, i), dayPattern()); why == fit {
			days = append(days, e.level(kinds()[kind], t.date(i), t.date(i)))
		}
	}
	return weekly, days
}

// date returns the date of a day.
func (t *tally) date(day int) pipeline.Date { return t.first + pipeline.Date(day) }

// weeks returns the events of the week that ends with the day last, and of the
// weeks before it, newest first, each as it was known at its end.
func (t *tally) weeks(kind, last int) (out []int64) {
	for end := last; end-week+1 >= 0; end -= week {
		n := int64(0)
		for back := range week {
			n += t.within(end-back, kind, t.lag(last)+back)
		}
		out = append(out, n)
	}
	return out
}

// daily returns the events of a day and of those before it, newest first, each
// as it was known as many days later as the day itself is on the as-of date.
func (t *tally) daily(kind, day int) (out []int64) {
	for d := day; d >= 0; d-- {
		out = append(out, t.within(d, kind, t.lag(day)))
	}
	return out
}

// lag returns the days from a day to the as-of date.
func (t *tally) lag(day int) int { return int(t.asOf-t.first) - day }

// expectation is what is expected of a count, and the count.
type expectation struct {
	model
	usual  float64
	events int64
	habit  bool
}

func (e *expectation) level(name string, first, last pipeline.Date) Level {
	return Level{Type: name, First: first, Last: last, Events: e.events, Usual: e.usual, Expected: e.mean, Odds: e.odds(float64(e.events)), Habit: e.habit, model: e.model}
}

// pattern says how a series is looked at.
type pattern struct {
	step        int     // from a count to the next that is alike
	least       float64 // count that can be judged
	fewest, all int     // ratios that are needed, and that are looked at
}

// weekPattern and dayPattern are those of weeks and of days.
func weekPattern() pattern { return pattern{1, leastWeek, leastBacks, mostBacks} }
func dayPattern() pattern  { return pattern{week, leastDay, leastDays, mostDays} }

// needs returns how many counts there must be: the earliest that is looked at has
// its own counts to compare with.
func (p pattern) needs() int { return p.step*(leastWeeks+1) + p.fewest }

// fitness says whether a count can be judged, and else what it lacks.
type fitness int

const (
	fit     fitness = iota
	young           // there are too few counts before it
	rare            // so few events that a few less are no news
	erratic         // they stray too far for any pattern
)

// expect says what a series, newest first, lets expect of its newest count. usual
// is the median of the counts at distances of step; the ratios of earlier counts
// to their own medians show the trend and the spread that such ratios have. Counts
// nearer than step are left out, since they may be of the same trouble.
func expect(series []int64, p pattern) (e expectation, f fitness) {
	usual, ok := usualOf(series, 0, p.step)
	ratios := p.ratios(series)
	e.usual = usual
	if !ok || len(ratios) < p.fewest {
		return e, young
	}
	trend := min(max(median(slices.Clone(ratios)), 1/mostTrend), mostTrend)
	e = expectation{model{mean: usual * trend}, usual, series[0], false}
	if usual < p.least || e.mean < p.least {
		return e, rare
	}
	e.habit = habitual(float64(e.events)/usual, trend, ratios, p.step)
	for i := range ratios {
		ratios[i] = math.Abs(ratios[i]/trend - 1)
	}
	spread := max(spreadOf(ratios), leastSpread)
	e.dispersion = max(spread*spread-1/e.mean, leastSpread*leastSpread)
	if spread > mostSpread {
		return e, erratic
	}
	return e, fit
}

// ratios returns earlier counts over what was usual for them, newest first.
func (p pattern) ratios(series []int64) (out []float64) {
	for i := p.step; i < len(series) && len(out) < p.all; i++ {
		usual, ok := usualOf(series, i, p.step)
		if !ok {
			break
		}
		out = append(out, float64(series[i])/max(usual, 1))
	}
	return out
}

// mostTrend bounds the trend: beyond it, what is usual is no guide any more.
const mostTrend = 2.0

// habitual reports whether a ratio is one that comes back, such as that of the
// day of the month on which most payments are made: at least two earlier ones, no
// less than two steps apart, were about as far from the trend on the same side.
func habitual(ratio, trend float64, earlier []float64, step int) bool {
	const least = 0.01 // so that none at all has a logarithm
	off := func(r float64) float64 { return math.Log(max(r, least) / trend) }
	before := -1
	for i, r := range earlier {
		if off(r)/off(ratio) < 0.8 {
			continue
		}
		if before >= 0 && i-before >= 2*step {
			return true
		}
		if before < 0 {
			before = i
		}
	}
	return false
}

// spreadOf returns the standard deviation of a normal distribution with such
// absolute deviations: by their median, which outliers do not move, or by their
// 95th percentile if that is more, since a series that is far away on one day in
// ten, as payments are at the end of the month, does so by itself. Few deviations
// show it only roughly, hence the margin.
func spreadOf(deviations []float64) float64 {
	n := float64(len(deviations))
	middle := median(deviations) // sorts
	return max(1.4826*middle, deviations[int(0.95*(n-1))]/1.96) * (1 + 3/n)
}

// usualOf returns the median of the counts at distances of step before i.
func usualOf(series []int64, i, step int) (float64, bool) {
	var before []float64
	for j := i + step; j < len(series) && len(before) < usualWeeks; j += step {
		before = append(before, float64(series[j]))
	}
	return median(before), len(before) >= leastWeeks
}

// median sorts v and returns its median, 0 without elements.
func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// far returns the factor between the events and what is expected, 1 or more.
func (l *Level) far() float64 {
	n := max(float64(l.Events), 0.5) // so that none at all is a factor, too
	return max(n/l.Expected, l.Expected/n)
}

func (l *Level) judge(p Params, alpha float64) Status {
	fail := p.VolumeFailRatio
	if l.First == l.Last {
		fail = p.VolumeFailDayRatio
	}
	switch far := l.far(); {
	case l.Odds >= alpha || far < p.VolumeWarnRatio || l.Habit && float64(l.Events) > l.Expected:
		return OK
	case far < fail || l.Holiday || l.Habit: // what is lost again and again is no habit to be quiet about
		return Warn
	}
	return Fail
}

// unfit says what keeps all events together from being judged.
func (t *tally) unfit(last int) string {
	if last < 0 {
		return fmt.Sprintf("no event was known on %s", t.asOf)
	}
	weekly, ofWeeks := expect(t.weeks(numKinds-1, last), weekPattern())
	daily, ofDays := expect(t.daily(numKinds-1, last), dayPattern())
	if ofDays == young {
		return fmt.Sprintf("%d days of data are too few to know the weekly pattern; %d are needed", last+1, dayPattern().needs())
	}
	return fmt.Sprintf("%s; %s", ofWeeks.text(weekly, weekPattern(), "week"), ofDays.text(daily, dayPattern(), "day"))
}

// text says what a count of all events in a unit of time lacks.
func (f fitness) text(e expectation, p pattern, unit string) string {
	switch f {
	case young:
		return fmt.Sprintf("there are fewer than %d %ss", p.needs(), unit)
	case rare:
		return fmt.Sprintf("%.0f events a %s are usual, and %.0f are needed", e.usual, unit, p.least)
	}
	return fmt.Sprintf("the numbers of events a %s, of which %.0f are usual, stray too far to compare with", unit, e.usual)
}

// settled says which types were frequent within the last half year and are so no
// more: what was an alarm for weeks has become what is usual, and goes unjudged.
func (v *Volume) settled(t *tally, last int) {
	for k, name := range kinds() {
		if !slices.Contains(v.Rare, name) {
			continue
		}
		weeks, was := t.weeks(k, last), 0.0
		for i := range min(len(weeks), mostBacks) {
			if usual, ok := usualOf(weeks, i, 1); ok {
				was = max(was, usual)
			}
		}
		if was >= leastWeek && float64(weeks[0])*v.FailRatio < was {
			v.say(OK, "%s: %d events in the week to %s, where there were %.0f a week; so few have come for weeks that it is taken as usual, and not judged", name, weeks[0], t.date(last), was)
		}
	}
}

func (v *Volume) conclude(t *tally, last int) {
	if len(v.Levels) == 0 {
		v.say(Unmeasured, "%s: volumes are not judged", t.unfit(last))
		return
	}
	v.Status = OK
	odd := slices.DeleteFunc(slices.Clone(v.Levels), func(l Level) bool { return l.Status == OK })
	slices.SortStableFunc(odd, func(a, b Level) int { return cmp.Compare(b.far(), a.far()) })
	for _, s := range []Status{Fail, Warn} {
		for _, l := range odd {
			if l.Status == s {
				v.say(s, "%s", l)
			}
		}
	}
}

// String says what is odd about a level.
func (l Level) String() string {
	when := "on " + l.First.String()
	if l.First != l.Last {
		when = fmt.Sprintf("from %s to %s", l.First, l.Last)
	}
	text := fmt.Sprintf("%s %s: %d events, %.0f expected (%.0f to %.0f)", l.Type, when, l.Events, l.Expected, l.Low, l.High)
	if l.Holiday {
		text += ", a holiday"
	}
	if l.Habit {
		text += ", as it was before, more than once: taken as usual"
	}
	return text
}
