package main

import (
	"fmt"

	"churn/bench/internal/kit"
	"churn/model"
	"churn/model/encode"
	"churn/model/logistic"
)

// race is one speed row: what every run took.
type race struct {
	What     string `json:"what"`
	Data     string `json:"data"`
	Rows     int    `json:"rows"`
	Columns  int    `json:"columns"`
	Ours     []took `json:"ours"`
	LightGBM []took `json:"lightgbm,omitempty"`
	Sklearn  []took `json:"sklearn"`
	Target   target `json:"target"`
}

// target is what a race must show; 0 asks for nothing.
type target struct {
	LightGBM float64 `json:"times_lightgbm,omitempty"` // as fast as so many of it
	Sklearn  float64 `json:"times_sklearn,omitempty"`
	Rate     float64 `json:"rows_per_second,omitempty"`
}

// lane is one contestant: it runs once.
type lane func() (took, error)

// take runs the lanes in turns.
func take(runs int, lanes ...lane) ([][]took, error) {
	out := make([][]took, len(lanes))
	for range runs {
		for k, l := range lanes {
			t, err := l()
			if err != nil {
				return nil, err
			}
			out[k] = append(out[k], t)
		}
	}
	return out, nil
}

// speed races on synthetic rows at each size, and the logistic regressions on
// the given data sets, too: how many iterations lbfgs needs depends on the data.
func (b *bench) speed(sets []labelled) error {
	sizes := []int{200_000, 2_000_000}
	if b.options.quick {
		sizes = sizes[:1]
	}
	for k, n := range sizes {
		trees, linear := func() error { return b.raceTrees(n, k == 0) }, func() error { return b.raceLinear(n, k == 0) }
		if err := inTurn(trees, b.forget, linear, b.forget); err != nil {
			return fmt.Errorf("speed at %d rows: %w", n, err)
		}
	}
	for _, d := range sets {
		if err := inTurn(func() error { return b.raceOn(d) }, b.forget); err != nil {
			return fmt.Errorf("speed on %s: %w", d.name, err)
		}
	}
	return nil
}

// raceTrees races the whole fit, binning included, and at one size the scoring.
func (b *bench) raceTrees(n int, score bool) error {
	kit.Say("trees, %d rows × %d columns", n, syntheticColumns)
	all, err := b.hand("trees", encode.Options{Raw: true}, synthetic(n, 3, true))
	if err != nil {
		return err
	}
	d, p := all[0], defaultTrees()
	ours := func() (took, error) {
		return stopwatch(func() error { _, err := fitTrees(b.ctx, d, p); return err })
	}
	times, err := take(b.options.runs, ours, b.peerFit(peerLightGBM, d, p), b.peerFit(peerHist, d, p))
	if err != nil {
		return err
	}
	b.add(race{What: "fit 100 trees", Data: "synthetic", Target: target{LightGBM: 1, Sklearn: 3}}, d, times)
	if !score {
		return nil
	}
	p.MaxIter = scoringTrees
	return b.raceTreeScoring(d, p)
}

// scoringTrees is how many trees of 31 leaves are scored.
const scoringTrees = 250

func (b *bench) raceTreeScoring(d *rows, p treeParams) error {
	m, err := fitTrees(b.ctx, d, p)
	if err != nil {
		return err
	}
	for _, name := range []string{peerLightGBM, peerHist} {
		if _, err := b.peer.fit(name, d.name, p); err != nil {
			return err
		}
	}
	times, err := take(b.options.runs, ourScoring(d, m), b.peerScoring(peerLightGBM, d), b.peerScoring(peerHist, d))
	if err != nil {
		return err
	}
	b.add(race{What: "score 250 trees of 31 leaves", Data: "synthetic", Target: target{Rate: 1e6}}, d, times)
	return nil
}

