package monitor

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/sajari/regression"
	"gonum.org/v1/gonum/stat/distuv"

	"churn/model/profile"
	"churn/pipeline"
)

// TrendParams say which trends are worth a line.
type TrendParams struct {
	Confidence  float64 `mapstructure:"confidence"`   // of the intervals; 1 - Confidence is the share of chance among the trends that are stated
	HorizonDays int     `mapstructure:"horizon_days"` // a limit that the line reaches later is not spoken of
	MinPoints   int     `mapstructure:"min_points"`   // dates below which there is no trend
	Dates       int     `mapstructure:"dates"`        // latest as-of dates that a line of drift or scores is drawn through
}

// DefaultTrend returns the built-in settings.
func DefaultTrend() TrendParams {
	return TrendParams{Confidence: 0.95, HorizonDays: 60, MinPoints: 6, Dates: 26}
}

// Validate returns all faults, each with its key.
func (p TrendParams) Validate() error {
	var errs []error
	if !(p.Confidence >= 0.5 && p.Confidence < 1) {
		errs = append(errs, fmt.Errorf("monitor.trend.confidence: %v is out of range; use 0.5 or more, below 1", p.Confidence))
	}
	if p.HorizonDays < 1 || p.HorizonDays > 3650 {
		errs = append(errs, fmt.Errorf("monitor.trend.horizon_days: %d is out of range; use 1 to 3650 days", p.HorizonDays))
	}
	if p.MinPoints < 4 || p.MinPoints > 1000 {
		errs = append(errs, fmt.Errorf("monitor.trend.min_points: %d is out of range; use 4 to 1000 dates", p.MinPoints))
	}
	if p.Dates < p.MinPoints || p.Dates > 1000 {
		errs = append(errs, fmt.Errorf("monitor.trend.dates: %d is out of range; use monitor.trend.min_points (%d) to 1000 dates", p.Dates, p.MinPoints))
	}
	return errors.Join(errs...)
}

// Point is the value of a series on a date.
type Point struct {
	Date  pipeline.Date `json:"date"`
	Value float64       `json:"value"`
}

// Series is a figure that is monitored over time.
type Series struct {
	Name   string  // as people read it: "PSI of watch_minutes_30d"
	Points []Point // by rising date, one a date; those that are NaN do not count
	Limit  float64 // from which, rising or falling, it would be an alarm; NaN = none
	// SharedDays is the number of days of data that go into one value. Values
	// whose dates lie closer share some of them, and are alike for it.
	SharedDays int
}

// Trend is the straight line through a series.
type Trend struct {
	Series    string        `json:"series"`
	From      pipeline.Date `json:"from"`
	To        pipeline.Date `json:"to"`
	Points    int           `json:"points"`
	Level     float64       `json:"level"` // of the line on the last date
	Slope     float64       `json:"slope"` // a day
	SlopeLow  float64       `json:"slope_low"`
	SlopeHigh float64       `json:"slope_high"`
	P         float64       `json:"p_value"`       // of a slope of 0
	Real      bool          `json:"beyond_chance"` // by Benjamini and Hochberg over the series that were asked together
	Crossing  *Crossing     `json:"crossing,omitempty"`
	Text      string        `json:"text,omitempty"` // a sentence, where there is a crossing, or a trend and no limit
	Note      string        `json:"note,omitempty"` // why there is no line
}

