package dataset

import (
	"context"

	"churn/model"
	"churn/pipeline"
	"churn/pipeline/features"
	"churn/pipeline/labels"
	"churn/pipeline/prepare"
)

// Definition says what a row holds.
type Definition struct {
	Features features.Params
	Labels   labels.Params
}

// Collect computes labelled rows from timelines: of everyone who existed on
// the given as-of dates, whose label windows must have closed. AtRisk marks the
// cohort. Above maxRows, users are sampled by the same hash as in Load.
func Collect(ctx context.Context, t *prepare.Timelines, d Definition, dates []pipeline.Date, maxRows int, progress func(done, total int64)) (*Rows, error) {
	return gather(ctx, t, d, dates, maxRows, false, progress)
}

// Unlabelled are the features of cohorts whose fate nobody knows yet.
type Unlabelled struct {
	Frame   model.Frame
	User    []int32 // number of the user
	AsOf    []pipeline.Date
	Sampled bool // some users only
}

// Cohort computes the features of everyone who is at risk on an as-of date,
// whether or not its label window has closed. Above maxRows, users are sampled
// as in Collect.
func Cohort(ctx context.Context, t *prepare.Timelines, d Definition, asOf pipeline.Date, maxRows int) (*Unlabelled, error) {
	return Cohorts(ctx, t, d, []pipeline.Date{asOf}, maxRows, nil)
}

// Cohorts computes those of several as-of dates, in ascending order, in one pass:
// by user, then by date.
func Cohorts(ctx context.Context, t *prepare.Timelines, d Definition, dates []pipeline.Date, maxRows int, progress func(done, total int64)) (*Unlabelled, error) {
	rows, err := gather(ctx, t, d, dates, maxRows, true, progress)
	if err != nil {
		return nil, err
	}
	return &Unlabelled{Frame: rows.Frame, User: rows.User, AsOf: rows.AsOf, Sampled: rows.Sampled}, nil
}

// gather computes the rows of Collect, or of the cohort only.
func gather(ctx context.Context, t *prepare.Timelines, d Definition, dates []pipeline.Date, maxRows int, cohort bool, progress func(done, total int64)) (*Rows, error) {
	index := features.NewIndex(features.Catalog(d.Features))
	sample := newSampler(int64(t.Header.Users)*int64(len(dates)), maxRows)
	work := func(users []pipeline.Timeline) (*loaded, error) {
		c := collector{definition: d, span: &t.Header.Span, extract: features.NewExtractor(d.Features, index), vector: index.NewVector(), cohort: cohort, out: &loaded{}}
		for i := range users {
			if sample.keeps([]byte(users[i].User.ID)) {
				c.user(&users[i], dates)
			}
		}
		return c.out, nil
	}
	rows := &Rows{Sampled: sample.samples(), AtRisk: []bool{}}
	rows.Frame.NumericNames, rows.Frame.CategoricalNames = index.Names()
	join := joiner{rows: rows}
	_, err := prepare.Each(ctx, t, work, func(p *loaded) error {
		join.add(p)
		return nil
	}, progress)
	rows.Input = t.SHA256()
	return rows, err
}

// collector appends the rows of users.
type collector struct {
	definition Definition
	span       *pipeline.Span
	extract    *features.Extractor
	vector     *features.Vector
	cohort     bool // leave out who is not at risk
	out        *loaded
}

// user appends a user's row of every date on which he existed, or was at risk.
func (c *collector) user(t *pipeline.Timeline, dates []pipeline.Date) {
	for _, d := range dates {
		h, f := t.Cut(d, c.span)
		if !h.Exists() || c.cohort && !c.definition.Labels.InCohort(&h) {
			continue
		}
		c.extract.Extract(&h, c.vector)
		_, churned := c.definition.Labels.Of(&f)
		c.out.numeric = append(c.out.numeric, c.vector.Numeric...)
		c.out.categorical = append(c.out.categorical, c.vector.Categorical...)
		c.out.label = append(c.out.label, churned)
		c.out.asOf = append(c.out.asOf, d)
		c.out.users = append(c.out.users, t.User.ID)
		c.out.atRisk = append(c.out.atRisk, c.definition.Labels.InCohort(&h))
	}
}
