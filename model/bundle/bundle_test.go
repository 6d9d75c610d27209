package bundle

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"churn/model"
	"churn/model/calibrate"
	"churn/model/encode"
	"churn/model/gbdt"
	"churn/model/logistic"
)

// samples returns a frame with nulls and categories, and a bundle of each kind
// on it.
func samples(t *testing.T) (*model.Frame, map[string]*Bundle) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	f := &model.Frame{NumericNames: []string{"a", "b"}, CategoricalNames: []string{"plan", "same"}}
	var label []bool
	for range 500 {
		b := rng.NormFloat64()
		label = append(label, b+rng.NormFloat64() > 0)
		if rng.IntN(4) == 0 {
			b = math.NaN()
		}
		f.Numeric = append(f.Numeric, rng.ExpFloat64(), b)
		f.Categorical = append(f.Categorical, []string{"free", "paid", "trial"}[rng.IntN(3)], "x")
	}
	spec := json.RawMessage(`{"windows":[7,14,30]}`)
	part := Bundle{FeatureSet: "x", Numeric: f.NumericNames, Categorical: f.CategoricalNames, Threshold: 0.5, Profile: ProfileOf(f), Spec: &spec,
		Calibration: calibrate.Map{Kind: calibrate.Platt, Slope: 0.75, Intercept: -0.25}}
	return f, map[string]*Bundle{KindLogistic: linear(t, f, part, rng), KindGBDT: trees(t, f, part, label)}
}

func linear(t *testing.T, f *model.Frame, b Bundle, rng *rand.Rand) *Bundle {
	t.Helper()
	e, err := encode.Fit(f, encode.Options{Numeric: []encode.Column{{Name: "a", Log: true}, {Name: "b"}}})
	if err != nil {
		t.Fatal(err)
	}
	x := e.Matrix(f)
	b.Kind, b.Encoder, b.Mean, b.Logistic = KindLogistic, e, MeanOf(x), &logistic.Model{Intercept: -1.25}
	for range x.Cols() {
		b.Logistic.Coef = append(b.Logistic.Coef, rng.NormFloat64())
	}
	return made(t, b)
}

