package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"churn/model/profile"
)

// The types of inputs.
const (
	TypeNumber = "number" // a 64-bit float
	TypeText   = "text"
)

// Signature says what a bundle takes and gives, for callers who know nothing of
// it.
type Signature struct {
	FeatureSet string  `json:"feature_set"` // as in the bundle
	Inputs     []Input `json:"inputs"`      // numbers, then texts, in the order of the bundle
	Output     Output  `json:"output"`
}

// Input is one raw feature.
type Input struct {
	Name       string   `json:"name"`
	Type       string   `json:"type"`
	Title      string   `json:"title"` // plain language
	Unit       string   `json:"unit"`
	Null       string   `json:"null"`          // when it is null
	NullShare  float64  `json:"null_share"`    // of the training rows
	Min        *float64 `json:"min,omitempty"` // of the training rows; numbers only, absent if all were null
	Max        *float64 `json:"max,omitempty"`
	Categories []string `json:"categories,omitempty"` // of the training rows, the most frequent first, then the rare ones by name; texts only
	Complete   bool     `json:"complete,omitempty"`   // Categories are all that there were
}

// Output is the answer.
type Output struct {
	Name      string  `json:"name"`
	Type      string  `json:"type"`
	Unit      string  `json:"unit"`
	Min       float64 `json:"min"`
	Max       float64 `json:"max"`
	Threshold float64 `json:"threshold"` // from which an answer counts as yes
}

// Description is what a caller knows of a feature, and a profile does not.
type Description struct{ Title, Unit, Null string }

// SignatureOf returns the signature of the bundle by the reference profile of
// its training rows. describe knows the features by name.
func (b *Bundle) SignatureOf(r *profile.Reference, output string, describe func(name string) Description) Signature {
	s := Signature{FeatureSet: b.FeatureSet, Inputs: []Input{}, Output: Output{Name: output, Type: TypeNumber, Unit: "probability", Max: 1, Threshold: b.Threshold}}
	input := func(name, kind string, nulls int) Input {
		d := describe(name)
		return Input{Name: name, Type: kind, Title: d.Title, Unit: d.Unit, Null: d.Null, NullShare: float64(nulls) / float64(r.Rows)}
	}
	for _, n := range r.Numeric {
		i := input(n.Name, TypeNumber, n.Nulls)
		if len(n.Points) > 0 {
			i.Min, i.Max = &n.Points[0], &n.Points[len(n.Points)-1]
		}
		s.Inputs = append(s.Inputs, i)
	}
	for _, c := range r.Categorical {
		i := input(c.Name, TypeText, c.Nulls)
		i.Complete = c.Listed
		for _, l := range c.Levels {
			i.Categories = append(i.Categories, l.Value)
		}
		i.Categories = append(i.Categories, c.Rare...)
		s.Inputs = append(s.Inputs, i)
	}
	return s
}

// Encode returns the bytes of a signature. The same one gives the same bytes.
func (s Signature) Encode() ([]byte, error) {
	data, err := json.MarshalIndent(s, "", " ")
	return append(data, '\n'), err
}

// DecodeSignature reads a signature.
func DecodeSignature(data []byte) (Signature, error) {
	var s Signature
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, fmt.Errorf("signature: %w", err)
	}
	if d.More() {
		return s, errors.New("signature: something follows its end")
	}
	for _, i := range s.Inputs {
		if i.Name == "" || i.Type != TypeNumber && i.Type != TypeText {
			return s, fmt.Errorf("signature: the input %q has no name or the unknown type %q", i.Name, i.Type)
		}
	}
	return s, nil
}
