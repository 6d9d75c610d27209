package report

import (
	"churn/internal/figures"
	"churn/model/metric"
	"churn/pipeline/evaluate"
)

// measure is a figure with how people call it.
type measure struct {
	name, title string
	write       figures.Format
}

func measures(e evaluate.Evaluation) []measure {
	out := []measure{
		{"base_rate", "churn rate", figures.Percent1},
		{metric.PRAUC, "PR-AUC: ranking, most weight on the top; 1 is perfect", figures.Decimals(3)},
		{"roc_auc", "ROC-AUC: a leaver stands above one who stays; ½ is chance", figures.Decimals(3)},
	}
	if list := topList(e); list != "" {
		out = append(out, measure{"precision_at_" + list, "left, of the first " + listName(list) + " on a date", figures.Percent1})
	}
	return append(out,
		measure{"lift_at_10pct", "lift of the first 10%: leavers found, as a multiple of chance", figures.Decimals(2)},
		measure{"log_loss", "log-loss of the risks: less is better", figures.Decimals(4)},
		measure{"brier", "Brier score of the risks: less is better", figures.Decimals(4)},
		measure{"calibration_in_the_large", "mean risk less churn rate: 0 is right", figures.Signed(figures.Points)},
		measure{"calibration_slope", "calibration slope: 1 is right, below it risks are too extreme", figures.Decimals(2)},
		measure{"ece", "expected calibration error: less is better", figures.Percent1},
		measure{metric.ProfitAtCapacity, "profit a date, at capacity", figures.Money},
		measure{"empc", "EMPC: profit per user with the best number of contacts", figures.Decimals(2)},
	)
}

// ranked is a ranking with its figures.
type ranked struct {
	name      string
	estimates []metric.Estimate
}

// keyFigures compares the model with the rule, the floor and the best
// achievable.
func (in Input) keyFigures() *section {
	e := in.Evaluation
	s := &section{ID: "figures", Title: "Key figures",
		Lead: "The users at risk are those for whom a contact can still change something; figures on everyone look better because long-silent users are easy to tell. Intervals in brackets are at " +
			figures.Percent(metric.Defaults().Confidence) + " confidence, over resamples of users."}
	cohort := []ranked{{"model", e.Cohort.Model}, {"rule", e.Cohort.Rule}}
	if t := in.Training; t != nil {
		onTest := ""
		if t.Split.TestFirst != e.From || t.Split.TestLast != e.To {
			onTest = " (on the test period)"
		}
		cohort = append(cohort, ranked{"least-squares floor" + onTest, t.Floor.Estimates})
		if t.Ceiling != nil {
			cohort = append(cohort, ranked{"best achievable" + onTest, t.Ceiling.Estimates})
			s.Notes = append(s.Notes, "The best achievable is the ranking by the true probabilities of the simulation, which no model can know.")
		}
	}
	s.Tables = append(s.Tables, compare("Users at risk", measures(e), cohort))
	if e.Everyone != nil {
		s.Tables = append(s.Tables, compare("Everyone", measures(e), []ranked{{"model", e.Everyone.Model}, {"rule", e.Everyone.Rule}}))
	}
	if t := overRule(e); len(t.Rows) > 0 {
		s.Tables = append(s.Tables, t)
	}
	return s
}

// compare writes rankings side by side, without figures that none of them has.
func compare(caption string, measures []measure, of []ranked) table {
	t := table{Caption: caption, Head: []string{"figure"}}
	for _, r := range of {
		t.Head = append(t.Head, r.name)
	}
	for _, m := range measures {
		row, any := []string{m.title}, false
		for _, r := range of {
			e := evaluate.Find(r.estimates, m.name)
			any = any || figures.Finite(e.Value)
			row = append(row, orDash(estimate(e, m.write)))
		}
		if any {
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

// orDash marks a figure that a ranking does not have: the rule gives no
// probabilities.
func orDash(text string) string {
	if text == figures.Undefined {
		return "–"
	}
	return text
}

// overRule writes the differences from the rule.
func overRule(e evaluate.Evaluation) table {
	t := table{Caption: "Model less rule, on the same resamples of users", Head: []string{"figure", "difference"}}
	for _, m := range measures(e) {
		if d := evaluate.Find(e.OverRule, m.name); figures.Finite(d.Value) {
			t.Rows = append(t.Rows, []string{m.title, estimate(d, figures.Signed(m.write))})
		}
	}
	return t
}
