// Package backtest asks how good the models would have been: at a series of
// as-of dates it trains on what was known then, as production would have, and
// measures the model on the days until the next training.
//
//	training k ── knows ──▶ asOf k
//	                        [ scored: asOf k … asOf k+1 )  labels close later
//	training k+1 ────────── knows ───────▶ asOf k+1
//
// Features are what was known on their as-of date. Labels are what is known
// today of windows that had closed: facts that were recorded late count, though
// the training of that day could not have seen them.
package backtest

import (
	"context"
	"errors"
	"math"
	"slices"

	"churn/internal/parallel"
	"churn/model/bundle"
	"churn/model/metric"
	"churn/pipeline"
	"churn/pipeline/dataset"
	"churn/pipeline/evaluate"
	"churn/pipeline/features"
	"churn/pipeline/train"
)

// Plan says when to train.
type Plan struct {
	From  pipeline.Date `json:"from"`       // first training
	To    pipeline.Date `json:"to"`         // last training
	Every int           `json:"every_days"` // days between trainings
}

// Measure is a figure of the model beside that of the rule on the same rows,
// and their difference over the same resamples of users.
type Measure struct {
	Model      metric.Estimate `json:"model"`
	Rule       metric.Estimate `json:"rule"`
	Difference metric.Estimate `json:"difference"`
}

// Step is one training with the period that its model served.
type Step struct {
	AsOf      pipeline.Date `json:"as_of_date"`
	Last      pipeline.Date `json:"last_date"` // last as-of date that the model served
	Rows      int           `json:"rows"`
	Users     int           `json:"users"`
	TrainRows int           `json:"train_rows"`
	Model     string        `json:"model"`         // kind of the selected model; "" = none yet
	TrainedOn pipeline.Date `json:"trained_as_of"` // earlier than AsOf where the training of AsOf found no better than the floor
	Note      string        `json:"note,omitempty"`
	BaseRate  float64       `json:"churn_rate"`
	MeanRisk  float64       `json:"mean_risk"`
	PRAUC     Measure       `json:"pr_auc"`
	ROCAUC    Measure       `json:"roc_auc"`
	Profit    Measure       `json:"profit_at_capacity"`
}

// Measured reports whether a model served the step.
func (s Step) Measured() bool { return s.Model != "" }

// Report is the whole series.
type Report struct {
	Plan       Plan   `json:"plan"`
	FeatureSet string `json:"feature_set"` // fingerprint of the features
	WindowDays int    `json:"window_days"`

	Steps  []Step  `json:"steps"`
	PRAUC  Measure `json:"pr_auc"` // over all measured steps together
	Profit Measure `json:"profit_at_capacity"`
	Users  int     `json:"users"`
	Rows   int     `json:"rows"`
}

// served is what one step adds to the whole.
type served struct {
	rows  *dataset.Rows
	probs []float64
}

// Run trains at every date of the plan and measures each model. rows are
// labelled; only those whose label windows had closed by then are trained on.
// Trainings run side by side, since none depends on another.
func Run(ctx context.Context, rows *dataset.Rows, d train.Definition, p Plan, progress func(done, total int64)) (Report, error) {
	r := runner{rows: rows, definition: d, report: Report{Plan: p, FeatureSet: features.Fingerprint(d.Features), WindowDays: d.Labels.WindowDays}}
	last := min(p.To, slices.Max(rows.AsOf)) // nothing after it can be judged
	total, done := int64(last-p.From)/int64(p.Every)+1, int64(0)
	asOf := p.From - pipeline.Date(p.Every)
	next := func() (pipeline.Date, bool, error) {
		asOf += pipeline.Date(p.Every)
		return asOf, asOf <= last, nil
	}
	fit := func(asOf pipeline.Date) (trained, error) { return r.train(ctx, asOf) }
	err := parallel.Ordered(ctx, next, fit, func(t trained) error {
		done++
		if progress != nil {
			progress(done, total)
		}
		return r.step(t)
	})
	if err != nil {
		return r.report, err
	}
	return r.report, r.finish()
}

// runner walks the plan with the model in production.
type runner struct {
	rows       *dataset.Rows
	definition train.Definition
	report     Report
	model      *bundle.Bundle
	kind       string
	trainedOn  pipeline.Date
	served     []served
}

