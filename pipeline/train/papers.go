package train

import (
	"churn/model/bundle"
	"churn/model/profile"
	"churn/pipeline/features"
)

// sampleRows is the number of answered rows that are stored with a model: enough
// to reach most leaves of the trees, few enough to be read and answered at once.
const sampleRows = 64

// OutputName is the name of a model's answer.
const OutputName = "churn_risk"

// Papers are what is stored beside a bundle, so that others can use and watch it.
type Papers struct {
	Profile   profile.Reference // of the training rows, and of the scores of the test rows
	Signature bundle.Signature
	Sample    bundle.Sample // of the test rows
}

// Papers describes the candidate. The profile takes the scores of the test rows,
// since a model is surer of rows that it has learned from.
func (c *Candidate) Papers() Papers {
	scores := profile.Scores{Probability: c.Bundle.Probabilities(c.Bundle.Margins(&c.test.Frame)), User: c.test.User}
	p := Papers{Profile: c.reference().WithScores(scores, c.Bundle.Threshold), Sample: c.Bundle.SampleOf(&c.test.Frame, sampleRows)}
	p.Signature = c.Bundle.SignatureOf(&p.Profile, OutputName, c.describe())
	return p
}

// describe returns what the catalog says of a feature.
func (c *Candidate) describe() func(name string) bundle.Description {
	index := features.NewIndex(features.Catalog(c.features))
	return func(name string) bundle.Description {
		f := index.Feature(name)
		return bundle.Description{Title: f.Title, Unit: f.Unit, Null: f.Null}
	}
}

// Encode returns the files of the papers.
func (p Papers) Encode() (reference, signature, sample []byte, err error) {
	if reference, err = p.Profile.Encode(); err != nil {
		return nil, nil, nil, err
	}
	if signature, err = p.Signature.Encode(); err != nil {
		return nil, nil, nil, err
	}
	sample, err = p.Sample.Encode()
	return reference, signature, sample, err
}
