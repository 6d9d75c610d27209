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

	"churn/model/calibrate"
	"churn/model/encode"
	"churn/model/explain"
	"churn/model/gbdt"
	"churn/model/logistic"
)

// Format is the version of the layout.
const Format = 2

// The kinds of classifiers.
const (
	KindLogistic = "logistic"
	KindGBDT     = "gbdt"
)

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
	GBDT        *gbdt.Model      `json:"gbdt,omitempty"`
	Mean        []float64        `json:"mean,omitempty"` // of each encoded column over the training rows; logistic only
	Calibration calibrate.Map    `json:"calibration"`
	Threshold   float64          `json:"threshold"` // probability from which a row counts as churn
	Profile     Profile          `json:"profile"`   // of the raw features over the training rows
	Spec        *json.RawMessage `json:"spec"`      // what the caller needs to compute the features; opaque here

	classifier classifier
	explainer  func() explain.Explainer // a new one for each goroutine
	base       func() float64           // margin that contributions start from
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
		var head struct{ Format int }
		if json.Unmarshal(data, &head) == nil && head.Format != Format {
			err = unknownFormat(head.Format)
		}
		return nil, fmt.Errorf("bundle: %w", err)
	}
	if d.More() {
		return nil, errors.New("bundle: something follows its end")
	}
	return b.ready()
}

// New completes and checks a bundle made by training.
func New(b Bundle) (*Bundle, error) {
	b.Format = Format
	return b.ready()
}

// ready checks the bundle and fills in what follows from it.
func (b *Bundle) ready() (*Bundle, error) {
	if err := b.check(); err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	if b.Kind == KindGBDT {
		trees := explain.NewTrees(b.GBDT, b.features())
		b.classifier, b.base = b.GBDT, trees.Base
		b.explainer = func() explain.Explainer { return trees.NewExplainer() }
	} else {
		linear := explain.NewLinear(b.Logistic, b.Mean, b.columns())
		b.classifier, b.base = b.Logistic, linear.Base
		b.explainer = func() explain.Explainer { return linear }
	}
	return b, nil
}

func unknownFormat(format int) error {
	return fmt.Errorf("format %d is not known to this version of churn, which reads %d; train again", format, Format)
}

func (b *Bundle) check() error {
	if b.Format != Format {
		return unknownFormat(b.Format)
	}
	logistic, trees := b.Kind == KindLogistic && b.Logistic != nil, b.Kind == KindGBDT && b.GBDT != nil
	if !logistic && !trees || b.Logistic != nil && b.GBDT != nil {
		return fmt.Errorf("kind %q is not known or its model is missing", b.Kind)
	}
	if b.Encoder == nil || b.Spec == nil {
		return errors.New("the encoder or the spec is missing")
	}
	if b.Encoder.Raw != trees {
		return errors.New("the encoder is not of the kind that the model reads")
	}
	if err := errors.Join(b.Encoder.Check(), b.Calibration.Check(), b.Profile.check(b.Numeric, b.Categorical)); err != nil {
		return err
	}
	if len(b.Encoder.Numeric) != len(b.Numeric) || len(b.Encoder.Categorical) != len(b.Categorical) {
		return errors.New("the encoder does not fit the feature names")
	}
	if !(b.Threshold >= 0 && b.Threshold <= 1) {
		return fmt.Errorf("the threshold %v is not a probability", b.Threshold)
	}
	if trees {
		return b.checkTrees()
	}
	return b.checkLogistic()
}

// checkTrees compares the columns of the trees with those of the encoder.
func (b *Bundle) checkTrees() error {
	if len(b.Mean) != 0 {
		return errors.New("trees have no mean row")
	}
	if err := b.GBDT.Check(); err != nil {
		return err
	}
	wanted := FeaturesOf(b.Encoder)
	if !slices.Equal(b.GBDT.Features, wanted) {
		return errors.New("the trees do not read the columns of the encoder")
	}
	return nil
}

func (b *Bundle) checkLogistic() error {
	cols := len(b.Encoder.Names())
	if len(b.Logistic.Coef) != cols || len(b.Mean) != cols {
		return fmt.Errorf("%d coefficients and %d means for %d encoded columns", len(b.Logistic.Coef), len(b.Mean), cols)
	}
	for _, v := range slices.Concat([]float64{b.Logistic.Intercept}, b.Logistic.Coef, b.Mean) {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return errors.New("a coefficient is not finite")
		}
	}
	return nil
}

// FeaturesOf returns the features that trees see behind a raw encoder.
func FeaturesOf(e *encode.Encoder) []gbdt.Feature {
	var out []gbdt.Feature
	for _, n := range e.Numeric {
		out = append(out, gbdt.Feature{Name: n.Name})
	}
	for _, c := range e.Categorical {
		if c.First >= 0 {
			out = append(out, gbdt.Feature{Name: c.Name, Levels: len(c.Levels) + 1, First: int32(c.First)})
		}
	}
	return out
}
