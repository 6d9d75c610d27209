package encode

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"churn/model"
)

// Column says how a raw numeric is to be encoded.
type Column struct {
	Name string
	Log  bool // signed log1p before standardising
}

// Options of Fit. The zero value means: no logs, and the defaults below.
type Options struct {
	Raw           bool     // leave numerics as they are, null as NaN; Column.Log is ignored
	Numeric       []Column // nil, or one per numeric column of the frame, in its order
	MaxLevels     int      // most levels a categorical keeps beside "other"; 0 = 20
	MinLevelCount int      // fewest training rows of a kept level; 0 = 20
}

// withDefaults returns o with every unset field filled in for frame f.
func (o Options) withDefaults(f *model.Frame) Options {
	o.MaxLevels = cmp.Or(o.MaxLevels, 20)
	o.MinLevelCount = cmp.Or(o.MinLevelCount, 20)
	if o.Numeric == nil {
		for _, name := range f.NumericNames {
			o.Numeric = append(o.Numeric, Column{Name: name})
		}
	}
	return o
}

// check returns all reasons why o does not fit f.
func (o Options) check(f *model.Frame) error {
	var errs []error
	if f.Rows() == 0 {
		errs = append(errs, errors.New("no rows"))
	}
	errs = append(errs, f.Check())
	if o.MaxLevels < 0 {
		errs = append(errs, fmt.Errorf("max_levels: %d is negative", o.MaxLevels))
	}
	if o.MinLevelCount < 0 {
		errs = append(errs, fmt.Errorf("min_level_count: %d is negative", o.MinLevelCount))
	}
	if !slices.EqualFunc(o.Numeric, f.NumericNames, func(c Column, name string) bool { return c.Name == name }) {
		errs = append(errs, errors.New("numeric: the options do not name the frame's columns in order"))
	}
	return errors.Join(errs...)
}

// Fit learns the encoding from the training rows f.
//
// A numeric is standardised with the mean of its non-null values and the
// population standard deviation after imputation of that mean, both after the
// optional log; it is dropped if all its non-null values are equal. It gets a
// null indicator if some but not all rows are null. A categorical keeps the
// levels with at least MinLevelCount rows, at most MaxLevels of them (the most
// frequent first, ties by name), sorted by name; it is dropped if every row
// falls on one level. A raw encoder keeps every numeric. Sums run in fixed chunks: the same bits on any machine.
func Fit(f *model.Frame, o Options) (*Encoder, error) {
	o = o.withDefaults(f)
	if err := o.check(f); err != nil {
		return nil, fmt.Errorf("fit encoder: %w", err)
	}
	e := &Encoder{Raw: o.Raw}
	if o.Raw {
		e.keepNumeric(f)
	} else if err := e.fitNumeric(f, o); err != nil {
		return nil, fmt.Errorf("fit encoder: %w", err)
	}
	e.fitCategorical(f, o)
	return e, nil
}

// keepNumeric gives every numeric the dense column of its own position.
func (e *Encoder) keepNumeric(f *model.Frame) {
	for i, name := range f.NumericNames {
		e.Numeric = append(e.Numeric, Numeric{Name: name, Value: Scaled{Col: i, Std: 1}, Missing: Scaled{Col: -1, Std: 1}})
	}
	e.Width, e.Cols = len(f.NumericNames), len(f.NumericNames)
}

// fitNumeric fills in Numeric and Width.
func (e *Encoder) fitNumeric(f *model.Frame, o Options) error {
	for _, c := range o.Numeric {
		e.Numeric = append(e.Numeric, Numeric{Name: c.Name, Log: c.Log})
	}
	stats, n := e.moments(f), f.Rows()
	var errs []error
	for i, s := range stats {
		c := &e.Numeric[i]
		value, err := s.value(n)
		if err != nil {
			errs = append(errs, fmt.Errorf("column %s: %w", c.Name, err))
		}
		c.Value, c.Missing = e.dense(value), e.dense(s.missing(n))
	}
	e.Cols = e.Width
	return errors.Join(errs...)
}

// dense gives s the next dense column, or -1 if it does not vary.
func (e *Encoder) dense(s Scaled) Scaled {
	if s.Std == 0 {
		return Scaled{Col: -1, Std: 1}
	}
	s.Col = e.Width
	e.Width++
	return s
}

// moments are the statistics of the non-null values of one numeric.
type moments struct {
	count    int
	sum      float64
	squares  float64 // Σ (x - mean)²
	min, max float64
}

// mean of the non-null values; 0 if there are none.
func (s moments) mean() float64 {
	if s.count == 0 {
		return 0
	}
	return s.sum / float64(s.count)
}

