package report

import (
	"fmt"

	"churn/internal/figures"
	"churn/pipeline"
	"churn/pipeline/backtest"
)

// backtest draws what production would have seen; nil if there is no backtest.
func (in Input) backtest() *section {
	b := in.Backtest
	if b == nil {
		return nil
	}
	s := &section{ID: "backtest", Title: "Would it have worked before?",
		Lead: fmt.Sprintf("A model was trained at each of %d dates from %s to %s, every %d days, on what was known then, and measured on what followed. Over all %s snapshots of %s users PR-AUC is %s, of the rule %s: a difference of %s. Profit a date over the rule: %s.",
			len(b.Steps), written(b.Plan.From), written(b.Plan.To), b.Plan.Every, figures.Whole(b.Rows), figures.Whole(b.Users), estimate(b.PRAUC.Model, figures.Decimals(3)), estimate(b.PRAUC.Rule, figures.Decimals(3)),
			estimate(b.PRAUC.Difference, figures.Signed(figures.Decimals(3))), estimate(b.Profit.Difference, figures.Signed(figures.Money)))}
	if steps := served(b.Steps); len(steps) > 1 {
		s.Figures = append(s.Figures, pastQuality(steps), pastProfit(steps))
		s.Figures = append(s.Figures, retraining(b, steps)...)
	}
	if len(b.Lines) > 0 {
		s.Tables = append(s.Tables, lineTable(b))
	}
	s.Tables = append(s.Tables, stepTable(b.Steps))
	return s
}

// served returns the steps that a model served.
func served(steps []backtest.Step) (out []backtest.Step) {
	for _, s := range steps {
		if s.Measured() {
			out = append(out, s)
		}
	}
	return out
}

func pastQuality(steps []backtest.Step) figure {
	model, rule := series{name: "model", ink: inkModel, style: solid}, series{name: "rule", ink: inkRule, style: dashed}
	values, t := []float64{0}, table{Head: []string{"as of", "model", "rule", "difference"}}
	for _, s := range steps {
		m := s.PRAUC
		model.at, rule.at = append(model.at, dated(s.AsOf, m.Model)), append(rule.at, dated(s.AsOf, m.Rule))
		values = append(values, m.Model.Value, m.Model.High, m.Rule.Value, m.Rule.High)
		t.Rows = append(t.Rows, []string{s.AsOf.String(), estimate(m.Model, figures.Decimals(3)), estimate(m.Rule, figures.Decimals(3)), estimate(m.Difference, figures.Signed(figures.Decimals(3)))})
	}
	return draws("Quality, trained anew each time", "Higher is better; the shades are intervals.",
		chart{x: calendar("date of training", trainings(steps)), y: numbers("PR-AUC", values, figures.Plain), series: []series{rule, model}}, t)
}

func pastProfit(steps []backtest.Step) figure {
	over := series{name: "model less rule", ink: inkModel, style: discs}
	values, t := []float64{0}, table{Head: []string{"as of", "model", "rule", "difference"}}
	for _, s := range steps {
		m := s.Profit
		over.at = append(over.at, dated(s.AsOf, m.Difference))
		values = append(values, m.Difference.Value, m.Difference.Low, m.Difference.High)
		t.Rows = append(t.Rows, []string{s.AsOf.String(), estimate(m.Model, figures.Money), estimate(m.Rule, figures.Money), estimate(m.Difference, figures.Signed(figures.Money))})
	}
	x := calendar("date of training", trainings(steps))
	none := series{name: "no gain", ink: inkQuiet, style: dotted, at: []point{bare(x.min, 0), bare(x.max, 0)}}
	return draws("Profit over the rule", "Above the dotted line the model earned more than the rule; the lines are intervals.",
		chart{x: x, y: numbers("profit a date, at capacity", values, figures.Plain), series: []series{none, over}}, t)
}

func trainings(steps []backtest.Step) (out []pipeline.Date) {
	for _, s := range steps {
		out = append(out, s.AsOf)
	}
	return out
}

func stepTable(steps []backtest.Step) table {
	t := table{Caption: "Which model served when", Words: true, Head: []string{"as of", "model", "trained", "gate", "training rows", "snapshots", "churn rate", "mean risk", "note"}}
	for _, s := range steps {
		if !s.Measured() {
			t.Rows = append(t.Rows, []string{s.AsOf.String(), "none yet", "–", "–", "–", figures.Whole(s.Rows), figures.Percent1(s.BaseRate), "–", s.Note})
			continue
		}
		t.Rows = append(t.Rows, []string{s.AsOf.String(), s.Model, s.TrainedOn.String(), string(s.Verdict), figures.Whole(s.TrainRows), figures.Whole(s.Rows), figures.Percent1(s.BaseRate), figures.Percent1(s.MeanRisk), s.Note})
	}
	return t
}
