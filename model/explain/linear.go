package explain

import (
	"churn/model"
	"churn/model/logistic"
)

// Linear explains a logistic regression against a reference row, usually the
// mean of the training rows. It is safe for concurrent use.
type Linear struct {
	model     *logistic.Model
	reference []float64
	source    []int
}

// NewLinear returns an explainer of m. reference is the value of each encoded
// column in the reference row, and source the raw feature that each encoded
// column comes from. It panics if their lengths are not that of m.Coef.
func NewLinear(m *logistic.Model, reference []float64, source []int) *Linear {
	if len(reference) != len(m.Coef) || len(source) != len(m.Coef) {
		panic("explain: reference and source do not have one entry per coefficient")
	}
	return &Linear{model: m, reference: reference, source: source}
}

// Base returns the margin of the reference row.
func (l *Linear) Base() float64 {
	return l.model.Margin(model.Row{Dense: l.reference})
}

// Contributions fills out with Σ coef·(x − reference) over the encoded columns
// of each raw feature. These are the Shapley values of a linear model whose
// features are independent (Štrumbelj & Kononenko 2014).
func (l *Linear) Contributions(r model.Row, out []float64) {
	clear(out)
	coef, reference := l.model.Coef, l.reference
	for j, x := range r.Dense {
		out[l.source[j]] += float64(coef[j] * (x - reference[j]))
	}
	for j := len(r.Dense); j < len(coef); j++ {
		out[l.source[j]] -= float64(coef[j] * reference[j])
	}
	for _, code := range r.Codes {
		out[l.source[code]] += coef[code]
	}
}

// Block is Contributions of every row of x.
func (l *Linear) Block(x *model.Matrix, out []float64) {
	n := x.Rows()
	for i := range n {
		l.Contributions(x.Row(i), rowOf(out, n, i))
	}
}
