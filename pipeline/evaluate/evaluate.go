package evaluate

import (
	"fmt"
	"math"
	"slices"

	"churn/model/metric"
	"churn/pipeline"
	"churn/pipeline/dataset"
	"churn/pipeline/score"
)

// Input is a model with the labelled snapshots to measure it on.
type Input struct {
	Model    *score.Model
	Rows     *dataset.Rows // with AtRisk where they hold everyone
	Params   Params
	Value    Value
	Measure  metric.EvalParams
	InSample bool // the model has learned from some of these dates
}

// Evaluation is everything that is known about a model on a period.
type Evaluation struct {
	Version    string        `json:"model_version"`
	Kind       string        `json:"model_kind"`
	From       pipeline.Date `json:"from"` // first as-of date
	To         pipeline.Date `json:"to"`   // last as-of date
	WindowDays int           `json:"window_days"`
	CohortDays int           `json:"cohort_active_days"`
	Sampled    bool          `json:"sampled"` // some users only
	InSample   bool          `json:"in_sample"`
	Value      Value         `json:"value"`

	Cohort   Population        `json:"cohort"`             // users at risk
	Everyone *Population       `json:"everyone,omitempty"` // nil where the rows hold the cohort only
	OverRule []metric.Estimate `json:"over_rule"`          // differences on the cohort, over the same resamples of users
	ByDate   []Group           `json:"by_date"`
	Segments []Segment         `json:"segments"`

	Calibration Calibration  `json:"calibration"`
	Curves      Curves       `json:"curves"`
	Decision    Decision     `json:"decision"`
	Importance  []Importance `json:"importance"` // by falling mean
	Suspicion   Suspicion    `json:"suspicion"`
	Warnings    []string     `json:"warnings,omitempty"`
}

// Population is the figures of the model and of the rule on the same rows.
type Population struct {
	Rows      int               `json:"rows"`
	Users     int               `json:"users"`
	Dates     int               `json:"dates"`
	Positives int               `json:"churned"`
	Model     []metric.Estimate `json:"model"`
	Rule      []metric.Estimate `json:"rule"`
}

// Find returns a figure of the model, NaN where it is undefined.
func (p Population) Find(name string) metric.Estimate { return Find(p.Model, name) }

// measured is rows with their scores.
type measured struct {
	rows    *dataset.Rows
	margins []float64
	probs   []float64
}

// at returns the rows at the given positions.
func (m measured) at(keep []int) measured {
	out := measured{rows: m.rows.Take(keep)}
	for _, i := range keep {
		out.margins, out.probs = append(out.margins, m.margins[i]), append(out.probs, m.probs[i])
	}
	return out
}

// model is the sample of the model. Rows rank by their margin, which has no
// ties where an isotonic calibration has.
func (m measured) model() metric.Sample { return Sample(m.rows, m.margins, m.probs) }

// rule is the sample of the rule.
func (m measured) rule() metric.Sample { return Sample(m.rows, Rule(m.rows), nil) }

// Run measures a model.
func Run(in Input) (Evaluation, error) {
	spec := in.Model.Spec
	e := Evaluation{Version: in.Model.Version, Kind: in.Model.Bundle.Kind, WindowDays: spec.Labels.WindowDays, CohortDays: spec.Labels.CohortActiveDays,
		Sampled: in.Rows.Sampled, InSample: in.InSample, Value: in.Value}
	if in.Rows.Len() == 0 {
		return e, fmt.Errorf("there is no labelled snapshot in the period")
	}
	dates := in.Rows.Dates()
	e.From, e.To = dates[0], dates[len(dates)-1]
	everyone := in.scored()
	cohort := everyone
	if in.Rows.AtRisk != nil {
		cohort = everyone.at(where(in.Rows.Len(), func(i int) bool { return in.Rows.AtRisk[i] }))
	}
	if err := cohort.rows.OneClass("evaluation"); err != nil {
		return e, err
	}
	e.Cohort = in.population(cohort)
	if in.Rows.AtRisk != nil {
		all := in.population(everyone)
		e.Everyone = &all
	}
	return e, in.cohort(&e, cohort)
}

// cohort fills in what is measured on the cohort only.
func (in Input) cohort(e *Evaluation, m measured) (err error) {
	for _, name := range []string{metric.PRAUC, "roc_auc", metric.ProfitAtCapacity} {
		d, err := metric.PairedDifference(m.model(), m.rule(), name, in.Measure)
		if err != nil {
			return err
		}
		e.OverRule = append(e.OverRule, d)
	}
	e.ByDate, e.Segments = in.byDate(m), in.segments(m)
	e.Calibration, e.Curves, e.Decision = in.calibration(e.Cohort, m), curves(m), in.decision(e.Cohort, m)
	e.Importance = in.importance(m.rows)
	feature, auc := Strongest(m.rows)
	e.Suspicion = Suspect(e.Cohort.Find("roc_auc").Value, feature, auc, in.Params)
	e.warn()
	return nil
}

// scored scores all rows.
func (in Input) scored() measured {
	margins := in.Model.Bundle.Margins(&in.Rows.Frame)
	return measured{in.Rows, margins, in.Model.Bundle.Probabilities(margins)}
}