// Crossing is when the line reaches the limit of its series, in days after the
// last date.
type Crossing struct {
	Limit float64 `json:"limit"`
	Days  float64 `json:"days"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Trends draws the line through every series, by github.com/sajari/regression,
// and says which slopes are beyond chance and when their lines reach a limit.
//
// Values on dates that lie close are alike, since their windows overlap, so that
// the errors of ordinary least squares would find trends where there are none. Two
// estimates of the covariance know of that, and the one with the wider slope is
// taken:
//
//   - that of Newey and West (Econometrica 55, 1987), with Bartlett weights up to
//     the last lag that shares data, and no fewer lags than their rule of thumb
//     4·(n/100)^(2/9) (Rev. Econ. Stud. 61, 1994), which takes the likeness from
//     the residuals, however it came about;
//   - that of windows over independent days, whose values are correlated by the
//     share of the days that they have in common: exact where that is all, and
//     steady on the few dates on which the former is too low.
//
// Intervals are Student's, with n-2 degrees of freedom or, of overlapping windows,
// with those of Satterthwaite (1946). The time of the crossing is a ratio of two
// estimates, and has the interval of Fieller (J. R. Stat. Soc. B 16, 1954). A line
// is no law: what lies ahead of the last date assumes that all goes on as before.
func Trends(all []Series, p TrendParams) []Trend {
	lines, out := make([]line, len(all)), make([]Trend, len(all))
	var chance []float64
	var fitted []int
	for i, s := range all {
		out[i], lines[i] = p.fit(s)
		if out[i].Note == "" {
			chance, fitted = append(chance, out[i].P), append(fitted, i)
		}
	}
	for k, moved := range profile.Discoveries(chance, 1-p.Confidence) {
		i := fitted[k]
		switch out[i].Real = moved; {
		case moved && math.IsNaN(all[i].Limit):
			out[i].Text = out[i].pace()
		case moved:
			p.cross(&out[i], all[i].Limit, lines[i])
		}
	}
	return out
}

// fit draws the line through one series.
func (p TrendParams) fit(s Series) (Trend, line) {
	t := Trend{Series: s.Name, From: pipeline.NoDate, To: pipeline.NoDate, P: 1}
	points := slices.DeleteFunc(slices.Clone(s.Points), func(x Point) bool { return math.IsNaN(x.Value) || math.IsInf(x.Value, 0) })
	t.Points = len(points)
	if len(points) > 0 {
		t.From, t.To = points[0].Date, points[len(points)-1].Date
	}
	if len(points) < p.MinPoints {
		t.Note = fmt.Sprintf("%d dates are too few for a trend (monitor.trend.min_points is %d)", len(points), p.MinPoints)
		return t, line{}
	}
	l, err := fitLine(points, s.SharedDays)
	if err != nil {
		t.Note = err.Error()
		return t, l
	}
	quantile := l.student().Quantile((1 + p.Confidence) / 2)
	half := quantile * math.Sqrt(l.covariance[1][1])
	t.Level, t.Slope, t.SlopeLow, t.SlopeHigh, t.P = l.level, l.slope, l.slope-half, l.slope+half, l.p()
	return t, l
}

// cross adds when the line reaches the limit, if that is soon.
func (p TrendParams) cross(t *Trend, limit float64, l line) {
	days := (limit - l.level) / l.slope
	if !(days > 0 && days <= float64(p.HorizonDays)) {
		return
	}
	low, high, ok := l.fieller(limit, l.student().Quantile((1+p.Confidence)/2))
	if !ok {
		return
	}
	t.Crossing = &Crossing{Limit: limit, Days: days, Low: max(0, low), High: high}
	t.Text = fmt.Sprintf("%s reaches %.3g in about %s (%.0f to %.0f)", t.Series, limit, inDays(days), t.Crossing.Low, high)
}

// pace says how fast a series without a limit moves.
func (t *Trend) pace() string {
	verb, low, high := "rises", t.SlopeLow, t.SlopeHigh
	if t.Slope < 0 {
		verb, low, high = "falls", -t.SlopeHigh, -t.SlopeLow
	}
	return fmt.Sprintf("%s %s by %.2g a week (%.2g to %.2g)", t.Series, verb, 7*math.Abs(t.Slope), 7*low, 7*high)
}

func inDays(days float64) string {
	if n := math.Round(days); n != 1 {
		return fmt.Sprintf("%.0f days", n)
	}
	return "1 day"
}

// line is level + slope·t, with t in days after the last date.
type line struct {
	level, slope float64
	covariance   [2][2]float64 // of level and slope
	freedom      float64       // degrees
}

func (l line) student() distuv.StudentsT { return distuv.StudentsT{Sigma: 1, Nu: l.freedom} }

// p returns the chance of such a slope where there is none.
func (l line) p() float64 {
	switch {
	case l.slope == 0:
		return 1
	case l.covariance[1][1] == 0: // all points lie on the line
		return 0
	}
	return 2 * l.student().Survival(math.Abs(l.slope)/math.Sqrt(l.covariance[1][1]))
}

// fieller returns the times at which the limit lies within so many standard errors
// of the line: a finite interval if the slope is as many of its own from 0.
func (l line) fieller(limit, quantile float64) (low, high float64, ok bool) {
	square, gap, v := quantile*quantile, l.level-limit, l.covariance
	a := l.slope*l.slope - square*v[1][1]
	b := gap*l.slope - square*v[0][1]
	c := gap*gap - square*v[0][0]
	root := b*b - a*c
	if !(a > 0) || !(root >= 0) {
		return 0, 0, false
	}
	return (-b - math.Sqrt(root)) / a, (-b + math.Sqrt(root)) / a, true
}

// leastSpread is the spread of values, relative to their size, below which they
// are equal but for rounding.
const leastSpread = 1e-12

// fitLine fits by least squares. points are three or more, by rising date.
func fitLine(points []Point, sharedDays int) (line, error) {
	last := points[len(points)-1].Date
	var r regression.Regression
	days, values := make([]float64, len(points)), make([]float64, len(points))
	for i, x := range points {
		days[i], values[i] = float64(x.Date-last), x.Value
		r.Train(regression.DataPoint(x.Value, []float64{days[i]}))
	}
	if spread := slices.Max(values) - slices.Min(values); spread <= leastSpread*math.Abs(values[0]) {
		return line{level: values[0], freedom: float64(len(points) - 2)}, nil
	}
	if err := r.Run(); err != nil {
		return line{}, fmt.Errorf("fit a line: %w", err)
	}
	l := line{level: r.Coeff(0), slope: r.Coeff(1)}
	if math.IsNaN(l.level) || math.IsInf(l.slope, 0) {
		return line{}, errors.New("the dates do not tell a line")
	}
	d := design{days: days, residuals: make([]float64, len(points))}
	for i, x := range days {
		d.residuals[i] = values[i] - (l.level + l.slope*x)
	}
	l.covariance, l.freedom = d.errors(float64(sharedDays))
	return l, nil
}
