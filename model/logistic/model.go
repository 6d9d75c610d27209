package logistic

import "churn/model"

// Model is a fitted logistic regression.
type Model struct {
	Intercept float64   `json:"intercept"`
	Coef      []float64 `json:"coef"` // one per encoded column
}

var _ model.Classifier = (*Model)(nil)

// Margin returns the log-odds Intercept + r·Coef.
func (m *Model) Margin(r model.Row) float64 { return m.Intercept + r.Dot(m.Coef) }

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
