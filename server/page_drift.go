package server

import (
	"cmp"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"churn/internal/figures"
	"churn/server/chart"
)

// driftView is the page about how users have moved from those that the model has
// learned from.
type driftView struct {
	Latest   *Drift // nil = nobody has looked yet
	Version  string // of the model in use
	Verdict  string
	Rows     []driftRow // that have moved, the risk itself first
	Resting  []driftRow // the others
	Moved    int        // features that warn or fail
	Chosen   *driftRow
	Cells    *chart.Drawing // distribution of the chosen one
	OverTime *chart.Drawing // its index
	Past     []pastDrift
	Shares   *chart.Drawing // of the features that moved, over time
}

// driftRow is one feature with its index against its limits.
type driftRow struct {
	Drifted
	Width, Warn, Fail string // on a common scale, in percent
	On                bool
}

// pastDrift is one comparison in a line.
type pastDrift struct {
	AsOf, Version, Status string
	Rows, Moved           int
	Share                 float64 // of what the model goes by
}

func (s *Server) driftPage(c echo.Context) error {
	all, err := s.options.Pages.Drifts.Drifts(c.Request().Context())
	if err != nil {
		return err
	}
	v := driftView{Version: s.options.Models.Status().Version}
	if n := len(all); n > 0 {
		v.read(all, c.QueryParam("feature"))
	}
	return s.show(c, pageDrift, "Drift", &v)
}

func (v *driftView) read(all []Drift, chosen string) {
	v.Latest = &all[len(all)-1]
	v.Verdict = driftVerdict(v.Latest)
	v.divide(driftRows(v.Latest), chosen)
	if v.Chosen != nil {
		v.draw(all)
	}
	for _, d := range all {
		p := pastDrift{AsOf: d.AsOf, Version: d.Version, Status: d.Status, Rows: d.Rows, Share: d.Moved}
		for _, f := range d.Features {
			if f.Status != statusOK {
				p.Moved++
			}
		}
		v.Past = append(v.Past, p)
	}
	if len(all) > 1 {
		v.Shares = shareChart(all)
	}
	slices.Reverse(v.Past)
}

// divide puts the rows into those that have moved, with the risk itself, and those
// at rest, and notes the chosen one: the first, if none is named.
func (v *driftView) divide(rows []driftRow, chosen string) {
	for i := range rows {
		r := &rows[i]
		if r.Name == chosen || chosen == "" && i == 0 {
			r.On, v.Chosen = true, r
		}
		switch {
		case r.Name == scoreRow || r.Sudden || r.Status != statusOK:
			v.Rows = append(v.Rows, *r)
		default:
			v.Resting = append(v.Resting, *r)
		}
		if r.Name != scoreRow && r.Status != statusOK {
			v.Moved++
		}
	}
}

// The statuses, and the name of the row of the risk itself.
const (
	statusOK   = "ok"
	statusFail = "fail"
	scoreRow   = "churn_risk"
)

func driftVerdict(d *Drift) string {
	switch d.Status {
	case statusOK:
		return "Users are much as they were when the model learned."
	case statusFail:
		return "Users have moved away from those that the model has learned from: look before you trust its risks."
	}
	return "Some things have moved; the risks can be used."
}

// driftRows lists the risk first, then the features: what changed suddenly, then
// what moved most seriously, then what the model goes by most.
func driftRows(d *Drift) []driftRow {
	all := slices.Clone(d.Features)
	slices.SortStableFunc(all, func(a, b Drifted) int {
		return cmp.Or(cmp.Compare(sudden(b), sudden(a)), cmp.Compare(severity(b.Status), severity(a.Status)), cmp.Compare(b.Importance, a.Importance), cmp.Compare(b.PSI, a.PSI))
	})
	if d.Score != nil {
		score := *d.Score
		score.Name, score.Title = scoreRow, "the risk itself"
		all = slices.Insert(all, 0, score)
	}
	scale := 0.0
	for _, f := range all {
		scale = max(scale, 1.1*f.FailLimit)
	}
	out := make([]driftRow, len(all))
	for i, f := range all {
		out[i] = driftRow{Drifted: f, Width: share(f.PSI / scale), Warn: share(f.WarnLimit / scale), Fail: share(f.FailLimit / scale)}
	}
	return out
}

func sudden(f Drifted) int {
	if f.Sudden {
		return 1
	}
	return 0
}

func severity(status string) int { return slices.Index([]string{statusOK, "warn", statusFail}, status) }

// draw adds the drawings of the chosen feature.
func (v *driftView) draw(all []Drift) {
	if cells := v.Chosen.Cells; len(cells) > 0 {
		drawn := cellChart(cells)
		v.Cells = &drawn
	}
	if len(all) > 1 {
		v.OverTime = indexChart(all, v.Chosen.Name)
	}
}

