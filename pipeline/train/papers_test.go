package train

import (
	"bytes"
	"context"
	"testing"

	"churn/model/bundle"
	"churn/model/profile"
)

// The law: the papers tell of the rows that the model was trained and tested on,
// the same each time, and the stored bundle answers the stored sample.
func TestPapers(t *testing.T) {
	report, candidates, err := Run(context.Background(), world(200, 30), bothModels(), nil)
	if err != nil || len(candidates) != 2 {
		t.Fatalf("%d candidates: %v", len(candidates), err)
	}
	for i := range candidates {
		c := &candidates[i]
		p := c.Papers()
		if s := report.Split; p.Profile.Rows != s.TrainRows || p.Profile.Score.Rows != s.TestRows || p.Profile.Users != 200 || p.Profile.Score.Share <= 0 {
			t.Errorf("%s: profile of %d rows of %d users, scores of %d", c.Measured.Name, p.Profile.Rows, p.Profile.Users, p.Profile.Score.Rows)
		}
		if in := p.Signature.Inputs; len(in) != c.Bundle.Features() || in[0].Unit != "days" || in[0].Title == "" || *in[0].Max <= *in[0].Min {
			t.Errorf("%s: signature of %d inputs, %+v", c.Measured.Name, len(in), in[0])
		}
		reference, _, sample, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, _, _, err := c.Papers().Encode()
		if err != nil || !bytes.Equal(reference, again) {
			t.Errorf("%s: another profile the second time (%v)", c.Measured.Name, err)
		}
		text, err := c.Bundle.Encode()
		if err != nil {
			t.Fatal(err)
		}
		stored, err := bundle.Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		read, err := bundle.DecodeSample(sample)
		if err != nil || len(read.Rows) != sampleRows {
			t.Fatalf("%s: %d rows (%v)", c.Measured.Name, len(read.Rows), err)
		}
		if err := stored.Answers(read); err != nil {
			t.Errorf("%s: %v", c.Measured.Name, err)
		}
		if _, err := profile.Decode(reference); err != nil {
			t.Errorf("%s: %v", c.Measured.Name, err)
		}
	}
}
