package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"churn/model/profile"
	"churn/pipeline"
	"churn/pipeline/dataset"
	"churn/pipeline/evaluate"
	"churn/pipeline/monitor"
	"churn/pipeline/promote"
	"churn/pipeline/score"
	"churn/pipeline/train"
)

// checkDays is within how many days a drift must be found.
const checkDays = 7

// checks are the days after the first one of a drift on which the monitor runs.
func checks() []int { return []int{3, checkDays - 1} }

// trained is a model with the profile of its training.
type trained struct {
	model     *score.Model
	reference *profile.Reference
	report    train.Report
}

// learn trains on the rows of users that are known on the eve of the drift. It
// is nil where no model beats the floor.
func (d *drifted) learn(ctx context.Context, users map[string]bool, p train.Params) (*trained, error) {
	dates := map[pipeline.Date]bool{}
	for _, x := range d.training(pipeline.Span{First: d.start, Last: d.date - 1}) {
		dates[x] = true
	}
	rows := of(d.worlds[quiet], users, func(x pipeline.Date) bool { return dates[x] })
	report, candidates, err := train.Run(ctx, rows, train.Definition{Features: definition().Features, Labels: definition().Labels, Threshold: score.Defaults().Tiers.High, Model: p,
		Evaluate: evaluate.Defaults(), Value: evaluate.DefaultValue(), Primary: promote.Defaults().PrimaryMetric, AsOf: d.date - 1}, nil)
	if err != nil || len(candidates) == 0 {
		return nil, err
	}
	m, err := score.NewModel(candidates[0].Bundle, "v0001")
	if err != nil {
		return nil, err
	}
	reference := candidates[0].Papers().Profile
	return &trained{m, &reference, report}, nil
}

// learned returns the rows of users on the dates that a model has learned from.
func (d *drifted) learned(users map[string]bool, t *trained) *dataset.Rows {
	grid := d.training(pipeline.Span{First: d.start, Last: d.date - 1})
	return of(d.worlds[quiet], users, func(x pipeline.Date) bool {
		return slices.Contains(grid, x) && t.report.Split.TrainFirst <= x && x <= t.report.Split.TrainLast
	})
}

// line are the settings of a logistic regression, which is quick.
func line(seed uint64) train.Params {
	p := train.Defaults()
	p.Models, p.Seed, p.Folds, p.Bootstrap = []string{train.ModelLogistic}, seed, 1, 20
	p.Logistic.L2, p.Logistic.Tol = []float64{100}, 1e-3
	return p
}

// outcome is what one replay came to.
type outcome struct {
	failed      bool
	day         int // of the first failure
	fixedFailed bool
	fixedWarned bool
	reasons     []string
}

// detect runs the checks of one world.
func (d *drifted) detect(name string, users map[string]bool, t *trained) (out outcome, err error) {
	w := monitor.NewWatch(t.model, d.lived(name, users), 1, monitor.Defaults())
	reference, err := w.Training(t.reference, d.date-1)
	if err != nil {
		return out, err
	}
	for _, c := range checks() {
		r, err := w.Drift(d.date+pipeline.Date(c), reference)
		if err != nil {
			return out, err
		}
		if r.Status == monitor.Fail && !out.failed {
			out.failed, out.day, out.reasons = true, c+1, r.Reasons
		}
		out.fixedFailed = out.fixedFailed || r.Fixed.Status == monitor.Fail
		out.fixedWarned = out.fixedWarned || r.Fixed.Status != monitor.OK
	}
	return out, nil
}

// rowsPerUser is that of the replays without drift.
const rowsPerUser = 5

// crowd are the users of some rows who have enough of them to draw from.
type crowd struct {
	rows *dataset.Rows
	of   [][]int // rows of each user
}

func newCrowd(rows *dataset.Rows) (c crowd) {
	c.rows = rows
	for from, i := 0, 1; i <= rows.Len(); i++ {
		if i < rows.Len() && rows.User[i] == rows.User[from] {
			continue
		}
		if i-from >= rowsPerUser {
			at := make([]int, i-from)
			for k := range at {
				at[k] = from + k
			}
			c.of = append(c.of, at)
		}
		from = i
	}
	return c
}

// shuffled returns rows as they would be if nothing ever moved: the current rows
// and those of the weeks before are of users drawn from one population, each
// with so many rows of dates drawn from the same ones.
func (c crowd) shuffled(rng *rand.Rand, asOf pipeline.Date, now, before, each int) (monitor.Rows, error) {
	if before = min(before, len(c.of)-now); before < now/10 || before < 1 {
		return monitor.Rows{}, fmt.Errorf("%d users with %d rows are too few to draw %d and others to compare with; use more -users", len(c.of), rowsPerUser, now)
	}
	out := monitor.Rows{}
	var keep []int
	for k, j := range rng.Perm(len(c.of))[:now+before] {
		at := c.of[j]
		for n, i := range rng.Perm(len(at))[:each] {
			day := asOf
			if k >= now {
				day -= pipeline.Date(7 * (1 + (k+n)%4))
			}
			keep, out.Day = append(keep, at[i]), append(out.Day, day)
		}
	}
	rows := c.rows.Take(keep)
	out.Frame, out.User = &rows.Frame, rows.User
	return out, nil
}

// still checks rows without drift.
func still(rows monitor.Rows, asOf pipeline.Date, t *trained) (out outcome, err error) {
	p := monitor.Defaults()
	r, err := monitor.NewWatch(t.model, rows, 1, p).Drift(asOf, &monitor.Reference{Kind: monitor.RefTraining, Profile: t.reference})
	if err != nil {
		return out, err
	}
	return outcome{failed: r.Status == monitor.Fail, fixedFailed: r.Fixed.Status == monitor.Fail, fixedWarned: r.Fixed.Status != monitor.OK, reasons: r.Reasons}, nil
}
