package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"churn/model/metric"
	"churn/pipeline"
	"churn/pipeline/dataset"
	"churn/pipeline/evaluate"
	"churn/pipeline/promote"
	"churn/pipeline/score"
	"churn/pipeline/train"
)

// view changes what a model is shown, in training and when it is judged.
type view func(p *population, at []int, rows *dataset.Rows)

// honest shows the rows as they are.
func honest(*population, []int, *dataset.Rows) {}

// blind hides all features whose name the function picks.
func blind(hidden func(name string) bool) view {
	return func(_ *population, _ []int, rows *dataset.Rows) {
		width := len(rows.Frame.NumericNames)
		for j, name := range rows.Frame.NumericNames {
			if !hidden(name) {
				continue
			}
			for i := j; i < len(rows.Frame.Numeric); i += width {
				rows.Frame.Numeric[i] = math.NaN()
			}
		}
	}
}

// leaking shows, in place of an unimportant feature, the active days of the next
// days: the window of a feature that ends too late.
func leaking(days int) view {
	return func(p *population, at []int, rows *dataset.Rows) {
		width := len(rows.Frame.NumericNames)
		j := slices.Index(rows.Frame.NumericNames, spoiled)
		for i, k := range at {
			rows.Frame.Numeric[i*width+j] = float64(p.ahead[days][k])
		}
	}
}

// spoiled is the feature that a leak replaces.
const spoiled = "active_days_7d"

// scenario is a kind of challenger, and how often it may be promoted.
type scenario struct {
	name                 string
	champion, challenger func(replay int) view
	share                float64 // of the sampled users that the champion was trained on; 0 = all
	atMost, atLeast      float64 // share of promotions
}

func always(v view) func(int) view { return func(int) view { return v } }

// scenarios are what the gate must tell apart.
func scenarios() []scenario {
	recent := func(name string) bool {
		return name == evaluate.RuleFeature || strings.HasSuffix(name, "_7d")
	}
	return []scenario{
		{name: "the champion with another seed", champion: always(honest), challenger: always(honest), atMost: 0.05},
		{name: "better: the champion is blind to the last week", champion: always(blind(recent)), challenger: always(honest), atMost: 1, atLeast: 0.8},
		{name: "a little better: the champion learned from a third of the users", champion: always(honest), challenger: always(honest), share: 1.0 / 3, atMost: 1},
		{name: "a leak: a week's window ends 3, 7, 14 or 30 days too late", champion: always(honest), challenger: func(n int) view {
			return leaking(horizons()[n%len(horizons())])
		}},
	}
}

// bench replays scenarios on a population.
type bench struct {
	population *population
	test       []int // users that no model sees, to measure the true margin
	pool       []int // users that replays are drawn from
	sample     int   // users a replay
	gate       promote.Params
	learn      func(seed uint64) train.Params
	seed       uint64
}

// newBench divides the users: two thirds to draw replays from, the others to
// measure on what a challenger is truly better by.
func newBench(p *population, sample int, seed uint64) (*bench, error) {
	b := &bench{population: p, sample: sample, gate: promote.Defaults(), learn: trees, seed: seed}
	for u := range p.users() {
		if u%3 == 0 {
			b.test = append(b.test, u)
		} else {
			b.pool = append(b.pool, u)
		}
	}
	if len(b.pool) < sample {
		return nil, fmt.Errorf("%d users are too few to draw %d of them", len(b.pool), sample)
	}
	return b, nil
}

// result is one replay.
type result struct {
	decision promote.Decision
	margin   float64 // PR-AUC, challenger less champion, on users that neither has seen
}

