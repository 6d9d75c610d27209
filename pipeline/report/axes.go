package report

import (
	"churn/internal/figures"
	"churn/pipeline"
)

// shares is the axis of a share of everything.
func shares(label string) axis {
	a := axis{label: label, max: 1}
	for k := range 6 {
		a.ticks = append(a.ticks, tick{float64(k) / 5, figures.Percent(float64(k) / 5)})
	}
	return a
}

// wanted is the number of steps that an axis is divided into, more or less.
const wanted = 5

// numbers is an axis that holds the values and begins and ends at a tick.
// Values that are not finite do not count.
func numbers(label string, values []float64, write func(float64) string) axis {
	a := axis{label: label}
	for _, v := range figures.Ticks(values, wanted) {
		a.ticks = append(a.ticks, tick{v, write(v)})
	}
	a.min, a.max = a.ticks[0].at, a.ticks[len(a.ticks)-1].at
	return a
}

// mostDates is how many written dates fit below a chart, and margin the share
// of its width that stays free on either side.
const (
	mostDates = 4
	margin    = 0.02
)

// calendar is the axis of the dates, which are in their order. Some are
// written, at even steps from the last one.
func calendar(label string, dates []pipeline.Date) axis {
	a := axis{label: label}
	if len(dates) == 0 {
		return a
	}
	n := len(dates)
	step := max((n+mostDates-1)/mostDates, 1)
	for i := (n - 1) % step; i < n; i += step {
		a.ticks = append(a.ticks, tick{float64(dates[i]), dates[i].String()})
	}
	first, last := float64(dates[0]), float64(dates[n-1])
	a.min, a.max = first-margin*(last-first), last+margin*(last-first) // so that no point lies on an edge
	return a
}

// rows is the axis of named rows, the first at the top: row i lies at -i.
func rows(names []string) axis {
	n := len(names)
	a := axis{min: 0.5 - float64(n), max: 0.5}
	for i, name := range names {
		a.ticks = append(a.ticks, tick{-float64(i), short(name, 24)})
	}
	return a
}