func trees(t *testing.T, f *model.Frame, b Bundle, label []bool) *Bundle {
	t.Helper()
	e, err := encode.Fit(f, encode.Options{Raw: true})
	if err != nil {
		t.Fatal(err)
	}
	p := gbdt.Defaults()
	p.MaxIter, p.MinSamplesLeaf = 12, 5
	m, _, err := gbdt.Fit(t.Context(), gbdt.Input{Train: gbdt.Data{X: e.Matrix(f), Label: label}}, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.Kind, b.Encoder, b.GBDT = KindGBDT, e, m
	return made(t, b)
}

func made(t *testing.T, b Bundle) *Bundle {
	t.Helper()
	out, err := New(b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The law: contributions and the base add up to the margin, and the margin
// makes the score.
func TestContributionsAddUp(t *testing.T) {
	f, all := samples(t)
	for kind, b := range all {
		s, out := b.NewScorer(), make([]float64, b.Features())
		margins := b.Margins(f)
		probs := b.Probabilities(margins)
		for i := range f.Rows() {
			num, cat := f.Row(i)
			p := s.Score(num, cat)
			s.Contributions(out)
			sum := s.Base()
			for _, c := range out {
				sum += c
			}
			if math.Abs(sum-margins[i]) > 1e-9 {
				t.Fatalf("%s, row %d: contributions add up to %v, the margin is %v", kind, i, sum, margins[i])
			}
			if math.Float64bits(p) != math.Float64bits(probs[i]) || p != model.Sigmoid(0.75*margins[i]-0.25) {
				t.Fatalf("%s, row %d: score %v, in bulk %v", kind, i, p, probs[i])
			}
		}
		importance := b.Importance(f, nil)
		if importance[len(importance)-1].Mean != 0 || !(importance[1].Mean > 0) {
			t.Errorf("%s: importance %v; a constant category has some, or b none", kind, importance)
		}
	}
}

// The law: decode∘encode is the identity, to the last bit of every score.
func TestRoundTrip(t *testing.T) {
	f, all := samples(t)
	for kind, b := range all {
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
			t.Errorf("%s: the bytes differ after a round trip (%v)", kind, err)
		}
		s, r := b.NewScorer(), back.NewScorer()
		for i := range f.Rows() {
			num, cat := f.Row(i)
			if p, q := s.Score(num, cat), r.Score(num, cat); math.Float64bits(p) != math.Float64bits(q) {
				t.Fatalf("%s, row %d: %v, after a round trip %v", kind, i, p, q)
			}
		}
	}
}

// Quantiles are values that occur, and nulls are counted, not sorted.
func TestProfile(t *testing.T) {
	f := &model.Frame{NumericNames: []string{"a", "none"}, CategoricalNames: []string{"c"}}
	for i := range 101 {
		f.Numeric = append(f.Numeric, float64(100-i), math.NaN())
		f.Categorical = append(f.Categorical, []string{"x", "x", "y"}[i%3])
	}
	f.Numeric[0], f.Numeric[2] = math.NaN(), math.Inf(1)
	p := ProfileOf(f)
	if q := p.Numeric[0]; q.At[0] != 0 || q.Usual() != 49 || q.At[10] != 98 || math.Abs(q.Null-2.0/101) > 1e-12 {
		t.Errorf("quantiles %+v", q)
	}
	if q := p.Numeric[1]; q.Null != 1 || !math.IsNaN(q.Usual()) {
		t.Errorf("all null: %+v", q)
	}
	if l := p.Categorical[0]; len(l) != 2 || l[0].Value != "x" || math.Abs(l[0].Share-68.0/101) > 1e-12 {
		t.Errorf("levels %+v", l)
	}
}

// The mutants: each is a bundle that would compute nonsense.
func TestDecodeRefuses(t *testing.T) {
	_, all := samples(t)
	data, err := all[KindLogistic].Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string][2]string{
		"other format":     {`"format": 2`, `"format": 1`},
		"trees named":      {`"kind": "logistic"`, `"kind": "gbdt"`},
		"raw encoder":      {`"encoder": {`, `"encoder": {"raw": true,`},
		"threshold":        {`"threshold": 0.5`, `"threshold": 1.5`},
		"profile unsorted": {`"at": [`, `"at": [1e9,`},

		"unknown kind":      {`"kind": "logistic"`, `"kind": "oracle"`},
		"unknown field":     {`"threshold"`, `"run": "rm", "threshold"`},
		"short mean":        {`"mean": [`, `"mean": [], "x": [`},
		"feature missing":   {`"numeric": [` + "\n  \"a\",", `"numeric": [`},
		"calibration":       {`"kind": "platt"`, `"kind": "magic"`},
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
	f.Add([]byte(`{"format":2,"kind":"logistic","logistic":{"intercept":0,"coef":[]},"encoder":{},"spec":{},"calibration":{"kind":"none"}}`))
	f.Add([]byte(`{"format":2,"kind":"gbdt","gbdt":{"base":0,"features":[],"trees":[]},"encoder":{"raw":true},"spec":{},"calibration":{"kind":"none"}}`))
	f.Add([]byte(`{"format":2,"kind":"logistic","logistic":{"coef":[1]},"mean":[0],"profile":{"numeric":[{"at":[]}]},"numeric":["a"],"encoder":{"numeric":[{"value":{"col":7,"std":0}}],"cols":1,"width":1},"spec":{},"calibration":{"kind":"none"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Decode(data)
		if err != nil {
			return
		}
		s := b.NewScorer()
		s.Score(make([]float64, len(b.Numeric)), make([]string, len(b.Categorical)))
		s.Contributions(make([]float64, b.Features()))
	})
}
