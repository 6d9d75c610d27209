package train

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"churn/model/logistic"
	"churn/model/metric"
	"churn/pipeline"
)

// Lineage is what a model card says of a model's origin.
type Lineage struct {
	AsOf        pipeline.Date
	CodeVersion string
	TrainingSet pipeline.FileState
}

// card writes a model card line by line.
type card struct {
	strings.Builder
	candidate Candidate
	report    Report
}

func (c *card) line(format string, args ...any) { fmt.Fprintf(c, format+"\n", args...) }

// Card returns the model card of a candidate in Markdown. It says nothing that
// training does not know, such as the number that the registry gives.
func Card(candidate Candidate, r Report, l Lineage) []byte {
	c := card{candidate: candidate, report: r}
	c.line("# Churn model: %s\n", candidate.Measured.Name)
	c.line("Probability that a user who is at risk on an as-of date has no activity in the %d days after it.\n", r.WindowDays)
	c.periods()
	c.figures()
	c.fit()
	c.effects()
	c.line("\n## Origin\n\n- data up to %s; training set %s, SHA-256 %s\n- feature set %s\n- code %s", l.AsOf, l.TrainingSet.Path, l.TrainingSet.SHA256, candidate.Bundle.FeatureSet, l.CodeVersion)
	c.line("\n## Limits\n\nPlan, payment status, country and source are as in the export, without their history. The label is inactivity, which is not always a cancelled contract. A coefficient or an importance tells what the risk goes with, not what would lower it.")
	for _, text := range r.Warnings {
		c.line("\nWarning: %s.", text)
	}
	return []byte(c.String())
}

func (c *card) periods() {
	s := c.report.Split
	c.line("| | from | to | rows | churned |\n|---|---|---|---:|---:|")
	c.line("| training | %s | %s | %d | %.2f%% |", s.TrainFirst, s.TrainLast, s.TrainRows, 100*s.TrainRate)
	for k, f := range c.report.Folds {
		c.line("| validation %d (by %s), of the training rows | %s | %s | %d | |", len(c.report.Folds)-k, f.By, f.ValidateFirst, f.ValidateLast, f.ValidateRows)
	}
	c.line("| test | %s | %s | %d | %.2f%% |", s.TestFirst, s.TestLast, s.TestRows, 100*s.TestRate)
	if s.TrainLast+pipeline.Date(c.report.WindowDays) < s.TestFirst {
		c.line("\n%d as-of dates before the test period are left out, so that no training label window reaches into it; likewise before each validation period.", s.Purged)
	}
	c.line("\nThe test rows come from %d users; intervals are 95%%, from a bootstrap over users.\n", c.report.TestUsers)
}

// figures compares the model with the floor and the rule.
func (c *card) figures() {
	m, v := c.candidate.Measured, c.candidate.Verdict
	c.line("## Test figures\n")
	c.line("| metric | this model | least-squares floor | rule: %s |\n|---|---|---|---|", NameRule)
	for _, e := range m.Estimates {
		c.line("| %s | %s | %s | %s |", e.Name, Interval(e.Value, e.Low, e.High), cell(c.report.Floor, e.Name), cell(c.report.Rule, e.Name))
	}
	interval := func(e metric.Estimate) string { return Interval(e.Value, e.Low, e.High) }
	c.line("\nOver the same resamples of users: PR-AUC above the floor by %s and above the rule by %s; profit at capacity above the rule by %s.",
		interval(v.OverFloor), interval(v.OverRule), interval(v.ProfitOverRule))
	if v.Suspicion.Reason != "" {
		c.line("\n**Leak alarm:** %s.", v.Suspicion.Reason)
	}
}

// fit says how settings and calibration were chosen, and how the fit ended.
func (c *card) fit() {
	m := c.candidate.Measured
	c.line("\n## Fit\n\n%s: %s after %d iterations, loss %.9g.", m.Setting, m.Fit.Status, m.Fit.Iterations, m.Fit.Loss)
	if len(m.Trials) > 0 {
		c.line("\nOn the validation rows (log-loss after Platt's calibration; the least wins):\n\n| setting | log-loss | PR-AUC | iterations |\n|---|---:|---:|---:|")
		for _, t := range m.Trials {
			mark := ""
			if t.Chosen {
				mark = " (chosen)"
			}
			c.line("| %s%s | %.5f | %.4f | %d |", t.Setting, mark, t.LogLoss, t.PRAUC, t.Iterations)
		}
	}
	if m.Calibration != nil {
		c.line("\nCalibration: %s, by the log-loss on users that the map was not fitted on:\n\n| map | log-loss |\n|---|---:|", m.Calibration.Kind)
		for _, x := range m.Calibration.Candidates {
			loss := fmt.Sprintf("%.5f", x.LogLoss)
			if x.Refused != "" {
				loss = x.Refused
			}
			c.line("| %s | %s |", x.Kind, loss)
		}
	}
	c.line("\nSelected among the models: %s (%s).", c.report.Selection.Name, c.report.Selection.Reason)
}

// cardRows is the length of the table of effects.
const cardRows = 25

// effects lists the coefficients, or what the trees gain from each feature.
func (c *card) effects() {
	if g := c.candidate.Bundle.GBDT; g != nil {
		c.gains(g.Importance())
		return
	}
	if c.candidate.Terms == nil {
		c.line("\nThe coefficients have no standard errors: the Hessian has no inverse.")
		return
	}
	c.line("\n## Largest coefficients\n\nOf standardised columns, so that they compare; positive raises the risk. Standard errors know that the rows of one user are alike (sandwich, by user); an odds ratio is for one standard deviation, with its 95%% interval.\n\n| column | coefficient | standard error | odds ratio |\n|---|---:|---:|---:|")
	terms := slices.DeleteFunc(slices.Clone(c.candidate.Terms), func(t logistic.Term) bool { return t.Name == logistic.InterceptName })
	slices.SortStableFunc(terms, func(a, b logistic.Term) int { return cmp.Compare(math.Abs(b.Coef), math.Abs(a.Coef)) })
	for _, t := range terms[:min(cardRows, len(terms))] {
		c.line("| %s | %+.4f | %.4f | %.3f (%.3f–%.3f) |", t.Name, t.Coef, t.StdErr, t.OddsRatio, t.Low, t.High)
	}
}

func (c *card) gains(gain []float64) {
	type row struct {
		name  string
		share float64
	}
	var rows []row
	var total float64
	for _, g := range gain {
		total += g
	}
	for i, f := range c.candidate.Bundle.GBDT.Features {
		rows = append(rows, row{f.Name, gain[i] / total})
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(b.share, a.share) })
	c.line("\n## What the trees split on\n\nShare of the total gain of all splits.\n\n| feature | gain |\n|---|---:|")
	for _, r := range rows[:min(cardRows, len(rows))] {
		c.line("| %s | %.1f%% |", r.name, 100*r.share)
	}
}

func cell(m Measured, name string) string {
	e := m.Find(name)
	if math.IsNaN(e.Value) {
		return "–"
	}
	return Interval(e.Value, e.Low, e.High)
}
