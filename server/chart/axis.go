package chart

import (
	"time"

	"churn/internal/figures"
)

// steps is the number of parts that an axis of numbers is divided into, at most.
const steps = 4

// Numbers returns an axis that holds the values, and begins and ends at a tick.
// Values that are not finite do not count.
func Numbers(values []float64, write figures.Format) (a Axis) {
	for _, v := range figures.Ticks(values, steps) {
		a.Ticks = append(a.Ticks, Tick{v, write(v)})
	}
	a.Min, a.Max = a.Ticks[0].At, a.Ticks[len(a.Ticks)-1].At
	return a
}

// mostDates is how many dates fit below a chart on a phone.
const mostDates = 4

// Day returns the place of a date on an axis of dates.
func Day(t time.Time) float64 { return float64(t.Unix()) / (24 * 60 * 60) }

// Dates returns the axis of dates in their order. Some are written, at even
// steps from the last one. around widens it on both sides, in days.
func Dates(dates []time.Time, around float64) Axis {
	if len(dates) == 0 {
		return Axis{Max: 1}
	}
	n := len(dates)
	a := Axis{Min: Day(dates[0]) - around, Max: Day(dates[n-1]) + around}
	if a.Min == a.Max {
		a.Min, a.Max = a.Min-1, a.Max+1
	}
	layout := "2 Jan"
	if dates[0].Year() != dates[n-1].Year() {
		layout = "2 Jan 06"
	}
	step := max((n+mostDates-1)/mostDates, 1)
	for i := (n - 1) % step; i < n; i += step {
		a.Ticks = append(a.Ticks, Tick{Day(dates[i]), dates[i].Format(layout)})
	}
	return a
}

// share returns where a value lies between the ends of an axis, from 0 to 1.
func (a Axis) share(v float64) float64 {
	if !(a.Max > a.Min) {
		return 0.5
	}
	return min(max((v-a.Min)/(a.Max-a.Min), 0), 1)
}
