package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"churn/bench/portal"
	"churn/pipeline"
	"churn/pipeline/dataset"
	"churn/pipeline/generate"
	"churn/pipeline/monitor"
	"churn/pipeline/prepare"
)

const (
	livingYear    = 364 // days of a portal on which nothing is wrong
	livingQuarter = 91  // the next portal begins so much later, so that all seasons are met
	livingModel   = 182 // days before its model is made, and monitored for the rest of the year
)

// living replays half a year of weekly checks on portals of their own on which
// nothing is wrong: with season, growth, bills by the month and holidays.
func (o options) living(ctx context.Context, dir string, out, progress io.Writer) (ok bool, err error) {
	lives, err := each(ctx, o.lives, func(i int) ([]outcome, error) {
		at := filepath.Join(dir, fmt.Sprint("living-", i))
		if err := os.Mkdir(at, 0o700); err != nil {
			return nil, err
		}
		defer os.RemoveAll(at)
		return o.life(ctx, at, i)
	})
	if err != nil {
		return false, err
	}
	var checks, portals count
	for _, outcomes := range lives {
		var any outcome
		for _, x := range outcomes {
			checks.add(x)
			x.tell(progress)
			any.failed, any.fixedFailed, any.fixedWarned = any.failed || x.failed, any.fixedFailed || x.fixedFailed, any.fixedWarned || x.fixedWarned
		}
		portals.add(any)
	}
	fmt.Fprintln(out)
	fmt.Fprintf(out, header, "nothing is wrong: half a year of weekly checks")
	nominal := monitor.Defaults().FalseAlarms
	ok = float64(checks.ours) <= nominal*float64(checks.n)
	fmt.Fprintln(out, checks.row("checks", fmt.Sprintf("at most %.0f%%", 100*nominal), ok))
	fmt.Fprintln(out, portals.row("portals, any check", "", true))
	return ok, nil
}

// life is the half year of one portal.
func (o options) life(ctx context.Context, dir string, i int) (out []outcome, err error) {
	p := generate.Defaults()
	p.Users, p.Days, p.Seed = o.sample, livingYear, o.seed+1000+uint64(i)
	p.StartDate += pipeline.Date(i % 4 * livingQuarter)
	path, err := portal.Simulate(ctx, p, dir)
	if err != nil {
		return nil, err
	}
	d := &drifted{start: p.StartDate, date: p.StartDate + livingModel, worlds: map[string]*dataset.Rows{}}
	if d.worlds[quiet], err = weekly(ctx, path, d.date-1); err != nil {
		return nil, err
	}
	users := map[string]bool{}
	for _, id := range d.worlds[quiet].IDs {
		users[id] = true
	}
	t, err := d.learn(ctx, users, line(uint64(i)))
	if err != nil || t == nil {
		return nil, err // no model beats the floor: nobody would monitor one
	}
	rows := d.worlds[quiet]
	w := monitor.NewWatch(t.model, monitor.Rows{Frame: &rows.Frame, User: rows.User, Day: rows.AsOf}, 1, monitor.Defaults())
	reference, err := w.Training(t.reference, d.date-1)
	if err != nil {
		return nil, err
	}
	for day := d.date + 6; day < p.StartDate+livingYear; day += 7 {
		r, err := w.Drift(day, reference)
		if err != nil {
			return nil, err
		}
		out = append(out, outcome{failed: r.Status == monitor.Fail, fixedFailed: r.Fixed.Status == monitor.Fail, fixedWarned: r.Fixed.Status != monitor.OK,
			reasons: append([]string{fmt.Sprintf("portal %d on %s", i, day)}, r.Reasons...)})
	}
	return out, nil
}

// weekly returns the cohorts of all dates that lie whole weeks from one.
func weekly(ctx context.Context, path string, on pipeline.Date) (*dataset.Rows, error) {
	t, err := prepare.OpenTimelines(path)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	var dates []pipeline.Date
	for d := t.Header.Span.First + (on-t.Header.Span.First)%7; d <= t.Header.Span.Last; d += 7 {
		dates = append(dates, d)
	}
	rows, err := dataset.Collect(ctx, t, definition(), dates, 1<<30, nil)
	if err != nil {
		return nil, err
	}
	return rows.Where(func(i int) bool { return rows.AtRisk[i] }), nil
}
