package bundle

import (
	"churn/model"
	"churn/model/explain"
)

// columns returns the raw feature of every encoded column.
func (b *Bundle) columns() []int {
	out := make([]int, len(b.Mean))
	for i := range out {
		out[i] = b.Encoder.Source(i)
	}
	return out
}

// features returns the raw feature of every feature of the trees.
func (b *Bundle) features() []int {
	var out []int
	for i := range b.Numeric {
		out = append(out, i)
	}
	for j, c := range b.Encoder.Categorical {
		if c.First >= 0 {
			out = append(out, len(b.Numeric)+j)
		}
	}
	return out
}

// Scorer scores single rows. It holds scratch space: one for each goroutine.
type Scorer struct {
	bundle  *Bundle
	row     model.Row
	explain explain.Explainer
}

// NewScorer returns a scorer for the bundle.
func (b *Bundle) NewScorer() *Scorer {
	return &Scorer{bundle: b, row: b.Encoder.NewRow(), explain: b.explainer()}
}

// Margin returns the log-odds, before calibration, of one raw row, whose
// columns are Numeric and Categorical.
func (s *Scorer) Margin(numeric []float64, categorical []string) float64 {
	s.bundle.Encoder.Encode(numeric, categorical, s.row)
	return s.bundle.classifier.Margin(s.row)
}

// Score returns the probability of churn of one raw row.
func (s *Scorer) Score(numeric []float64, categorical []string) float64 {
	return s.bundle.Calibration.Probability(s.Margin(numeric, categorical))
}

// Contributions fills out with what each raw feature (numerics, then
// categoricals) adds to the margin of the row scored last. Together with Base
// they add up to the margin.
func (s *Scorer) Contributions(out []float64) { s.explain.Contributions(s.row, out) }

// Base returns the margin that contributions start from: that of the mean
// training row, or for trees the mean margin of the training rows.
func (s *Scorer) Base() float64 { return s.bundle.base() }

// Features returns the number of raw features.
func (b *Bundle) Features() int { return len(b.Numeric) + len(b.Categorical) }

// blockRows is the number of rows that are encoded at once: enough to keep all
// cores busy, few enough to need little memory.
const blockRows = 1 << 16

// classifier scores single rows, and many with the same bits.
type classifier interface {
	model.Classifier
	Margins(x *model.Matrix, out []float64)
}

// Margins returns the margin of every row of a frame with the bundle's columns.
func (b *Bundle) Margins(f *model.Frame) []float64 {
	out := make([]float64, f.Rows())
	for from := 0; from < len(out); from += blockRows {
		to := min(from+blockRows, len(out))
		block := *f
		block.Numeric = f.Numeric[from*len(f.NumericNames) : to*len(f.NumericNames)]
		block.Categorical = f.Categorical[from*len(f.CategoricalNames) : to*len(f.CategoricalNames)]
		b.classifier.Margins(b.Encoder.Matrix(&block), out[from:to])
	}
	return out
}

// Probabilities returns the calibrated probabilities of margins.
func (b *Bundle) Probabilities(margins []float64) []float64 {
	out := make([]float64, len(margins))
	for i, m := range margins {
		out[i] = b.Calibration.Probability(m)
	}
	return out
}

// MeanOf returns the mean of each encoded column of a matrix.
func MeanOf(m *model.Matrix) []float64 {
	mean := make([]float64, m.Cols())
	for i := range m.Rows() {
		m.Row(i).AddScaled(1, mean)
	}
	for j := range mean {
		mean[j] /= float64(m.Rows())
	}
	return mean
}

// Importance returns the mean |contribution| of every raw feature over the rows
// of a frame, with its error over users. Rows of one user are neighbours; user
// nil makes every row its own.
func (b *Bundle) Importance(f *model.Frame, user []int32) []explain.Importance {
	return explain.Global(b.Encoder.Matrix(f), b.Features(), user, b.explainer)
}
