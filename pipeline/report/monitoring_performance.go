package report

import (
	"fmt"
	"strings"

	"churn/internal/figures"
	"churn/model/metric"
	"churn/pipeline"
	"churn/pipeline/evaluate"
	"churn/pipeline/monitor"
	"churn/pipeline/monitor/health"
)

// performed draws whether past predictions came true.
func (m Monitored) performed() *section {
	s := &section{ID: "performance", Title: "Did past predictions come true?"}
	r := latest(m.Performance)
	if r == nil {
		s.Lead = m.parts()[3].absent(m.AsOf) + " It needs lists of `churn score` whose label window has closed."
		return s
	}
	s.Lead = strings.TrimSpace(fmt.Sprintf("%s on %s. %s", marked(health.Status(r.Status)), written(r.AsOf), strings.Join(r.Reasons, ". ")))
	if len(r.Dates)+len(r.Immature) > 0 {
		s.Figures = append(s.Figures, rankingFigure(r), realisedRates(r))
	}
	if len(r.Dates) > 0 {
		s.Tables = append(s.Tables, realisedTable(r))
	}
	if len(r.Immature) > 0 {
		s.Tables = append(s.Tables, immatureTable(r))
		s.Notes = append(s.Notes, "What has not matured is "+r.Blind+".")
	}
	s.Tables = append(s.Tables, trackedTable(r)...)
	s.Tables = append(s.Tables, contactTable(r)...)
	for _, x := range r.SetAside {
		s.Notes = append(s.Notes, fmt.Sprintf("Set aside: %s: %s", x.Path, x.Why))
	}
	return s
}

// besidePromise returns the figure of a ranking that compares with the promise.
func besidePromise(of []metric.Estimate, primary string) metric.Estimate {
	if primary == metric.PRAUC {
		if e := evaluate.Find(of, metric.PRAUCAtRate); figures.Finite(e.Value) {
			return e
		}
	}
	return evaluate.Find(of, primary)
}

// rankedName is the name of that figure on the page.
func rankedName(primary string) string {
	if primary == metric.PRAUC {
		return "PR-AUC (at the promised churn rate)"
	}
	return "ROC-AUC"
}

// performanceDates lists the dates of the predictions, and what their models are.
func performanceDates(r *monitor.Performance) (dates []pipeline.Date, versions []string) {
	for _, d := range r.Dates {
		dates, versions = append(dates, d.AsOf), append(versions, d.Version)
	}
	for _, d := range r.Immature {
		dates, versions = append(dates, d.AsOf), append(versions, d.Version)
	}
	return dates, versions
}

// rankingFigure sets what was realised and what is estimated beside the promise.
func rankingFigure(r *monitor.Performance) figure {
	realised, promised, estimated := series{name: "realised", ink: inkModel, style: discs}, series{name: "promised by the model card", ink: inkRule, style: dashed}, series{name: "estimated, not matured", ink: inkObserved, style: boxes}
	t := table{Head: []string{"as of", "model", "realised", "promised", "estimated"}}
	values := []float64{0}
	for _, d := range r.Dates {
		e, p := besidePromise(d.Figures, r.Primary), metric.Estimate{}
		text := "–"
		realised.at, values = append(realised.at, dated(d.AsOf, e)), append(values, e.Value, e.High)
		if d.Promise != nil {
			p = evaluate.Find(d.Promise.Figures, r.Primary)
			promised.at, values = append(promised.at, bare(float64(d.AsOf), p.Value)), append(values, p.Value)
			text = figures.Decimals(3)(p.Value)
		}
		t.Rows = append(t.Rows, []string{d.AsOf.String(), d.Version, estimate(e, figures.Decimals(3)), text, estimate(besidePromise(d.Estimated, r.Primary), figures.Decimals(3))})
	}
	for _, d := range r.Immature {
		e := besidePromise(d.Estimated, r.Primary)
		estimated.at, values = append(estimated.at, dated(d.AsOf, e)), append(values, e.Value, e.High)
		t.Rows = append(t.Rows, []string{d.AsOf.String(), d.Version, "not matured", "–", estimate(e, figures.Decimals(3))})
	}
	dates, versions := performanceDates(r)
	c := chart{x: calendar("as-of date of the predictions", dates), y: numbers(rankedName(r.Primary), values, figures.Plain), series: []series{promised, realised, estimated}}
	c.mark(changes(dates, func(i int) string { return versions[i] }))
	return draws("Quality of past predictions", "Higher is better; lines are intervals. Round dots are what came, squares what is estimated where labels have not matured.", c, t)
}