// value returns mean and deviation of the value column among n rows; Std is 0
// if it does not vary.
func (s moments) value(n int) (Scaled, error) {
	if s.count == 0 || s.min == s.max {
		return Scaled{}, nil
	}
	v := Scaled{Mean: s.mean(), Std: math.Sqrt(s.squares / float64(n))}
	if math.IsInf(v.Mean, 0) || math.IsInf(v.Std, 0) || math.IsNaN(v.Std) {
		return Scaled{}, errors.New("values too large for their variance to be a float64")
	}
	return v, nil
}

// missing returns mean and deviation of the null indicator among n rows; Std
// is 0 if it does not vary.
func (s moments) missing(n int) Scaled {
	p := float64(n-s.count) / float64(n)
	return Scaled{Mean: p, Std: math.Sqrt(p * (1 - p))}
}

// moments returns the statistics of every numeric, in two passes: the mean
// first, so that the sum of squares does not cancel.
func (e *Encoder) moments(f *model.Frame) []moments {
	total := e.reduce(f, func(s *moments, x float64) {
		s.count++
		s.sum += x
		s.min, s.max = min(s.min, x), max(s.max, x)
	}, nil)
	return e.reduce(f, func(s *moments, x float64) {
		d := x - s.mean()
		s.squares += float64(d * d)
	}, total)
}

// reduce calls add for every non-null transformed value on its column's
// statistics, chunk by chunk, and merges the chunks in index order. start, if
// not nil, holds the first pass, which add may read and reduce keeps.
func (e *Encoder) reduce(f *model.Frame, add func(s *moments, x float64), start []moments) []moments {
	p, n := len(e.Numeric), f.Rows()
	parts := make([][]moments, chunks(n))
	eachChunk(n, func(k, from, to int) {
		part := slices.Clone(start)
		if part == nil {
			part = slices.Repeat([]moments{{min: math.Inf(1), max: math.Inf(-1)}}, p)
		}
		for i := from; i < to; i++ {
			num, _ := f.Row(i)
			for j, raw := range num {
				if x, missing := e.Numeric[j].transform(raw); !missing {
					add(&part[j], x)
				}
			}
		}
		parts[k] = part
	})
	total := parts[0]
	for _, part := range parts[1:] {
		for j := range total {
			total[j].merge(part[j], start == nil)
		}
	}
	return total
}

// merge adds the statistics of another chunk: those of the first pass or of
// the second.
func (s *moments) merge(t moments, first bool) {
	if !first {
		s.squares += t.squares
		return
	}
	s.count += t.count
	s.sum += t.sum
	s.min, s.max = min(s.min, t.min), max(s.max, t.max)
}

// fitCategorical fills in Categorical, Groups and Cols.
func (e *Encoder) fitCategorical(f *model.Frame, o Options) {
	for j, counts := range levelCounts(f) {
		c := Categorical{Name: f.CategoricalNames[j], Levels: kept(counts, o), First: -1}
		if !single(counts, c.Levels) {
			c.First = e.Cols
			e.Cols += len(c.Levels) + 1
			e.Groups++
		}
		e.Categorical = append(e.Categorical, c)
	}
}

// level is a categorical value and its number of rows.
type level struct {
	name string
	rows int
}

// levelCounts returns the levels of every categorical, sorted by name.
func levelCounts(f *model.Frame) [][]level {
	q := len(f.CategoricalNames)
	out := make([][]level, q)
	for j := range q {
		counts := map[string]int{}
		for i := j; i < len(f.Categorical); i += q {
			counts[f.Categorical[i]]++
		}
		for name, rows := range counts {
			out[j] = append(out[j], level{name, rows})
		}
		slices.SortFunc(out[j], func(a, b level) int { return cmp.Compare(a.name, b.name) })
	}
	return out
}

// kept returns the names of the levels with a column of their own, sorted.
// counts is sorted by name, and the stable sort keeps that order among ties.
func kept(counts []level, o Options) []string {
	frequent := slices.Clone(counts)
	slices.SortStableFunc(frequent, func(a, b level) int { return cmp.Compare(b.rows, a.rows) })
	names := []string{}
	for _, l := range frequent {
		if l.name != "" && l.name != OtherLevel && l.rows >= o.MinLevelCount && len(names) < o.MaxLevels {
			names = append(names, l.name)
		}
	}
	slices.Sort(names)
	return names
}

// single reports whether all rows fall on one column: everything on "other",
// or on the only kept level.
func single(counts []level, kept []string) bool {
	return len(kept) == 0 || len(kept) == 1 && len(counts) == 1
}
