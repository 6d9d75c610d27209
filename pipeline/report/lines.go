package report

import (
	"fmt"
	"slices"

	"churn/internal/figures"
	"churn/model/metric"
	"churn/pipeline/backtest"
)

// look is how a line of the backtest is drawn.
type look struct {
	line  string
	ink   ink
	style style
}

// looks lists the lines in the order of drawing.
func looks() []look {
	return []look{
		{backtest.LineFrozen, inkRule, dashed},
		{backtest.LineGated, inkModel, solid},
		{backtest.LineLatest, inkObserved, dotted},
	}
}

// retraining draws what replacing the model was worth.
func retraining(b *backtest.Report, steps []backtest.Step) []figure {
	if len(b.Lines) == 0 || len(steps) < 2 {
		return nil
	}
	return []figure{
		overLines(steps, "Frozen, gated and latest: ranking", "Higher is better.", "PR-AUC", func(l backtest.Line) metric.Estimate { return l.PRAUC }),
		overLines(steps, "Frozen, gated and latest: probabilities", "Lower is better.", "log-loss", func(l backtest.Line) metric.Estimate { return l.LogLoss }),
	}
}

// overLines draws one figure of every line over the steps.
func overLines(steps []backtest.Step, title, reading, axis string, of func(backtest.Line) metric.Estimate) figure {
	t := table{Head: []string{"as of"}}
	var values []float64
	var all []series
	for _, k := range looks() {
		one := series{name: backtest.Title(k.line), ink: k.ink, style: k.style}
		for _, s := range steps {
			if i := slices.IndexFunc(s.Lines, func(l backtest.Line) bool { return l.Name == k.line }); i >= 0 {
				e := of(s.Lines[i])
				one.at, values = append(one.at, bare(float64(s.AsOf), e.Value)), append(values, e.Value)
			}
		}
		if len(one.at) > 0 {
			all, t.Head = append(all, one), append(t.Head, backtest.Title(k.line))
		}
	}
	for _, s := range steps {
		row := []string{s.AsOf.String()}
		for _, l := range s.Lines {
			row = append(row, estimate(of(l), figures.Decimals(3)))
		}
		t.Rows = append(t.Rows, row)
	}
	return draws(title, reading, chart{x: calendar("date of training", trainings(steps)), y: numbers(axis, values, figures.Plain), series: all}, t)
}

// lineTable says what each way of keeping the model up to date was worth.
func lineTable(b *backtest.Report) table {
	t := table{Caption: "Was it worth replacing the model? All periods together; differences over the same resamples of users", Head: []string{"line", "models in use"}}
	for _, l := range b.Lines {
		row := []string{backtest.Title(l.Name), fmt.Sprint(l.Models)}
		for i, e := range l.Estimates {
			if len(t.Rows) == 0 {
				t.Head = append(t.Head, e.Name, "less the first model's")
			}
			d := figures.Decimals(3)
			if e.Name == metric.ProfitAtCapacity {
				d = figures.Money
			}
			row = append(row, estimate(e, d), estimate(l.OverFrozen[i], figures.Signed(d)))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
