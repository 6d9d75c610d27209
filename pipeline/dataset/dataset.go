// Package dataset joins features with labels over the cohort: the rows that a
// model may learn from.
package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"

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
	Features, Labels string
	Schema           table.Schema // of the features file
}

// Report is what the stage did.
type Report struct {
	Rows    int64 `json:"rows"`
	Churned int64 `json:"churned"`
	Outside int64 `json:"outside_cohort"` // labelled rows of users who were not at risk

	Output table.Info `json:"-"`
}

// ChurnRate returns the share of churned rows.
func (r Report) ChurnRate() float64 {
	if r.Rows == 0 {
		return 0
	}
	return float64(r.Churned) / float64(r.Rows)
}

// Run writes the training set to path. It walks the sorted files side by side;
// in memory it holds one byte a snapshot.
func Run(ctx context.Context, in Inputs, p labels.Params, path string, format table.Format, progress func(done, total int64)) (Report, error) {
	var report Report
	cohort, err := cohort(ctx, in, p)
	if err != nil {
		return report, err
	}
	w, err := table.Create(path, format, append(append(table.Schema{}, in.Schema...), table.Column{Name: LabelColumn, Kind: table.Int}))
	if err != nil {
		return report, err
	}
	defer w.Abort()
	features, err := openRows(in.Features)
	if err != nil {
		return report, err
	}
	defer features.close()
	known, err := openRows(in.Labels)
	if err != nil {
		return report, err
	}
	defer known.close()
	j := join{ctx: ctx, features: features, labels: known, cohort: cohort, schema: in.Schema, out: w, progress: progress}
	if err := j.run(&report); err != nil {
		return report, err
	}
	if report.Rows == 0 {
		return report, fmt.Errorf("the training set would be empty: no labelled user was active in the last %d days (labels.cohort_active_days) on any as-of date", p.CohortActiveDays)
	}
	report.Output, err = w.Commit()
	return report, err
}

// cohort tells for every snapshot, in file order, whether the user was at risk.
func cohort(ctx context.Context, in Inputs, p labels.Params) ([]bool, error) {
	var flags []bool
	work := func(users []pipeline.Timeline) (part []bool, err error) {
		for i := range users {
			for _, d := range in.Grid {
				if h, _ := users[i].Cut(d, &in.Timelines.Header.Span); h.Exists() {
					part = append(part, p.InCohort(&h))
				}
			}
		}
		return part, nil
	}
	_, err := prepare.Each(ctx, in.Timelines, work, func(part []bool) error { flags = append(flags, part...); return nil }, nil)
	return flags, err
}

// join walks two files that are sorted in the same way. The labels are a
// subsequence of the features: a snapshot whose window is open has none.
type join struct {
	ctx              context.Context
	features, labels *rows
	cohort           []bool
	schema           table.Schema
	out              *table.Writer
	progress         func(done, total int64)
}

const flushRows = 4096

func (j *join) run(report *Report) error {
	b := j.out.NewBatch()
	labelled, err := j.labels.next()
	if err != nil {
		return err
	}
	row := 0
	for ; ; row++ {
		ok, err := j.features.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if row >= len(j.cohort) {
			return j.mismatch()
		}
		if !labelled || !j.sameKey() {
			continue
		}
		if err := j.take(b, row, report); err != nil {
			return err
		}
		if labelled, err = j.labels.next(); err != nil {
			return err
		}
		if b.Rows() >= flushRows {
			if err := j.flush(&b, row); err != nil {
				return err
			}
		}
	}
	if row != len(j.cohort) || labelled {
		return j.mismatch()
	}
	return j.flush(&b, row)
}

func (j *join) flush(b **table.Batch, row int) error {
	err := j.out.Append(*b)
	*b = j.out.NewBatch()
	if j.progress != nil {
		j.progress(int64(row), int64(len(j.cohort)))
	}
	return errors.Join(err, j.ctx.Err())
}

func (j *join) mismatch() error {
	return fmt.Errorf("%s and %s were not made from the same timelines and as-of dates; run `churn features` and `churn labels` again", j.features.reader.Path(), j.labels.reader.Path())
}

func (j *join) sameKey() bool {
	f, l := j.features.record, j.labels.record
	return string(f.Field(0)) == string(l.Field(0)) && string(f.Field(1)) == string(l.Field(1))
}

// take appends the present snapshot if it belongs to the cohort.
func (j *join) take(b *table.Batch, row int, report *Report) error {
	if !j.cohort[row] {
		report.Outside++
		return nil
	}
	label := int64(0)
	if string(j.labels.record.Field(3)) == "1" {
		label = 1
	}
	if err := b.Copy(j.features.record, j.schema); err != nil {
		return err
	}
	b.Int(label)
	b.EndRow()
	report.Rows++
	report.Churned += label
	return nil
}

// rows reads the records of one file, one after the other.
type rows struct {
	reader *table.Reader
	record *table.Record
}

func openRows(path string) (*rows, error) {
	r, err := table.Open(path)
	if err != nil {
		return nil, err
	}
	return &rows{reader: r}, nil
}

func (r *rows) close() { r.reader.Close() }

func (r *rows) next() (bool, error) {
	for {
		if r.record != nil && r.record.Next() {
			return true, nil
		}
		if r.record != nil && r.record.Err() != nil {
			return false, r.record.Err()
		}
		block, err := r.reader.ReadBlock()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		r.record = block.Scan()
	}
}
