package bundle

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"churn/model/profile"
)

// The law: a sample that was written and read is answered bit for bit, by the
// bundle that was written and read, and spans the scores.
func TestSampleIsAnswered(t *testing.T) {
	f, all := samples(t)
	f.Numeric[0], f.Categorical[2] = math.Inf(1), "\xff" // rows 1 and 2 cannot be stored
	for kind, b := range all {
		s := b.SampleOf(f, 64)
		data, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		read, err := DecodeSample(data)
		if err != nil {
			t.Fatal(err)
		}
		again, err := read.Encode()
		if err != nil || !bytes.Equal(data, again) || len(read.Rows) != 64 {
			t.Errorf("%s: %d rows, the same bytes %v (%v)", kind, len(read.Rows), bytes.Equal(data, again), err)
		}
		text, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := fresh.Answers(read); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		margins := b.Margins(f)[2:]
		if first, last := read.Rows[0].Margin, read.Rows[63].Margin; first != slices.Min(margins) || last != slices.Max(margins) {
			t.Errorf("%s: margins from %v to %v, the rows have %v to %v", kind, first, last, slices.Min(margins), slices.Max(margins))
		}
	}
	if n := len(all[KindGBDT].SampleOf(f, 1000).Rows); n != 498 {
		t.Errorf("%d rows of 498", n)
	}
}

// The mutants: the last bit of an answer, of a coefficient or of a leaf, another
// calibration, other features; each names a row or the reason.
func TestSampleSeesTheSmallestChange(t *testing.T) {
	f, all := samples(t)
	for kind, b := range all {
		good := b.SampleOf(f, 20)
		check := func(what, want string, b *Bundle, s Sample) {
			t.Helper()
			if err := b.Answers(s); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, %s: %v", kind, what, err)
			}
		}
		bad := good
		bad.Rows = slices.Clone(good.Rows)
		bad.Rows[6].Margin = math.Nextafter(bad.Rows[6].Margin, 9)
		check("stored margin", "1 of 20 rows of the stored sample are answered differently than when the model was made: row 7: margin", b, bad)
		bad.Rows = slices.Clone(good.Rows)
		bad.Rows[1].Numeric = bad.Rows[1].Numeric[1:]
		check("short row", "row 2", b, bad)
		bad = good
		bad.Numeric = []string{"b", "a"}
		check("features", "other features", b, bad)
		check("empty", "empty", b, Sample{Numeric: b.Numeric, Categorical: b.Categorical})
		other := *b
		other.Calibration.Slope = math.Nextafter(other.Calibration.Slope, 1)
		check("calibration", "probability", &other, good)
		if kind == KindLogistic {
			b.Logistic.Intercept = math.Nextafter(b.Logistic.Intercept, 0)
			check("intercept", "rows of the stored sample", b, good)
		}
	}
}

func FuzzDecodeSample(f *testing.F) {
	f.Add([]byte(`{"numeric":["a"],"categorical":["b"],"rows":[{"numeric":[null],"categorical":["x"],"margin":-0,"probability":0.5}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := DecodeSample(data)
		if err != nil {
			return
		}
		if _, err := s.Encode(); err != nil {
			t.Error(err)
		}
	})
}

// A signature says of each input what the rows and the caller know, and survives
// a round trip.
func TestSignature(t *testing.T) {
	f, all := samples(t)
	b := all[KindLogistic]
	r := profile.Of(profile.Rows{Frame: f})
	s := b.SignatureOf(&r, "churn_risk", func(name string) Description { return Description{"title of " + name, "unit", "never"} })
	data, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	read, err := DecodeSignature(data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := read.Encode()
	if err != nil || !bytes.Equal(data, again) {
		t.Errorf("the bytes differ after a round trip (%v)", err)
	}
	least, nulls := math.Inf(1), 0
	for i := range f.Rows() {
		num, _ := f.Row(i)
		least = math.Min(least, num[0])
		if math.IsNaN(num[1]) {
			nulls++
		}
	}
	a, bb, plan := read.Inputs[0], read.Inputs[1], read.Inputs[2]
	if a.Name != "a" || a.Type != TypeNumber || *a.Min != least || a.Title != "title of a" || bb.NullShare != float64(nulls)/500 {
		t.Errorf("%+v, %+v", a, bb)
	}
	if plan.Type != TypeText || len(plan.Categories) != 3 || !plan.Complete || plan.Min != nil || read.Output.Threshold != 0.5 || read.Output.Max != 1 {
		t.Errorf("%+v, %+v", plan, read.Output)
	}
	for _, bad := range []string{`{`, `{"inputs":[{"name":"a","type":"oracle"}]}`, `{"inputs":[]} {}`, `{"run":1}`} {
		if _, err := DecodeSignature([]byte(bad)); err == nil {
			t.Errorf("accepted %s", bad)
		}
	}
}
