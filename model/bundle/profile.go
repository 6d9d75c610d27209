package bundle

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"churn/internal/parallel"
	"churn/model"
)

// Profile says what the raw features of the training rows were like: what is
// usual among peers, and what later data are compared with.
type Profile struct {
	Rows        int         `json:"rows"`
	Numeric     []Quantiles `json:"numeric"`
	Categorical []Levels    `json:"categorical"`
}

// cuts is the number of intervals between quantiles: deciles.
const cuts = 10

// Quantiles are the minimum, the deciles and the maximum of a numeric feature.
type Quantiles struct {
	Null float64   `json:"null"` // share of nulls
	At   []float64 `json:"at"`   // 11 values, ascending; none if all are null
}

// Usual returns the median, NaN if null is the usual value.
func (q Quantiles) Usual() float64 {
	if len(q.At) == 0 || q.Null > 0.5 {
		return math.NaN()
	}
	return q.At[cuts/2]
}

// Levels are the values of a categorical feature with their shares of rows,
// the most frequent first.
type Levels []Level

// Level is one value; "" is null.
type Level struct {
	Value string  `json:"value"`
	Share float64 `json:"share"`
}

// Cut reports whether there may be values that are not listed.
func (l Levels) Cut() bool { return len(l) >= maxLevels }

// maxLevels bounds the size of a profile; rarer values are left out.
const maxLevels = 50

// ProfileOf measures a frame. Its quantiles are values that occur: the ones at
// the rounded ranks.
func ProfileOf(f *model.Frame) Profile {
	p := Profile{Rows: f.Rows(), Numeric: make([]Quantiles, len(f.NumericNames)), Categorical: make([]Levels, len(f.CategoricalNames))}
	parallel.Each(len(p.Numeric), func(j int) { p.Numeric[j] = quantilesOf(f, j) })
	for j := range p.Categorical {
		p.Categorical[j] = levelsOf(f, j)
	}
	return p
}

func quantilesOf(f *model.Frame, j int) Quantiles {
	width := len(f.NumericNames)
	values := make([]float64, 0, f.Rows())
	for i := j; i < len(f.Numeric); i += width {
		if x := f.Numeric[i]; !math.IsNaN(x) && !math.IsInf(x, 0) {
			values = append(values, x)
		}
	}
	q := Quantiles{Null: 1 - float64(len(values))/float64(max(f.Rows(), 1))}
	if len(values) == 0 {
		return q
	}
	slices.Sort(values)
	for k := range cuts + 1 {
		q.At = append(q.At, values[(k*(len(values)-1)+cuts/2)/cuts])
	}
	return q
}

func levelsOf(f *model.Frame, j int) Levels {
	counts := map[string]int{}
	for i := j; i < len(f.Categorical); i += len(f.CategoricalNames) {
		counts[f.Categorical[i]]++
	}
	var out Levels
	for value, n := range counts {
		out = append(out, Level{value, float64(n) / float64(f.Rows())})
	}
	slices.SortFunc(out, func(a, b Level) int { return cmp.Or(cmp.Compare(b.Share, a.Share), cmp.Compare(a.Value, b.Value)) })
	return out[:min(len(out), maxLevels)]
}

// check returns why a decoded profile cannot be used.
func (p *Profile) check(numeric, categorical []string) error {
	if len(p.Numeric) != len(numeric) || len(p.Categorical) != len(categorical) {
		return fmt.Errorf("the profile has %d numeric and %d categorical features, the model %d and %d", len(p.Numeric), len(p.Categorical), len(numeric), len(categorical))
	}
	for j, q := range p.Numeric {
		if len(q.At) != 0 && len(q.At) != cuts+1 || !slices.IsSorted(q.At) {
			return fmt.Errorf("the profile of %s is not %d ascending quantiles", numeric[j], cuts+1)
		}
	}
	return nil
}