// cellChart draws the shares before and now side by side.
func cellChart(cells []Cell) chart.Drawing {
	values := []float64{0}
	c := chart.Chart{Alt: fmt.Sprintf("Shares of %d ranges of values in training and now; the numbers are in the table below.", len(cells)), X: chart.Axis{Max: float64(len(cells))}}
	for i, x := range cells {
		values = append(values, x.Before, x.Now)
		at, tip := float64(i), fmt.Sprintf("%s: %s in training, %s now", x.Name, figures.Percent1(x.Before), figures.Percent1(x.Now))
		c.Bars = append(c.Bars, chart.Bar{From: at + 0.12, To: at + 0.48, Top: x.Before, Ink: "gap", Tip: tip}, chart.Bar{From: at + 0.52, To: at + 0.88, Top: x.Now, Ink: "model", Tip: tip})
	}
	c.X.Ticks = cellNames(cells)
	c.Y = chart.Numbers(values, figures.Percent)
	d := c.Draw()
	d.Legend = []chart.Entry{{Name: "in training", Ink: "gap", Style: "bar"}, {Name: "now", Ink: "model", Style: "bar"}}
	return d
}

// cellNames names some cells: as many as fit below a chart on a phone, which are
// the fewer the longer their names.
func cellNames(cells []Cell) (out []chart.Tick) {
	const room = 36 // letters
	longest := 1
	for _, x := range cells {
		longest = max(longest, min(utf8.RuneCountInString(x.Name), room/3))
	}
	step := (len(cells)*(longest+1) + room - 1) / room
	for i := 0; i < len(cells); i += step {
		out = append(out, chart.Tick{At: float64(i) + 0.5, Text: short(cells[i].Name, longest)})
	}
	return out
}

// short cuts a name to so many letters.
func short(name string, most int) string {
	if letters := []rune(name); len(letters) > most {
		return string(letters[:most-1]) + "…"
	}
	return name
}

// indexChart draws the index of one feature over time with its limits.
func indexChart(all []Drift, name string) *chart.Drawing {
	index, warn, fail := chart.Series{Name: "index", Ink: "model", Style: chart.Solid}, chart.Series{Name: "warns from", Ink: "medium", Style: chart.Dashed}, chart.Series{Name: "fails from", Ink: "high", Style: chart.Dashed}
	values := []float64{0}
	var days []time.Time
	for i := range all {
		f := all[i].find(name)
		if f == nil {
			continue
		}
		at := day(all[i].AsOf)
		days, values = append(days, at), append(values, f.PSI, f.FailLimit)
		x := chart.Day(at)
		index.Points = append(index.Points, chart.Point{X: x, Y: f.PSI, Tip: fmt.Sprintf("%s: %s (%s)", writtenDate(all[i].AsOf), figures.Decimals(3)(f.PSI), f.Status)})
		warn.Points, fail.Points = append(warn.Points, chart.Point{X: x, Y: f.WarnLimit}), append(fail.Points, chart.Point{X: x, Y: f.FailLimit})
	}
	if len(days) < 2 {
		return nil
	}
	d := chart.Chart{Alt: fmt.Sprintf("Stability index on %d dates with its limits.", len(days)), X: chart.Dates(days, 1), Y: chart.Numbers(values, figures.Plain), Series: []chart.Series{warn, fail, index}}.Draw()
	return &d
}

// find returns the row of a feature, or of the risk; nil if there is none.
func (d *Drift) find(name string) *Drifted {
	if name == scoreRow {
		return d.Score
	}
	i := slices.IndexFunc(d.Features, func(f Drifted) bool { return f.Name == name })
	if i < 0 {
		return nil
	}
	return &d.Features[i]
}

// shareChart draws how much of what the model goes by has moved.
func shareChart(all []Drift) *chart.Drawing {
	moved, failed, limit := chart.Series{Name: "has moved: warns from the limit on", Ink: "model", Style: chart.Solid}, chart.Series{Name: "has failed: fails from the limit on", Ink: "medium", Style: chart.Solid}, chart.Series{Name: "limit", Ink: "high", Style: chart.Dashed}
	values := []float64{0}
	days := make([]time.Time, len(all))
	for i, d := range all {
		days[i] = day(d.AsOf)
		values = append(values, d.Moved, d.Failed, d.Limit)
		x := chart.Day(days[i])
		moved.Points = append(moved.Points, chart.Point{X: x, Y: d.Moved, Tip: fmt.Sprintf("%s: %s has moved (%s)", writtenDate(d.AsOf), figures.Percent(d.Moved), d.Status)})
		failed.Points = append(failed.Points, chart.Point{X: x, Y: d.Failed, Tip: fmt.Sprintf("%s: %s has failed (%s)", writtenDate(d.AsOf), figures.Percent(d.Failed), d.Status)})
		limit.Points = append(limit.Points, chart.Point{X: x, Y: d.Limit})
	}
	d := chart.Chart{Alt: fmt.Sprintf("Importance of the features that had moved on %d dates, with the limit.", len(all)), X: chart.Dates(days, 1), Y: chart.Numbers(values, figures.Percent), Series: []chart.Series{limit, failed, moved}}.Draw()
	return &d
}
