package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"churn/model"
	"churn/model/bundle"
	"churn/model/encode"
	"churn/model/linear"
	"churn/model/logistic"
	"churn/model/metric"
	"churn/pipeline"
	"churn/pipeline/features"
	"churn/pipeline/labels"
	"churn/pipeline/score"
)

// RuleFeature ranks users by the one-line rule: who was silent longest.
const RuleFeature = "days_since_last_activity"

// The rows of the comparison beside the models.
const (
	NameFloor = "linear"                   // least squares: the floor that a model must beat
	NameRule  = "days_since_last_activity" // the one-line rule
)

// minLevelRows is how many training rows a category needs for a column of its own.
const minLevelRows = 50

// Definition is what the training set was made with.
type Definition struct {
	Features  features.Params
	Labels    labels.Params
	Threshold float64 // probability from which a row counts as churn
	Model     Params
	// AsOf is the last day that may be known: rows whose label window closed
	// later are left out. NoDate = no limit.
	AsOf pipeline.Date
	// Truth is known for simulated data only; it is measured, never learned from.
	Truth Truth `json:"-"`
}

// Measured is one ranking of the test rows.
type Measured struct {
	Name      string            `json:"name"`
	Estimates []metric.Estimate `json:"test"`
	Fit       *logistic.Report  `json:"fit,omitempty"`

	sample metric.Sample // of the test rows
}

// Find returns the value of a metric, NaN where it is undefined.
func (m Measured) Find(name string) metric.Estimate {
	i := slices.IndexFunc(m.Estimates, func(e metric.Estimate) bool { return e.Name == name })
	if i < 0 {
		return metric.Estimate{Name: name, Value: math.NaN(), Low: math.NaN(), High: math.NaN()}
	}
	return m.Estimates[i]
}

// Report is what the stage did and found.
type Report struct {
	Rows       int        `json:"rows"`
	Sampled    bool       `json:"sampled"` // users were sampled for train.max_rows
	Split      Split      `json:"split"`
	TestUsers  int        `json:"test_users"`
	WindowDays int        `json:"window_days"`
	Models     []Measured `json:"models"`
	Floor      Measured   `json:"floor"`
	Rule       Measured   `json:"rule"`
	Ceiling    *Measured  `json:"best_achievable,omitempty"` // simulated data only
	Verdicts   []Verdict  `json:"verdicts"`
}

// Verdict says whether a model may be registered, and why.
type Verdict struct {
	Name    string `json:"name"`
	Passed  bool   `json:"passed"`
	Reason  string `json:"reason"`
	Warning string `json:"warning,omitempty"`
	// How much higher the model's PR-AUC is, with the interval of the difference
	// over the same resamples of users.
	OverFloor metric.Estimate `json:"pr_auc_over_floor"`
	OverRule  metric.Estimate `json:"pr_auc_over_rule"`
	Version   string          `json:"version,omitempty"`
}

// Candidate is a model that beat the floor.
type Candidate struct {
	Measured Measured
	Bundle   *bundle.Bundle
}

// Run fits the models on the training period of rows and measures them, the
// floor and the rule on the same test rows.
func Run(ctx context.Context, rows *Rows, d Definition, progress func(done, total int64)) (Report, []Candidate, error) {
	report := Report{Rows: rows.Len(), Sampled: rows.Sampled, WindowDays: d.Labels.WindowDays}
	dates := d.Labels.Matured(datesOf(rows.AsOf), latest(rows, d))
	s, err := split(dates, d.Labels.WindowDays, d.Model)
	if err != nil {
		return report, nil, err
	}
	fit, test := rows.between(s.TrainFirst, s.TrainLast), rows.between(s.TestFirst, s.TestLast)
	s.TrainRows, s.TestRows, s.TrainRate, s.TestRate = fit.Len(), test.Len(), fit.rate(), test.rate()
	report.Split = s
	if err := errors.Join(fit.oneClass("training"), test.oneClass("test")); err != nil {
		return report, nil, err
	}
	t := &trainer{ctx: ctx, definition: d, fit: fit, test: test, progress: progress}
	candidates, err := t.run(&report)
	return report, candidates, err
}