// raceLinear races the logistic regressions on dense, finite columns, and at
// one size their scoring.
func (b *bench) raceLinear(n int, score bool) error {
	all, err := b.hand("linear", encode.Options{}, synthetic(n, 4, false))
	if err != nil {
		return err
	}
	m, err := b.raceLogistic("synthetic", all[0])
	if err != nil || !score {
		return err
	}
	times, err := take(b.options.runs, ourScoring(all[0], m), b.peerScoring(peerLogistic, all[0]))
	if err != nil {
		return err
	}
	b.add(race{What: "score logistic regression", Data: "synthetic", Target: target{Rate: 5e6}}, all[0], times)
	return nil
}

// raceOn races the logistic regressions on the training rows of a data set.
func (b *bench) raceOn(d labelled) error {
	all, err := b.hand(d.name, d.standard, d.train)
	if err != nil {
		return err
	}
	_, err = b.raceLogistic(d.name, all[0])
	return err
}

// raceLogistic races both to a loss within sameLossWithin of the least one, which
// is that of our model at its default tolerance. It returns that model.
func (b *bench) raceLogistic(data string, d *rows) (*logistic.Model, error) {
	kit.Say("logistic regression, %s, %d rows × %d columns", data, len(d.label), d.width())
	m, err := fitLogistic(b.ctx, d, logistic.Defaults().Tol)
	if err != nil {
		return nil, err
	}
	p, name, err := b.sameLoss(d, objective(d, m.Coef, m.Intercept))
	if err != nil {
		return nil, err
	}
	ours := func() (took, error) {
		return stopwatch(func() error { _, err := fitLogistic(b.ctx, d, sameLossWithin); return err })
	}
	times, err := take(b.options.runs, ours, b.peerFit(peerLogistic, d, p))
	if err != nil {
		return nil, err
	}
	b.add(race{What: "fit logistic regression (" + name + ")", Data: data, Target: target{Sklearn: 5}}, d, times)
	return m, nil
}

// sameLossWithin is how far above the least loss, relative to it, a loss may be to
// count as the same: the tolerance that ours is raced with, and what scikit-learn
// is held to.
const sameLossWithin = 1e-6

// sameLoss returns the loosest tolerance of scikit-learn that reaches our loss,
// and what to call it.
func (b *bench) sameLoss(d *rows, loss float64) (p linearParams, name string, err error) {
	p.L2 = linearL2
	for _, p.Tol = range []float64{1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, tightest} {
		r, err := b.peer.fit(peerLogistic, d.name, p)
		if err != nil {
			return p, "", err
		}
		above := objective(d, r.Coef, r.Intercept)/loss - 1
		kit.Say("  lbfgs with tol %g: %d iterations, loss %+.1e of ours", p.Tol, r.Iterations, above)
		if above <= sameLossWithin {
			return p, fmt.Sprintf("lbfgs with tol %g", p.Tol), nil
		}
	}
	return p, fmt.Sprintf("lbfgs with tol %g, which does not reach our loss", p.Tol), nil
}

// scorer is a model of ours that scores in bulk.
type scorer interface {
	Margins(x *model.Matrix, out []float64)
}

func ourScoring(d *rows, m scorer) lane {
	out := make([]float64, len(d.label))
	return func() (took, error) {
		return stopwatch(func() error { m.Margins(d.x, out); return nil })
	}
}

func (b *bench) peerScoring(name string, d *rows) lane {
	return func() (took, error) {
		_, t, err := b.peer.predict(name, d, b.dir)
		return t, err
	}
}

func (b *bench) peerFit(name string, d *rows, params any) lane {
	return func() (took, error) {
		r, err := b.peer.fit(name, d.name, params)
		return r.took, err
	}
}

// add keeps the times of a race on d: ours, and of the last peer scikit-learn's.
func (b *bench) add(r race, d *rows, times [][]took) {
	r.Rows, r.Columns = len(d.label), d.width()
	r.Ours, r.Sklearn = times[0], times[len(times)-1]
	if len(times) == 3 {
		r.LightGBM = times[1]
	}
	kit.Say("  %s: ours %s, LightGBM %s, scikit-learn %s", r.What, r.show(r.Ours), r.show(r.LightGBM), r.show(r.Sklearn))
	b.results.Races = append(b.results.Races, r)
}
