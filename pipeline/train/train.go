package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"churn/model/bundle"
	"churn/model/calibrate"
	"churn/model/encode"
	"churn/model/linear"
	"churn/model/logistic"
	"churn/model/metric"
	"churn/model/profile"
	"churn/pipeline"
	"churn/pipeline/dataset"
	"churn/pipeline/evaluate"
	"churn/pipeline/features"
	"churn/pipeline/labels"
	"churn/pipeline/score"
)

// The rows of the comparison beside the models.
const (
	NameFloor = "linear"             // least squares: the floor that a model must beat
	NameRule  = evaluate.RuleFeature // the one-line rule
)

// Definition is what the training set was made with, and what the models are
// measured by.
type Definition struct {
	Features  features.Params
	Labels    labels.Params
	Threshold float64 // probability from which a row counts as churn
	Model     Params
	Evaluate  evaluate.Params
	Value     evaluate.Value
	Primary   string // metric that chooses among models: PRAUC or ROCAUC
	// AsOf is the last day that may be known: rows whose label window closed
	// later are left out. NoDate = no limit.
	AsOf pipeline.Date
	// Truth is known for simulated data only; it is measured, never learned from.
	Truth Truth `json:"-"`
	// Start is the production model, for a warm start; nil = none.
	Start *bundle.Bundle `json:"-"`
}

// Measured is one ranking of the test rows.
type Measured struct {
	Name        string            `json:"name"`
	Setting     string            `json:"setting,omitempty"`
	Estimates   []metric.Estimate `json:"test"`
	Trials      []Trial           `json:"trials,omitempty"`
	Calibration *calibrate.Choice `json:"calibration,omitempty"`
	Fit         *Fit              `json:"fit,omitempty"`

	sample metric.Sample // of the test rows
}

// Find returns the value of a metric, NaN where it is undefined.
func (m Measured) Find(name string) metric.Estimate { return evaluate.Find(m.Estimates, name) }

// Report is what the stage did and found.
type Report struct {
	Rows       int        `json:"rows"`
	Sampled    bool       `json:"sampled"` // users were sampled for train.max_rows
	Split      Split      `json:"split"`
	Folds      []Fold     `json:"folds"`
	TestUsers  int        `json:"test_users"`
	WindowDays int        `json:"window_days"`
	Models     []Measured `json:"models"`
	Floor      Measured   `json:"floor"`
	Rule       Measured   `json:"rule"`
	Ceiling    *Measured  `json:"best_achievable,omitempty"` // simulated data only
	Selection  Selection  `json:"selection"`
	Verdicts   []Verdict  `json:"verdicts"`
	Warnings   []string   `json:"warnings,omitempty"`
	Settings   Params     `json:"settings"` // all of them
}

// Selected returns the verdict on the selected model.
func (r *Report) Selected() Verdict {
	i := slices.IndexFunc(r.Verdicts, func(v Verdict) bool { return v.Name == r.Selection.Name })
	return r.Verdicts[i]
}

// Model returns the test figures of a model by its name, none if it was not
// trained.
func (r *Report) Model(name string) Measured {
	i := slices.IndexFunc(r.Models, func(m Measured) bool { return m.Name == name })
	if i < 0 {
		return Measured{Name: name}
	}
	return r.Models[i]
}

// Candidate is a model that beat the floor.
type Candidate struct {
	Measured Measured
	Verdict  Verdict
	Bundle   *bundle.Bundle
	Terms    []logistic.Term // coefficients with their errors; of the logistic only

	reference func() profile.Reference // of the training rows
	test      *dataset.Rows
	features  features.Params
}

// Run fits the models on the training period of rows, selects one of them by
// the later rows of that period, and measures them, the floor and the rule on
// the same test rows.
func Run(ctx context.Context, rows *dataset.Rows, d Definition, progress func(done, total int64)) (Report, []Candidate, error) {
	report := Report{Rows: rows.Len(), Sampled: rows.Sampled, WindowDays: d.Labels.WindowDays, Settings: d.Model}
	dates := d.Labels.Matured(rows.Dates(), latest(rows, d))
	s, err := split(dates, d.Labels.WindowDays, d.Model)
	if err != nil {
		return report, nil, err
	}
	fit, test := rows.Between(s.TrainFirst, s.TrainLast), rows.Between(s.TestFirst, s.TestLast)
	s.TrainRows, s.TestRows, s.TrainRate, s.TestRate = fit.Len(), test.Len(), fit.Rate(), test.Rate()
	report.Split, report.TestUsers = s, test.Users()
	if err := errors.Join(fit.OneClass("training"), test.OneClass("test")); err != nil {
		return report, nil, err
	}
	if err := d.Model.known(rows.Frame.NumericNames); err != nil {
		return report, nil, err
	}
	t := &trainer{ctx: ctx, definition: d, fit: fit, test: test, report: &report, progress: progress,
		reference: sync.OnceValue(func() profile.Reference { return profile.Of(profile.Rows{Frame: &fit.Frame, User: fit.User}) })}
	candidates, err := t.run()
	return report, candidates, err
}

