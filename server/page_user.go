package server

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"churn/internal/figures"
	"churn/server/chart"
)

// userView is the page about one user. Of Scored and Dossier one may be missing:
// who has been silent for long is not scored, and without prepared data there is
// no dossier.
type userView struct {
	ID       string
	Scored   *User
	Risk     float64
	Tier     string
	AtRisk   bool
	Dossier  *Dossier
	Raises   []factorRow
	Slighter []factorRow // raise it less
	Lowers   []factorRow
	Remedies []remedy
	Activity *activity
	Risks    *chart.Drawing
	Latest   []PastRisk // latest first
	Tenure   string
	Apart    bool // score and dossier are of different days
}

// factorRow is a theme with the length of its bar.
type factorRow struct {
	Factor
	Ink   string
	Width string // of the longest, in percent
	Shown []FactorValue
}

// remedy is the risk if something were as usual among peers.
type remedy struct {
	Name  string
	Risk  float64
	Width string
	Fall  string // in points
	Whole bool   // all that a user can change, together
}

func (s *Server) userPage(c echo.Context) error {
	ctx, id := c.Request().Context(), c.QueryParam("id")
	if id == "" {
		return Refuse(NotFound, "the address names no user; the list of users at risk leads to each of them")
	}
	v := userView{ID: id}
	u, _, err := s.options.Users.Find(ctx, id)
	switch {
	case err == nil:
		v.Scored, v.Risk, v.Tier, v.AtRisk, v.Tenure = &u, u.Risk, u.Tier, true, plural(int(u.SinceSignup), "day")
	case !errors.Is(err, ErrNoUser) && !absent(err):
		return err
	}
	d, missing := s.options.Dossiers.Dossier(ctx, id)
	switch {
	case missing == nil:
		v.tell(&d)
	case !errors.Is(missing, ErrNoUser) && !absent(missing) && !errors.Is(missing, ErrNoModel):
		return missing
	case v.Scored == nil:
		return Refuse(NotFound, "nobody knows a user %q", clip(id))
	}
	return s.show(c, pageUser, "User "+id, &v)
}

// tell fills in what the dossier says. The latest score stays the one of the
// snapshot, which the list shows too.
func (v *userView) tell(d *Dossier) {
	v.Dossier, v.Apart = d, v.Scored != nil && v.Scored.AsOf != d.AsOf
	if v.Scored == nil {
		v.Risk, v.Tier, v.AtRisk = d.Risk, d.Tier, d.AtRisk
	}
	v.Raises, v.Lowers = factorRows(d.Factors)
	if n := len(v.Raises); n > mostFactors+1 {
		v.Raises, v.Slighter = v.Raises[:mostFactors], v.Raises[mostFactors:]
	}
	v.Remedies = remedies(d)
	v.Activity = activityOf(d)
	if len(d.Risks) > 1 {
		drawn := riskChart(d.Risks)
		v.Risks, v.Latest = &drawn, slices.Clone(d.Risks)
		slices.Reverse(v.Latest)
	}
}

// slight is the effect on the log-odds below which a theme says nothing.
const slight = 0.005

// mostFactors is how many themes are shown at once.
const mostFactors = 5

// shownValues is how many features of a theme are shown.
const shownValues = 3

// factorRows divides the themes by what they do, each from the strongest.
func factorRows(factors []Factor) (raises, lowers []factorRow) {
	longest := slight
	for _, f := range factors {
		longest = max(longest, math.Abs(f.Contribution))
	}
	for _, f := range factors {
		row := factorRow{f, "high", share(math.Abs(f.Contribution) / longest), f.Values[:min(shownValues, len(f.Values))]}
		switch {
		case f.Contribution >= slight:
			raises = append(raises, row)
		case f.Contribution <= -slight:
			row.Ink, row.Text = "model", "" // its words are made for what raises a risk
			lowers = append(lowers, row)
		}
	}
	slices.Reverse(lowers)
	return raises, lowers
}

// share writes a share as the width of a bar.
func share(x float64) string {
	return strconv.FormatFloat(100*min(max(x, 0), 1), 'f', 1, 64) + "%"
}

// remedies lists what would lower the risk, from the strongest.
func remedies(d *Dossier) (out []remedy) {
	add := func(name string, risk *float64, whole bool) {
		if risk != nil && *risk < d.Risk {
			out = append(out, remedy{Name: name, Risk: *risk, Width: share(*risk), Fall: figures.Points(*risk - d.Risk), Whole: whole})
		}
	}
	for _, f := range d.Factors {
		add(f.Theme, f.Usual, false)
	}
	slices.SortStableFunc(out, func(a, b remedy) int { return cmp.Compare(a.Risk, b.Risk) })
	if len(out) > 1 {
		add("all of these", d.Usual, true)
	}
	return out
}

// activity is what a user did lately.
type activity struct {
	Chart       chart.Drawing
	From        string
	Days        []Day // with events, latest first
	Active      int   // of Length days
	Length      int
	Trouble     bool // failed payments or tickets are marked
	NothingEver bool
}

// timelineDays is how far back the timeline of a user reaches: a term.
const timelineDays = 120

