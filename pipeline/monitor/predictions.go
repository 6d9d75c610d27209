package monitor

import (
	"context"
	"fmt"
	"strconv"

	"churn/internal/table"
	"churn/pipeline"
	"churn/pipeline/labels"
	"churn/pipeline/prepare"
)

// Predictions are the risks that one model gave the users at risk on one as-of
// date, in any order.
type Predictions struct {
	AsOf    pipeline.Date
	Version string
	Source  string // where they stand: a path
	Users   []string
	Risks   []float64
	Ranks   []int32         // 1 = the first to contact; equal ranks are a tie
	Days    []pipeline.Date // as-of date of every row, the last of them AsOf; nil = all of AsOf
}

// day returns the as-of date of a row.
func (p *Predictions) day(i int) pipeline.Date {
	if p.Days == nil {
		return p.AsOf
	}
	return p.Days[i]
}

// Rows returns the number of users.
func (p *Predictions) Rows() int { return len(p.Users) }

// add appends one risk.
func (p *Predictions) add(user string, risk float64, rank int32) {
	p.Users, p.Risks, p.Ranks = append(p.Users, user), append(p.Risks, risk), append(p.Ranks, rank)
}

// ReadPredictions reads a table that churn score wrote, and returns the digest of
// what it read. The faults of a row name file, line, field and value.
func ReadPredictions(path string) (p Predictions, sha256 string, err error) {
	r, err := table.Open(path)
	if err != nil {
		return p, "", err
	}
	defer r.Close()
	c, err := locate(r)
	if err != nil {
		return p, "", err
	}
	p.Source = path
	seen := map[string]bool{}
	err = r.Each(func(rec *table.Record) error {
		user := string(rec.Field(c.user))
		if seen[user] {
			return rec.Errorf("user_id", "%q stands here for the second time", user)
		}
		seen[user] = true
		return c.row(rec, user, &p)
	})
	if err == nil && p.Rows() == 0 {
		err = fmt.Errorf("%s: has no rows", path)
	}
	return p, r.SHA256(), err
}

// predictionColumns are the places of the columns that are read.
type predictionColumns struct{ user, asOf, risk, rank, version int }

func locate(r *table.Reader) (predictionColumns, error) {
	c := predictionColumns{r.Column("user_id"), r.Column("as_of_date"), r.Column("churn_risk"), r.Column("risk_rank"), r.Column("model_version")}
	if min(c.user, c.asOf, c.risk, c.rank, c.version) < 0 {
		return c, fmt.Errorf("%s: lacks one of user_id, as_of_date, churn_risk, risk_rank and model_version, which churn score writes", r.Path())
	}
	return c, nil
}

// row appends one record, which must be of the date and the version of the others.
func (c predictionColumns) row(rec *table.Record, user string, p *Predictions) error {
	asOf, err := pipeline.ParseDate(string(rec.Field(c.asOf)))
	if err != nil {
		return rec.Errorf("as_of_date", "%v", err)
	}
	version := string(rec.Field(c.version))
	if p.Rows() == 0 {
		p.AsOf, p.Version = asOf, version
	}
	if asOf != p.AsOf {
		return rec.Errorf("as_of_date", "%s, where the rows before are of %s", asOf, p.AsOf)
	}
	if version != p.Version || version == "" {
		return rec.Errorf("model_version", "%q, where the rows before have %q", version, p.Version)
	}
	risk, err := table.ParseFloat(rec.Field(c.risk))
	if err != nil || !(risk >= 0 && risk <= 1) {
		return rec.Errorf("churn_risk", "%q is not a probability", rec.Field(c.risk))
	}
	rank, err := strconv.ParseInt(string(rec.Field(c.rank)), 10, 32)
	if err != nil || rank < 1 {
		return rec.Errorf("risk_rank", "%q is not a rank", rec.Field(c.rank))
	}
	p.add(user, risk, int32(rank))
	return nil
}

// Fate is what became of a user in the label window.
type Fate uint8

// The fates.
const (
	Unknown Fate = iota // the data do not know the user on that date
	Stayed
	Churned
	Outside // the user was not at risk: the model has learned from nobody of the kind
	Open    // the label window has not closed
)

// Due is a set of predictions whose fates are asked for. Join fills in Fates, in the
// order of the users.
type Due struct {
	Predictions *Predictions
	Window      int  // days of the label window
	Cohort      int  // users active in so many days up to the as-of date are at risk; 0 = everyone
	Open        bool // the window has not closed: only who is at risk is asked
	Fates       []Fate
}

// place is one row of one set of predictions.
type place struct{ set, row int32 }

// Join looks up what became of the users of every set in one pass over the
// timelines.
func Join(ctx context.Context, t *prepare.Timelines, due []Due, progress func(done, total int64)) error {
	places := map[string][]place{}
	for k := range due {
		due[k].Fates = make([]Fate, due[k].Predictions.Rows())
		for i, user := range due[k].Predictions.Users {
			places[user] = append(places[user], place{int32(k), int32(i)})
		}
	}
	work := func(users []pipeline.Timeline) (struct{}, error) {
		for i := range users {
			for _, at := range places[users[i].User.ID] { // no two users share a place
				d := &due[at.set]
				d.Fates[at.row] = d.fate(&users[i], &t.Header.Span, d.Predictions.day(int(at.row)))
			}
		}
		return struct{}{}, nil
	}
	_, err := prepare.Each(ctx, t, work, func(struct{}) error { return nil }, progress)
	return err
}

func (d *Due) fate(t *pipeline.Timeline, span *pipeline.Span, asOf pipeline.Date) Fate {
	h, f := t.Cut(asOf, span)
	p := labels.Params{WindowDays: d.Window, CohortActiveDays: d.Cohort}
	switch _, churn := p.Of(&f); {
	case !h.Exists():
		return Unknown
	case !p.InCohort(&h):
		return Outside
	case d.Open:
		return Open
	case churn:
		return Churned
	}
	return Stayed
}