// latest returns the last day that may be known.
func latest(rows *dataset.Rows, d Definition) pipeline.Date {
	if d.AsOf != pipeline.NoDate {
		return d.AsOf
	}
	return slices.Max(rows.AsOf) + pipeline.Date(d.Labels.WindowDays)
}

// trainer is one run.
type trainer struct {
	ctx        context.Context
	definition Definition
	fit, test  *dataset.Rows
	report     *Report
	progress   func(done, total int64)
	reference  func() profile.Reference // of fit, shared by the candidates

	done, total int64 // fits
}

func (t *trainer) run() ([]Candidate, error) {
	r := t.report
	r.Folds = folds(t.fit, t.definition.Labels.WindowDays, t.definition.Model)
	if err := t.baselines(); err != nil {
		return nil, err
	}
	learners := t.definition.Model.learners()
	for _, l := range learners {
		t.total += int64(l.settings()*len(r.Folds) + 1)
		if l.stops() {
			t.total += int64(len(r.Folds))
		}
	}
	var searches []search
	var candidates []Candidate
	for _, l := range learners {
		found, c, err := t.train(l)
		if err != nil {
			return nil, err
		}
		searches = append(searches, found)
		candidates = append(candidates, c)
		r.Models = append(r.Models, c.Measured)
	}
	var err error
	if r.Selection, err = t.selection(learners, searches); err != nil {
		return nil, err
	}
	t.warn()
	return t.judge(candidates)
}

// judge gives the verdicts and keeps the candidates that passed.
func (t *trainer) judge(candidates []Candidate) (passed []Candidate, err error) {
	feature, auc := evaluate.Strongest(t.test)
	for _, c := range candidates {
		c.Verdict = verdict(c.Measured, t.report.Floor, t.report.Rule)
		if err := t.compare(&c.Verdict, c.Measured); err != nil {
			return nil, err
		}
		c.Verdict.Suspicion = evaluate.Suspect(c.Measured.Find(ROCAUC).Value, feature, auc, t.definition.Evaluate)
		t.report.Verdicts = append(t.report.Verdicts, c.Verdict)
		if c.Verdict.Passed {
			passed = append(passed, c)
		}
	}
	return passed, nil
}

// step counts a fit.
func (t *trainer) step() {
	t.done++
	if t.progress != nil {
		t.progress(t.done, t.total)
	}
}

// train searches, fits the chosen setting on the whole training period, and
// measures the result.
func (t *trainer) train(l learner) (search, Candidate, error) {
	s := searcher{ctx: t.ctx, definition: t.definition, folds: t.report.Folds, rows: t.fit.Len(), step: t.step}
	found, err := s.run(l)
	if err != nil {
		return found, Candidate{}, err
	}
	e, err := newEncoder(t.fit, t.definition.Features, l.raw())
	if err != nil {
		return found, Candidate{}, err
	}
	rows := encodeRows(e, t.fit, t.definition.Model.HalfLifeDays)
	m, err := l.fit(t.ctx, job{encoded: rows, setting: found.setting, rounds: found.rounds, start: t.definition.Start})
	if err != nil {
		return found, Candidate{}, fmt.Errorf("fit %s: %w", l.name(), err)
	}
	t.step()
	c := Candidate{reference: t.reference, test: t.test, features: t.definition.Features}
	found.calibration = toTrainingRate(found.calibration, m.margins(rows.x), t.fit)
	if c.Bundle, err = t.bundle(e, &m, rows, found.calibration); err != nil {
		return found, c, err
	}
	if m.logistic != nil {
		c.Terms = t.terms(m.logistic, rows, found.setting)
	}
	margins := c.Bundle.Margins(&t.test.Frame)
	c.Measured = t.measure(l.name(), margins, c.Bundle.Probabilities(margins))
	c.Measured.Setting, c.Measured.Trials, c.Measured.Fit = l.describe(found.setting), found.trials, &m.fit
	if len(found.trials) > 0 {
		c.Measured.Calibration = &found.choice
	}
	return found, c, nil
}

// terms returns the coefficients with errors that know that the rows of one
// user are alike.
func (t *trainer) terms(m *logistic.Model, rows encoded, setting int) []logistic.Term {
	in := logistic.Input{X: rows.x, Label: rows.label, Weight: rows.weight}
	terms, err := logistic.Errors(in, m, t.definition.Model.logistics()[setting], t.fit.User)
	if err != nil {
		return nil // the Hessian has no inverse: the card says that there are none
	}
	return terms
}

