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
	Rare         []string `json:"too_rare,omitempty"` // types with too few events to judge
	Levels       []Level  `json:"levels"`             // weeks first, then days
}

const (
	usualWeeks = 8   // as in validation
	leastWeeks = 4   // with fewer, a median says too little
	leastUsual = 5.0 // events: below, a count of 0 is no news
	leastDays  = 14  // ratios of days behind trend and spread
	mostDays   = 56  // eight weeks of them
	leastBacks = 5   // ratios of weeks
	mostBacks  = 26
	// leastSpread is the least relative standard deviation that is believed: no
	// portal is as regular as a few quiet weeks can look.
	leastSpread = 0.05
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
			l.Holiday = l.Holiday || p.isHoliday(d)
		}
		l.Low, l.High = l.model.band(alpha)
		l.Status = l.judge(p, alpha)
	}
	v.conclude(len(t.days))
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
	name, date := kinds()[kind], func(i int) pipeline.Date { return t.first + pipeline.Date(i) }
	if e, n, ok := expect(t.weeks(kind, last), 1, leastBacks, mostBacks); ok {
		weekly = append(weekly, Level{Type: name, First: date(last - week + 1), Last: date(last), Events: n, Usual: e.usual, Expected: e.mean, Odds: e.odds(float64(n)), model: e.model})
	}
	for i := last - week + 1; i <= last && i >= 0; i++ {
		if e, n, ok := expect(t.daily(kind, i, last), week, leastDays, mostDays); ok {
			days = append(days, Level{Type: name, First: date(i), Last: date(i), Events: n, Usual: e.usual, Expected: e.mean, Odds: e.odds(float64(n)), model: e.model})
		}
	}
	return weekly, days
}

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
// as it was known as many days later as the present day is on the as-of date.
// The days between it and its week's first day are left out: they are judged too.
func (t *tally) daily(kind, day, last int) (out []int64) {
	lag := t.lag(day)
	out = append(out, t.within(day, kind, lag))
	for d := day - 1; d >= 0; d-- {
		out = append(out, t.within(d, kind, lag))
	}
	return out
}

// lag returns the days from a day to the as-of date.
func (t *tally) lag(day int) int { return int(t.asOf-t.first) - day }

// expectation is what is expected of a count.
type expectation struct {
	model
	usual float64
}

// expect returns the newest count of a series, and what the others say of it.
// usual is the median of the counts at distances of step, and the ratios of
// earlier counts to their own medians show the trend and the spread that such
// ratios have; only counts from step on are used for it.
func expect(series []int64, step, least, most int) (e expectation, n int64, ok bool) {
	usual, ok := usualOf(series, 0, step)
	if !ok || usual < leastUsual {
		return e, 0, false
	}
	var ratios []float64
	for i := step; i < len(series) && len(ratios) < most; i++ {
		if u, ok := usualOf(series, i, step); ok && u > 0 {
			ratios = append(ratios, float64(series[i])/u)
		}
	}
	if len(ratios) < least {
		return e, 0, false
	}
	trend := median(slices.Clone(ratios))
	if trend <= 0 {
		return e, 0, false
	}
	for i := range ratios {
		ratios[i] = math.Abs(ratios[i]/trend - 1)
	}
	mean := usual * trend
	// 1.4826 makes the median of deviations the standard deviation of a normal
	// distribution; few ratios show it only roughly, hence the margin.
	spread := max(1.4826*median(ratios)*(1+3/float64(len(ratios))), leastSpread)
	return expectation{model{mean, max(spread*spread-1/mean, leastSpread*leastSpread)}, usual}, series[0], true
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
	case l.Odds >= alpha || far < p.VolumeWarnRatio:
		return OK
	case far < fail || l.Holiday:
		return Warn
	}
	return Fail
}

func (v *Volume) conclude(days int) {
	if len(v.Levels) == 0 {
		v.say(Unmeasured, "%d days of data are too few to know the weekly pattern, or there are too few events: volumes are not judged", days)
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
	return text
}
