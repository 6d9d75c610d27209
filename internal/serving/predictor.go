// Package serving is what the server serves: it implements the interfaces of
// package server on the stages and the registry.
package serving

import (
	"math"
	"sync"
	"time"

	"churn/model/bundle"
	"churn/pipeline"
	"churn/pipeline/features"
	"churn/pipeline/score"
	"churn/pipeline/validate"
	"churn/server"
)

// Settings are what a predictor needs beside its model: the same ones that
// batch runs have.
type Settings struct {
	Score    score.Params
	Validate validate.Params
	Location *time.Location   // in which days are counted
	Now      func() time.Time // events after it lie in the future
	// Span is that of the data which batch runs score, where there is such data:
	// windows do not reach before its start. nil: not known.
	Span *pipeline.Span
}

// Predictor is a loaded model. It never changes and is safe for concurrent use.
type Predictor struct {
	model                *score.Model
	info                 server.ModelInfo
	numeric, categorical []server.Input
	settings             Settings
	vocabulary           pipeline.Vocabulary
	rules                *validate.Rules
	scorers              sync.Pool // of *score.Scorer
}

var _ server.Predictor = (*Predictor)(nil)

// NewPredictor returns a predictor on a model. What counts as activity is what
// the model was trained with.
func NewPredictor(m *score.Model, info server.ModelInfo, s Settings) *Predictor {
	p := &Predictor{model: m, info: info, settings: s, vocabulary: m.Spec.Labels.Vocabulary(s.Validate.EventTypes)}
	p.rules = validate.NewRules(s.Validate, p.vocabulary, s.Location, pipeline.NoDate)
	p.scorers.New = func() any { return m.NewScorer(s.Score) }
	p.describe()
	return p
}

// describe fills in the inputs, in the order of the bundle.
func (p *Predictor) describe() {
	profile := &p.model.Bundle.Profile
	for i := range p.model.Index.Catalog {
		f := &p.model.Index.Catalog[i]
		in := server.Input{Name: f.Name, Categorical: f.Categorical(), Title: f.Title, Unit: f.Unit, Binary: f.Binary(), Null: f.Null}
		if f.Categorical() {
			in.Levels = levels(profile.Categorical[len(p.categorical)])
			in.More = profile.Categorical[len(p.categorical)].Cut()
			p.categorical = append(p.categorical, in)
			continue
		}
		least, most := f.Range()
		in.Least, in.Most = finite(least), finite(most)
		if q := profile.Numeric[len(p.numeric)]; len(q.At) > 0 {
			low, high := q.At[0], q.At[len(q.At)-1]
			in.Min, in.Max = &low, &high
		}
		p.numeric = append(p.numeric, in)
	}
}

// finite returns nil for an infinite value.
func finite(x float64) *float64 {
	if math.IsInf(x, 0) {
		return nil
	}
	return &x
}

// levels returns the values that are not null.
func levels(of bundle.Levels) (out []string) {
	for _, l := range of {
		if l.Value != "" {
			out = append(out, l.Value)
		}
	}
	return out
}

// Info says which model it is.
func (p *Predictor) Info() server.ModelInfo { return p.info }

// Inputs returns what the model reads.
func (p *Predictor) Inputs() (numeric, categorical []server.Input) { return p.numeric, p.categorical }

// Predict scores a row, which has a value for each input.
func (p *Predictor) Predict(row server.Row, reasons int) server.Score {
	s := p.scorers.Get().(*score.Scorer)
	defer p.scorers.Put(s)
	return scoreOf(s.Row(row.Numeric, row.Categorical, reasons), reasons)
}

// scoreOf returns a score as the server says it, with at most so many reasons.
func scoreOf(s score.Score, reasons int) server.Score {
	out := server.Score{Margin: s.Margin, Risk: s.Risk, Tier: s.Tier}
	if n := min(reasons, len(s.Reasons)); n > 0 {
		out.Reasons = make([]server.Reason, n)
		for i, r := range s.Reasons[:n] {
			out.Reasons[i] = server.Reason{Feature: string(r.Theme), Text: r.Text, Contribution: r.Contribution}
		}
	}
	return out
}

// rowOf copies features.
func rowOf(v *features.Vector) server.Row {
	return server.Row{Numeric: append([]float64(nil), v.Numeric...), Categorical: append([]string(nil), v.Categorical...)}
}
