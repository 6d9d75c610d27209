package logistic

import (
	"fmt"
	"math"
	"slices"

	"churn/model"
)

// baseline returns the state of the optimum without features and the weighted
// squares D_j = Σ_i w_i x_ij² of the columns, in one pass. There the margin of
// every row is the log-odds of the weighted base rate, and the objective is that
// rate's entropy. It returns an error if a feature is not finite, or so large
// that its square is not.
func (p *problem) baseline() (*state, []float64, error) {
	dim, cols, k := p.dim(), p.x.Cols(), chunks(p.x.Rows())
	parts := make([]float64, k*(dim+cols))
	p.eachChunk(func(c, from, to int) {
		part := parts[c*(dim+cols) : (c+1)*(dim+cols)]
		p.addBaseline(from, to, part[:dim], part[dim:])
	})
	sum := make([]float64, dim+cols)
	for i, v := range parts {
		sum[i%(dim+cols)] += v
	}
	squares := sum[dim:]
	if j := slices.IndexFunc(squares, func(d float64) bool { return math.IsNaN(d) || math.IsInf(d, 0) }); j >= 0 {
		return nil, nil, fmt.Errorf("feature %s is not finite or too large to square", p.x.Names[j])
	}
	theta := make([]float64, dim)
	theta[cols] = math.Log(p.base / (1 - p.base))
	entropy := -float64(p.base*math.Log(p.base)) - float64((1-p.base)*math.Log1p(-p.base))
	return &state{theta: theta, objective: entropy, grad: sum[:dim:dim]}, squares, nil
}

// addBaseline adds the gradient and the squares of rows [from, to).
func (p *problem) addBaseline(from, to int, grad, squares []float64) {
	cols := p.x.Cols()
	for i := from; i < to; i++ {
		row, w := p.x.Row(i), p.weight[i]
		r := w * (p.base - float64(index(p.y[i])))
		row.AddScaled(r, grad)
		grad[cols] += r
		addSquares(row, w, squares)
	}
}

// addSquares adds w·x² to sum.
func addSquares(row model.Row, w float64, sum []float64) {
	for j, x := range row.Dense {
		sum[j] += float64(w * x * x)
	}
	for _, c := range row.Codes {
		sum[c] += w
	}
}
