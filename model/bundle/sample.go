package bundle

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"churn/model"
)

// Sample is raw rows with the answers that a bundle gave to them: what any
// later program must answer too before it may use the bundle. It names no user.
type Sample struct {
	Numeric     []string   `json:"numeric"` // names, as in the bundle
	Categorical []string   `json:"categorical"`
	Rows        []Answered `json:"rows"` // by rising margin
}

// Answered is a raw row with its answer.
type Answered struct {
	Numeric     []Value  `json:"numeric"`
	Categorical []string `json:"categorical"`
	Margin      float64  `json:"margin"` // log-odds, before calibration
	Probability float64  `json:"probability"`
}

// Value is a raw number, which JSON reads back to the same bits; NaN is null.
type Value float64

// MarshalJSON writes NaN as null.
func (v Value) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(v)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(v))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (v *Value) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*v = Value(math.NaN())
		return nil
	}
	return json.Unmarshal(text, (*float64)(v))
}

// SampleOf answers at most n rows of a frame with the bundle's columns: those at
// equal distances in the order of their margins, the least and the largest among
// them. Rows that JSON cannot hold, with an infinity or bytes that are no text, are
// left out.
func (b *Bundle) SampleOf(f *model.Frame, n int) Sample {
	margins := b.Margins(f)
	var order []int
	for i := range margins {
		if storable(f.Row(i)) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(margins[i], margins[j]) })
	s := Sample{Numeric: b.Numeric, Categorical: b.Categorical, Rows: []Answered{}}
	scorer, n := b.NewScorer(), min(n, len(order))
	for k := range n {
		s.Rows = append(s.Rows, scorer.answered(f, order[k*(len(order)-1)/max(n-1, 1)]))
	}
	return s
}

// storable reports whether JSON can hold a row.
func storable(num []float64, cat []string) bool {
	return !slices.ContainsFunc(num, func(x float64) bool { return math.IsInf(x, 0) }) &&
		!slices.ContainsFunc(cat, func(v string) bool { return !utf8.ValidString(v) })
}

// answered answers row i of a frame.
func (s *Scorer) answered(f *model.Frame, i int) Answered {
	num, cat := f.Row(i)
	a := Answered{Numeric: make([]Value, len(num)), Categorical: slices.Clone(cat)}
	for j, x := range num {
		a.Numeric[j] = Value(x)
	}
	a.Margin = s.Margin(num, cat)
	a.Probability = s.bundle.Calibration.Probability(a.Margin)
	return a
}

// Encode returns the bytes of a sample. The same sample gives the same bytes.
func (s Sample) Encode() ([]byte, error) {
	data, err := json.MarshalIndent(s, "", " ")
	return append(data, '\n'), err
}

// DecodeSample reads a sample.
func DecodeSample(data []byte) (Sample, error) {
	var s Sample
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, fmt.Errorf("sample: %w", err)
	}
	if d.More() {
		return s, errors.New("sample: something follows its end")
	}
	return s, nil
}

// shownDifferences bounds the rows that an error lists.
const shownDifferences = 3

// Answers scores the rows of a sample again. It returns nil if every answer is
// the stored one to the last bit, and else which rows differ and by how much.
func (b *Bundle) Answers(s Sample) error {
	if len(s.Rows) == 0 || !slices.Equal(s.Numeric, b.Numeric) || !slices.Equal(s.Categorical, b.Categorical) {
		return errors.New("the stored sample is empty or was made for other features than the model's")
	}
	scorer, differ := b.NewScorer(), 0
	var errs []error
	for i, row := range s.Rows {
		if len(row.Numeric) != len(b.Numeric) || len(row.Categorical) != len(b.Categorical) {
			return fmt.Errorf("row %d of the stored sample has %d numbers and %d texts, the model reads %d and %d", i+1, len(row.Numeric), len(row.Categorical), len(b.Numeric), len(b.Categorical))
		}
		if err := scorer.agrees(row); err != nil {
			if differ++; differ <= shownDifferences {
				errs = append(errs, fmt.Errorf("row %d: %w", i+1, err))
			}
		}
	}
	if differ == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d rows of the stored sample are answered differently than when the model was made: %w", differ, len(s.Rows), errors.Join(errs...))
}

// agrees compares the answer to a row with the stored one, bit for bit.
func (s *Scorer) agrees(row Answered) error {
	num := make([]float64, len(row.Numeric))
	for j, x := range row.Numeric {
		num[j] = float64(x)
	}
	margin := s.Margin(num, row.Categorical)
	p := s.bundle.Calibration.Probability(margin)
	if math.Float64bits(margin) == math.Float64bits(row.Margin) && math.Float64bits(p) == math.Float64bits(row.Probability) {
		return nil
	}
	return fmt.Errorf("margin %v, stored %v (%+.3g); probability %v, stored %v (%+.3g)", margin, row.Margin, margin-row.Margin, p, row.Probability, p-row.Probability)
}
