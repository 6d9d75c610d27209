package report

import (
	"fmt"

	"churn/internal/figures"
	"churn/pipeline"
	"churn/pipeline/monitor"
	"churn/pipeline/monitor/health"
)

// scored draws what the model says of the users.
func (m Monitored) scored() *section {
	s := &section{ID: "scores", Title: "What does the model say of them?"}
	r := latest(m.Scores)
	if r == nil {
		s.Lead = m.parts()[2].absent(m.AsOf)
		return s
	}
	s.Lead = fmt.Sprintf("%s on %s: %s users at risk, mean risk %s (expected %s), %s at or above %s (expected %s). Model %s.", marked(health.Status(r.Status)), written(r.AsOf),
		figures.Whole(r.Rows), figures.Percent1(r.Mean), figures.Percent1(r.Expected.Mean), figures.Percent1(r.High), figures.Percent(r.Threshold), figures.Percent1(r.Expected.High), r.Version)
	if r.Level != nil {
		f := r.Level.Feature
		f.Name = "The scores"
		s.Figures = append(s.Figures, m.distribution(f, "the risk that the model gives"))
	}
	if len(r.Over) > 0 {
		s.Figures = append(s.Figures, scoresFigure(r))
	}
	s.Tables = append(s.Tables, scoreTable(r))
	s.Notes = append(s.Notes, r.Notes...)
	return s
}

// scoresFigure draws the scores of the present model over the dates.
func scoresFigure(r *monitor.ScoreReport) figure {
	average, p90, high := series{name: "mean risk", ink: inkModel, style: solid}, series{name: "90th percentile", ink: inkRule, style: dashed}, series{name: "share of high risks", ink: inkObserved, style: discs}
	t := table{Head: []string{"as of", "users", "mean", "p50", "p90", "p99", "high risk"}}
	var dates []pipeline.Date
	values := []float64{0, r.Expected.Mean}
	for _, p := range r.Over {
		at := float64(p.AsOf)
		dates = append(dates, p.AsOf)
		average.at, p90.at, high.at = append(average.at, bare(at, p.Mean)), append(p90.at, bare(at, p.P90)), append(high.at, bare(at, p.High))
		values = append(values, p.Mean, p.P90, p.High)
		t.Rows = append(t.Rows, scoreRow(p.AsOf.String(), p))
	}
	c := chart{x: calendar("as-of date", dates), y: numbers("risk, or share of the users", values, figures.Percent)}
	c.series = []series{acrossAt("mean that was expected", c.x, r.Expected.Mean), p90, average, high}
	return draws("Scores over time", "By the model of today on every date, so that a change is one of the users.", c, t)
}

func scoreRow(name string, p monitor.ScorePoint) []string {
	f := figures.Percent1
	return []string{name, figures.Whole(p.Rows), f(p.Mean), f(p.P50), f(p.P90), f(p.P99), f(p.High)}
}

func scoreTable(r *monitor.ScoreReport) table {
	return table{Caption: "The scores and what the model's training led to expect", Head: []string{"", "users", "mean", "p50", "p90", "p99", "high risk"},
		Rows: [][]string{scoreRow("expected", r.Expected), scoreRow("now", r.ScorePoint)}}
}