// latest returns the last day that may be known.
func latest(rows *Rows, d Definition) pipeline.Date {
	if d.AsOf != pipeline.NoDate {
		return d.AsOf
	}
	return slices.Max(rows.AsOf) + pipeline.Date(d.Labels.WindowDays)
}

// trainer is one run.
type trainer struct {
	ctx        context.Context
	definition Definition
	fit, test  *Rows
	progress   func(done, total int64)
	encoder    *encode.Encoder
	x, xTest   *model.Matrix
}

func (t *trainer) run(report *Report) (candidates []Candidate, err error) {
	if err := t.encode(); err != nil {
		return nil, err
	}
	report.TestUsers = usersIn(t.test)
	if report.Floor, err = t.floor(); err != nil {
		return nil, err
	}
	report.Rule = t.rule()
	report.Ceiling = t.ceiling()
	for _, name := range t.definition.Model.Models {
		c, err := t.logistic(name)
		if err != nil {
			return nil, err
		}
		v := verdict(c.Measured, report.Floor, report.Rule)
		if err := t.compare(&v, c.Measured, report); err != nil {
			return nil, err
		}
		report.Models = append(report.Models, c.Measured)
		report.Verdicts = append(report.Verdicts, v)
		if v.Passed {
			candidates = append(candidates, c)
		}
	}
	return candidates, nil
}

// encode fits the encoder on the training rows only.
func (t *trainer) encode() (err error) {
	catalog := features.Catalog(t.definition.Features)
	var columns []encode.Column
	for i := range catalog {
		if f := &catalog[i]; !f.Categorical() {
			columns = append(columns, encode.Column{Name: f.Name, Log: f.Skewed})
		}
	}
	t.encoder, err = encode.Fit(&t.fit.Frame, encode.Options{Numeric: columns, MinLevelCount: minLevelRows})
	if err != nil {
		return fmt.Errorf("encode the training rows: %w", err)
	}
	t.x, t.xTest = t.encoder.Matrix(&t.fit.Frame), t.encoder.Matrix(&t.test.Frame)
	return nil
}

// floor measures least squares.
func (t *trainer) floor() (Measured, error) {
	p := linear.Defaults()
	p.Seed = t.definition.Model.Seed
	m, err := linear.Fit(t.x, t.fit.Label, p)
	if err != nil {
		return Measured{}, fmt.Errorf("fit the least-squares floor: %w", err)
	}
	scores, probs := make([]float64, t.test.Len()), make([]float64, t.test.Len())
	for i := range scores {
		scores[i], probs[i] = m.Predict(t.xTest.Row(i)), m.Probability(t.xTest.Row(i))
	}
	return t.measure(NameFloor, scores, probs), nil
}

// rule measures the one-line rule, which has no probabilities.
func (t *trainer) rule() Measured {
	column := slices.Index(t.test.Frame.NumericNames, RuleFeature)
	scores := make([]float64, t.test.Len())
	for i := range scores {
		num, _ := t.test.Frame.Row(i)
		scores[i] = num[column]
	}
	return t.measure(NameRule, scores, nil)
}

func (t *trainer) measure(name string, scores, probs []float64) Measured {
	sample := t.sample(scores, probs)
	return Measured{Name: name, Estimates: metric.Evaluate(sample, t.evaluation()).Estimates, sample: sample}
}

func (t *trainer) evaluation() metric.EvalParams {
	p := metric.Defaults()
	p.Bootstrap, p.Seed = t.definition.Model.Bootstrap, t.definition.Model.Seed
	return p
}

