package train

import (
	"context"
	"errors"
	"fmt"
	"math"

	"churn/internal/parallel"
	"churn/model/calibrate"
	"churn/model/metric"
	"churn/pipeline/dataset"
)

// Trial is one setting of a model on the validation rows of all folds.
type Trial struct {
	Setting    string  `json:"setting"`
	LogLoss    float64 `json:"log_loss"` // after Platt's calibration, so that class weights do not tell
	PRAUC      float64 `json:"pr_auc"`
	Iterations int     `json:"iterations"` // mean over the folds
	Chosen     bool    `json:"chosen"`
}

// search is what the validation rows say about one model.
type search struct {
	setting     int
	rounds      int // trees of the final fit
	trials      []Trial
	validation  *dataset.Rows // of all folds; nil if there are none
	margins     []float64     // of the chosen setting, by fits that have not seen the row, moved to the rate of their fold
	calibration calibrate.Map
	choice      calibrate.Choice
}

// searcher tries every setting of a learner on every fold.
type searcher struct {
	ctx        context.Context
	definition Definition
	folds      []Fold
	rows       int    // of the final fit
	step       func() // called after each fit
}

// tries is what the folds say of one setting.
type tries struct {
	margins    []float64 // of the validation rows, fold by fold
	iterations int       // summed over the folds
	rounds     int       // the same in proportion to the rows of the final fit, which bears more trees before it fits their noise
}

// run returns the setting with the least log-loss on the validation rows, the
// simpler one if two are equal, and the calibration of its margins.
func (s *searcher) run(l learner) (search, error) {
	best := search{calibration: calibrate.Map{Kind: calibrate.None}}
	if len(s.folds) == 0 {
		return best, nil
	}
	tried := make([]tries, l.settings())
	for i := range s.folds {
		if err := s.fold(l, &s.folds[i], tried); err != nil {
			return best, err
		}
	}
	best.validation = validation(s.folds)
	least := math.Inf(1)
	for k, x := range tried {
		toOwnRates(s.folds, x.margins)
		t := Trial{Setting: l.describe(k), Iterations: x.iterations / len(s.folds)}
		t.judge(x.margins, best.validation.Label)
		if t.LogLoss < least {
			least, best.setting, best.margins, best.rounds = t.LogLoss, k, x.margins, max(x.rounds/len(s.folds), 1)
		}
		best.trials = append(best.trials, t)
	}
	best.trials[best.setting].Chosen = true
	return best, s.calibrate(&best)
}

// fold fits every setting on one fold, side by side, and appends the margins of
// its validation rows.
func (s *searcher) fold(l learner, f *Fold, tried []tries) error {
	p := s.definition.Model
	sample := f.fit.Sample(p.SearchRows)
	e, err := newEncoder(sample, s.definition.Features, l.raw())
	if err != nil {
		return err
	}
	fit, validate := encodeRows(e, sample, p.HalfLifeDays), encodeRows(e, f.validate, 0)
	models, errs := make([]fitted, len(tried)), make([]error, len(tried))
	parallel.Each(len(tried), func(k int) {
		models[k], errs[k] = l.fit(s.ctx, job{encoded: fit, setting: k, validate: &validate})
	})
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("fit %s: %w", l.name(), err)
	}
	for k := range models {
		m, t := &models[k], &tried[k]
		t.margins = append(t.margins, m.margins(validate.x)...)
		t.iterations += m.fit.Iterations
		t.rounds += m.fit.Iterations * s.rows / fit.x.Rows()
		s.step()
	}
	return nil
}

// judge measures the margins of validation rows. Where Platt's calibration has
// no optimum, the margins stand for themselves.
func (t *Trial) judge(margins []float64, label []bool) {
	platt, err := calibrate.FitPlatt(margins, label, nil)
	if err != nil {
		platt = calibrate.Map{Kind: calibrate.None}
	}
	probs := make([]float64, len(margins))
	for i, m := range margins {
		probs[i] = platt.Probability(m)
	}
	t.LogLoss, t.PRAUC = metric.LogLoss(probs, label), metric.AveragePrecision(margins, label)
}

// calibrate chooses how margins become probabilities.
func (s *searcher) calibrate(b *search) (err error) {
	b.calibration, b.choice, err = calibrate.Choose(b.margins, b.validation.Label, b.validation.User, calibrate.Defaults())
	if err != nil {
		return fmt.Errorf("calibrate: %w", err)
	}
	return nil
}

// validation returns the validation rows of all folds, one fold after the other.
func validation(folds []Fold) *dataset.Rows {
	var parts []*dataset.Rows
	for _, f := range folds {
		parts = append(parts, f.validate)
	}
	return dataset.Concat(parts)
}
