// Package bundle holds everything that turns raw features into a decision, as
// plain data: nothing in it can run. A bundle is written as JSON, whose numbers
// read back to the same bits.
package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"churn/model"
	"churn/model/encode"
	"churn/model/logistic"
)

// Format is the version of the layout.
const Format = 1

// The kinds of classifiers.
const KindLogistic = "logistic"

// The kinds of calibration.
const CalibrationNone = "none" // the classifier's own probabilities

// Bundle is a trained model with its whole row path:
// raw features → Encoder → margin → calibration → probability → threshold.
type Bundle struct {
	Format      int              `json:"format"`
	Kind        string           `json:"kind"`
	FeatureSet  string           `json:"feature_set"` // fingerprint of the features
	Numeric     []string         `json:"numeric"`     // raw features, in the order of Encoder
	Categorical []string         `json:"categorical"`
	Encoder     *encode.Encoder  `json:"encoder"`
	Logistic    *logistic.Model  `json:"logistic,omitempty"`
	Calibration Calibration      `json:"calibration"`
	Threshold   float64          `json:"threshold"` // probability from which a row counts as churn
	Reference   []float64        `json:"reference"` // mean of each encoded column over the training rows
	Spec        *json.RawMessage `json:"spec"`      // what the caller needs to compute the features; opaque here
	sources     []int
}

// Calibration maps margins to probabilities.
type Calibration struct {
	Kind string `json:"kind"`
}

// Encode returns the bundle's bytes. The same bundle gives the same bytes.
func (b *Bundle) Encode() ([]byte, error) {
	data, err := json.MarshalIndent(b, "", " ")
	return append(data, '\n'), err
}

// Decode reads a bundle and checks that its parts fit together.
func Decode(data []byte) (*Bundle, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	b := &Bundle{}
	if err := d.Decode(b); err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	if d.More() {
		return nil, errors.New("bundle: something follows its end")
	}
	if err := b.check(); err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	b.index()
	return b, nil
}

// New completes and checks a bundle made by training.
func New(b Bundle) (*Bundle, error) {
	b.Format = Format
	if err := b.check(); err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	b.index()
	return &b, nil
}

func (b *Bundle) check() error {
	if b.Format != Format {
		return fmt.Errorf("format %d is not known to this version of churn, which reads %d", b.Format, Format)
	}
	if b.Kind != KindLogistic || b.Logistic == nil {
		return fmt.Errorf("kind %q is not known or its model is missing", b.Kind)
	}
	if b.Encoder == nil || b.Spec == nil {
		return errors.New("the encoder or the spec is missing")
	}
	if b.Calibration.Kind != CalibrationNone {
		return fmt.Errorf("calibration %q is not known", b.Calibration.Kind)
	}
	if err := b.Encoder.Check(); err != nil {
		return err
	}
	return b.checkShapes()
}

func (b *Bundle) checkShapes() error {
	cols := len(b.Encoder.Names())
	if len(b.Logistic.Coef) != cols || len(b.Reference) != cols {
		return fmt.Errorf("%d coefficients and %d reference values for %d encoded columns", len(b.Logistic.Coef), len(b.Reference), cols)
	}
	if len(b.Encoder.Numeric) != len(b.Numeric) || len(b.Encoder.Categorical) != len(b.Categorical) {
		return errors.New("the encoder does not fit the feature names")
	}
	for _, v := range slices.Concat([]float64{b.Logistic.Intercept, b.Threshold}, b.Logistic.Coef, b.Reference) {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return errors.New("a coefficient is not finite")
		}
	}
	return nil
}

// index notes which raw feature each encoded column comes from.
func (b *Bundle) index() {
	b.sources = make([]int, len(b.Reference))
	for i := range b.sources {
		b.sources[i] = b.Encoder.Source(i)
	}
}

// Scorer scores single rows. It holds scratch space: one for each goroutine.
type Scorer struct {
	bundle *Bundle
	row    model.Row
}

// NewScorer returns a scorer for the bundle.
func (b *Bundle) NewScorer() *Scorer { return &Scorer{bundle: b, row: b.Encoder.NewRow()} }

// Score returns the probability of churn of one raw row, whose columns are
// Numeric and Categorical.
func (s *Scorer) Score(numeric []float64, categorical []string) float64 {
	s.bundle.Encoder.Encode(numeric, categorical, s.row)
	return model.Sigmoid(s.bundle.Logistic.Margin(s.row))
}

// Contributions fills out with what each raw feature (numerics, then
// categoricals) adds to the margin of the row scored last, against the mean
// training row: Σ coef·(x − reference) over its encoded columns. Together with
// the margin of the mean row they add up to the margin.
func (s *Scorer) Contributions(out []float64) {
	clear(out)
	coef, reference := s.bundle.Logistic.Coef, s.bundle.Reference
	for j, x := range s.row.Dense {
		out[s.bundle.sources[j]] += float64(coef[j] * (x - reference[j]))
	}
	for j := len(s.row.Dense); j < len(coef); j++ {
		out[s.bundle.sources[j]] -= float64(coef[j] * reference[j])
	}
	for _, code := range s.row.Codes {
		out[s.bundle.sources[code]] += coef[code]
	}
}

// Features returns the number of raw features.
func (b *Bundle) Features() int { return len(b.Numeric) + len(b.Categorical) }

// ReferenceOf returns the mean of each encoded column of a matrix.
func ReferenceOf(m *model.Matrix) []float64 {
	mean := make([]float64, m.Cols())
	for i := range m.Rows() {
		m.Row(i).AddScaled(1, mean)
	}
	for j := range mean {
		mean[j] /= float64(m.Rows())
	}
	return mean
}
