package main

import (
	"fmt"
	"math"
	"slices"

	"churn/bench/internal/kit"
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

// binCounts are the largest numbers of bins that trees are compared with. Where
// users are few, moving a single cut moves the PR-AUC of any of the three by 0.01
// or more, ours as well as theirs, so one fit says little: the means are compared.
func binCounts() []int { return []int{255, 224, 192, 160, 128} }

// treeQuality compares the trees on one data set.
type treeQuality struct {
	Data     string    `json:"data"`
	Train    int       `json:"train_rows"`
	Test     int       `json:"test_rows"`
	Columns  int       `json:"columns"`
	Ours     figures   `json:"ours"` // means over binCounts
	LightGBM figures   `json:"lightgbm"`
	Hist     figures   `json:"sklearn_hist"`
	Leads    []float64 `json:"leads"` // our PR-AUC less that of the better peer, for each of binCounts
}

// lead is our mean PR-AUC less that of the better peer.
func (q treeQuality) lead() float64 { return q.Ours.PRAUC - max(q.LightGBM.PRAUC, q.Hist.PRAUC) }

// add adds figures over n.
func (f *figures) add(g figures, n int) {
	f.PRAUC += g.PRAUC / float64(n)
	f.ROCAUC += g.ROCAUC / float64(n)
	f.LogLoss += g.LogLoss / float64(n)
}

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
		kit.Say("%s: %d training rows, %d test rows", d.name, len(d.train.label), len(d.test.label))
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
	for _, bins := range binCounts() {
		if err := b.compareBins(&q, fit, hold, bins); err != nil {
			return err
		}
	}
	b.results.Trees = append(b.results.Trees, q)
	return nil
}

// compareBins adds the figures of one number of bins.
func (b *bench) compareBins(q *treeQuality, fit, hold *rows, bins int) error {
	p, n := defaultTrees(), len(binCounts())
	p.MaxBins = bins
	m, err := fitTrees(b.ctx, fit, p)
	if err != nil {
		return err
	}
	margins := make([]float64, len(hold.label))
	m.Margins(hold.x, margins)
	ours := measure(margins, hold.label)
	light, _, err := b.peerFigures(peerLightGBM, fit, hold, p)
	if err != nil {
		return err
	}
	hist, _, err := b.peerFigures(peerHist, fit, hold, p)
	if err != nil {
		return err
	}
	q.Ours.add(ours, n)
	q.LightGBM.add(light, n)
	q.Hist.add(hist, n)
	q.Leads = append(q.Leads, ours.PRAUC-max(light.PRAUC, hist.PRAUC))
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
