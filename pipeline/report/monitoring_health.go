package report

import (
	"fmt"
	"strings"

	"churn/internal/figures"
	"churn/model/metric"
	"churn/pipeline/monitor"
	"churn/pipeline/monitor/health"
)

// trends tells where the monitored figures are heading.
func (m Monitored) trends() *section {
	s := &section{ID: "trends", Title: "Where is it heading?", Lead: "A straight line through each monitored figure, where it is beyond chance over all of them. A line is no law: what lies ahead assumes that all goes on as before."}
	var all []monitor.Trend
	if r := latest(m.Drift); r != nil {
		all = append(all, r.Trends...)
	}
	if r := latest(m.Scores); r != nil {
		all = append(all, r.Trends...)
	}
	if r := latest(m.Performance); r != nil {
		all = append(all, r.Trends...)
	}
	t := table{Words: true, Head: []string{"figure", "slope a week (interval)", "on the last date", "from", "to", "dates", "what it means"}}
	short := 0
	for _, x := range all {
		if x.Note != "" {
			short++
		}
		if x.Real {
			slope := metric.Estimate{Value: 7 * x.Slope, Low: 7 * x.SlopeLow, High: 7 * x.SlopeHigh}
			t.Rows = append(t.Rows, []string{x.Series, estimate(slope, figures.Signed(figures.Decimals(4))), figures.Decimals(3)(x.Level), x.From.String(), x.To.String(), figures.Whole(x.Points), x.Text})
		}
	}
	if len(t.Rows) > 0 {
		s.Tables = append(s.Tables, t)
	}
	s.Notes = append(s.Notes, fmt.Sprintf("Of %s figures %s have a trend beyond chance; of %s there are too few dates to tell.", figures.Whole(len(all)), figures.Whole(len(t.Rows)), figures.Whole(short)))
	return s
}

// healthy tells whether the data itself is sound.
func (m Monitored) healthy() *section {
	s := &section{ID: "health", Title: "Is the data sound?"}
	r := latest(m.Health)
	if r == nil {
		s.Lead = m.parts()[0].absent(m.AsOf)
		return s
	}
	s.Lead = fmt.Sprintf("%s as of %s: whether the data is there, as much of it as usual, accepted, in time and once.", marked(r.Status), written(r.AsOf))
	for _, weekly := range []bool{false, true} {
		if levels := levelsOf(r, weekly); len(levels) > 0 {
			s.Figures = append(s.Figures, volumeFigure(levels, weekly))
		}
	}
	s.Tables = append(s.Tables, healthTable(r))
	if len(r.Volume.Rare) > 0 {
		s.Notes = append(s.Notes, "Too rare or too erratic to judge by volume: "+strings.Join(r.Volume.Rare, ", ")+".")
	}
	return s
}

// healthNotes says what was found of each part.
func healthNotes(r *health.Report) map[string]string {
	return map[string]string{
		"freshness":  fmt.Sprintf("last event on %s, %s missing", r.Freshness.LastEvent, daysText(r.Freshness.MissingDays)),
		"volume":     fmt.Sprintf("%s counts compared with the weekly pattern", figures.Whole(len(r.Volume.Levels))),
		"rejected":   fmt.Sprintf("%s of the users, %s of the events", suffix2(r.Rejected.UserShare), suffix2(r.Rejected.EventShare)),
		"late":       fmt.Sprintf("%s of the facts of the last week, usual are %s; 99%% within %s", figures.Percent1(r.Late.Share), figures.Percent1(r.Late.Usual), daysText(int(r.Late.P99))),
		"duplicates": fmt.Sprintf("%s event ids twice, %s rows equal but for the id", figures.Whole(int(r.Duplicates.EventIDs)), figures.Whole(int(r.Duplicates.Equal))),
	}
}

func suffix2(share float64) string { return figures.Decimals(2)(100*share) + "%" }

func healthTable(r *health.Report) table {
	t := table{Caption: "The parts", Head: []string{"part", "status", "found", "reasons"}, Words: true}
	notes := healthNotes(r)
	for _, p := range r.Parts() {
		note := notes[p.Name]
		if p.Status == health.Unmeasured || p.Status == "" {
			note = "–"
		}
		t.Rows = append(t.Rows, []string{p.Name, marked(p.Status), note, strings.Join(p.Reasons, "; ")})
	}
	return t
}

// levelsOf returns the counts of the last week by type, or of its days together.
func levelsOf(r *health.Report, weekly bool) (out []health.Level) {
	for _, l := range r.Volume.Levels {
		if (l.Last > l.First) == weekly && (weekly || l.Type == "all") {
			out = append(out, l)
		}
	}
	return out
}

// volumeFigure draws counts relative to what is expected of them, with the band
// of the expectation.
func volumeFigure(levels []health.Level, weekly bool) figure {
	c := chart{across: true, height: float64(len(levels)*rowHeight + 56)}
	expected, found := series{name: "expected, with its band", ink: inkRule, style: boxes}, series{name: "found", ink: inkModel, style: discs}
	var names []string
	values := []float64{0, 1}
	t := table{Head: []string{"events", "found", "expected", "band", "status"}}
	for i, l := range levels {
		name, y := l.Type, -float64(i)
		if !weekly {
			name = l.First.Time().Format("Mon 2 Jan")
		}
		ratio := func(v float64) float64 { return v / l.Expected }
		names = append(names, strings.ReplaceAll(name, "_", " "))
		if l.Expected > 0 {
			expected.at = append(expected.at, point{1, y + 0.14, ratio(l.Low), ratio(l.High)})
			found.at = append(found.at, bare(ratio(float64(l.Events)), y-0.14))
			values = append(values, ratio(l.High), ratio(float64(l.Events)))
		}
		t.Rows = append(t.Rows, []string{name, figures.Whole(int(l.Events)), figures.Decimals(0)(l.Expected), figures.Decimals(0)(l.Low) + " to " + figures.Decimals(0)(l.High), marked(l.Status)})
	}
	c.y, c.x, c.series = rows(names), numbers("events, of the expected number", values, figures.Percent), []series{expected, found}
	title := "Events of the last days"
	if weekly {
		title = "Events of the last week, by type"
	}
	return draws(title, "Round dots within the lines of the squares are usual for the weekday and the season.", c, t)
}
