package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"

	"churn/bench/portal"
	"churn/model/metric"
	"churn/pipeline"
	"churn/pipeline/dataset"
	"churn/pipeline/evaluate"
	"churn/pipeline/monitor"
	"churn/pipeline/promote"
	"churn/pipeline/score"
	"churn/pipeline/train"
)

// estimatedUsers is how many users a replay of estimates scores.
const estimatedUsers = 1000

// shift is how the users of a replay differ from those of the model's test period:
// a user is drawn with odds of e^(Pull · his value of the feature in standard
// deviations). Whoever is drawn does as he did, so that it is covariate shift and
// nothing else; with Forgetting, that share of them does as another does.
type shift struct {
	name       string
	feature    string
	pull       float64
	forgetting float64
}

func shifts() []shift {
	return []shift{
		{name: "none: other users"},
		{name: "less active users", feature: "active_days_30d", pull: -1},
		{name: "more active users", feature: "active_days_30d", pull: 1},
		{name: "newer users", feature: "days_since_signup", pull: -1},
		{name: "concept: half of the users do as another does", forgetting: 0.5},
	}
}

// foresight replays estimates of performance without labels, and what labels then
// tell of the same users. It reports whether the bands hold as often as they say
// under every covariate shift; that they do not under the shift of the concept is
// what they are known to be blind to.
func (o options) foresight(ctx context.Context, portals []*drifted, out io.Writer) (ok bool, err error) {
	if o.estimates == 0 {
		return true, nil
	}
	benches, err := o.promised(ctx, portals)
	if err != nil {
		return false, err
	}
	rules := monitor.Rules{PerformanceParams: monitor.DefaultPerformance(), Primary: promote.Defaults().PrimaryMetric, TopK: score.Defaults().TopK}
	figures := []string{"roc_auc", "log_loss", "base_rate"}
	fmt.Fprintf(out, "\n| %d users scored; shift | replays | ROC-AUC estimated, realised (mean) | in its band (95%%, exact) | log-loss in its band | churn rate in its band | limit |\n|---|---:|---|---|---|---|---|\n", estimatedUsers)
	ok = true
	for _, s := range shifts() {
		all, err := each(ctx, o.estimates, func(i int) (foreseen, error) {
			return benches[i%len(benches)].foresee(ctx, s, rand.New(rand.NewPCG(o.seed, uint64(i))), rules)
		})
		if err != nil {
			return false, err
		}
		// A share is short of the confidence if that is beyond chance.
		cells, short := []string{}, false
		for _, name := range figures {
			inside := 0
			for _, f := range all {
				if f.inside(name) {
					inside++
				}
			}
			low, high := portal.Exact(inside, len(all))
			short = short || high < rules.Confidence
			cells = append(cells, fmt.Sprintf("%.1f%% (%.1f%% to %.1f%%)", 100*float64(inside)/float64(len(all)), 100*low, 100*high))
		}
		limit := fmt.Sprintf("%.0f%%", 100*rules.Confidence)
		switch {
		case s.forgetting > 0:
			limit = "blind"
		case short:
			limit, ok = limit+": BROKEN", false
		}
		estimated, realised := means(all, figures[0])
		fmt.Fprintf(out, "| %s | %d | %.3f, %.3f | %s | %s | %s | %s |\n", s.name, len(all), estimated, realised, cells[0], cells[1], cells[2], limit)
	}
	return ok, nil
}

// promising is a model with its card, and the users whom it has not learned from
// on its test date. It is tested on one date, and users of that date are scored:
// the season, which changes what users of a kind do, then shifts no concept.
type promising struct {
	trained *trained
	promise *monitor.Promise
	pool    *dataset.Rows
}

// oneDate is a share of the dates so small that it is one of them.
const oneDate = 0.001

