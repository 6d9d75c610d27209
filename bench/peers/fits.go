package main

import (
	"context"
	"fmt"
	"math"

	"churn/model/gbdt"
	"churn/model/logistic"
)

// The names by which the script knows the peers' models.
const (
	peerLightGBM = "lightgbm"
	peerHist     = "hist"
	peerLogistic = "logistic"
)

// treeParams are the settings that all three get, under scikit-learn's names.
type treeParams struct {
	MaxIter        int     `json:"max_iter"`
	LearningRate   float64 `json:"learning_rate"`
	MaxLeafNodes   int     `json:"max_leaf_nodes"`
	MinSamplesLeaf int     `json:"min_samples_leaf"`
	MinChildWeight float64 `json:"min_child_weight"`
	L2             float64 `json:"l2"`
	MaxBins        int     `json:"max_bins"`
}

// defaultTrees are the peers' own defaults but for the L2, which is 0 there: a
// little of it is what people use. The least child weight is the one that
// scikit-learn does not let anyone change.
func defaultTrees() treeParams {
	return treeParams{MaxIter: 100, LearningRate: 0.1, MaxLeafNodes: 31, MinSamplesLeaf: 20, MinChildWeight: 1e-3, L2: 1, MaxBins: 255}
}

// fitTrees fits ours.
func fitTrees(ctx context.Context, d *rows, t treeParams) (*gbdt.Model, error) {
	p := gbdt.Defaults()
	p.MaxIter, p.LearningRate, p.MaxLeafNodes, p.MaxDepth = t.MaxIter, t.LearningRate, t.MaxLeafNodes, 0
	p.MinSamplesLeaf, p.MinChildWeight, p.L2, p.MaxBins = t.MinSamplesLeaf, t.MinChildWeight, t.L2, t.MaxBins
	p.Subsample, p.Colsample, p.NIterNoChange = 1, 1, 0
	m, _, err := gbdt.Fit(ctx, gbdt.Input{Train: gbdt.Data{X: d.x, Label: d.label, Weight: d.weight}}, p, nil)
	return m, err
}

// linearParams are the settings of the peer's logistic regression.
type linearParams struct {
	L2  float64 `json:"l2"`
	Tol float64 `json:"tol"`
}

// linearL2 is scikit-learn's default, C = 1.
const linearL2 = 1

// fitLogistic fits ours to a tolerance. A fit that did not converge is an error:
// its time would mean nothing.
func fitLogistic(ctx context.Context, d *rows, tol float64) (*logistic.Model, error) {
	p := logistic.Defaults()
	p.L2, p.Tol = linearL2, tol
	m, report, err := logistic.Fit(ctx, logistic.Input{X: d.x, Label: d.label, Weight: d.weight}, p, nil)
	if err == nil && report.Status != logistic.Converged {
		err = fmt.Errorf("our logistic regression on %s ended with %s", d.name, report.Status)
	}
	return m, err
}

// objective returns the regularised loss that both logistic regressions
// minimise, over the sum W of the weights:
//
//	(1/W) Σ w_i (log(1+exp(m_i)) - y_i m_i) + L2/(2W) ‖β‖²,   m_i = b + βᵀx_i.
func objective(d *rows, coef []float64, intercept float64) float64 {
	var loss, total, norm float64
	for i, positive := range d.label {
		w := 1.0
		if d.weight != nil {
			w = d.weight[i]
		}
		m := intercept + d.x.Row(i).Dot(coef)
		loss += w * (max(m, 0) + math.Log1p(math.Exp(-math.Abs(m))) - number(positive)*m)
		total += w
	}
	for _, c := range coef {
		norm += c * c
	}
	return (loss + linearL2/2.*norm) / total
}
