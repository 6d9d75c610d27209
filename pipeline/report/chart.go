package report

import (
	"bytes"
	"fmt"
	"html/template"
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"churn/internal/figures"
)

// This file alone knows the plotting library.

// ink is a colour by its role; the style sheet says what it looks like by day,
// by night and on paper.
type ink int

// The inks. The names in the style sheet follow in inkNames.
const (
	inkModel ink = iota
	inkRule
	inkObserved
	inkQuiet // diagonals and other lines to compare with
	inkText
	inkGrid
	inkGap
)

func inkNames() []string {
	return []string{"model", "rule", "observed", "quiet", "text", "grid", "gap"}
}

// String returns the name in the style sheet.
func (k ink) String() string { return inkNames()[k] }

// full and pale are placeholders that element replaces by the variable of the
// style sheet; pale is for areas that others must shine through. Both are opaque
// here, since the library rounds colours that are not.
func (k ink) full() color.NRGBA { return color.NRGBA{0xC0, 0xDE, uint8(k), 255} }
func (k ink) pale() color.NRGBA { return color.NRGBA{0xC0, 0xDF, uint8(k), 255} }

// style is how a series is drawn, so that colour is never the only difference.
type style int

const (
	solid  style = iota // a line, its interval as a band
	dashed              // the same, dashed
	dotted              // the same, dotted
	discs               // round points with whiskers
	boxes               // square points with whiskers
)

func (s style) String() string {
	return [...]string{"solid", "dashed", "dotted", "discs", "boxes"}[s]
}

func (s style) isLine() bool { return s <= dotted }

// dashes returns lengths of line and gap in points.
func (s style) dashes() []vg.Length {
	switch s {
	case dashed:
		return []vg.Length{6, 4}
	case dotted:
		return []vg.Length{1.5, 3}
	}
	return nil
}

// point is a value with its interval; low and high are NaN where there is none.
type point struct{ x, y, low, high float64 }

// bare is a point without an interval.
func bare(x, y float64) point { return point{x, y, math.NaN(), math.NaN()} }

func (p point) drawable() bool { return figures.Finite(p.x) && figures.Finite(p.y) }
func (p point) interval() bool { return figures.Finite(p.low) && figures.Finite(p.high) }

// series is one set of points with its entry in the legend.
type series struct {
	name  string
	ink   ink
	style style
	at    []point
}

// span is a horizontal bar that reaches half its height above and below y.
type span struct {
	y, half  float64
	from, to float64
	ink      ink
}

// tick is a marked place on an axis.
type tick struct {
	at   float64
	text string
}

// axis is a direction of a chart. min = max: from the ticks.
type axis struct {
	label    string
	min, max float64
	ticks    []tick
}

// caption is text inside a chart that begins at x and stands on y.
type caption struct {
	x, y float64
	text string
}

// chart is a drawing in data coordinates.
type chart struct {
	alt      string // what it shows, for those who cannot see it
	x, y     axis
	series   []series
	across   bool // intervals lie along x instead of y
	spans    []span
	captions []caption
	height   float64 // in points, 0 = usual
}

// The size of a chart in points, and of its text. The page scales charts to
// the width that it has.
const (
	chartWidth  = 420
	chartHeight = 290
	textSize    = 13
)

// svg draws the chart as an element for the page.
func (c chart) svg() template.HTML {
	p := plot.New()
	p.BackgroundColor = nil
	c.x.apply(&p.X)
	c.y.apply(&p.Y)
	p.Add(c.grid())
	for _, s := range c.spans {
		p.Add(s.polygon())
	}
	for _, s := range c.series {
		p.Add(s.plotters(c.across)...)
	}
	p.Add(c.texts(p.X.Tick.Label))
	c.x.limit(&p.X) // Add has widened them
	c.y.limit(&p.Y)
	height := vg.Length(c.height)
	if height == 0 {
		height = chartHeight
	}
	canvas := vgsvg.New(chartWidth, height)
	p.Draw(draw.Crop(draw.New(canvas), 2, -8, 2, -4)) // room for the halves of the last labels
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		panic("report: writing into memory failed")
	}
	return c.element(b.String(), float64(height))
}

// element puts the drawing into an element of the page: without sizes and
// fonts, which the page gives, and with inks for the placeholders.
func (c chart) element(svg string, height float64) template.HTML {
	_, drawing, _ := strings.Cut(svg[strings.Index(svg, "<svg"):], ">\n")
	replace := []string{"font-family:Liberation Sans;font-variant:normal;font-weight:normal;font-style:normal;", "", "\n\t", " "}
	for k, name := range inkNames() {
		replace = append(replace, fmt.Sprintf(":#C0DE%02X", k), ":var(--"+name+")", fmt.Sprintf(":#C0DF%02X", k), ":var(--"+name+");fill-opacity:.18")
	}
	alt := template.HTMLEscapeString(c.alt)
	head := fmt.Sprintf(`<svg viewBox="0 0 %d %g" role="img" aria-label="%s"><title>%s</title>`, chartWidth, height, alt, alt)
	return template.HTML(head + strings.NewReplacer(replace...).Replace(drawing))
}

