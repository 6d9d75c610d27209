package main

import (
	"context"

	"churn/bench/portal"
	"churn/pipeline"
	"churn/pipeline/dataset"
	"churn/pipeline/features"
	"churn/pipeline/generate"
	"churn/pipeline/labels"
	"churn/pipeline/prepare"
)

// horizons are the days after the as-of date that a leaky feature has seen.
func horizons() []int { return []int{3, 7, 14, 30} }

// population is a simulated portal: the labelled snapshots of all users at risk,
// by user and then by date.
type population struct {
	rows  *dataset.Rows
	first []int           // rows of user u are [first[u], first[u+1])
	ahead map[int][]int32 // by horizon: active days so far ahead of every row, which no honest feature knows
	last  pipeline.Date   // of the data
	every int             // days between as-of dates
}

// definition says what a row holds: the columns of the original course in two
// windows, since a training takes as long as the square of their number.
func definition(everyDays int) dataset.Definition {
	f := features.Defaults()
	f.EveryDays, f.Set, f.WindowsDays = everyDays, features.SetCourse, []int{7, 30}
	return dataset.Definition{Features: f, Labels: labels.Defaults()}
}

// simulate makes a portal of so many users over days in the folder dir, with an
// as-of date every so many days.
func simulate(ctx context.Context, dir string, users, days, every int, seed uint64) (*population, error) {
	p := generate.Defaults()
	p.Users, p.Days, p.Seed = users, days, seed
	path, err := portal.Simulate(ctx, p, dir)
	if err != nil {
		return nil, err
	}
	return collect(ctx, path, every)
}

// collect reads the population out of timelines.
func collect(ctx context.Context, path string, every int) (*population, error) {
	t, err := prepare.OpenTimelines(path)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	d, p := definition(every), &population{last: t.Header.Span.Last, every: every, ahead: map[int][]int32{}}
	dates := d.Labels.Matured(t.Header.Span.Grid(p.last, every), p.last)
	if p.rows, err = dataset.Collect(ctx, t, d, dates, 1<<30, nil); err != nil {
		return nil, err
	}
	if err := p.lookAhead(ctx, path, dates); err != nil {
		return nil, err
	}
	p.keepCohort()
	return p, nil
}

// lookAhead fills in what leaky features will see, for every row in order.
func (p *population) lookAhead(ctx context.Context, path string, dates []pipeline.Date) error {
	t, err := prepare.OpenTimelines(path)
	if err != nil {
		return err
	}
	defer t.Close()
	work := func(users []pipeline.Timeline) (out [][]int32, err error) {
		for i := range users {
			for _, d := range dates {
				h, f := users[i].Cut(d, &t.Header.Span)
				if !h.Exists() {
					continue
				}
				var days []int32
				for _, n := range horizons() {
					days = append(days, int32(f.ActiveDays(n)))
				}
				out = append(out, days)
			}
		}
		return out, nil
	}
	_, err = prepare.Each(ctx, t, work, func(part [][]int32) error {
		for _, days := range part {
			for k, n := range horizons() {
				p.ahead[n] = append(p.ahead[n], days[k])
			}
		}
		return nil
	}, nil)
	return err
}

// keepCohort drops the rows of users who were not at risk, and users without
// rows: the others are numbered anew.
func (p *population) keepCohort() {
	var keep []int
	for i, at := range p.rows.AtRisk {
		if at {
			keep = append(keep, i)
		}
	}
	p.rows = p.rows.Take(keep)
	p.rows.AtRisk = nil
	for _, n := range horizons() {
		all := p.ahead[n]
		p.ahead[n] = nil
		for _, i := range keep {
			p.ahead[n] = append(p.ahead[n], all[i])
		}
	}
	last := int32(-1)
	for i, u := range p.rows.User {
		if u != last {
			p.first, last = append(p.first, i), u
		}
		p.rows.User[i] = int32(len(p.first) - 1)
	}
	p.first = append(p.first, p.rows.Len())
}

// users returns the number of users.
func (p *population) users() int { return len(p.first) - 1 }

// of returns the positions of the rows of the given users, ascending.
func (p *population) of(users []int) (at []int) {
	for _, u := range users {
		for i := p.first[u]; i < p.first[u+1]; i++ {
			at = append(at, i)
		}
	}
	return at
}