// activityOf draws the days of a user up to the as-of date.
func activityOf(d *Dossier) *activity {
	last := day(d.AsOf)
	first := last.AddDate(0, 0, 1-timelineDays)
	a := &activity{From: first.Format(time.DateOnly), Length: timelineDays, NothingEver: len(d.Days) == 0}
	most := 1.0
	for _, x := range d.Days {
		if x.Date >= a.From && x.Date <= d.AsOf {
			a.Days = append(a.Days, x)
			most = max(most, float64(x.Events))
		}
	}
	c := chart.Chart{X: months(first, last), Y: chart.Numbers([]float64{0, most * 1.12}, func(x float64) string { return figures.Plain(x) })}
	failed, tickets := chart.Series{Name: "failed payment", Ink: "high", Style: chart.Dots}, chart.Series{Name: "support ticket", Ink: "observed", Style: chart.Dots}
	for _, x := range a.Days {
		at, tip := chart.Day(day(x.Date)), dayText(&x)
		ink := "quiet"
		if x.Active {
			ink = "model"
			a.Active++
		}
		c.Bars = append(c.Bars, chart.Bar{From: at - 0.42, To: at + 0.42, Top: float64(x.Events), Ink: ink, Tip: tip})
		if x.FailedPayments > 0 {
			failed.Points = append(failed.Points, chart.Point{X: at, Y: c.Y.Max, Tip: tip})
		}
		if x.Tickets > 0 {
			tickets.Points = append(tickets.Points, chart.Point{X: at, Y: c.Y.Max * 0.94, Hollow: true, Tip: tip})
		}
	}
	c.Series = []chart.Series{failed, tickets}
	c.Alt = fmt.Sprintf("Events a day from %s to %s: active on %d of %d days. The numbers are in the table below.", writtenDate(a.From), writtenDate(d.AsOf), a.Active, a.Length)
	a.Chart = c.Draw()
	a.Chart.Legend = []chart.Entry{{Name: "events of an active day", Ink: "model", Style: "bar"}}
	if a.Active < len(a.Days) {
		a.Chart.Legend = append(a.Chart.Legend, chart.Entry{Name: "billing only", Ink: "quiet", Style: "bar"})
	}
	for _, x := range []struct {
		series chart.Series
		style  string
	}{{failed, "dots"}, {tickets, "rings"}} {
		if len(x.series.Points) > 0 {
			a.Chart.Legend = append(a.Chart.Legend, chart.Entry{Name: x.series.Name, Ink: x.series.Ink, Style: x.style})
		}
	}
	slices.Reverse(a.Days)
	return a
}

// months is the axis of days with a tick at the first of each month.
func months(first, last time.Time) chart.Axis {
	a := chart.Axis{Min: chart.Day(first) - 0.5, Max: chart.Day(last) + 0.5}
	for m := time.Date(first.Year(), first.Month()+1, 1, 0, 0, 0, 0, time.UTC); !m.After(last); m = m.AddDate(0, 1, 0) {
		a.Ticks = append(a.Ticks, chart.Tick{At: chart.Day(m), Text: m.Format("2 Jan")})
	}
	return a
}

// dayText says what was done on a day.
func dayText(d *Day) string {
	var parts []string
	for _, x := range []struct {
		n    int
		word string
	}{{d.Logins, "login"}, {d.Enrolls, "enrolment"}, {d.Quizzes, "quiz attempt"}, {d.Payments, "payment"}, {d.FailedPayments, "failed payment"}, {d.Tickets, "support ticket"}} {
		if x.n > 0 {
			parts = append(parts, plural(x.n, x.word))
		}
	}
	if d.Minutes > 0 {
		parts = append(parts, figures.Decimals(0)(d.Minutes)+"\u00a0min watched")
	}
	return fmt.Sprintf("%s: %s", writtenDate(d.Date), cmp.Or(strings.Join(parts, ", "), plural(d.Events, "event")))
}

// riskChart draws the risk over time. Days that the model has learned from are
// dashed, and days on which the user was not at risk are hollow.
func riskChart(risks []PastRisk) chart.Drawing {
	days := make([]time.Time, len(risks))
	values := []float64{0}
	hindsight, honest := chart.Series{Name: "in hindsight", Ink: "model", Style: chart.Dashed}, chart.Series{Name: "risk", Ink: "model", Style: chart.Solid}
	for i, r := range risks {
		days[i] = day(r.AsOf)
		values = append(values, r.Risk)
		tip := fmt.Sprintf("%s: %s", writtenDate(r.AsOf), figures.Percent1(r.Risk))
		if !r.AtRisk {
			tip += ", not active lately"
		}
		p := chart.Point{X: chart.Day(days[i]), Y: r.Risk, Hollow: !r.AtRisk, Tip: tip}
		if r.Hindsight {
			hindsight.Points = append(hindsight.Points, p)
			continue
		}
		if len(honest.Points) == 0 && len(hindsight.Points) > 0 { // the lines meet
			join := hindsight.Points[len(hindsight.Points)-1]
			join.Tip = ""
			honest.Points = append(honest.Points, join)
		}
		honest.Points = append(honest.Points, p)
	}
	c := chart.Chart{Alt: fmt.Sprintf("Risk on %d days; the numbers are in the table below.", len(risks)), X: chart.Dates(days, 1), Y: chart.Numbers(values, figures.Percent)}
	for _, x := range []chart.Series{hindsight, honest} {
		if len(x.Points) > 0 {
			c.Series = append(c.Series, x)
		}
	}
	return c.Draw()
}
