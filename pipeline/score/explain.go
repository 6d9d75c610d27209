package score

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"churn/pipeline"
	"churn/pipeline/features"
)

// Explanation is everything that a model says about one snapshot.
type Explanation struct {
	User     string        `json:"user_id"`
	AsOf     pipeline.Date `json:"as_of_date"`
	Version  string        `json:"model_version"`
	Kind     string        `json:"model_kind"`
	Risk     float64       `json:"churn_risk"`
	Tier     string        `json:"risk_tier"`
	AtRisk   bool          `json:"at_risk"`            // in the cohort; the model has learned from nobody else
	Finished bool          `json:"finished,omitempty"` // known to have completed the last course, where that is told apart
	BaseRisk float64       `json:"base_risk"`          // that contributions start from
	Factors  []Factor      `json:"factors"`            // by falling contribution
	// Usual is the risk if all that a user can change were as usual among peers.
	Usual *float64 `json:"risk_if_usual,omitempty"`
}

// Factor is what one theme does to the risk.
type Factor struct {
	Theme        features.Theme `json:"theme"`
	Text         string         `json:"text"`         // "" where the values sound like the opposite
	Contribution float64        `json:"contribution"` // log-odds, before calibration
	Values       []Value        `json:"values"`       // by falling size of contribution
	// Usual is the risk if the values of this theme were the usual ones of
	// peers and all else stayed: what the model would say, not a promise. Nil
	// where it would not be lower, or nobody can change it.
	Usual *float64 `json:"risk_if_usual,omitempty"`
}

// Value is one feature of the user beside that of his peers.
type Value struct {
	Feature      string  `json:"feature"`
	Title        string  `json:"title"`
	Value        string  `json:"value"` // "" is null
	Usual        string  `json:"usual"` // median, or most frequent, of the training cohort
	Contribution float64 `json:"contribution"`
}

// canChange reports whether a theme is something that the user does, and a
// team can work on.
func canChange(t features.Theme) bool {
	return !slices.Contains([]features.Theme{features.ThemeTenure, features.ThemePlan, features.ThemeCountry, features.ThemeSource}, t)
}

// Explain scores one history and says why.
func (s *Scorer) Explain(h *pipeline.History) Explanation {
	r, b := s.History(h), s.model.Bundle
	e := Explanation{User: r.User.ID, AsOf: r.AsOf, Version: s.model.Version, Kind: b.Kind, Risk: r.Risk, Tier: r.Tier,
		AtRisk: s.model.Spec.Labels.InCohort(h), Finished: h.Finished(), BaseRisk: b.Calibration.Probability(s.score.Base()), Factors: s.factors()}
	for i := range e.Factors {
		f := &e.Factors[i]
		if f.Contribution > 0 && canChange(f.Theme) {
			f.Usual = s.lower(e.Risk, func(t features.Theme) bool { return t == f.Theme })
		}
	}
	e.Usual = s.lower(e.Risk, canChange)
	return e
}

// factors sums the contributions of the row scored last by theme.
func (s *Scorer) factors() []Factor {
	var out []Factor
	words := features.Values{Params: s.model.Spec.Features, Catalog: s.model.Index, Vector: s.vector}
	for i, c := range s.contributions {
		k := slices.IndexFunc(out, func(f Factor) bool { return f.Theme == s.themes[i] })
		if k < 0 {
			k, out = len(out), append(out, Factor{Theme: s.themes[i], Text: words.Say(s.themes[i])})
		}
		out[k].Contribution += c
		out[k].Values = append(out[k].Values, s.value(i, c))
	}
	for _, f := range out {
		slices.SortStableFunc(f.Values, func(a, b Value) int { return cmp.Compare(math.Abs(b.Contribution), math.Abs(a.Contribution)) })
	}
	slices.SortStableFunc(out, func(a, b Factor) int { return cmp.Compare(b.Contribution, a.Contribution) })
	return out
}

// value returns feature i (numerics, then categoricals) beside that of peers.
func (s *Scorer) value(i int, contribution float64) Value {
	b := s.model.Bundle
	if i < len(b.Numeric) {
		return Value{b.Numeric[i], s.title(b.Numeric[i]), number(s.vector.Numeric[i]), number(b.Profile.Numeric[i].Usual()), contribution}
	}
	i -= len(b.Numeric)
	usual := ""
	if levels := b.Profile.Categorical[i]; len(levels) > 0 {
		usual = levels[0].Value
	}
	return Value{b.Categorical[i], s.title(b.Categorical[i]), s.vector.Categorical[i], usual, contribution}
}

func (s *Scorer) title(name string) string { return s.model.Index.Feature(name).Title }

// number writes a value for people; null is "".
func number(x float64) string {
	switch {
	case math.IsNaN(x):
		return ""
	case x == math.Trunc(x):
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.2f", x)
}

// lower returns the risk if the numeric features of some themes were those of
// peers; nil if that is not lower.
func (s *Scorer) lower(risk float64, changes func(features.Theme) bool) *float64 {
	values := slices.Clone(s.vector.Numeric)
	for i, q := range s.model.Bundle.Profile.Numeric {
		if changes(s.themes[i]) {
			values[i] = q.Usual()
		}
	}
	if p := s.score.Score(values, s.vector.Categorical); p < risk {
		return &p
	}
	return nil
}
