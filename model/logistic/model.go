package logistic

import (
	"churn/internal/parallel"
	"churn/model"
)

// Model is a fitted logistic regression.
type Model struct {
	Intercept float64   `json:"intercept"`
	Coef      []float64 `json:"coef"` // one per encoded column
}

var _ model.Classifier = (*Model)(nil)

// Margin returns the log-odds Intercept + r·Coef.
func (m *Model) Margin(r model.Row) float64 { return m.Intercept + r.Dot(m.Coef) }

// Margins writes the margin of every row of x to out, on several cores, with
// the bits of Margin. It panics unless out has one place per row and x the
// model's columns.
func (m *Model) Margins(x *model.Matrix, out []float64) {
	if len(out) != x.Rows() || x.Cols() != len(m.Coef) {
		panic("logistic: margins of another shape than the matrix or the model")
	}
	parallel.Each(chunks(len(out)), func(c int) {
		for i := c * chunkRows; i < min((c+1)*chunkRows, len(out)); i++ {
			out[i] = m.Margin(x.Row(i))
		}
	})
}

// Status says how a fit ended.
type Status string

// The ways a fit ends.
const (
	Converged      Status = "converged"       // gap ≤ tol·objective
	IterationLimit Status = "iteration_limit" // max_epochs came first; the model is the best found
	Diverged       Status = "diverged"        // no step lowers the objective; the model is the best found
)

// Report says how a fit went.
type Report struct {
	Status    Status  `json:"status"`
	Epochs    int     `json:"epochs"`    // inner loops run, retries included
	Objective float64 `json:"objective"` // f at the returned model
	Gap       float64 `json:"gap"`       // estimate of f - f*
}
