package chart

import (
	"slices"
	"strconv"
	"strings"

	"churn/internal/figures"
)

// Drawing is a chart as a template needs it: all places in percent of the plot,
// from its top left corner.
type Drawing struct {
	Alt      string
	XLabels  []Label
	YLabels  []Label
	Bars     []Rect
	Paths    []Path
	Whiskers []Whisker
	Dots     []Dot
	Legend   []Entry
}

// Label is text beside an axis.
type Label struct {
	At, Text string
	Anchor   string // start, middle or end
}

// Rect is a bar.
type Rect struct{ X, Y, Width, Height, Ink, Tip string }

// Path is a line through points, or the area of their intervals, in a box of 100
// by 100.
type Path struct{ D, Ink, Style string }

// Whisker is the interval of one point.
type Whisker struct{ X, Top, Bottom, Ink string }

// Dot is a point.
type Dot struct {
	X, Y, Ink string
	Hollow    bool
	Tip       string
}

// Entry is a line of the legend.
type Entry struct{ Name, Ink, Style string }

// Draw returns the geometry of a chart.
func (c Chart) Draw() Drawing {
	d := Drawing{Alt: c.Alt}
	for _, t := range c.Y.Ticks {
		d.YLabels = append(d.YLabels, Label{At: percent(1 - c.Y.share(t.At)), Text: t.Text})
	}
	for _, t := range c.X.Ticks {
		at := c.X.share(t.At)
		d.XLabels = append(d.XLabels, Label{percent(at), t.Text, anchor(at)})
	}
	for _, b := range c.Bars {
		d.Bars = append(d.Bars, c.rect(b))
	}
	for _, s := range c.Series {
		c.series(&d, s)
	}
	return d
}

// anchor keeps text within the drawing.
func anchor(at float64) string {
	switch {
	case at < 0.08:
		return "start"
	case at > 0.92:
		return "end"
	}
	return "middle"
}

func (c Chart) rect(b Bar) Rect {
	left, right := c.X.share(b.From), c.X.share(b.To)
	top, bottom := 1-c.Y.share(b.Top), 1-c.Y.share(b.Base)
	return Rect{X: percent(left), Y: percent(top), Width: percent(right - left), Height: percent(bottom - top), Ink: b.Ink, Tip: b.Tip}
}

// series draws the interval, the line and the points of a series. What is not a
// number is left out.
func (c Chart) series(d *Drawing, s Series) {
	d.Legend = append(d.Legend, Entry{s.Name, s.Ink, string(s.Style)})
	intervals := false
	s.Points = slices.DeleteFunc(slices.Clone(s.Points), func(p Point) bool { return !figures.Finite(p.X) || !figures.Finite(p.Y) })
	for _, p := range s.Points {
		intervals = intervals || p.Low != p.High
		x := percent(c.X.share(p.X))
		if s.Style == Dots && p.Low != p.High {
			d.Whiskers = append(d.Whiskers, Whisker{x, percent(1 - c.Y.share(p.High)), percent(1 - c.Y.share(p.Low)), s.Ink})
		}
		if p.Tip != "" || s.Style == Dots {
			d.Dots = append(d.Dots, Dot{x, percent(1 - c.Y.share(p.Y)), s.Ink, p.Hollow, p.Tip})
		}
	}
	if s.Style == Dots || len(s.Points) < 2 {
		return
	}
	if intervals {
		d.Paths = append(d.Paths, Path{c.band(s.Points), s.Ink, "band"})
	}
	var line strings.Builder
	for i, p := range s.Points {
		c.step(&line, i == 0, p.X, p.Y)
	}
	d.Paths = append(d.Paths, Path{line.String(), s.Ink, string(s.Style)})
}

// band is the outline of the intervals: their ends forth, their begins back.
func (c Chart) band(points []Point) string {
	var out strings.Builder
	for i, p := range points {
		c.step(&out, i == 0, p.X, p.High)
	}
	for i := len(points) - 1; i >= 0; i-- {
		c.step(&out, false, points[i].X, points[i].Low)
	}
	out.WriteByte('Z')
	return out.String()
}

func (c Chart) step(out *strings.Builder, first bool, x, y float64) {
	command := byte('L')
	if first {
		command = 'M'
	}
	out.WriteByte(command)
	out.WriteString(places(c.X.share(x)))
	out.WriteByte(' ')
	out.WriteString(places(1 - c.Y.share(y)))
}

func percent(share float64) string { return places(share) + "%" }

// places writes a share of 100 to a hundredth: a tenth of a pixel on a wide
// screen.
func places(share float64) string {
	text := strconv.FormatFloat(100*share, 'f', 2, 64)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}
