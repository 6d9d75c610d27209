package report

import (
	"churn/internal/figures"
	"churn/model/metric"
	"churn/pipeline/evaluate"
)

// ranking draws how well the model sorts leavers to the top.
func ranking(e evaluate.Evaluation) *section {
	c := e.Curves
	s := &section{ID: "ranking", Title: "Does it find the leavers?",
		Lead: "Each drawing sets the model beside the simple rule. Where the lines touch, the model adds nothing."}
	if len(c.PR) > 0 {
		s.Figures = append(s.Figures, prFigure(c, e.Cohort.Find("base_rate").Value))
	}
	if len(c.ROC) > 0 {
		s.Figures = append(s.Figures, rocFigure(c))
	}
	if len(c.Gains) > 0 {
		s.Figures = append(s.Figures, gainsFigure(c), liftFigure(c))
	}
	if len(s.Figures) == 0 {
		return nil
	}
	return s
}

// curve turns a curve into points without intervals.
func curve(of []metric.CurvePoint) (out []point) {
	for _, p := range of {
		out = append(out, bare(p.X, p.Y))
	}
	return out
}

// level is a horizontal line over [0, 1].
func level(y float64) []point { return []point{bare(0, y), bare(1, y)} }

func diagonal() []point { return []point{bare(0, 0), bare(1, 1)} }

func prFigure(c evaluate.Curves, base float64) figure {
	return draws("Of those named, how many leave", "To find a larger share of the leavers (to the right), more users must be named, and fewer of them leave. Higher is better; a blind guess lies at the churn rate.",
		chart{x: shares("share of the leavers found (recall)"), y: shares("leavers among those named (precision)"), series: []series{
			{"chance", inkQuiet, dotted, level(base)}, {"rule", inkRule, dashed, curve(c.RulePR)}, {"model", inkModel, solid, curve(c.PR)}}},
		curveTable("recall", "precision", c.PR, c.RulePR))
}

func rocFigure(c evaluate.Curves) figure {
	return draws("Leavers found against false alarms", "The nearer to the upper left corner, the better; the diagonal is chance.",
		chart{x: shares("share of those who stay that is named"), y: shares("share of the leavers found"), series: []series{
			{"chance", inkQuiet, dotted, diagonal()}, {"rule", inkRule, dashed, curve(c.RuleROC)}, {"model", inkModel, solid, curve(c.ROC)}}},
		curveTable("false alarms", "leavers found", c.ROC, c.RuleROC))
}

// tabled is the number of points of a curve that its table lists.
const tabled = 12

// curveTable lists some points of the two curves.
func curveTable(x, y string, model, rule []metric.CurvePoint) table {
	t := table{Head: []string{"ranking", x, y}}
	for _, r := range []struct {
		name string
		of   []metric.CurvePoint
	}{{"model", model}, {"rule", rule}} {
		for k := range min(tabled, len(r.of)) {
			p := r.of[k*(len(r.of)-1)/max(min(tabled, len(r.of))-1, 1)]
			t.Rows = append(t.Rows, []string{r.name, figures.Percent1(p.X), figures.Percent1(p.Y)})
		}
	}
	return t
}

func gainsFigure(c evaluate.Curves) figure {
	gains := func(of []metric.Gain) []point {
		out := []point{bare(0, 0)}
		for _, g := range of {
			out = append(out, bare(g.Share, g.Recall))
		}
		return out
	}
	return draws("Leavers found by contacting so many", "Contact a share of the users on every date, those of the highest risk first: so many of all leavers are among them.",
		chart{x: shares("share of the users contacted"), y: shares("share of the leavers found"), series: []series{
			{"chance", inkQuiet, dotted, diagonal()}, {"rule", inkRule, dashed, gains(c.RuleGains)}, {"model", inkModel, solid, gains(c.Gains)}}},
		gainsTable(c))
}

func liftFigure(c evaluate.Curves) figure {
	values := []float64{0}
	lifts := func(of []metric.Gain) (out []point) {
		for _, g := range of {
			out, values = append(out, bare(g.Share, g.Lift)), append(values, g.Lift)
		}
		return out
	}
	model, rule := lifts(c.Gains), lifts(c.RuleGains)
	return draws("How much better than chance", "A lift of 3 finds three times as many leavers as contacting as many users at random.",
		chart{x: shares("share of the users contacted"), y: numbers("lift (times chance)", values, figures.Plain), series: []series{
			{"chance", inkQuiet, dotted, level(1)}, {"rule", inkRule, dashed, rule}, {"model", inkModel, solid, model}}},
		gainsTable(c))
}

func gainsTable(c evaluate.Curves) table {
	t := table{Head: []string{"users contacted", "leavers found", "by the rule", "lift", "of the rule"}}
	for i, g := range c.Gains {
		row := []string{figures.Percent(g.Share), figures.Percent1(g.Recall), "–", figures.Decimals(2)(g.Lift), "–"}
		if i < len(c.RuleGains) {
			row[2], row[4] = figures.Percent1(c.RuleGains[i].Recall), figures.Decimals(2)(c.RuleGains[i].Lift)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
