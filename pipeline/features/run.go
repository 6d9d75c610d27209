package features

import (
	"context"
	"fmt"

	"churn/internal/table"
	"churn/pipeline"
	"churn/pipeline/prepare"
)

// Report is what the stage did.
type Report struct {
	Rows        int64         `json:"rows"`
	Users       int           `json:"users"`
	Features    int           `json:"features"`
	AsOfDates   int           `json:"as_of_dates"`
	FirstAsOf   pipeline.Date `json:"first_as_of_date"`
	LastAsOf    pipeline.Date `json:"last_as_of_date"`
	Fingerprint string        `json:"fingerprint"`

	Output table.Info `json:"-"`
	Input  string     `json:"-"` // digest of the timelines that were read
}

// Run computes the features of every user at every as-of date of the grid that
// ends on asOf, and writes them to path.
func Run(ctx context.Context, t *prepare.Timelines, asOf pipeline.Date, p Params, path string, format table.Format, progress func(done, total int64)) (Report, error) {
	index := NewIndex(Catalog(p))
	grid := t.Header.Span.Grid(asOf, p.EveryDays)
	report := Report{Features: len(index.Catalog), AsOfDates: len(grid), FirstAsOf: pipeline.NoDate, LastAsOf: asOf, Fingerprint: Fingerprint(p)}
	if len(grid) > 0 {
		report.FirstAsOf = grid[0]
	}
	w, err := table.Create(path, format, Schema(index))
	if err != nil {
		return report, err
	}
	defer w.Abort()
	rest := index.nonStatic()
	work := func(users []pipeline.Timeline) (*table.Batch, error) {
		b := w.NewBatch()
		e, v := NewExtractor(p, index), index.NewVector()
		for i := range users {
			for _, d := range grid {
				h, _ := users[i].Cut(d, &t.Header.Span)
				if h.Exists() {
					e.Extract(&h, v)
					appendRow(b, &h, v, rest)
				}
			}
		}
		return b, nil
	}
	if report.Users, err = prepare.Each(ctx, t, work, w.Append, progress); err != nil {
		return report, err
	}
	report.Input = t.SHA256()
	if w.Rows() == 0 {
		return report, fmt.Errorf("no user has a snapshot: on none of the as-of dates up to %s had anybody signed up and anything become known; look at signup_date and known_at", asOf)
	}
	report.Output, err = w.Commit()
	report.Rows = report.Output.Rows
	return report, err
}