// trained is what training as of a date gave.
type trained struct {
	asOf   pipeline.Date
	rows   int
	bundle *bundle.Bundle // nil: no better than the floor, or nothing could be trained
	kind   string
	note   string // why
}

// train returns the selected model of a training, if it passed.
func (r *runner) train(ctx context.Context, asOf pipeline.Date) (trained, error) {
	d, out := r.definition, trained{asOf: asOf}
	d.AsOf = asOf
	known := r.rows.Between(pipeline.Date(math.MinInt32), asOf-pipeline.Date(d.Labels.WindowDays))
	if known.Len() == 0 {
		out.note = "no label window had closed yet"
		return out, nil
	}
	report, candidates, err := train.Run(ctx, known, d, nil)
	if ctx.Err() != nil {
		return out, context.Cause(ctx)
	}
	if err != nil {
		out.note = err.Error() // too little history, as it was then
		return out, nil
	}
	out.rows = report.Split.TrainRows
	for _, c := range candidates {
		if c.Measured.Name == report.Selection.Name {
			out.bundle, out.kind = c.Bundle, c.Measured.Name
			return out, nil
		}
	}
	out.note = report.Selected().Reason
	return out, nil
}

// step puts a trained model into production and measures what then serves.
func (r *runner) step(t trained) error {
	if t.bundle != nil {
		r.model, r.kind, r.trainedOn = t.bundle, t.kind, t.asOf
	}
	s := Step{AsOf: t.asOf, TrainRows: t.rows, Note: t.note}
	rows := r.rows.Between(t.asOf, t.asOf+pipeline.Date(r.report.Plan.Every)-1)
	if rows.Len() == 0 || rows.OneClass("") != nil {
		return nil // no as-of date with closed label windows, or nothing to rank: not a period that can be judged
	}
	dates := rows.Dates()
	s.Last, s.Rows, s.Users, s.BaseRate = dates[len(dates)-1], rows.Len(), rows.Users(), rows.Rate()
	if r.model != nil {
		if err := r.serve(&s, rows); err != nil {
			return err
		}
	}
	r.report.Steps = append(r.report.Steps, s)
	return nil
}

// serve scores the rows of a period and measures the scores.
func (r *runner) serve(s *Step, rows *dataset.Rows) error {
	s.Model, s.TrainedOn = r.kind, r.trainedOn
	margins := r.model.Margins(&rows.Frame)
	probs := r.model.Probabilities(margins)
	for _, p := range probs {
		s.MeanRisk += p / float64(len(probs))
	}
	r.served = append(r.served, served{rows, probs})
	return r.measure(evaluate.Sample(rows, margins, probs), rows, &s.PRAUC, &s.ROCAUC, &s.Profit)
}

// measure fills in the figures of a sample of rows beside those of the rule. roc
// may be nil.
func (r *runner) measure(model metric.Sample, rows *dataset.Rows, pr, roc, profit *Measure) error {
	rule := evaluate.Sample(rows, evaluate.Rule(rows), nil)
	p := r.definition.Evaluation()
	ours, theirs := metric.Evaluate(model, p), metric.Evaluate(rule, p)
	for _, x := range []struct {
		out  *Measure
		name string
	}{{pr, train.PRAUC}, {roc, train.ROCAUC}, {profit, metric.ProfitAtCapacity}} {
		if x.out == nil {
			continue
		}
		d, err := metric.PairedDifference(model, rule, x.name, p)
		if err != nil {
			return err
		}
		x.out.Model, _ = ours.Find(x.name)
		x.out.Rule, _ = theirs.Find(x.name)
		x.out.Difference = d
	}
	return nil
}

// finish measures all steps together.
func (r *runner) finish() error {
	if len(r.served) == 0 {
		why := "no as-of date in this range has closed label windows"
		if n := len(r.report.Steps); n > 0 && r.report.Steps[n-1].Note != "" {
			why = "on the last date: " + r.report.Steps[n-1].Note
		}
		return errors.New("no model could be trained and judged on any date; " + why)
	}
	var all []*dataset.Rows
	var probs []float64
	for _, s := range r.served {
		all = append(all, s.rows)
		probs = append(probs, s.probs...)
	}
	rows := dataset.Concat(all)
	r.report.Rows, r.report.Users = rows.Len(), rows.Users()
	// Margins of different models do not compare; probabilities do.
	return r.measure(evaluate.Sample(rows, probs, probs), rows, &r.report.PRAUC, nil, &r.report.Profit)
}
