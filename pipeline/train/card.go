package train

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"churn/model/bundle"
	"churn/pipeline"
)

// Lineage is what a model card says of a model's origin.
type Lineage struct {
	AsOf        pipeline.Date
	CodeVersion string
	TrainingSet pipeline.FileState
}

// Card returns the model card of a candidate in Markdown.
func Card(version string, c Candidate, r Report, l Lineage) []byte {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	s := r.Split
	line("# Model %s: %s\n", version, c.Measured.Name)
	line("Probability that a user who is at risk on an as-of date has no activity in the %d days after it.\n", r.WindowDays)
	line("| | from | to | rows | churned |\n|---|---|---|---:|---:|")
	line("| training | %s | %s | %d | %.2f%% |", s.TrainFirst, s.TrainLast, s.TrainRows, 100*s.TrainRate)
	line("| test | %s | %s | %d | %.2f%% |", s.TestFirst, s.TestLast, s.TestRows, 100*s.TestRate)
	line("\n%d as-of dates between the two are left out, so that no training label window reaches into the test period. The test rows come from %d users; intervals are 95%%, from a bootstrap over users.\n", s.Purged, r.TestUsers)
	line("## Test figures\n")
	line("| metric | this model | least-squares floor | rule: %s |\n|---|---|---|---|", RuleFeature)
	for _, e := range c.Measured.Estimates {
		line("| %s | %s | %s | %s |", e.Name, Interval(e.Value, e.Low, e.High), cell(r.Floor, e.Name), cell(r.Rule, e.Name))
	}
	for _, v := range r.Verdicts {
		if v.Name == c.Measured.Name {
			line("\nPR-AUC above the floor by %s and above the rule by %s, over the same resamples of users.", Interval(v.OverFloor.Value, v.OverFloor.Low, v.OverFloor.High), Interval(v.OverRule.Value, v.OverRule.Low, v.OverRule.High))
		}
	}
	if f := c.Measured.Fit; f != nil {
		line("\nFit: %s after %d epochs, objective %.9g, estimated distance to the optimum %.2g.", f.Status, f.Epochs, f.Objective, f.Gap)
	}
	line("\n## Largest coefficients\n\nOf standardised columns, so that they compare; positive raises the risk.\n\n| column | coefficient |\n|---|---:|")
	for _, x := range largest(c.Bundle, 20) {
		line("| %s | %+.4f |", x.name, x.coef)
	}
	line("\n## Origin\n\n- data up to %s; training set %s, SHA-256 %s\n- feature set %s\n- code %s", l.AsOf, l.TrainingSet.Path, l.TrainingSet.SHA256, c.Bundle.FeatureSet, l.CodeVersion)
	line("\n## Limits\n\nPlan, payment status, country and source are as in the export, without their history. The label is inactivity, which is not always a cancelled contract. A coefficient tells what the risk goes with, not what would lower it.")
	return []byte(b.String())
}

// Interval writes a value with its interval, or that it is undefined.
func Interval(value, low, high float64) string {
	if math.IsNaN(value) {
		return "undefined"
	}
	return fmt.Sprintf("%.3f (%.3f–%.3f)", value, low, high)
}

func cell(m Measured, name string) string {
	e := m.Find(name)
	if math.IsNaN(e.Value) {
		return "–"
	}
	return Interval(e.Value, e.Low, e.High)
}

type coefficient struct {
	name string
	coef float64
}

func largest(b *bundle.Bundle, n int) []coefficient {
	var all []coefficient
	for i, name := range b.Encoder.Names() {
		all = append(all, coefficient{name, b.Logistic.Coef[i]})
	}
	slices.SortStableFunc(all, func(x, y coefficient) int { return cmp.Compare(math.Abs(y.coef), math.Abs(x.coef)) })
	return all[:min(n, len(all))]
}