func (in Input) population(m measured) Population {
	r := metric.Evaluate(m.model(), in.Measure)
	return Population{Rows: r.Rows, Users: r.Users, Dates: r.Groups, Positives: r.Positives, Model: r.Estimates, Rule: metric.Evaluate(m.rule(), in.Measure).Estimates}
}

// warn notes what a reader of the figures must know.
func (e *Evaluation) warn() {
	if e.InSample {
		e.Warnings = append(e.Warnings, "in sample: the model has learned from some of these dates, so its figures flatter it")
	}
	if e.Sampled {
		e.Warnings = append(e.Warnings, "measured on a sample of the users (train.max_rows)")
	}
	if d := e.Cohort.Find("calibration_in_the_large"); d.Low > 0 || d.High < 0 {
		e.Warnings = append(e.Warnings, fmt.Sprintf("the mean risk differs from the churn rate by %+.1f points (%+.1f to %+.1f): take probabilities with care; the ranking is not touched",
			100*d.Value, 100*d.Low, 100*d.High))
	}
	for _, d := range e.OverRule {
		if !math.IsNaN(d.Value) && !(d.Low > 0) && d.Name != "roc_auc" {
			e.Warnings = append(e.Warnings, fmt.Sprintf("%s is not above that of the rule %q beyond chance: %+.3g (%+.3g to %+.3g)", d.Name, RuleFeature, d.Value, d.Low, d.High))
		}
	}
	if e.Suspicion.Reason != "" {
		e.Warnings = append(e.Warnings, "LEAK ALARM: "+e.Suspicion.Reason)
	}
}

// where returns the positions in [0, n) that keep accepts.
func where(n int, keep func(i int) bool) (at []int) {
	for i := range n {
		if keep(i) {
			at = append(at, i)
		}
	}
	return at
}

// Group is a part of the cohort with its figures.
type Group struct {
	Name     string            `json:"name"`
	Rows     int               `json:"rows"`
	Users    int               `json:"users"`
	Churned  int               `json:"churned"`
	MeanRisk float64           `json:"mean_risk"`
	Model    []metric.Estimate `json:"model"`
	Rule     metric.Estimate   `json:"rule_pr_auc"`
}

// Segment is the cohort divided by one property.
type Segment struct {
	By     string  `json:"by"`
	Groups []Group `json:"groups"` // the largest first; of tenure in its order
	Small  int     `json:"small"`  // groups left out, being too small to say anything
}

// leastUsers is the number of users, and of churned and of other rows, below
// which the figures of a group say nothing.
const leastUsers = 20

// group measures the rows at the given positions; nil if they are too few.
func (in Input) group(name string, m measured) *Group {
	n, positives := m.rows.Len(), m.rows.Positives()
	if m.rows.Users() < leastUsers || positives < leastUsers || n-positives < leastUsers {
		return nil
	}
	r := metric.Evaluate(m.model(), in.Measure)
	g := &Group{Name: name, Rows: n, Users: r.Users, Churned: positives, Model: r.Estimates}
	for _, p := range m.probs {
		g.MeanRisk += p / float64(n)
	}
	g.Rule, _ = metric.Evaluate(m.rule(), in.Measure).Find(metric.PRAUC)
	return g
}

func (in Input) byDate(m measured) (out []Group) {
	for _, d := range m.rows.Dates() {
		keep := where(m.rows.Len(), func(i int) bool { return m.rows.AsOf[i] == d })
		if g := in.group(d.String(), m.at(keep)); g != nil {
			out = append(out, *g)
		}
	}
	return out
}

func (in Input) segments(m measured) (out []Segment) {
	for _, by := range in.Params.Segments {
		of, order := SegmentOf(m.rows, by)
		if of == nil {
			continue // the model's features do not have it
		}
		s := Segment{By: by, Groups: []Group{}}
		for _, name := range order {
			keep := where(len(of), func(i int) bool { return of[i] == name })
			if g := in.group(name, m.at(keep)); g != nil {
				s.Groups = append(s.Groups, *g)
			} else {
				s.Small++
			}
		}
		if by != ByTenure {
			slices.SortStableFunc(s.Groups, func(a, b Group) int { return b.Rows - a.Rows })
		}
		out = append(out, s)
	}
	return out
}

// SegmentOf returns the segment of every row, and the names that occur in
// their order; nil where the rows do not tell.
func SegmentOf(rows *dataset.Rows, by string) (of, order []string) {
	if by == ByTenure {
		return tenures(rows)
	}
	of = rows.Categorical(by)
	for i, v := range of {
		if v == "" {
			of[i] = "unknown"
		}
	}
	return of, slices.Compact(slices.Sorted(slices.Values(of)))
}

// tenures divides users by the days since they signed up.
func tenures(rows *dataset.Rows) (of, order []string) {
	days := rows.Numeric("days_since_signup")
	if days == nil {
		return nil, nil
	}
	limits := []float64{30, 90, 180, 365}
	order = []string{"up to 29 days", "30 to 89 days", "90 to 179 days", "180 to 364 days", "365 days and more"}
	for _, d := range days {
		k, _ := slices.BinarySearch(limits, math.Floor(d)+0.5)
		of = append(of, order[k])
	}
	return of, order
}
