package evaluate

import (
	"cmp"
	"math"
	"slices"

	"churn/model/metric"
	"churn/pipeline/dataset"
	"churn/pipeline/features"
)

// bins is the number of bins of the reliability curve.
const bins = 10

// Calibration says how far probabilities can be taken at their word.
type Calibration struct {
	Kind        string               `json:"kind"`         // of the map from margins: none, platt or isotonic
	InTheLarge  metric.Estimate      `json:"in_the_large"` // mean risk less churn rate
	ECE         metric.Estimate      `json:"ece"`          // over bins of equal mass
	Slope       metric.Estimate      `json:"slope"`        // 1 is right; below 1 the risks are too extreme
	Reliability metric.Reliability   `json:"reliability"`
	Brier       metric.Decomposition `json:"brier"`
}

func (in Input) calibration(p Population, m measured) Calibration {
	return Calibration{Kind: in.Model.Bundle.Calibration.Kind, InTheLarge: p.Find("calibration_in_the_large"), ECE: p.Find("ece"), Slope: p.Find("calibration_slope"),
		Reliability: metric.ReliabilityCurve(m.model(), bins, in.Measure.Confidence), Brier: metric.DecomposeBrier(m.probs, m.rows.Label, bins)}
}

// curvePoints bounds the points of a drawn curve.
const curvePoints = 120

// Curves are those of the model and of the rule, for drawing.
type Curves struct {
	PR        []metric.CurvePoint `json:"pr"`
	ROC       []metric.CurvePoint `json:"roc"`
	Gains     []metric.Gain       `json:"gains"`
	RulePR    []metric.CurvePoint `json:"rule_pr"`
	RuleROC   []metric.CurvePoint `json:"rule_roc"`
	RuleGains []metric.Gain       `json:"rule_gains"`
}

func curves(m measured) Curves {
	rule, label := Rule(m.rows), m.rows.Label
	var shares []float64
	for k := range 20 {
		shares = append(shares, float64(k+1)/20)
	}
	return Curves{
		PR: metric.PRCurve(m.margins, label, curvePoints), ROC: metric.ROCCurve(m.margins, label, curvePoints), Gains: metric.Gains(m.model(), shares),
		RulePR: metric.PRCurve(rule, label, curvePoints), RuleROC: metric.ROCCurve(rule, label, curvePoints), RuleGains: metric.Gains(m.rule(), shares),
	}
}

// Decision is what acting on the risks would bring.
type Decision struct {
	Threshold  float64          `json:"threshold"` // risk from which a contact pays for itself
	Confusion  metric.Confusion `json:"confusion"` // of contacting from there on
	Precision  float64          `json:"precision"`
	Recall     float64          `json:"recall"`
	AtCapacity metric.Estimate  `json:"profit_at_capacity"`      // a date, contacting so many
	Rule       metric.Estimate  `json:"rule_profit_at_capacity"` // the same by the rule
	Stopping   metric.Estimate  `json:"profit_at_threshold"`     // a date, contacting no more than that and only above the threshold
	Contacts   metric.Estimate  `json:"contacts_at_threshold"`   // a date
	EMPC       metric.Estimate  `json:"empc"`                    // expected maximum profit per user
	RuleEMPC   metric.Estimate  `json:"rule_empc"`
}

func (in Input) decision(p Population, m measured) Decision {
	d := Decision{Threshold: in.Value.Metric().Threshold(), AtCapacity: p.Find(metric.ProfitAtCapacity), Rule: Find(p.Rule, metric.ProfitAtCapacity),
		Stopping: p.Find("profit_at_threshold"), Contacts: p.Find("contacts_at_threshold"), EMPC: p.Find("empc"), RuleEMPC: Find(p.Rule, "empc")}
	d.Confusion = metric.ConfusionAt(m.probs, m.rows.Label, d.Threshold)
	d.Precision, d.Recall = zeroNaN(d.Confusion.Precision()), zeroNaN(d.Confusion.Recall())
	return d
}

// zeroNaN returns 0 for what nothing defines: nobody contacted, nobody caught.
func zeroNaN(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return x
}

// importanceRows bounds the rows that are explained for the importance.
const importanceRows = 20_000

// Importance is how much a feature moves the risk.
type Importance struct {
	Feature string         `json:"feature"`
	Title   string         `json:"title"`
	Theme   features.Theme `json:"theme"`
	Mean    float64        `json:"mean_abs_contribution"` // log-odds, over the cohort
	StdErr  float64        `json:"std_err"`               // over users
}

func (in Input) importance(rows *dataset.Rows) (out []Importance) {
	n := rows.Len()
	step := max((n+importanceRows-1)/importanceRows, 1)
	b, sample := in.Model.Bundle, rows.Take(where(n, func(i int) bool { return i%step == 0 }))
	all := b.Importance(&sample.Frame, sample.User)
	for i, name := range slices.Concat(b.Numeric, b.Categorical) {
		f := in.Model.Index.Feature(name)
		out = append(out, Importance{name, f.Title, f.Theme, all[i].Mean, all[i].StdErr})
	}
	slices.SortStableFunc(out, func(a, b Importance) int { return cmp.Compare(b.Mean, a.Mean) })
	return out
}
