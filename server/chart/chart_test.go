package chart

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"churn/internal/figures"
)

// An axis holds its values, begins and ends at a tick, and has a readable number
// of them.
func TestNumbersHoldTheValues(t *testing.T) {
	for _, values := range [][]float64{{0, 0.66}, {-300, 240}, {0, 0}, {5, 5}, {1e-9, 3e-9}, {0, 1e12}, {}, {math.NaN(), 2}, {math.Inf(1)}} {
		a := Numbers(values, figures.Plain)
		n := len(a.Ticks)
		if n < 2 || n > steps+3 || a.Ticks[0].At != a.Min || math.Abs(a.Ticks[n-1].At-a.Max) > 1e-9*math.Abs(a.Max) {
			t.Errorf("%v: axis %v to %v with %d ticks", values, a.Min, a.Max, n)
		}
		for _, v := range values {
			if figures.Finite(v) && (v < a.Min || v > a.Max) {
				t.Errorf("%v lies outside of %v to %v", v, a.Min, a.Max)
			}
		}
	}
}

// The last date is always named, and no more than fit.
func TestDates(t *testing.T) {
	start := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	for n := range 40 {
		var dates []time.Time
		for k := range n {
			dates = append(dates, start.AddDate(0, 0, 7*k))
		}
		a := Dates(dates, 0)
		if !(a.Max > a.Min) || len(a.Ticks) > mostDates {
			t.Errorf("%d dates: %+v", n, a)
		}
		if n > 0 && a.Ticks[len(a.Ticks)-1].At != Day(dates[n-1]) {
			t.Errorf("%d dates: the last is not named: %+v", n, a.Ticks)
		}
	}
	if got := Dates([]time.Time{start, start.AddDate(1, 0, 0)}, 0).Ticks[0].Text; got != "2 Nov 26" {
		t.Errorf("over two years: %s", got)
	}
}

// outside returns the places of a drawing that are none.
func outside(d Drawing) (out []string) {
	check := func(texts ...string) {
		for _, text := range texts {
			v, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
			if err != nil || !(v >= 0 && v <= 100) || len(text) > 7 {
				out = append(out, text)
			}
		}
	}
	for _, l := range append(d.XLabels, d.YLabels...) {
		check(l.At)
	}
	for _, b := range d.Bars {
		check(b.X, b.Y, b.Width, b.Height)
	}
	for _, w := range d.Whiskers {
		check(w.X, w.Top, w.Bottom)
	}
	for _, p := range d.Dots {
		check(p.X, p.Y)
	}
	for _, p := range d.Paths {
		check(strings.FieldsFunc(p.D, func(r rune) bool { return strings.ContainsRune("MLZ ", r) })...)
	}
	return out
}

// Whatever the numbers are, every place lies in the plot.
func TestPlacesLieInThePlot(t *testing.T) {
	points := []Point{{X: -5, Y: 2, Low: 1, High: 3, Tip: "a"}, {X: 0.3333333, Y: 1e300, Low: -1e300, High: 1e300}, {X: 1, Y: math.NaN()}, {X: math.Inf(1), Y: 0.5, Tip: "b"}}
	for name, c := range map[string]Chart{
		"usual":   {X: Axis{Min: 0, Max: 1, Ticks: []Tick{{0, "0"}, {1, "1"}}}, Y: Numbers([]float64{0, 3}, figures.Plain), Series: []Series{{Style: Solid, Points: points}, {Style: Dots, Points: points}}, Bars: []Bar{{From: -1, To: 9, Top: 7}}},
		"no axis": {Series: []Series{{Style: Dashed, Points: points}}, Bars: []Bar{{To: 1, Top: 1}}},
		"empty":   {},
	} {
		if bad := outside(c.Draw()); len(bad) > 0 {
			t.Errorf("%s: %q", name, bad)
		}
	}
}

func TestDraw(t *testing.T) {
	c := Chart{X: Axis{Min: 0, Max: 4}, Y: Axis{Min: 0, Max: 10}, Series: []Series{{Name: "risk", Ink: "model", Style: Solid, Points: []Point{{X: 0, Y: 10, Low: 9, High: 10}, {X: 2, Y: 5, Low: 4, High: 6, Tip: "x"}}}},
		Bars: []Bar{{From: 1, To: 2, Top: 5}}}
	d := c.Draw()
	if len(d.Paths) != 2 || d.Paths[0].D != "M0 0L50 40L50 60L0 10Z" || d.Paths[1].D != "M0 0L50 50" {
		t.Errorf("paths %+v", d.Paths)
	}
	if len(d.Dots) != 1 || d.Dots[0] != (Dot{"50%", "50%", "model", false, "x"}) {
		t.Errorf("dots %+v", d.Dots)
	}
	if d.Bars[0] != (Rect{X: "25%", Y: "50%", Width: "25%", Height: "50%"}) {
		t.Errorf("bars %+v", d.Bars)
	}
	if len(d.Legend) != 1 || len(d.Whiskers) != 0 {
		t.Errorf("%+v", d)
	}
}