// promised trains models whose cards have intervals.
func (o options) promised(ctx context.Context, portals []*drifted) ([]promising, error) {
	return each(ctx, o.models, func(i int) (promising, error) {
		d := portals[i%len(portals)]
		for try := uint64(0); ; try++ {
			users := d.draw(rand.New(rand.NewPCG(o.seed+100+try, uint64(i))), o.sample)
			p := line(uint64(i))
			p.Bootstrap, p.TestSize = train.Defaults().Bootstrap, oneDate
			t, err := d.learn(ctx, users, p)
			if err != nil {
				return promising{}, err
			}
			if t == nil {
				continue // no model beats the floor
			}
			split := t.report.Split
			promise, err := monitor.PromiseOf(t.model.Version, train.ModelLogistic, split.TestFirst-1, t.report)
			if err != nil {
				return promising{}, err
			}
			others := map[string]bool{}
			for _, id := range d.users {
				others[id] = !users[id]
			}
			return promising{t, promise, of(d.worlds[quiet], others, func(x pipeline.Date) bool { return x == split.TestLast })}, nil
		}
	})
}

// foreseen is what one replay came to.
type foreseen struct{ estimated, realised []metric.Estimate }

func (f foreseen) inside(name string) bool {
	e, r := evaluate.Find(f.estimated, name), evaluate.Find(f.realised, name)
	return e.Low <= r.Value && r.Value <= e.High
}

func means(all []foreseen, name string) (estimated, realised float64) {
	for _, f := range all {
		estimated += evaluate.Find(f.estimated, name).Value / float64(len(all))
		realised += evaluate.Find(f.realised, name).Value / float64(len(all))
	}
	return estimated, realised
}

// foresee scores users of the test date.
func (b *promising) foresee(ctx context.Context, s shift, rng *rand.Rand, rules monitor.Rules) (foreseen, error) {
	date, rows := b.promise.To, b.pool.Take(s.draw(rng, b.pool, estimatedUsers))
	labels := slices.Clone(rows.Label)
	for i := range labels {
		if rng.Float64() < s.forgetting {
			labels[i] = rows.Label[rng.IntN(len(labels))]
		}
	}
	margins := b.trained.model.Bundle.Margins(&rows.Frame)
	g := monitor.Given{Predictions: listOf(date, b.trained.model.Version, margins, b.trained.model.Bundle.Probabilities(margins)), Window: definition().Labels.WindowDays, Promise: b.promise}
	join := func(due []monitor.Due) error {
		for _, churned := range labels {
			fate := monitor.Stayed
			if churned {
				fate = monitor.Churned
			}
			due[0].Fates = append(due[0].Fates, fate)
		}
		return nil
	}
	r, err := monitor.Perform(ctx, monitor.PerformanceInput{AsOf: date + pipeline.Date(g.Window), Given: []monitor.Given{g}, Params: rules, Trend: monitor.DefaultTrend()}, join)
	if err != nil {
		return foreseen{}, err
	}
	return foreseen{r.Dates[0].Estimated, r.Dates[0].Figures}, nil
}

// listOf returns the list that churn score would write of rows.
func listOf(date pipeline.Date, version string, margins, risks []float64) monitor.Predictions {
	order := make([]int, len(margins))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(margins[b], margins[a]) })
	p := monitor.Predictions{AsOf: date, Version: version, Source: "replay", Risks: risks, Ranks: make([]int32, len(risks))}
	for k, i := range order {
		p.Ranks[i] = int32(k + 1)
	}
	for i := range risks {
		p.Users = append(p.Users, fmt.Sprint(i))
	}
	return p
}

// draw returns n rows, none twice, drawn in turns by their odds (Efraimidis &
// Spirakis, "Weighted random sampling with a reservoir", Inf. Process. Lett. 97,
// 2006: the largest of log(u)/odds).
func (s shift) draw(rng *rand.Rand, rows *dataset.Rows, n int) []int {
	values := make([]float64, rows.Len())
	if s.feature != "" {
		values = standard(rows.Numeric(s.feature))
	}
	keys, order := make([]float64, len(values)), make([]int, len(values))
	for i, v := range values {
		keys[i], order[i] = math.Log(rng.Float64())/math.Exp(s.pull*v), i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(keys[b], keys[a]) })
	return order[:min(n, len(order))]
}

// standard returns values in standard deviations from their mean.
func standard(values []float64) []float64 {
	var sum, squares float64
	for _, v := range values {
		sum += v
	}
	mean := sum / float64(len(values))
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	deviation := math.Sqrt(squares / float64(len(values)))
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = (v - mean) / deviation
	}
	return out
}
