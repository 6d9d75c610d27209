// Package backtest asks how good the models would have been: at a series of
// as-of dates it trains on what was known then, as production would have, and
// measures the model on the days until the next training.
//
//	training k ── knows ──▶ asOf k
//	                        [ scored: asOf k … asOf k+1 )  labels close later
//	training k+1 ────────── knows ───────▶ asOf k+1
//
// Three lines run beside each other: the first model for ever, the model that
// the gate lets through, and the latest one.
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
	"churn/model/profile"
	"churn/pipeline"
	"churn/pipeline/dataset"
	"churn/pipeline/evaluate"
	"churn/pipeline/features"
	"churn/pipeline/promote"
	"churn/pipeline/score"
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

// The lines: ways to keep the model in production up to date.
const (
	LineFrozen = "frozen" // the first model, never replaced
	LineGated  = "gated"  // replaced where the gate says so
	LineLatest = "latest" // replaced by every training that beats the floor
)

// Title returns what a line is, for people.
func Title(line string) string {
	switch line {
	case LineFrozen:
		return "the first, never replaced"
	case LineGated:
		return "replaced where the gate allowed"
	}
	return "replaced at every training"
}

// Line is how one of them fared in a step.
type Line struct {
	Name      string          `json:"name"`
	Model     string          `json:"model"`         // kind of the model
	TrainedOn pipeline.Date   `json:"trained_as_of"` // earlier than the step's where the model of before stayed
	MeanRisk  float64         `json:"mean_risk"`
	PRAUC     metric.Estimate `json:"pr_auc"`
	LogLoss   metric.Estimate `json:"log_loss"`
	Profit    metric.Estimate `json:"profit_at_capacity"`
}

// Step is one training with the period that follows.
type Step struct {
	AsOf      pipeline.Date `json:"as_of_date"`
	Last      pipeline.Date `json:"last_date"` // last as-of date of the period
	Rows      int           `json:"rows"`
	Users     int           `json:"users"`
	TrainRows int           `json:"train_rows"`
	Model     string        `json:"model"`         // kind of the latest model; "" = none yet
	TrainedOn pipeline.Date `json:"trained_as_of"` // earlier than AsOf where the training of AsOf found no better than the floor
	Note      string        `json:"note,omitempty"`
	BaseRate  float64       `json:"churn_rate"`
	MeanRisk  float64       `json:"mean_risk"`
	PRAUC     Measure       `json:"pr_auc"` // of the latest model
	ROCAUC    Measure       `json:"roc_auc"`
	Profit    Measure       `json:"profit_at_capacity"`
	Lines     []Line        `json:"lines"`

	Verdict promote.Verdict `json:"verdict,omitempty"` // of the gate on the training of AsOf
	Reason  string          `json:"reason,omitempty"`
}

// Measured reports whether a model served the step.
func (s Step) Measured() bool { return s.Model != "" }

// Comparison is how a line fared over all steps, and by how much that is more
// than the frozen line on the same resamples of users.
type Comparison struct {
	Name       string            `json:"name"`
	Models     int               `json:"models"` // that were in use
	Estimates  []metric.Estimate `json:"estimates"`
	OverFrozen []metric.Estimate `json:"over_frozen"`
}

// Report is the whole series.
type Report struct {
	Plan       Plan   `json:"plan"`
	FeatureSet string `json:"feature_set"` // fingerprint of the features
	WindowDays int    `json:"window_days"`

	Steps  []Step       `json:"steps"`
	PRAUC  Measure      `json:"pr_auc"` // of the latest models, over all measured steps together
	Profit Measure      `json:"profit_at_capacity"`
	Lines  []Comparison `json:"lines"`
	Users  int          `json:"users"`
	Rows   int          `json:"rows"`
}

// Input is what a backtest is made of.
type Input struct {
	Rows       *dataset.Rows // labelled
	Definition train.Definition
	Gate       promote.Params
	Plan       Plan
}