// baselines measures the floor, the rule and, on simulated data, the truth.
func (t *trainer) baselines() (err error) {
	if t.report.Floor, err = t.floor(); err != nil {
		return err
	}
	t.report.Rule = t.measure(NameRule, evaluate.Rule(t.test), nil)
	t.report.Ceiling = t.ceiling()
	return nil
}

// floor measures least squares.
func (t *trainer) floor() (Measured, error) {
	e, err := newEncoder(t.fit, t.definition.Features, false)
	if err != nil {
		return Measured{}, err
	}
	p := linear.Defaults()
	p.Seed = t.definition.Model.Seed
	m, err := linear.Fit(e.Matrix(&t.fit.Frame), t.fit.Label, p)
	if err != nil {
		return Measured{}, fmt.Errorf("fit the least-squares floor: %w", err)
	}
	x := e.Matrix(&t.test.Frame)
	scores, probs := make([]float64, t.test.Len()), make([]float64, t.test.Len())
	for i := range scores {
		scores[i], probs[i] = m.Predict(x.Row(i)), m.Probability(x.Row(i))
	}
	return t.measure(NameFloor, scores, probs), nil
}

func (t *trainer) measure(name string, scores, probs []float64) Measured {
	sample := evaluate.Sample(t.test, scores, probs)
	return Measured{Name: name, Estimates: metric.Evaluate(sample, t.definition.Evaluation()).Estimates, sample: sample}
}

// overlaps reports whether training labels tell of days of the test period.
func (d Definition) overlaps(s Split) bool {
	return s.TrainLast+pipeline.Date(d.Labels.WindowDays) >= s.TestFirst
}

// Evaluation returns how samples are measured.
func (d Definition) Evaluation() metric.EvalParams {
	p := metric.Defaults()
	p.Bootstrap, p.Seed, p.Value = d.Model.Bootstrap, d.Model.Seed, d.Value.Metric()
	return p
}

func (t *trainer) bundle(e *encode.Encoder, m *fitted, rows encoded, calibration calibrate.Map) (*bundle.Bundle, error) {
	d := t.definition
	spec, err := json.Marshal(score.Spec{Features: d.Features, Labels: d.Labels})
	if err != nil {
		return nil, err
	}
	raw := json.RawMessage(spec)
	b := bundle.Bundle{FeatureSet: features.Fingerprint(d.Features), Numeric: t.fit.Frame.NumericNames, Categorical: t.fit.Frame.CategoricalNames,
		Encoder: e, Calibration: calibration, Threshold: d.Threshold, Profile: bundle.ProfileOf(&t.fit.Frame), Spec: &raw}
	if m.gbdt != nil {
		b.Kind, b.GBDT = bundle.KindGBDT, m.gbdt
	} else {
		b.Kind, b.Logistic, b.Mean = bundle.KindLogistic, m.logistic, bundle.MeanOf(rows.x)
	}
	return bundle.New(b)
}

// warn notes what a reader of the figures must know.
func (t *trainer) warn() {
	r := t.report
	fit := metric.Evaluate(evaluate.Sample(t.fit, make([]float64, t.fit.Len()), nil), t.definition.Evaluation()).Estimates
	before, after := evaluate.Find(fit, "base_rate"), r.Rule.Find("base_rate")
	if before.High < after.Low || after.High < before.Low {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the churn rate moved: %s in the training period, %s in the test period; probabilities may be off, and figures that depend on the rate do not compare",
			percents(before), percents(after)))
	}
	if t.definition.overlaps(r.Split) {
		r.Warnings = append(r.Warnings, "training label windows reach into the test period (train.purge is off), so the test figures flatter every model")
	}
	if d := t.definition; d.Model.WarmStart && (d.Start == nil || d.Start.Logistic == nil || !slices.Contains(d.Model.Models, ModelLogistic)) {
		r.Warnings = append(r.Warnings, "train.warm_start had no effect: only a logistic regression starts from another, and the production model is none")
	}
	switch {
	case len(r.Folds) == 0:
		r.Warnings = append(r.Warnings, "nothing was validated: too few rows of one outcome; settings are the first of each list, probabilities are not calibrated")
	case r.Folds[0].By == ByUsers:
		r.Warnings = append(r.Warnings, "the history is too short for a later, purged validation period: settings, calibration and model were chosen on other users of the same dates")
	}
}

func percents(e metric.Estimate) string {
	return fmt.Sprintf("%.1f%% (%.1f–%.1f%%)", 100*e.Value, 100*e.Low, 100*e.High)
}

// Interval writes a value with its interval, or that it is undefined.
func Interval(value, low, high float64) string {
	if math.IsNaN(value) {
		return "undefined"
	}
	return fmt.Sprintf("%.3f (%.3f–%.3f)", value, low, high)
}