// compare measures how far the model is above the floor and the rule.
func (t *trainer) compare(v *Verdict, m Measured, r *Report) (err error) {
	if v.OverFloor, err = metric.PairedDifference(m.sample, r.Floor.sample, PRAUC, t.evaluation()); err != nil {
		return err
	}
	if v.OverRule, err = metric.PairedDifference(m.sample, r.Rule.sample, PRAUC, t.evaluation()); err != nil {
		return err
	}
	if v.Passed && v.Warning == "" && !(v.OverFloor.Low > 0 && v.OverRule.Low > 0) {
		v.Warning = "the lead may be chance: an interval of the differences holds zero; more users or history would tell"
	}
	return nil
}

// sample groups the test rows by as-of date and by user.
func (t *trainer) sample(scores, probs []float64) metric.Sample {
	dates := datesOf(t.test.AsOf)
	groups := make([]int32, t.test.Len())
	for i, d := range t.test.AsOf {
		k, _ := slices.BinarySearch(dates, d)
		groups[i] = int32(k)
	}
	return metric.Sample{Score: scores, Prob: probs, Label: t.test.Label, Group: groups, User: t.test.User}
}

// logistic fits and measures the SGD logistic regression.
func (t *trainer) logistic(name string) (Candidate, error) {
	p := t.definition.Model.Logistic()
	total := int64(p.MaxEpochs)
	m, fit, err := logistic.Fit(t.ctx, t.x, t.fit.Label, nil, p, func(epoch int, _, _ float64) {
		if t.progress != nil {
			t.progress(int64(epoch), total)
		}
	})
	if err != nil {
		return Candidate{}, fmt.Errorf("fit %s: %w", name, err)
	}
	b, err := t.bundle(m)
	if err != nil {
		return Candidate{}, err
	}
	scorer := b.NewScorer()
	probs := make([]float64, t.test.Len())
	for i := range probs {
		probs[i] = scorer.Score(t.test.Frame.Row(i))
	}
	measured := t.measure(name, probs, probs)
	measured.Fit = &fit
	return Candidate{Measured: measured, Bundle: b}, nil
}

func (t *trainer) bundle(m *logistic.Model) (*bundle.Bundle, error) {
	d := t.definition
	spec, err := json.Marshal(score.Spec{Features: d.Features, Labels: d.Labels})
	if err != nil {
		return nil, err
	}
	raw := json.RawMessage(spec)
	return bundle.New(bundle.Bundle{
		Kind: bundle.KindLogistic, FeatureSet: features.Fingerprint(d.Features),
		Numeric: t.fit.Frame.NumericNames, Categorical: t.fit.Frame.CategoricalNames, Encoder: t.encoder, Logistic: m,
		Calibration: bundle.Calibration{Kind: bundle.CalibrationNone}, Threshold: d.Threshold,
		Reference: bundle.ReferenceOf(t.x), Spec: &raw,
	})
}

// verdict says whether a model beats the floor and the base rate. Falling
// short of the one-line rule is a warning that nobody can overlook.
func verdict(m, floor, rule Measured) Verdict {
	v := Verdict{Name: m.Name}
	ours, least, line, base := m.Find(PRAUC).Value, floor.Find(PRAUC).Value, rule.Find(PRAUC).Value, m.Find("base_rate").Value
	switch {
	case m.Fit != nil && m.Fit.Status == logistic.Diverged:
		v.Reason = "the fit diverged; raise train.l2_regularization"
	case !(ours > base):
		v.Reason = fmt.Sprintf("PR-AUC %.4f does not beat the base rate %.4f", ours, base)
	case !(ours > least):
		v.Reason = fmt.Sprintf("PR-AUC %.4f does not beat the least-squares floor %.4f", ours, least)
	default:
		v.Passed = true
		v.Reason = fmt.Sprintf("PR-AUC %.4f beats the least-squares floor %.4f and the base rate %.4f", ours, least, base)
	}
	if !(ours > line) {
		v.Warning = fmt.Sprintf("the one-line rule %q is at least as good (PR-AUC %.4f against %.4f)", RuleFeature, line, ours)
	}
	return v
}

func usersIn(r *Rows) int {
	return len(slices.Compact(slices.Sorted(slices.Values(r.User))))
}
