package report

import (
	"fmt"

	"churn/internal/figures"
	"churn/pipeline/evaluate"
)

// calibration draws whether a risk of 30% means that 30 of 100 leave.
func calibration(e evaluate.Evaluation) *section {
	c := e.Calibration
	s := &section{ID: "calibration", Title: "Can the risks be taken at their word?",
		Lead: fmt.Sprintf("Of users with a risk of 30%%, 30 of 100 should leave. Over all, the mean risk differs from the churn rate by %s. The expected calibration error is %s, of which %s would be there by noise alone.",
			estimate(c.InTheLarge, figures.Signed(figures.Points)), estimate(c.ECE, figures.Percent1), figures.Percent1(c.Reliability.ExpectedECE))}
	if len(c.Reliability.Bins) > 0 {
		s.Figures = append(s.Figures, reliabilityFigure(c))
	}
	if len(e.ByDate) > 1 {
		s.Figures = append(s.Figures, ratesFigure(e.ByDate))
	}
	s.Tables = append(s.Tables, brierTable(c))
	return s
}

func reliabilityFigure(c evaluate.Calibration) figure {
	var at []point
	values := []float64{0}
	t := table{Head: []string{"mean risk", "left (interval)", "snapshots", "users"}}
	for _, b := range c.Reliability.Bins {
		at = append(at, point{b.MeanProb, b.Rate, b.RateLow, b.RateHigh})
		values = append(values, b.MeanProb, b.RateHigh)
		t.Rows = append(t.Rows, []string{figures.Percent1(b.MeanProb), fmt.Sprintf("%s (%s to %s)", figures.Percent1(b.Rate), figures.Percent1(b.RateLow), figures.Percent1(b.RateHigh)), figures.Whole(b.Rows), figures.Whole(b.Users)})
	}
	x, y := numbers("predicted risk", values, figures.Percent), numbers("share that left", values, figures.Percent)
	line := []point{bare(0, 0), bare(x.max, x.max)}
	first := c.Reliability.Bins[0]
	return draws("What was predicted and what happened", fmt.Sprintf("Each dot is a tenth of the snapshots (about %s), with the interval of its churn rate. On the diagonal, risks are right.", figures.Whole(first.Rows)),
		chart{x: x, y: y, series: []series{{"right", inkQuiet, dotted, line}, {"model", inkModel, discs, at}}}, t)
}

func brierTable(c evaluate.Calibration) table {
	b, f := c.Brier, figures.Decimals(4)
	return table{Caption: "Where the Brier score comes from (calibration map: " + c.Kind + ")", Head: []string{"part", "value", "what it means"}, Words: true, Rows: [][]string{
		{"uncertainty", f(b.Uncertainty), "of the outcomes alone: what always predicting the churn rate would score"},
		{"− resolution", f(b.Resolution), "how far the model tells users apart: more is better"},
		{"+ reliability", f(b.Reliability), "miscalibration: less is better"},
		{"+ within bins", f(b.WithinVariance - b.WithinCovariance), "what bins of equal mass hide"},
		{"= Brier score", f(b.Brier), "mean squared error of the risks"},
	}}
}
