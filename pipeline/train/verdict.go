package train

import (
	"fmt"

	"churn/model/logistic"
	"churn/model/metric"
	"churn/pipeline/evaluate"
)

// Selection says which model the validation rows speak for.
type Selection struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
	// Difference is by how much the more complex model was better on the
	// validation rows.
	Difference *metric.Estimate `json:"difference,omitempty"`
}

// leastLead is the lead in the primary metric below which the simpler model is
// taken: nobody would notice it, and the simpler one is easier to explain.
const leastLead = 0.001

// selection takes the model that is best on the validation rows by the primary
// metric. Whether a lead is beyond chance is told, but decides nothing: of two
// models that both pass, the one that seems better is the better bet.
func (t *trainer) selection(learners []learner, found []search) (Selection, error) {
	best := Selection{Name: learners[0].name(), Reason: "the only model"}
	if len(learners) == 1 {
		return best, nil
	}
	if found[0].validation == nil {
		best.Reason = "the simplest model; there are no validation rows"
		return best, nil
	}
	current := 0
	for k := 1; k < len(learners); k++ {
		sample := func(i int) metric.Sample {
			return evaluate.Sample(found[i].validation, found[i].margins, nil)
		}
		d, err := metric.PairedDifference(sample(k), sample(current), t.definition.Primary, t.definition.Evaluation())
		if err != nil {
			return best, err
		}
		best.Difference = &d
		text := fmt.Sprintf("%s of %s less that of %s on the validation rows: %+.3f (%+.3f to %+.3f)", t.definition.Primary, learners[k].name(), learners[current].name(), d.Value, d.Low, d.High)
		best.Reason = "the simpler model is as good; " + text
		if d.Value >= leastLead {
			current = k
			best.Reason = "better, though it may be chance; " + text
		}
		if d.Low > 0 {
			best.Reason = "better beyond chance; " + text
		}
	}
	best.Name = learners[current].name()
	return best, nil
}

// Verdict says whether a model may be registered, and why.
type Verdict struct {
	Name    string `json:"name"`
	Passed  bool   `json:"passed"`
	Reason  string `json:"reason"`
	Warning string `json:"warning,omitempty"`
	// By how much the model is better, with the interval of the difference over
	// the same resamples of users.
	OverFloor      metric.Estimate    `json:"pr_auc_over_floor"`
	OverRule       metric.Estimate    `json:"pr_auc_over_rule"`
	ProfitOverRule metric.Estimate    `json:"profit_over_rule"`
	Suspicion      evaluate.Suspicion `json:"suspicion"`
	Version        string             `json:"version,omitempty"`
	Digest         string             `json:"digest,omitempty"` // of the version
}

// verdict says whether a model beats the floor and the base rate. Falling
// short of the one-line rule is a warning that nobody can overlook.
func verdict(m, floor, rule Measured) Verdict {
	v := Verdict{Name: m.Name}
	ours, least, line, base := m.Find(PRAUC).Value, floor.Find(PRAUC).Value, rule.Find(PRAUC).Value, m.Find("base_rate").Value
	switch {
	case m.Fit != nil && m.Fit.Status == string(logistic.Diverged):
		v.Reason = "the fit diverged; raise train.logistic.l2_regularization"
	case !(ours > base):
		v.Reason = fmt.Sprintf("PR-AUC %.4f does not beat the base rate %.4f", ours, base)
	case !(ours > least):
		v.Reason = fmt.Sprintf("PR-AUC %.4f does not beat the least-squares floor %.4f", ours, least)
	default:
		v.Passed = true
		v.Reason = fmt.Sprintf("PR-AUC %.4f beats the least-squares floor %.4f and the base rate %.4f", ours, least, base)
	}
	if !(ours > line) {
		v.Warning = fmt.Sprintf("the one-line rule %q is at least as good (PR-AUC %.4f against %.4f)", NameRule, line, ours)
	}
	return v
}

// compare measures how far the model is above the floor and the rule.
func (t *trainer) compare(v *Verdict, m Measured) error {
	for _, x := range []struct {
		out    *metric.Estimate
		other  Measured
		metric string
	}{{&v.OverFloor, t.report.Floor, PRAUC}, {&v.OverRule, t.report.Rule, PRAUC}, {&v.ProfitOverRule, t.report.Rule, metric.ProfitAtCapacity}} {
		d, err := metric.PairedDifference(m.sample, x.other.sample, x.metric, t.definition.Evaluation())
		if err != nil {
			return err
		}
		*x.out = d
	}
	if v.Passed && v.Warning == "" && !(v.OverFloor.Low > 0 && v.OverRule.Low > 0) {
		v.Warning = "the lead may be chance: an interval of the differences holds zero; more users or history would tell"
	}
	return nil
}