// realisedRates sets the mean risk beside the share that left.
func realisedRates(r *monitor.Performance) figure {
	risk, rate, guess := series{name: "mean risk", ink: inkModel, style: solid}, series{name: "share that left", ink: inkRule, style: discs}, series{name: "estimated, not matured", ink: inkObserved, style: boxes}
	t := table{Head: []string{"as of", "mean risk", "left", "estimated"}}
	values := []float64{0}
	for _, d := range r.Dates {
		e := evaluate.Find(d.Figures, "base_rate")
		risk.at, rate.at = append(risk.at, bare(float64(d.AsOf), float64(d.MeanRisk))), append(rate.at, dated(d.AsOf, e))
		values = append(values, float64(d.MeanRisk), e.Value, e.High)
		t.Rows = append(t.Rows, []string{d.AsOf.String(), figures.Percent1(float64(d.MeanRisk)), estimate(e, figures.Percent1), estimate(evaluate.Find(d.Estimated, "base_rate"), figures.Percent1)})
	}
	for _, d := range r.Immature {
		e := evaluate.Find(d.Estimated, "base_rate")
		risk.at, guess.at = append(risk.at, bare(float64(d.AsOf), float64(d.MeanRisk))), append(guess.at, dated(d.AsOf, e))
		values = append(values, float64(d.MeanRisk), e.Value, e.High)
		t.Rows = append(t.Rows, []string{d.AsOf.String(), figures.Percent1(float64(d.MeanRisk)), "not matured", estimate(e, figures.Percent1)})
	}
	dates, versions := performanceDates(r)
	c := chart{x: calendar("as-of date of the predictions", dates), y: numbers("share of the users at risk", values, figures.Percent), series: []series{risk, rate, guess}}
	c.mark(changes(dates, func(i int) string { return versions[i] }))
	return draws("Did as many leave as the risks said?", "Where the line leaves the intervals of the dots, risks cannot be taken at their word.", c, t)
}

func realisedTable(r *monitor.Performance) table {
	t := table{Caption: "Predictions whose label window has closed", Words: true, Head: []string{"as of", "model", "verdict", "users", "left", "PR-AUC", "ROC-AUC", "log-loss", "left for one expected", "lift", "contacted", "note"}}
	d3 := figures.Decimals(3)
	for _, d := range r.Dates {
		find := func(name string) string { return estimate(evaluate.Find(d.Figures, name), d3) }
		t.Rows = append(t.Rows, []string{d.AsOf.String(), d.Version, marked(health.Status(d.Status)), figures.Whole(d.Users), figures.Whole(d.Churned), find(metric.PRAUC), find("roc_auc"), d3(evaluate.Find(d.Figures, "log_loss").Value),
			estimate(evaluate.Find(d.Figures, monitor.ObservedExpected), figures.Decimals(2)), liftOf(d.Figures), figures.Whole(d.Contacted), d.Note})
	}
	return t
}

// liftOf writes the lift among the first of the list, with how many they are.
func liftOf(of []metric.Estimate) string {
	for _, e := range of {
		if k, ok := strings.CutPrefix(e.Name, "lift_at_"); ok && figures.Finite(e.Value) {
			return figures.Decimals(1)(e.Value) + " at " + k
		}
	}
	return "–"
}

func immatureTable(r *monitor.Performance) table {
	t := table{Caption: "Predictions whose labels have not matured", Words: true, Head: []string{"as of", "model", "users", "matures", "mean risk", "churn rate, estimated", "ROC-AUC, estimated", "note"}}
	for _, d := range r.Immature {
		t.Rows = append(t.Rows, []string{d.AsOf.String(), d.Version, figures.Whole(d.Users), d.Matures.String(), figures.Percent1(float64(d.MeanRisk)),
			estimate(evaluate.Find(d.Estimated, "base_rate"), figures.Percent1), estimate(evaluate.Find(d.Estimated, "roc_auc"), figures.Decimals(3)), d.Note})
	}
	return t
}

// trackedTable says how good the estimates were that labels have overtaken.
func trackedTable(r *monitor.Performance) []table {
	if len(r.Tracked) == 0 {
		return nil
	}
	t := table{Caption: "How good were the estimates?", Head: []string{"figure", "dates", "in the band", "mean error", "mean size of the error"}}
	for _, x := range r.Tracked {
		t.Rows = append(t.Rows, []string{x.Name, figures.Whole(x.Dates), figures.Whole(x.Inside), figures.Signed(figures.Decimals(3))(float64(x.Error)), figures.Decimals(3)(float64(x.Size))})
	}
	return []table{t}
}

// contactTable has the users who were contacted.
func contactTable(r *monitor.Performance) []table {
	if r.Contacts == nil {
		return nil
	}
	t := table{Caption: "Contacted users are counted apart: " + r.Contacts.Why, Head: []string{"treatment", "rows", "users", "left", "expected to leave", "left for one expected"}}
	for _, x := range r.Contacts.Treatments {
		t.Rows = append(t.Rows, []string{x.Treatment, figures.Whole(x.Rows), figures.Whole(x.Users), figures.Whole(x.Churned), figures.Decimals(1)(float64(x.Expected)), estimate(evaluate.Find(x.Figures, monitor.ObservedExpected), figures.Decimals(2))})
	}
	return []table{t}
}