// Run trains at every date of the plan and measures each model. Only rows whose
// label windows had closed by then are trained on, and judged by. Trainings run
// side by side, since none depends on another.
func Run(ctx context.Context, in Input, progress func(done, total int64)) (Report, error) {
	rows, d, p := in.Rows, in.Definition, in.Plan
	r := runner{rows: rows, definition: d, gate: in.Gate, report: Report{Plan: p, FeatureSet: features.Fingerprint(d.Features), WindowDays: d.Labels.WindowDays},
		lines: []*production{{name: LineFrozen}, {name: LineGated}, {name: LineLatest}}}
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

// runner walks the plan.
type runner struct {
	rows       *dataset.Rows
	definition train.Definition
	gate       promote.Params
	report     Report
	lines      []*production
	served     []*dataset.Rows // the rows of each measured step
}

// production is a line as it goes.
type production struct {
	name   string
	serves trained     // the model in use
	models int         // that were in use so far
	probs  [][]float64 // of the rows of each measured step
}

// take puts a model into use.
func (p *production) take(t trained) { p.serves, p.models = t, p.models+1 }

// trained is what training as of a date gave.
type trained struct {
	asOf   pipeline.Date
	rows   int
	bundle *bundle.Bundle // nil: no better than the floor, or nothing could be trained
	kind   string
	note   string // why
	// of the selected model
	split     train.Split
	verdict   train.Verdict
	reference *profile.Reference // of its training rows
	promise   float64            // ROC-AUC of its test period
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
	for i := range candidates {
		if c := &candidates[i]; c.Measured.Name == report.Selection.Name {
			out.bundle, out.kind, out.split, out.verdict = c.Bundle, c.Measured.Name, report.Split, c.Verdict
			reference := c.Papers().Profile
			out.reference, out.promise = &reference, c.Measured.Find(train.ROCAUC).Value
			return out, nil
		}
	}
	out.note = report.Selected().Reason
	return out, nil
}

// step lets every line take or leave a trained model, and measures what then
// serves.
func (r *runner) step(t trained) error {
	s := Step{AsOf: t.asOf, TrainRows: t.rows, Note: t.note}
	if t.bundle != nil {
		if err := r.offer(t, &s); err != nil {
			return err
		}
	}
	rows := r.rows.Between(t.asOf, t.asOf+pipeline.Date(r.report.Plan.Every)-1)
	if rows.Len() == 0 || rows.OneClass("") != nil {
		return nil // no as-of date with closed label windows, or nothing to rank: not a period that can be judged
	}
	dates := rows.Dates()
	s.Last, s.Rows, s.Users, s.BaseRate = dates[len(dates)-1], rows.Len(), rows.Users(), rows.Rate()
	if r.lines[0].models > 0 {
		if err := r.serve(&s, rows); err != nil {
			return err
		}
	}
	r.report.Steps = append(r.report.Steps, s)
	return nil
}

// offer lets every line take a trained model or leave it.
func (r *runner) offer(t trained, s *Step) error {
	for _, line := range r.lines {
		takes := line.name == LineLatest || line.models == 0
		if line.name == LineGated {
			d, err := r.judge(t, line)
			if err != nil {
				return err
			}
			s.Verdict, s.Reason, takes = d.Verdict, d.Reason, d.Moves()
		}
		if takes {
			line.take(t)
		}
	}
	return nil
}

// judge asks the gate whether a trained model may replace that of a line, by
// what was known on the day of the training.
func (r *runner) judge(t trained, line *production) (promote.Decision, error) {
	challenger, err := t.contender()
	if err != nil {
		return promote.Decision{}, err
	}
	in := promote.Input{Challenger: challenger, Training: t.verdict, Evaluate: r.definition.Evaluate, Value: r.definition.Value}
	if line.models > 0 {
		champion, err := line.serves.contender()
		if err != nil {
			return promote.Decision{}, err
		}
		champion.Promise = line.serves.promise
		in.Champion = &champion
	}
	test := r.rows.Between(t.split.TestFirst, t.split.TestLast)
	dates := promote.Dates(test.Dates(), t.asOf, challenger, in.Champion)
	in.Challenger.Rows = test.Where(func(i int) bool { return slices.Contains(dates, test.AsOf[i]) })
	if in.Champion != nil {
		in.Champion.Rows = in.Challenger.Rows
	}
	return promote.Judge(in, r.gate)
}

// contender returns a trained model as the gate sees it, named by its date.
func (t trained) contender() (promote.Contender, error) {
	m, err := score.NewModel(t.bundle, t.asOf.String())
	return promote.Contender{Model: m, TrainLast: t.split.TrainLast, Reference: t.reference}, err
}

// serve scores the rows of a period by every line and measures the scores.
func (r *runner) serve(s *Step, rows *dataset.Rows) error {
	r.served = append(r.served, rows)
	for _, line := range r.lines {
		margins := line.serves.bundle.Margins(&rows.Frame)
		probs := line.serves.bundle.Probabilities(margins)
		line.probs = append(line.probs, probs)
		sample := evaluate.Sample(rows, margins, probs)
		s.Lines = append(s.Lines, r.line(line, sample))
		if line.name == LineLatest {
			s.Model, s.TrainedOn, s.MeanRisk = line.serves.kind, line.serves.asOf, mean(probs)
			if err := r.measure(sample, rows, &s.PRAUC, &s.ROCAUC, &s.Profit); err != nil {
				return err
			}
		}
	}
	return nil
}

// line measures a line on the rows of a step.
func (r *runner) line(p *production, sample metric.Sample) Line {
	e := metric.Evaluate(sample, r.definition.Evaluation()).Estimates
	return Line{Name: p.name, Model: p.serves.kind, TrainedOn: p.serves.asOf, MeanRisk: mean(sample.Prob),
		PRAUC: evaluate.Find(e, metric.PRAUC), LogLoss: evaluate.Find(e, "log_loss"), Profit: evaluate.Find(e, metric.ProfitAtCapacity)}
}

func mean(x []float64) (m float64) {
	for _, v := range x {
		m += v / float64(len(x))
	}
	return m
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
	rows := dataset.Concat(r.served)
	r.report.Rows, r.report.Users = rows.Len(), rows.Users()
	frozen := r.lines[0].sample(rows)
	for _, line := range r.lines {
		sample := line.sample(rows)
		c := Comparison{Name: line.name, Models: line.models}
		if line.name == LineLatest {
			if err := r.measure(sample, rows, &r.report.PRAUC, nil, &r.report.Profit); err != nil {
				return err
			}
		}
		if err := r.compare(&c, sample, frozen); err != nil {
			return err
		}
		r.report.Lines = append(r.report.Lines, c)
	}
	return nil
}

// sample returns the scores of all steps. Margins of different models do not
// compare; probabilities do.
func (p *production) sample(rows *dataset.Rows) metric.Sample {
	probs := slices.Concat(p.probs...)
	return evaluate.Sample(rows, probs, probs)
}

// compare measures a line beside the frozen one.
func (r *runner) compare(c *Comparison, line, frozen metric.Sample) error {
	p := r.definition.Evaluation()
	all := metric.Evaluate(line, p).Estimates
	for _, name := range []string{metric.PRAUC, train.ROCAUC, "log_loss", metric.ProfitAtCapacity} {
		d, err := metric.PairedDifference(line, frozen, name, p)
		if err != nil {
			return err
		}
		c.Estimates, c.OverFrozen = append(c.Estimates, evaluate.Find(all, name)), append(c.OverFrozen, d)
	}
	return nil
}
