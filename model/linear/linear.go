// Package linear fits the baseline that every other model must beat: ordinary
// least squares of the 0/1 label on the encoded columns (a linear probability
// model), by github.com/sajari/regression.
//
// That library forms the full n × n factor Q of its QR decomposition, keeps
// every point, and appends to a text in quadratic time, so it is given a bounded
// sample of rows: with 120 columns, 1500 rows take 0.1 s, 2000 take 0.4 s and
// 4000 take 2 s and allocate 0.9 GB. It divides by the diagonal of R without a
// look, so it is given linearly independent columns only; it reads its
// coefficients from a map, so they are copied out and Predict does not need it.
package linear

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/sajari/regression"

	"churn/model"
)

// Params are the hyperparameters of Fit. Start from Defaults.
type Params struct {
	MaxRows int    `json:"max_rows"` // most rows of the sample; ≥ 3
	Seed    uint64 `json:"seed"`     // of the sample
}

// Defaults returns the parameters of a fit that takes well below a second.
func Defaults() Params { return Params{MaxRows: 2000, Seed: 1} }

// Validate returns all faults of p, each led by its key.
func (p Params) Validate() error {
	if p.MaxRows < 3 {
		return fmt.Errorf("max_rows: %d is not ≥ 3", p.MaxRows)
	}
	return nil
}

// clip keeps a linear probability away from 0 and 1, where the log-loss is
// infinite.
const clip = 1e-6

// Model is a fitted linear probability model.
type Model struct {
	Intercept float64   `json:"intercept"`
	Coef      []float64 `json:"coef"` // one per encoded column; 0 for a column left out
}

var _ model.Classifier = (*Model)(nil)

// Predict returns Intercept + r·Coef. It may lie outside [0, 1]; rank by it.
func (m *Model) Predict(r model.Row) float64 { return m.Intercept + r.Dot(m.Coef) }

// Probability returns Predict clipped to [1e-6, 1-1e-6].
func (m *Model) Probability(r model.Row) float64 {
	return max(clip, min(1-clip, m.Predict(r)))
}

// Margin returns the log-odds of Probability. Rows beyond the clip are tied.
func (m *Model) Margin(r model.Row) float64 {
	p := m.Probability(r)
	return math.Log(p / (1 - p))
}

// Fit fits the least-squares line through a random sample of at most MaxRows
// rows. Columns that are linear combinations of others in the sample have
// coefficient 0. With a single class the model is that constant.
func Fit(x *model.Matrix, y []bool, p Params) (*Model, error) {
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("fit linear model: %w", err)
	}
	if len(y) != x.Rows() || len(y) < 3 {
		return nil, fmt.Errorf("fit linear model: %d rows and %d labels, want as many and at least 3", x.Rows(), len(y))
	}
	rows := sample(len(y), p)
	design, observed := densify(x, y, rows)
	columns, err := independent(design, x.Cols())
	if err != nil {
		return nil, fmt.Errorf("fit linear model: %w", err)
	}
	coef, err := leastSquares(design, observed, columns)
	if err != nil {
		return nil, fmt.Errorf("fit linear model: %w", err)
	}
	m := &Model{Intercept: coef[0], Coef: make([]float64, x.Cols())}
	for k, j := range columns {
		m.Coef[j] = coef[k+1]
	}
	return m, nil
}

// sample returns at most MaxRows of n rows, in order.
func sample(n int, p Params) []int {
	rows := rand.New(rand.NewPCG(p.Seed, 0)).Perm(n)
	rows = rows[:min(n, p.MaxRows)]
	slices.Sort(rows)
	return rows
}

// densify returns the sampled rows with their one-hot columns written out, and
// their labels as 0 and 1.
func densify(x *model.Matrix, y []bool, rows []int) (design [][]float64, observed []float64) {
	observed = make([]float64, len(rows))
	for k, i := range rows {
		row := make([]float64, x.Cols())
		x.Row(i).AddScaled(1, row)
		design = append(design, row)
		if y[i] {
			observed[k] = 1
		}
	}
	return design, observed
}

// leastSquares returns the intercept and the coefficients of the chosen
// columns.
func leastSquares(design [][]float64, observed []float64, columns []int) ([]float64, error) {
	var r regression.Regression
	for k, row := range design {
		chosen := make([]float64, len(columns))
		for c, j := range columns {
			chosen[c] = row[j]
		}
		r.Train(regression.DataPoint(observed[k], chosen))
	}
	if err := r.Run(); err != nil {
		return nil, err
	}
	coef := r.GetCoeffs()
	if slices.ContainsFunc(coef, func(b float64) bool { return b-b != 0 }) {
		return nil, errors.New("the least-squares solution is not finite")
	}
	return coef, nil
}