// apply gives an axis its look.
func (a axis) apply(to *plot.Axis) {
	face := font.Font{Typeface: "Liberation", Variant: "Sans", Size: textSize}
	to.Label.Text, to.Label.TextStyle.Font, to.Label.TextStyle.Color = a.label, face, inkText.full()
	to.Label.Padding = 3
	to.Tick.Label.Font, to.Tick.Label.Color = face, inkText.full()
	to.Tick.LineStyle.Color, to.Tick.LineStyle.Width, to.Tick.Length, to.Padding = inkGrid.full(), 0.8, 5, 0
	to.LineStyle.Color, to.LineStyle.Width = inkQuiet.full(), 0.8
	var ticks plot.ConstantTicks
	for _, t := range a.ticks {
		ticks = append(ticks, plot.Tick{Value: t.at, Label: t.text})
	}
	to.Tick.Marker = ticks
	a.limit(to)
}

// limit sets the ends of an axis.
func (a axis) limit(to *plot.Axis) {
	to.Min, to.Max = a.ends()
}

func (a axis) ends() (low, high float64) {
	if a.min < a.max {
		return a.min, a.max
	}
	if n := len(a.ticks); n > 1 {
		return a.ticks[0].at, a.ticks[n-1].at
	}
	return a.min - 1, a.max + 1
}

// grid draws a line at every tick: across rows, where there are rows.
func (c chart) grid() plot.Plotter {
	line := draw.LineStyle{Color: inkGrid.full(), Width: 0.8}
	g := plotter.NewGrid()
	g.Vertical, g.Horizontal = line, line
	if !c.across && len(c.spans) == 0 {
		g.Vertical.Width = 0
	}
	if len(c.spans) > 0 {
		g.Horizontal.Width = 0
	}
	return g
}

func (s span) polygon() plot.Plotter {
	low, high := s.y-s.half, s.y+s.half
	return &plotter.Polygon{XYs: []plotter.XYs{{{X: s.from, Y: low}, {X: s.to, Y: low}, {X: s.to, Y: high}, {X: s.from, Y: high}}}, Color: s.ink.full()}
}

// plotters draws the interval first, so that the values lie on top.
func (s series) plotters(across bool) (out []plot.Plotter) {
	var values plotter.XYs
	for _, p := range s.at {
		if p.drawable() {
			values = append(values, plotter.XY{X: p.x, Y: p.y})
		}
	}
	if len(values) == 0 {
		return nil
	}
	if s.style.isLine() && len(values) > 1 {
		return append(s.band(), &plotter.Line{XYs: values, LineStyle: draw.LineStyle{Color: s.ink.full(), Width: 2, Dashes: s.style.dashes()}})
	}
	shape := draw.GlyphDrawer(draw.CircleGlyph{})
	if s.style == boxes {
		shape = draw.BoxGlyph{}
	}
	return append(s.whiskers(across), &plotter.Scatter{XYs: values, GlyphStyle: draw.GlyphStyle{Color: s.ink.full(), Radius: 4, Shape: shape}})
}

// band is the area of the intervals.
func (s series) band() []plot.Plotter {
	var around plotter.XYs
	for _, p := range s.at {
		if p.drawable() && p.interval() {
			around = append(around, plotter.XY{X: p.x, Y: p.high})
		}
	}
	for i := len(s.at) - 1; i >= 0; i-- {
		if p := s.at[i]; p.drawable() && p.interval() {
			around = append(around, plotter.XY{X: p.x, Y: p.low})
		}
	}
	if len(around) < 4 {
		return nil
	}
	return []plot.Plotter{&plotter.Polygon{XYs: []plotter.XYs{around}, Color: s.ink.pale()}}
}

// whiskers are the intervals of single points.
func (s series) whiskers(across bool) (out []plot.Plotter) {
	for _, p := range s.at {
		if !p.drawable() || !p.interval() {
			continue
		}
		line := plotter.XYs{{X: p.x, Y: p.low}, {X: p.x, Y: p.high}}
		if across {
			line = plotter.XYs{{X: p.low, Y: p.y}, {X: p.high, Y: p.y}}
		}
		out = append(out, &plotter.Line{XYs: line, LineStyle: draw.LineStyle{Color: s.ink.full(), Width: 1.4}})
	}
	return out
}

// texts draws the captions.
func (c chart) texts(like draw.TextStyle) plot.Plotter {
	like.XAlign, like.YAlign = draw.XLeft, draw.YBottom
	out := &plotter.Labels{Offset: vg.Point{X: 3}}
	for _, t := range c.captions {
		out.XYs = append(out.XYs, plotter.XY{X: t.x, Y: t.y})
		out.Labels = append(out.Labels, t.text)
		out.TextStyle = append(out.TextStyle, like)
	}
	return out
}
