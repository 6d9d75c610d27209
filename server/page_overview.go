package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"churn/internal/figures"
	"churn/server/chart"
)

// firstCalls is how many users the overview names.
const firstCalls = 10

// overview is what people see first: whom to call, and whether to trust it.
type overview struct {
	Snapshot *Snapshot // nil = nobody was scored yet
	Why      string    // if so, in words
	Scored   string    // how long ago
	First    []User
	Prospect prospect
	Trend    *trend
	Model    *ModelInfo // nil = none is in use
	Status   ModelStatus
	Measure  string   // how good it is, in a few words
	Drift    *Drift   // the latest; nil = none was looked for
	Alarms   []Alarm  // firing or pending
	Kept     bool     // alarms are kept at all
	Notes    []string // what a reader must know before using the list
}

func (s *Server) overviewPage(c echo.Context) error {
	v, err := s.overview(c)
	if err != nil {
		return err
	}
	return s.show(c, pageOverview, "Overview", v)
}

func (s *Server) overview(c echo.Context) (v overview, err error) {
	ctx := c.Request().Context()
	v.Status = s.options.Models.Status()
	if model := s.options.Models.Current(); model != nil {
		info := model.Info()
		v.Model, v.Measure = &info, measureOf(&info)
	}
	s.watched(c, &v)
	page, err := s.options.Users.List(ctx, Query{Limit: firstCalls})
	if absent(err) {
		v.Why = whyAbsent(err)
		return v, nil
	}
	if err != nil {
		return v, err
	}
	v.Snapshot, v.First = &page.Snapshot, page.Users
	return v, s.ofSnapshot(ctx, &v)
}

// watched adds what the monitors found. What cannot be read of it is said: the list
// does not depend on it.
func (s *Server) watched(c echo.Context, v *overview) {
	alarms, err := s.options.Pages.Alarms.Alarms(c.Request().Context())
	v.Alarms, v.Kept = alarms, err == nil
	for _, a := range alarms {
		if a.State == AlarmFiring {
			v.Notes = append(v.Notes, fmt.Sprintf("Alarm %s: %s", a.Name, a.Text))
		}
	}
	if err != nil && !errors.Is(err, ErrNotKept) {
		s.unread(c, "the alarms", err, &v.Notes)
	}
	drifts, err := s.options.Pages.Drifts.Drifts(c.Request().Context())
	if err != nil {
		s.unread(c, "the drift reports", err, &v.Notes)
	}
	if n := len(drifts); n > 0 {
		v.Drift = &drifts[n-1]
	}
}

// unread notes on a page that something cannot be read, and in the log why.
func (s *Server) unread(c echo.Context, what string, err error, notes *[]string) {
	s.log.Warn("read "+what, "request_id", RequestID(c), "error", err)
	*notes = append(*notes, fmt.Sprintf("It is not known what %s say: they cannot be read now; the server's log says why (request %s).", what, RequestID(c)))
}

// ofSnapshot adds what there is only once users were scored.
func (s *Server) ofSnapshot(ctx context.Context, v *overview) (err error) {
	if v.Prospect, err = s.prospect(ctx, v.Snapshot); err != nil {
		return err
	}
	history, err := s.options.Users.History(ctx)
	if err != nil {
		return err
	}
	v.Trend = trendOf(history, v.Snapshot.AsOf)
	v.Scored = moment(v.Snapshot.Scored)
	if fault := s.options.Users.Status().Error; fault != "" {
		v.Notes = append(v.Notes, "Newer predictions are not in use: "+fault)
	}
	if age, old := s.age(v.Snapshot.AsOf); old {
		v.Notes = append(v.Notes, fmt.Sprintf("This list is of %s, %s: call nobody by it before there is a newer one. `churn run-all` reads newer events and scores anew.", writtenDate(v.Snapshot.AsOf), age))
	}
	if v.Model != nil && v.Model.Version != v.Snapshot.Version {
		v.Notes = append(v.Notes, fmt.Sprintf("These users were scored by model %s, and %s is in use now. `churn score` scores them anew.", v.Snapshot.Version, v.Model.Version))
	}
	return nil
}

