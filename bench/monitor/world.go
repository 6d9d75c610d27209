package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"churn/bench/portal"
	"churn/model"
	"churn/pipeline"
	"churn/pipeline/dataset"
	"churn/pipeline/features"
	"churn/pipeline/generate"
	"churn/pipeline/labels"
	"churn/pipeline/monitor"
	"churn/pipeline/prepare"
)

// quiet is the world without drift.
const quiet = "none"

// history is how long before its drift portal k is simulated, days: by the end of
// August, September and October, and before Christmas.
func history(k int) int { return 230 + k%4*33 }

// drifted are the cohorts of one portal on the days that matter, without drift
// and with each of the drifts, from the same dice: up to the drift they are one.
type drifted struct {
	date   pipeline.Date            // of the drift
	start  pipeline.Date            // first day
	worlds map[string]*dataset.Rows // by name of the drift; those with one hold the days since
	users  []string
}

// simulate makes the portal of a seed with its drifts after so many days.
func simulate(ctx context.Context, dir string, users int, seed uint64, history int) (*drifted, error) {
	p := generate.Defaults()
	p.Users, p.Seed, p.Days = users, seed, history+checkDays
	d := &drifted{start: p.StartDate, date: p.StartDate + pipeline.Date(history), worlds: map[string]*dataset.Rows{}}
	for _, name := range append([]string{quiet}, generate.DriftNames()...) {
		p.Drifts = nil
		if name != quiet {
			p.Drifts = []generate.Drift{{Name: name, Date: d.date}}
		}
		at := filepath.Join(dir, name)
		if err := os.Mkdir(at, 0o700); err != nil {
			return nil, err
		}
		path, err := portal.Simulate(ctx, p, at)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if d.worlds[name], err = d.collect(ctx, path, name); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if err := os.RemoveAll(at); err != nil {
			return nil, err
		}
	}
	d.users = slices.Clone(d.worlds[quiet].IDs)
	return d, nil
}

// collect reads the cohorts of a world: of all days that its checks look at and
// of the weekly dates of training, or only of those since the drift.
func (d *drifted) collect(ctx context.Context, path, name string) (*dataset.Rows, error) {
	t, err := prepare.OpenTimelines(path)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	dates := slices.Clone(d.watched())
	if name == quiet {
		dates = append(dates, d.training(t.Header.Span)...)
	}
	slices.Sort(dates)
	dates = slices.Compact(dates)
	if name != quiet {
		dates = slices.DeleteFunc(dates, func(x pipeline.Date) bool { return x < d.date })
	}
	rows, err := dataset.Collect(ctx, t, definition(), dates, 1<<30, nil)
	if err != nil {
		return nil, err
	}
	return rows.Where(func(i int) bool { return rows.AtRisk[i] }), nil
}

// watched returns the days that the checks look at, and the eve of the drift.
func (d *drifted) watched() []pipeline.Date {
	dates := []pipeline.Date{d.date - 1}
	for _, c := range checks() {
		dates = append(dates, monitor.Needs(d.date+pipeline.Date(c), d.start, 1, monitor.Defaults())...)
	}
	return dates
}

// training returns the weekly dates whose labels are known on the eve of the
// drift.
func (d *drifted) training(span pipeline.Span) []pipeline.Date {
	return labels.Defaults().Matured(span.Grid(d.date-1, features.Defaults().EveryDays), d.date-1)
}

// definition says what a row holds: the defaults.
func definition() dataset.Definition {
	return dataset.Definition{Features: features.Defaults(), Labels: labels.Defaults()}
}

// draw returns so many users.
func (d *drifted) draw(rng *rand.Rand, n int) map[string]bool {
	out := map[string]bool{}
	for _, k := range rng.Perm(len(d.users))[:n] {
		out[d.users[k]] = true
	}
	return out
}

// of returns the rows of users and days.
func of(rows *dataset.Rows, users map[string]bool, keep func(pipeline.Date) bool) *dataset.Rows {
	chosen := make([]bool, len(rows.IDs))
	for u, id := range rows.IDs {
		chosen[u] = users[id]
	}
	return rows.Where(func(i int) bool { return chosen[rows.User[i]] && keep(rows.AsOf[i]) })
}

// lived returns what a monitor sees of users in a world: the days before the
// drift as they were, and those since.
func (d *drifted) lived(name string, users map[string]bool) monitor.Rows {
	watched := d.watched()
	before := of(d.worlds[quiet], users, func(x pipeline.Date) bool {
		return slices.Contains(watched, x) && (name == quiet || x < d.date)
	})
	out := monitor.Rows{Frame: &before.Frame, Day: before.AsOf}
	number := map[string]int32{}
	add := func(rows *dataset.Rows) {
		for _, u := range rows.User {
			id := rows.IDs[u]
			if _, ok := number[id]; !ok {
				number[id] = int32(len(number))
			}
			out.User = append(out.User, number[id])
		}
	}
	add(before)
	if name != quiet {
		since := of(d.worlds[name], users, func(pipeline.Date) bool { return true })
		add(since)
		out.Day = slices.Concat(out.Day, since.AsOf)
		out.Frame = joined(&before.Frame, &since.Frame)
	}
	return out
}

// joined returns the rows of two frames.
func joined(a, b *model.Frame) *model.Frame {
	return &model.Frame{NumericNames: a.NumericNames, CategoricalNames: a.CategoricalNames,
		Numeric: slices.Concat(a.Numeric, b.Numeric), Categorical: slices.Concat(a.Categorical, b.Categorical)}
}
