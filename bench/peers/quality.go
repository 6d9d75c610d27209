package main

import (
	"fmt"
	"math"
	"slices"

	"churn/model"
	"churn/model/encode"
	"churn/model/logistic"
	"churn/model/metric"
)

// figures say how good margins are on test rows.
type figures struct {
	PRAUC   float64 `json:"pr_auc"`
	ROCAUC  float64 `json:"roc_auc"`
	LogLoss float64 `json:"log_loss"`
}

func measure(margins []float64, label []bool) figures {
	probs := make([]float64, len(margins))
	for i, m := range margins {
		probs[i] = model.Sigmoid(m)
	}
	return figures{metric.AveragePrecision(margins, label), metric.ROCAUC(margins, label), metric.LogLoss(probs, label)}
}

// treeQuality compares the trees on one data set.
type treeQuality struct {
	Data     string  `json:"data"`
	Train    int     `json:"train_rows"`
	Test     int     `json:"test_rows"`
	Columns  int     `json:"columns"`
	Ours     figures `json:"ours"`
	LightGBM figures `json:"lightgbm"`
	Hist     figures `json:"sklearn_hist"`
}

// lead is our PR-AUC less that of the better peer.
func (q treeQuality) lead() float64 { return q.Ours.PRAUC - max(q.LightGBM.PRAUC, q.Hist.PRAUC) }

// linearQuality compares the logistic regressions on one data set.
type linearQuality struct {
	Data    string  `json:"data"`
	Train   int     `json:"train_rows"`
	Columns int     `json:"columns"`
	Ours    figures `json:"ours"`
	Sklearn figures `json:"sklearn"`
	// Excess is our regularised training loss less scikit-learn's, over
	// scikit-learn's.
	Excess float64 `json:"loss_excess"`
	// Coef is the largest difference of a coefficient, over scikit-learn's
	// largest.
	Coef float64 `json:"coef_difference"`
}

// syntheticRows and syntheticTest are the sizes of the synthetic data set on
// which quality is compared. Its rows have weights, the others' have none.
const (
	syntheticRows = 200_000
	syntheticTest = 100_000
)

// quality compares on the given data sets and on a synthetic one.
func (b *bench) quality(sets []labelled) error {
	made := labelled{name: "synthetic", train: synthetic(syntheticRows, 1, true).weighted(), test: synthetic(syntheticTest, 2, true)}
	for _, d := range append(slices.Clone(sets), made) {
		say("%s: %d training rows, %d test rows", d.name, len(d.train.label), len(d.test.label))
		trees, linear := func() error { return b.compareTrees(d) }, func() error { return b.compareLinear(d) }
		if err := inTurn(trees, linear, b.forget); err != nil {
			return fmt.Errorf("quality on %s: %w", d.name, err)
		}
	}
	return nil
}

func (b *bench) compareTrees(d labelled) error {
	both, err := b.hand(d.name+" raw", encode.Options{Raw: true}, d.train, d.test)
	if err != nil {
		return err
	}
	fit, hold := both[0], both[1]
	q := treeQuality{Data: d.name, Train: len(fit.label), Test: len(hold.label), Columns: fit.width()}
	m, err := fitTrees(b.ctx, fit, defaultTrees())
	if err != nil {
		return err
	}
	margins := make([]float64, len(hold.label))
	m.Margins(hold.x, margins)
	q.Ours = measure(margins, hold.label)
	if q.LightGBM, _, err = b.peerFigures(peerLightGBM, fit, hold, defaultTrees()); err != nil {
		return err
	}
	if q.Hist, _, err = b.peerFigures(peerHist, fit, hold, defaultTrees()); err != nil {
		return err
	}
	b.results.Trees = append(b.results.Trees, q)
	return nil
}

// peerFigures fits a peer and measures it on hold.
func (b *bench) peerFigures(name string, fit, hold *rows, params any) (figures, reply, error) {
	r, err := b.peer.fit(name, fit.name, params)
	if err != nil {
		return figures{}, r, err
	}
	margins, _, err := b.peer.predict(name, hold, b.dir)
	if err != nil {
		return figures{}, r, err
	}
	return measure(margins, hold.label), r, nil
}

// tightest is scikit-learn's tolerance where its optimum is the reference.
const tightest = 1e-10

func (b *bench) compareLinear(d labelled) error {
	both, err := b.hand(d.name+" standardised", d.standard, d.train, d.test)
	if err != nil {
		return err
	}
	fit, hold := both[0], both[1]
	q := linearQuality{Data: d.name, Train: len(fit.label), Columns: fit.width()}
	m, err := fitLogistic(b.ctx, fit, logistic.Defaults().Tol)
	if err != nil {
		return err
	}
	margins := make([]float64, len(hold.label))
	m.Margins(hold.x, margins)
	q.Ours = measure(margins, hold.label)
	var r reply
	if q.Sklearn, r, err = b.peerFigures(peerLogistic, fit, hold, linearParams{L2: linearL2, Tol: tightest}); err != nil {
		return err
	}
	theirs := objective(fit, r.Coef, r.Intercept)
	q.Excess = (objective(fit, m.Coef, m.Intercept) - theirs) / theirs
	q.Coef = difference(m.Coef, r.Coef)
	b.results.Linear = append(b.results.Linear, q)
	return nil
}

// difference returns max|a-b| / max|b|.
func difference(a, b []float64) float64 {
	var most, scale float64
	for j := range a {
		most, scale = max(most, math.Abs(a[j]-b[j])), max(scale, math.Abs(b[j]))
	}
	return most / scale
}