// measureOf says how good a model is, where its figures are known.
func measureOf(m *ModelInfo) string {
	if x, ok := m.Metrics["roc_auc"]; ok && figures.Finite(x) {
		return fmt.Sprintf("of a leaver and a stayer it ranks the leaver higher in %s of cases", figures.Percent(x))
	}
	return ""
}

// trend is how the snapshots have changed.
type trend struct {
	Lines   []Snapshot // one an as-of date, oldest first
	Latest  []Snapshot // the same, latest first
	Chart   chart.Drawing
	High    int    // more users of high risk than a snapshot before
	Before  string // as-of date of that one
	Percent string // how mean risk moved, in points
}

// trendOf returns the trend of a history up to the as-of date of the snapshot in
// use, which need not be the last one; nil with fewer than two as-of dates.
func trendOf(history []Snapshot, asOf string) *trend {
	t := &trend{}
	for _, line := range history {
		if line.AsOf > asOf {
			break
		}
		if n := len(t.Lines); n > 0 && t.Lines[n-1].AsOf == line.AsOf {
			t.Lines[n-1] = line // by a later model
			continue
		}
		t.Lines = append(t.Lines, line)
	}
	n := len(t.Lines)
	if n < 2 {
		return nil
	}
	t.Lines = t.Lines[max(0, n-mostLines):]
	n = len(t.Lines)
	last, before := t.Lines[n-1], t.Lines[n-2]
	t.High, t.Before = last.Tiers["high"]-before.Tiers["high"], before.AsOf
	t.Percent = figures.Signed(figures.Points)(last.MeanRisk - before.MeanRisk)
	t.Chart, t.Latest = tierChart(t.Lines), slices.Clone(t.Lines)
	slices.Reverse(t.Latest)
	return t
}

// mostLines bounds the snapshots of a trend: a year of weeks.
const mostLines = 53

// widest is half of the width of a bar at most, as a share of the chart.
const widest = 0.025

// tierChart draws the users of high risk, and those of medium risk on top.
func tierChart(lines []Snapshot) chart.Drawing {
	days := make([]time.Time, len(lines))
	values := []float64{0}
	for i, l := range lines {
		days[i] = day(l.AsOf)
		values = append(values, float64(l.Tiers["high"]+l.Tiers["medium"]))
	}
	half := gap(days) / 2
	wide := min(0.72*half, widest*(chart.Day(days[len(days)-1])-chart.Day(days[0])+2*half))
	c := chart.Chart{Alt: fmt.Sprintf("Users of high and of medium risk on %d as-of dates; the numbers are in the table below.", len(lines)),
		X: chart.Dates(days, half), Y: chart.Numbers(values, func(x float64) string { return figures.Whole(int(x)) })}
	for i, l := range lines {
		x, high, medium := chart.Day(days[i]), float64(l.Tiers["high"]), float64(l.Tiers["medium"])
		tip := fmt.Sprintf("%s: %d high, %d medium, mean risk %s", writtenDate(l.AsOf), l.Tiers["high"], l.Tiers["medium"], figures.Percent1(l.MeanRisk))
		c.Bars = append(c.Bars,
			chart.Bar{From: x - wide, To: x + wide, Base: 0, Top: high, Ink: "high", Tip: tip},
			chart.Bar{From: x - wide, To: x + wide, Base: high, Top: high + medium, Ink: "medium", Tip: tip})
	}
	d := c.Draw()
	d.Legend = []chart.Entry{{Name: "high risk", Ink: "high", Style: "bar"}, {Name: "medium risk", Ink: "medium", Style: "bar"}}
	return d
}

// gap returns the least distance of dates in days, 1 of a single one.
func gap(days []time.Time) float64 {
	least := 0.0
	for i := 1; i < len(days); i++ {
		if d := chart.Day(days[i]) - chart.Day(days[i-1]); least == 0 || d < least {
			least = d
		}
	}
	return max(least, 1)
}

// day reads a date; what is none is the first day of all.
func day(text string) time.Time {
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Unix(0, 0).UTC()
	}
	return d
}
