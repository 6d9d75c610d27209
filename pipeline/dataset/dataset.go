// Package dataset joins features with labels over the cohort: the rows that a
// model may learn from.
package dataset

import (
	"context"
	"fmt"

	"churn/internal/parallel"
	"churn/internal/table"
	"churn/pipeline"
	"churn/pipeline/labels"
	"churn/pipeline/prepare"
)

// LabelColumn is the column that the training set has beyond the features.
const LabelColumn = "churn_label"

// Inputs are the files that are joined, all from the same run of prepare.
type Inputs struct {
	Timelines        *prepare.Timelines
	Grid             []pipeline.Date // as-of dates of the features file
	Last             pipeline.Date   // label windows that end later are open
	Features, Labels string
	Schema           table.Schema // of the features file
}

// Report is what the stage did.
type Report struct {
	Rows    int64 `json:"rows"`
	Churned int64 `json:"churned"`
	Outside int64 `json:"outside_cohort"` // labelled rows of users who were not at risk

	Output table.Info `json:"-"`
	// Digests of the files that were read.
	Features string `json:"-"`
	Labels   string `json:"-"`
}

// ChurnRate returns the share of churned rows.
func (r Report) ChurnRate() float64 {
	if r.Rows == 0 {
		return 0
	}
	return float64(r.Churned) / float64(r.Rows)
}

// fate is what the training set makes of one snapshot.
type fate uint8

const (
	open    fate = iota // the label window has not closed
	outside             // the user was not at risk
	stayed
	churned
)

// Run writes the training set to path. In memory it holds one byte a snapshot.
func Run(ctx context.Context, in Inputs, p labels.Params, path string, format table.Format, progress func(done, total int64)) (Report, error) {
	var report Report
	fates, digest, err := decide(ctx, in, p)
	report.Labels = digest
	if err != nil {
		return report, err
	}
	w, err := table.Create(path, format, append(append(table.Schema{}, in.Schema...), table.Column{Name: LabelColumn, Kind: table.Int}))
	if err != nil {
		return report, err
	}
	defer w.Abort()
	if err := join(ctx, in, fates, w, &report, progress); err != nil {
		return report, err
	}
	if report.Rows == 0 {
		return report, fmt.Errorf("the training set would be empty: no labelled user was active in the last %d days (labels.cohort_active_days) on any as-of date", p.CohortActiveDays)
	}
	report.Output, err = w.Commit()
	return report, err
}

// snapshot is one user on one as-of date.
type snapshot struct {
	user    string
	asOf    pipeline.Date
	matured bool
	atRisk  bool
}

// decide walks timelines and labels side by side and returns the fate of every
// snapshot, in the order of the features file, and the digest of the labels.
func decide(ctx context.Context, in Inputs, p labels.Params) (fates []fate, digest string, err error) {
	known, err := openLabels(in.Labels)
	if err != nil {
		return nil, "", err
	}
	defer known.reader.Close()
	matured := len(p.Matured(in.Grid, in.Last))
	work := func(users []pipeline.Timeline) (part []snapshot, err error) {
		for i := range users {
			for k, d := range in.Grid {
				if h, _ := users[i].Cut(d, &in.Timelines.Header.Span); h.Exists() {
					part = append(part, snapshot{user: h.User().ID, asOf: d, matured: k < matured, atRisk: p.InCohort(&h)})
				}
			}
		}
		return part, nil
	}
	_, err = prepare.Each(ctx, in.Timelines, work, func(part []snapshot) error {
		for i := range part {
			f, err := known.fate(&part[i])
			if err != nil {
				return err
			}
			fates = append(fates, f)
		}
		return nil
	}, nil)
	if err == nil {
		err = known.exhausted()
	}
	return fates, known.reader.SHA256(), err
}

// labelRows reads labels_daily row by row.
type labelRows struct {
	reader *table.Reader
	record *table.Record
}

func openLabels(path string) (*labelRows, error) {
	r, err := table.Open(path)
	if err != nil {
		return nil, err
	}
	return &labelRows{reader: r}, nil
}

// fate takes the row of a matured snapshot.
func (l *labelRows) fate(s *snapshot) (fate, error) {
	if !s.matured {
		return open, nil
	}
	ok, err := l.next()
	if err != nil {
		return open, err
	}
	if !ok || string(l.record.Field(0)) != s.user || string(l.record.Field(1)) != s.asOf.String() {
		return open, l.mismatch()
	}
	switch label := string(l.record.Field(3)); {
	case label != "0" && label != "1":
		return open, l.record.Errorf(LabelColumn, "%q is neither 0 nor 1; run `churn labels` again", label)
	case !s.atRisk:
		return outside, nil
	case label == "1":
		return churned, nil
	}
	return stayed, nil
}

func (l *labelRows) exhausted() error {
	ok, err := l.next()
	if ok {
		return l.mismatch()
	}
	return err
}

func (l *labelRows) mismatch() error {
	return fmt.Errorf("%s was not made from the present timelines and as-of dates; run `churn labels` again", l.reader.Path())
}

func (l *labelRows) next() (bool, error) {
	for {
		if l.record != nil && l.record.Next() {
			return true, nil
		}
		if l.record != nil && l.record.Err() != nil {
			return false, l.record.Err()
		}
		block, ok, err := l.reader.Next()
		if err != nil || !ok {
			return false, err
		}
		l.record = block.Scan()
	}
}

// part is a block of the features file and the row on which it begins.
type part struct {
	block *table.Block
	first int
}

// joined is what a block came to.
type joined struct {
	rows             *table.Batch
	churned, outside int64
	end              int
}

// join copies the rows of the features file that have a label to w.
func join(ctx context.Context, in Inputs, fates []fate, w *table.Writer, report *Report, progress func(done, total int64)) error {
	features, err := table.Open(in.Features)
	if err != nil {
		return err
	}
	defer features.Close()
	mismatch := fmt.Errorf("%s was not made from the present timelines and as-of dates; run `churn features` again", in.Features)
	row := 0
	next := func() (part, bool, error) {
		block, ok, err := features.Next()
		if err == nil && !ok && row != len(fates) {
			err = mismatch
		}
		if err != nil || !ok {
			return part{}, false, err
		}
		p := part{block, row}
		if row += block.Records(); row > len(fates) {
			return part{}, false, mismatch
		}
		return p, true, nil
	}
	work := func(p part) (joined, error) { return label(p, fates, w.NewBatch(), in.Schema) }
	take := func(j joined) error {
		report.Rows += int64(j.rows.Rows())
		report.Churned += j.churned
		report.Outside += j.outside
		if progress != nil {
			progress(int64(j.end), int64(len(fates)))
		}
		return w.Append(j.rows)
	}
	err = parallel.Ordered(ctx, next, work, take)
	report.Features = features.SHA256()
	return err
}

// label appends the rows of a block that belong to the training set.
func label(p part, fates []fate, b *table.Batch, schema table.Schema) (joined, error) {
	out := joined{rows: b, end: p.first}
	rec := p.block.Scan()
	for rec.Next() {
		f := fates[out.end]
		out.end++
		if f == outside {
			out.outside++
		}
		if f != stayed && f != churned {
			continue
		}
		if err := b.Copy(rec, schema); err != nil {
			return out, err
		}
		b.Int(int64(f - stayed))
		b.EndRow()
		out.churned += int64(f - stayed)
	}
	err := rec.Err()
	p.block.Release()
	return out, err
}
