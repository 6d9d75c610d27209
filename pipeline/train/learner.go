package train

import (
	"context"
	"fmt"
	"math"

	"churn/model"
	"churn/model/bundle"
	"churn/model/encode"
	"churn/model/gbdt"
	"churn/model/logistic"
	"churn/pipeline"
	"churn/pipeline/dataset"
	"churn/pipeline/features"
)

// minLevelRows is how many training rows a category needs for a column of its own.
const minLevelRows = 50

// Fit says how a fit ended.
type Fit struct {
	Status     string  `json:"status"`
	Iterations int     `json:"iterations"` // epochs, or trees kept
	Loss       float64 `json:"loss"`       // mean training loss; of the logistic with its penalty
	Gap        float64 `json:"gap,omitempty"`
}

// encoded is rows as a learner reads them.
type encoded struct {
	x      *model.Matrix
	label  []bool
	weight []float64 // nil: all weigh 1
}

// job is one fit.
type job struct {
	encoded
	setting  int      // which of the settings
	validate *encoded // stops the trees early; nil: all iterations
	rounds   int      // trees, if validate is nil
	start    *bundle.Bundle
}

// fitted is what a learner makes: one of the two models.
type fitted struct {
	logistic *logistic.Model
	gbdt     *gbdt.Model
	fit      Fit
}

// margins scores encoded rows.
func (f *fitted) margins(x *model.Matrix) []float64 {
	out := make([]float64, x.Rows())
	if f.gbdt != nil {
		f.gbdt.Margins(x, out)
	} else {
		f.logistic.Margins(x, out)
	}
	return out
}

// learner fits one kind of model.
type learner interface {
	name() string
	raw() bool             // reads raw encoded rows
	stops() bool           // fits stop early on the rows that judge them
	settings() int         // how many there are, the simplest first
	describe(k int) string // setting k for people
	fit(ctx context.Context, j job) (fitted, error)
}

// learners returns those that are asked for, the simplest first.
func (p Params) learners() (out []learner) {
	for _, name := range models() {
		for _, wanted := range p.Models {
			switch {
			case wanted != name:
			case name == ModelGBDT:
				out = append(out, gbdtLearner(p.gbdts()))
			default:
				out = append(out, logisticLearner(p.logistics()))
			}
		}
	}
	return out
}

// logisticLearner holds the settings of the logistic regression.
type logisticLearner []logistic.Params

func (l logisticLearner) name() string  { return ModelLogistic }
func (l logisticLearner) raw() bool     { return false }
func (l logisticLearner) stops() bool   { return false }
func (l logisticLearner) settings() int { return len(l) }

func (l logisticLearner) describe(k int) string {
	if l[k].L1Ratio > 0 {
		return fmt.Sprintf("l2_regularization %g, l1_ratio %g", l[k].L2, l[k].L1Ratio)
	}
	return fmt.Sprintf("l2_regularization %g", l[k].L2)
}

func (l logisticLearner) fit(ctx context.Context, j job) (fitted, error) {
	in := logistic.Input{X: j.x, Label: j.label, Weight: j.weight}
	if j.start != nil && j.start.Logistic != nil {
		in.Start = &logistic.Start{Names: j.start.Encoder.Names(), Model: j.start.Logistic}
	}
	m, r, err := logistic.Fit(ctx, in, l[j.setting], nil)
	return fitted{logistic: m, fit: Fit{Status: string(r.Status), Iterations: r.Epochs, Loss: r.Objective, Gap: r.Gap}}, err
}

// gbdtLearner holds the settings of the boosted trees.
type gbdtLearner []gbdt.Params

func (l gbdtLearner) name() string  { return ModelGBDT }
func (l gbdtLearner) raw() bool     { return true }
func (l gbdtLearner) stops() bool   { return true }
func (l gbdtLearner) settings() int { return len(l) }

func (l gbdtLearner) describe(k int) string {
	p := l[k]
	return fmt.Sprintf("max_leaf_nodes %d, min_samples_leaf %d, learning_rate %g, l2_regularization %g", p.MaxLeafNodes, p.MinSamplesLeaf, p.LearningRate, p.L2)
}

func (l gbdtLearner) fit(ctx context.Context, j job) (fitted, error) {
	p := l[j.setting]
	in := gbdt.Input{Train: gbdt.Data{X: j.x, Label: j.label, Weight: j.weight}}
	if j.validate != nil {
		in.Validation = &gbdt.Data{X: j.validate.x, Label: j.validate.label, Weight: j.validate.weight}
	} else if j.rounds > 0 {
		p.MaxIter, p.NIterNoChange = min(j.rounds, p.MaxIter), 0
	}
	m, r, err := gbdt.Fit(ctx, in, p, nil)
	return fitted{gbdt: m, fit: Fit{Status: string(r.Status), Iterations: r.Rounds, Loss: r.TrainLoss}}, err
}

// newEncoder fits an encoder on rows.
func newEncoder(rows *dataset.Rows, p features.Params, raw bool) (*encode.Encoder, error) {
	catalog := features.Catalog(p)
	var columns []encode.Column
	for i := range catalog {
		if f := &catalog[i]; !f.Categorical() {
			columns = append(columns, encode.Column{Name: f.Name, Log: f.Skewed})
		}
	}
	e, err := encode.Fit(&rows.Frame, encode.Options{Raw: raw, Numeric: columns, MinLevelCount: minLevelRows})
	if err != nil {
		return nil, fmt.Errorf("encode the training rows: %w", err)
	}
	return e, nil
}

// encodeRows encodes rows, weighing each by its age.
func encodeRows(e *encode.Encoder, rows *dataset.Rows, halfLife int) encoded {
	return encoded{x: e.Matrix(&rows.Frame), label: rows.Label, weight: weights(rows.AsOf, halfLife)}
}

// weights returns ½^(age/halfLife), age being the days to the latest date; nil
// if all rows weigh the same.
func weights(asOf []pipeline.Date, halfLife int) []float64 {
	if halfLife == 0 {
		return nil
	}
	latest := pipeline.Date(math.MinInt32)
	for _, d := range asOf {
		latest = max(latest, d)
	}
	out := make([]float64, len(asOf))
	for i, d := range asOf {
		out[i] = math.Exp2(-float64(latest-d) / float64(halfLife))
	}
	return out
}
