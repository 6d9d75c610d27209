package bundle

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"churn/model"
	"churn/model/encode"
	"churn/model/logistic"
)

// sample returns a frame with nulls and categories, and a bundle on it.
func sample(t *testing.T) (*model.Frame, *Bundle) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	f := &model.Frame{NumericNames: []string{"a", "b"}, CategoricalNames: []string{"plan"}}
	for range 500 {
		b := rng.NormFloat64()
		if rng.IntN(4) == 0 {
			b = math.NaN()
		}
		f.Numeric = append(f.Numeric, rng.ExpFloat64(), b)
		f.Categorical = append(f.Categorical, []string{"free", "paid", "trial"}[rng.IntN(3)])
	}
	e, err := encode.Fit(f, encode.Options{Numeric: []encode.Column{{Name: "a", Log: true}, {Name: "b"}}})
	if err != nil {
		t.Fatal(err)
	}
	x := e.Matrix(f)
	m := &logistic.Model{Intercept: -1.25}
	for range x.Cols() {
		m.Coef = append(m.Coef, rng.NormFloat64())
	}
	spec := json.RawMessage(`{"windows":[7,14,30]}`)
	b, err := New(Bundle{Kind: KindLogistic, FeatureSet: "x", Numeric: f.NumericNames, Categorical: f.CategoricalNames, Encoder: e, Logistic: m,
		Calibration: Calibration{Kind: CalibrationNone}, Threshold: 0.5, Reference: ReferenceOf(x), Spec: &spec})
	if err != nil {
		t.Fatal(err)
	}
	return f, b
}

// The law: contributions and the margin of the mean row add up to the margin.
func TestContributionsAddUp(t *testing.T) {
	f, b := sample(t)
	s, out := b.NewScorer(), make([]float64, b.Features())
	base := b.Logistic.Intercept
	for j, c := range b.Logistic.Coef {
		base += c * b.Reference[j]
	}
	for i := range f.Rows() {
		num, cat := f.Row(i)
		p := s.Score(num, cat)
		s.Contributions(out)
		sum := base
		for _, c := range out {
			sum += c
		}
		if margin := math.Log(p / (1 - p)); math.Abs(sum-margin) > 1e-9 {
			t.Fatalf("row %d: contributions add up to %v, the margin is %v", i, sum, margin)
		}
	}
}

// The law: decode∘encode is the identity, to the last bit of every score.
func TestRoundTrip(t *testing.T) {
	f, b := sample(t)
	data, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := back.Encode()
	if err != nil || !bytes.Equal(data, again) {
		t.Errorf("the bytes differ after a round trip (%v)", err)
	}
	s, r := b.NewScorer(), back.NewScorer()
	for i := range f.Rows() {
		num, cat := f.Row(i)
		if p, q := s.Score(num, cat), r.Score(num, cat); math.Float64bits(p) != math.Float64bits(q) {
			t.Fatalf("row %d: %v, after a round trip %v", i, p, q)
		}
	}
}

// The mutants: each is a bundle that would compute nonsense.
func TestDecodeRefuses(t *testing.T) {
	_, b := sample(t)
	data, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string][2]string{
		"later format":      {`"format": 1`, `"format": 2`},
		"unknown kind":      {`"kind": "logistic"`, `"kind": "oracle"`},
		"unknown field":     {`"threshold"`, `"run": "rm", "threshold"`},
		"short reference":   {`"reference": [`, `"reference": [], "x": [`},
		"feature missing":   {`"numeric": [` + "\n  \"a\",", `"numeric": [`},
		"calibration":       {`"kind": "none"`, `"kind": "magic"`},
		"not JSON at all":   {`{`, `<`},
		"text after":        {"\n}\n", "\n} {}\n"},
		"number not finite": {`-1.25`, `1e999`},
	} {
		bad := strings.Replace(string(data), edit[0], edit[1], 1)
		if bad == string(data) {
			t.Fatalf("%s: the edit changes nothing", name)
		}
		if _, err := Decode([]byte(bad)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Any bytes: an error or a bundle that scores, never a panic.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"format":1,"kind":"logistic","logistic":{"intercept":0,"coef":[]},"encoder":{},"spec":{},"calibration":{"kind":"none"}}`))
	f.Add([]byte(`{"format":1,"kind":"logistic","logistic":{"coef":[1]},"reference":[0],"numeric":["a"],"encoder":{"numeric":[{"value":{"col":7,"std":0}}],"cols":1,"width":1},"spec":{},"calibration":{"kind":"none"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Decode(data)
		if err != nil {
			return
		}
		b.NewScorer().Score(make([]float64, len(b.Numeric)), make([]string, len(b.Categorical)))
	})
}
