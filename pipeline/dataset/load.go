package dataset

import (
	"context"
	"fmt"
	"math"

	"churn/internal/parallel"
	"churn/internal/table"
	"churn/pipeline"
	"churn/pipeline/features"
)

// Load reads the training set at path, whose columns must be those of the
// catalog. total is its number of rows; above maxRows, users are sampled.
func Load(ctx context.Context, path string, index *features.Index, total int64, maxRows int, progress func(done, total int64)) (*Rows, error) {
	r, err := table.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	l := loader{index: index, sample: newSampler(total, maxRows)}
	if err := l.locate(r); err != nil {
		return nil, err
	}
	rows := &Rows{Sampled: l.sample.samples()}
	rows.Frame.NumericNames, rows.Frame.CategoricalNames = index.Names()
	join := joiner{rows: rows}
	err = parallel.Ordered(ctx, r.Next, l.part, func(p *loaded) error {
		join.add(p)
		if progress != nil {
			progress(int64(rows.Len()), total)
		}
		return nil
	})
	rows.Input = r.SHA256()
	return rows, err
}

// loader parses blocks of the training set.
type loader struct {
	index                          *features.Index
	sample                         sampler
	user, asOf, label              int
	numeric, categorical           []int
	numericNames, categoricalNames []string
}

// locate finds the columns, and refuses a file made with other features.
func (l *loader) locate(r *table.Reader) error {
	l.numericNames, l.categoricalNames = l.index.Names()
	var lacks []string
	find := func(name string) int {
		i := r.Column(name)
		if i < 0 {
			lacks = append(lacks, name)
		}
		return i
	}
	l.user, l.asOf, l.label = find("user_id"), find("as_of_date"), find(LabelColumn)
	for _, n := range l.numericNames {
		l.numeric = append(l.numeric, find(n))
	}
	for _, n := range l.categoricalNames {
		l.categorical = append(l.categorical, find(n))
	}
	if len(lacks) > 0 {
		return fmt.Errorf("%s: lacks the columns %v; it was made with other settings of features.*: run `churn features` and `churn labels` again", r.Path(), lacks)
	}
	return nil
}

// loaded is the rows of one block.
type loaded struct {
	numeric     []float64
	categorical []string
	label       []bool
	asOf        []pipeline.Date
	users       []string // of each row
	atRisk      []bool   // nil: all of them are
}

func (l *loader) part(b *table.Block) (*loaded, error) {
	p := &loaded{}
	interned := map[string]string{}
	intern := func(b []byte) string {
		s, ok := interned[string(b)]
		if !ok {
			s = string(b)
			interned[s] = s
		}
		return s
	}
	rec := b.Scan()
	for rec.Next() {
		if !l.sample.keeps(rec.Field(l.user)) {
			continue
		}
		if err := l.numbers(rec, p); err != nil {
			return nil, err
		}
		for _, c := range l.categorical {
			p.categorical = append(p.categorical, intern(rec.Field(c)))
		}
		asOf, err := pipeline.ParseDate(string(rec.Field(l.asOf)))
		if err != nil {
			return nil, rec.Errorf("as_of_date", "%v; run `churn labels` again", err)
		}
		label := string(rec.Field(l.label))
		if label != "0" && label != "1" {
			return nil, rec.Errorf(LabelColumn, "%q is neither 0 nor 1; run `churn labels` again", label)
		}
		p.asOf = append(p.asOf, asOf)
		p.label = append(p.label, label == "1")
		p.users = append(p.users, intern(rec.Field(l.user)))
	}
	err := rec.Err()
	b.Release()
	return p, err
}

func (l *loader) numbers(rec *table.Record, p *loaded) error {
	for i, c := range l.numeric {
		field := rec.Field(c)
		if len(field) == 0 {
			p.numeric = append(p.numeric, math.NaN())
			continue
		}
		v, err := table.ParseFloat(field)
		if err != nil {
			return rec.Errorf(l.numericNames[i], "%v; run `churn labels` again", err)
		}
		p.numeric = append(p.numeric, v)
	}
	return nil
}

// joiner appends parts and numbers users as they come: rows of one user stand
// together.
type joiner struct {
	rows  *Rows
	last  string
	users int32
}

func (j *joiner) add(p *loaded) {
	r := j.rows
	r.Frame.Numeric = append(r.Frame.Numeric, p.numeric...)
	r.Frame.Categorical = append(r.Frame.Categorical, p.categorical...)
	r.Label = append(r.Label, p.label...)
	r.AsOf = append(r.AsOf, p.asOf...)
	r.AtRisk = append(r.AtRisk, p.atRisk...)
	for _, u := range p.users {
		if u != j.last || j.users == 0 {
			j.last = u
			j.users++
			r.IDs = append(r.IDs, u)
		}
		r.User = append(r.User, j.users-1)
	}
}
