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

// Explainer explains single rows.
type Explainer interface {
	// Contributions fills out with what each raw feature (numerics, then
	// categoricals) adds to the margin of r; a feature that the model does not
	// use gets 0. It does not allocate.
	Contributions(r model.Row, out []float64)
}

var _, _ Explainer = (*Linear)(nil), (*TreeExplainer)(nil)
