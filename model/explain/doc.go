// Package explain says what each raw feature adds to a margin, exactly: the
// base of an explainer and its contributions to a row sum to the margin of the
// row.
//
//	Linear   a logistic regression: each term against its value at the mean row
//	Trees    gradient-boosted trees: Shapley values under the covers of the nodes
//
// A contribution is in log-odds; positive means that the feature raises the
// risk. Contributions depend on nothing but the model and the row, to the bit.
package explain

import "churn/model"

// Explainer explains rows with as many raw features as out has room for. It
// does not allocate. An implementation may hold scratch space for one
// goroutine.
type Explainer interface {
	// Contributions fills out with what each raw feature (numerics, then
	// categoricals) adds to the margin of r; a feature that the model does not
	// use gets 0.
	Contributions(r model.Row, out []float64)

	// Block fills out, row-major, with the contributions to every row of x: the
	// same bits as one row at a time, but faster.
	Block(x *model.Matrix, out []float64)
}

var _, _ Explainer = (*Linear)(nil), (*TreeExplainer)(nil)

// rowOf returns row i of the n rows of out.
func rowOf(out []float64, n, i int) []float64 {
	p := len(out) / n
	return out[i*p : (i+1)*p : (i+1)*p]
}
