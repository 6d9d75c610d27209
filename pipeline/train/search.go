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
	iterations []int     // by fold
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
		if err := s.try(l, &s.folds[i], tried); err != nil {
			return best, err
		}
	}
	best.validation = validation(s.folds)
	least := math.Inf(1)
	for k, x := range tried {
		toOwnRates(s.folds, x.margins)
		t := Trial{Setting: l.describe(k)}
		for _, n := range x.iterations {
			t.Iterations += n / len(s.folds)
		}
		t.judge(x.margins, best.validation.Label)
		if t.LogLoss < least {
			least, best.setting, best.margins = t.LogLoss, k, x.margins
		}
		best.trials = append(best.trials, t)
	}
	best.trials[best.setting].Chosen = true
	if l.stops() {
		if err := s.again(l, &best, tried[best.setting].iterations); err != nil {
			return best, err
		}
	}
	return best, s.calibrate(&best)
}

// try fits every setting on one fold, side by side, and appends the margins of
// its validation rows.
func (s *searcher) try(l learner, f *Fold, tried []tries) error {
	fit, validate, err := s.encoded(l, f)
	if err != nil {
		return err
	}
	models, errs := make([]fitted, len(tried)), make([]error, len(tried))
	parallel.Each(len(tried), func(k int) {
		models[k], errs[k] = l.fit(s.ctx, job{encoded: fit, setting: k, validate: &validate})
	})
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("fit %s: %w", l.name(), err)
	}
	for k := range models {
		tried[k].margins = append(tried[k].margins, models[k].margins(validate.x)...)
		tried[k].iterations = append(tried[k].iterations, models[k].fit.Iterations)
		s.step()
	}
	return nil
}

// encoded returns the rows of a fold as a learner reads them.
func (s *searcher) encoded(l learner, f *Fold) (fit, validate encoded, err error) {
	p := s.definition.Model
	sample := f.fit.Sample(p.SearchRows)
	e, err := newEncoder(sample, s.definition.Features, l.raw())
	if err != nil {
		return fit, validate, err
	}
	return encodeRows(e, sample, p.HalfLifeDays), encodeRows(e, f.validate, 0), nil
}

// again fits the chosen setting of a learner that stops early once more, as the
// final fit will be: for a number of iterations that the rows it is judged by
// did not choose, but those of the other folds, in proportion to the rows of the
// fit, since more rows bear more trees before they fit noise. Margins of fits
// that were stopped where these very rows liked it best would flatter the model
// in the calibration and in the choice among models. With one fold there is no
// other, and its own number serves.
func (s *searcher) again(l learner, best *search, iterations []int) error {
	perRow := make([]float64, len(s.folds))
	for i, f := range s.folds {
		perRow[i] = float64(iterations[i]) / float64(f.fit.Sample(s.definition.Model.SearchRows).Len())
	}
	best.rounds, best.margins = rounds(perRow, -1, s.rows), nil
	for i := range s.folds {
		fit, validate, err := s.encoded(l, &s.folds[i])
		if err != nil {
			return err
		}
		m, err := l.fit(s.ctx, job{encoded: fit, setting: best.setting, rounds: rounds(perRow, i, fit.x.Rows())})
		if err != nil {
			return fmt.Errorf("fit %s: %w", l.name(), err)
		}
		best.margins = append(best.margins, m.margins(validate.x)...)
		s.step()
	}
	toOwnRates(s.folds, best.margins)
	return nil
}

// rounds returns the iterations for so many rows by the folds but one.
func rounds(perRow []float64, but, rows int) int {
	var sum, n float64
	for i, r := range perRow {
		if i != but || len(perRow) == 1 {
			sum, n = sum+r, n+1
		}
	}
	return max(int(math.Round(sum/n*float64(rows))), 1)
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
