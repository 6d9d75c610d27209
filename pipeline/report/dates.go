package report

import (
	"churn/internal/figures"
	"churn/model/metric"
	"churn/pipeline"
	"churn/pipeline/evaluate"
)

// overDates draws whether quality holds from date to date.
func overDates(e evaluate.Evaluation) *section {
	if len(e.ByDate) == 0 {
		return nil
	}
	s := &section{ID: "dates", Title: "Does it last?", Lead: "The same model on each as-of date of the period."}
	if len(e.ByDate) == 1 {
		t := groupTable(e.ByDate)
		t.Caption = "There is one as-of date only, so nothing can be said about time"
		s.Tables = append(s.Tables, t)
		return s
	}
	s.Figures = append(s.Figures, qualityFigure(e.ByDate))
	return s
}

// datesOf returns the as-of dates of groups. Groups by date are named after
// them; one that is not lies on no axis.
func datesOf(groups []evaluate.Group) (out []pipeline.Date) {
	for _, g := range groups {
		if d, err := pipeline.ParseDate(g.Name); err == nil {
			out = append(out, d)
		}
	}
	return out
}

// dated returns the point of an estimate on a date.
func dated(d pipeline.Date, e metric.Estimate) point {
	return point{float64(d), e.Value, e.Low, e.High}
}

func qualityFigure(groups []evaluate.Group) figure {
	dates := datesOf(groups)
	model, rule := series{name: "model", ink: inkModel, style: solid}, series{name: "rule", ink: inkRule, style: dashed}
	values := []float64{0}
	for i, d := range dates {
		m, r := evaluate.Find(groups[i].Model, metric.PRAUC), groups[i].Rule
		model.at, rule.at = append(model.at, dated(d, m)), append(rule.at, dated(d, r))
		values = append(values, m.Value, m.High, r.Value, r.High)
	}
	return draws("Quality by as-of date", "Higher is better; the shades are intervals. A falling line calls for a new training.",
		chart{x: calendar("as-of date", dates), y: numbers("PR-AUC", values, figures.Plain), series: []series{rule, model}}, groupTable(groups))
}

// ratesFigure sets the mean risk beside the churn rate, which moves.
func ratesFigure(groups []evaluate.Group) figure {
	dates := datesOf(groups)
	risk, rate := series{name: "mean risk", ink: inkModel, style: solid}, series{name: "churn rate", ink: inkObserved, style: discs}
	values := []float64{0}
	for i, d := range dates {
		g := groups[i]
		observed := evaluate.Find(g.Model, "base_rate")
		observed.Value = share(g.Churned, g.Rows)
		risk.at, rate.at = append(risk.at, bare(float64(d), g.MeanRisk)), append(rate.at, dated(d, observed))
		values = append(values, g.MeanRisk, observed.Value, observed.High)
	}
	return draws("Mean risk and churn rate over time", "Where the line leaves the intervals of the dots, the rate has moved and the model has not.",
		chart{x: calendar("as-of date", dates), y: numbers("share of the users at risk", values, figures.Percent), series: []series{risk, rate}}, groupTable(groups))
}
