// Package chart turns numbers into the geometry of small charts, which a page's
// template draws as SVG.
//
// Horizontal places are percentages of the width that the page has, so that on a
// phone the drawing gets narrower while text, points and lines keep their size.
// A drawing needs neither script nor inline style: inks are classes of the style
// sheet, which knows light and dark.
package chart

// Style is how a series is drawn, so that colour is never the only difference.
type Style string

// The styles.
const (
	Solid  Style = "solid"
	Dashed Style = "dashed"
	Dots   Style = "dots" // points without a line
)

// Point is a value, with its interval unless Low and High are equal.
type Point struct {
	X, Y      float64
	Low, High float64
	Hollow    bool
	Tip       string // what is said when it is pointed at; "" = it has no mark of its own
}

// Series is points from left to right.
type Series struct {
	Name   string
	Ink    string // class of the style sheet
	Style  Style
	Points []Point
}

// Bar is a rectangle in data coordinates.
type Bar struct {
	From, To  float64 // along x
	Base, Top float64
	Ink       string
	Tip       string
}

// Tick is a marked place on an axis.
type Tick struct {
	At   float64
	Text string
}

// Axis is a direction of a chart.
type Axis struct {
	Min, Max float64
	Ticks    []Tick
}

// Chart is a drawing in data coordinates.
type Chart struct {
	Alt    string // what it shows, for those who cannot see it
	X, Y   Axis
	Bars   []Bar
	Series []Series
}