// replay draws users, trains champion and challenger on their past, each with
// its own seed, and lets the gate judge by their later rows.
func (b *bench) replay(ctx context.Context, s scenario, n int) (result, error) {
	rng := rand.New(rand.NewPCG(b.seed, uint64(n)))
	champion, users, err := b.champion(ctx, s, n, rng)
	if err != nil {
		return result{}, err
	}
	challenger, err := b.contender(ctx, "v0002", s.challenger(n), users, users, rng.Uint64())
	if err != nil {
		return result{}, err
	}
	if challenger.Model == nil {
		return result{promote.Decision{Verdict: promote.Reject, Reason: challenger.verdict.Reason}, math.NaN()}, nil
	}
	in := promote.Input{Challenger: challenger.Contender, Champion: &champion.Contender, Training: challenger.verdict, Evaluate: evaluate.Defaults(), Value: evaluate.DefaultValue()}
	dates := promote.Dates(challenger.test, b.population.last, in.Challenger, in.Champion)
	for _, c := range []*promote.Contender{&in.Challenger, in.Champion} {
		c.Rows = on(c.Rows, dates)
	}
	decision, err := promote.Judge(in, b.gate)
	return result{decision, b.prAUC(challenger.Model, s.challenger(n), dates) - b.prAUC(champion.Model, s.champion(n), dates)}, err
}

// champion draws users and trains on them until a model beats its floor: no
// other becomes champion.
func (b *bench) champion(ctx context.Context, s scenario, n int, rng *rand.Rand) (trained, []int, error) {
	for ctx.Err() == nil {
		users := make([]int, b.sample)
		for i, k := range rng.Perm(len(b.pool))[:b.sample] {
			users[i] = b.pool[k]
		}
		of := users
		if s.share > 0 {
			of = slices.Clone(users[:int(s.share*float64(len(users)))])
		}
		slices.Sort(users)
		slices.Sort(of)
		champion, err := b.contender(ctx, "v0001", s.champion(n), of, users, rng.Uint64())
		if err != nil || champion.Model != nil {
			return champion, users, err
		}
	}
	return trained{}, nil, context.Cause(ctx)
}

// on returns the rows of the given dates.
func on(rows *dataset.Rows, dates []pipeline.Date) *dataset.Rows {
	return rows.Where(func(i int) bool { return slices.Contains(dates, rows.AsOf[i]) })
}

// trained is a contender with what its training said.
type trained struct {
	promote.Contender
	verdict train.Verdict
	test    []pipeline.Date
}

// contender trains on the rows of the users of, and gets the rows of judged. The
// model is nil if the training found none that beats the floor.
func (b *bench) contender(ctx context.Context, version string, v view, of, judged []int, seed uint64) (t trained, err error) {
	row := definition(b.population.every)
	d := train.Definition{Features: row.Features, Labels: row.Labels, Threshold: 0.5, Model: b.learn(seed), Evaluate: evaluate.Defaults(),
		Value: evaluate.DefaultValue(), Primary: b.gate.PrimaryMetric, AsOf: pipeline.NoDate}
	rows := b.shown(v, of)
	report, candidates, err := train.Run(ctx, rows, d, nil)
	if err != nil {
		return t, err
	}
	t.verdict = report.Selected()
	if len(candidates) == 0 {
		return t, nil
	}
	if t.Model, err = score.NewModel(candidates[0].Bundle, version); err != nil {
		return t, err
	}
	t.TrainLast, t.Rows = report.Split.TrainLast, b.shown(v, judged)
	for _, date := range t.Rows.Dates() {
		if report.Split.TestFirst <= date && date <= report.Split.TestLast {
			t.test = append(t.test, date)
		}
	}
	return t, nil
}

// shown returns the rows of users as a model sees them.
func (b *bench) shown(v view, users []int) *dataset.Rows {
	at := b.population.of(users)
	rows := b.population.rows.Take(at)
	v(b.population, at, rows)
	return rows
}

// prAUC measures a model on the users that no model has seen.
func (b *bench) prAUC(m *score.Model, v view, dates []pipeline.Date) float64 {
	rows := on(b.shown(v, b.test), dates)
	return metric.AveragePrecision(m.Bundle.Margins(&rows.Frame), rows.Label)
}

// trees are the settings of quick trees, whose seed matters.
func trees(seed uint64) train.Params {
	p := train.Defaults()
	p.Models, p.Seed, p.Folds, p.Bootstrap = []string{train.ModelGBDT}, seed, 1, 20
	g := &p.GBDT
	g.LearningRate, g.MaxLeafNodes, g.MinSamplesLeaf, g.MaxIter, g.NIterNoChange = []float64{0.1}, []int{8}, []int{50}, 60, 10
	g.Subsample, g.MaxFeatures = 0.8, 0.5
	return p
}
