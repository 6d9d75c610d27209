package dataset

import (
	"fmt"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"

	"churn/model"
	"churn/pipeline"
)

// Rows are labelled snapshots, ordered by user and then by date.
type Rows struct {
	Frame   model.Frame
	Label   []bool
	AsOf    []pipeline.Date
	User    []int32  // number of the user, ascending in file order
	IDs     []string // by number of the user
	AtRisk  []bool   // in the cohort; nil: all of them are
	Sampled bool     // some users were left out, since there are too many rows
	Input   string   // digest of the file that was read
}

// Len returns the number of rows.
func (r *Rows) Len() int { return len(r.Label) }

// Take returns the rows at the given positions.
func (r *Rows) Take(keep []int) *Rows {
	out := &Rows{Frame: model.Frame{NumericNames: r.Frame.NumericNames, CategoricalNames: r.Frame.CategoricalNames}, IDs: r.IDs, Sampled: r.Sampled, Input: r.Input}
	out.Frame.Numeric = make([]float64, 0, len(keep)*len(r.Frame.NumericNames))
	for _, i := range keep {
		num, cat := r.Frame.Row(i)
		out.Frame.Numeric = append(out.Frame.Numeric, num...)
		out.Frame.Categorical = append(out.Frame.Categorical, cat...)
		out.Label = append(out.Label, r.Label[i])
		out.AsOf = append(out.AsOf, r.AsOf[i])
		out.User = append(out.User, r.User[i])
		if r.AtRisk != nil {
			out.AtRisk = append(out.AtRisk, r.AtRisk[i])
		}
	}
	return out
}

// Where returns the rows for which keep says yes.
func (r *Rows) Where(keep func(i int) bool) *Rows {
	var at []int
	for i := range r.Len() {
		if keep(i) {
			at = append(at, i)
		}
	}
	return r.Take(at)
}

// Between returns the rows with as-of dates in [first, last].
func (r *Rows) Between(first, last pipeline.Date) *Rows {
	return r.Where(func(i int) bool { return first <= r.AsOf[i] && r.AsOf[i] <= last })
}

// Concat returns the rows of all parts, which are parts of the same rows, one
// after the other.
func Concat(parts []*Rows) *Rows {
	if len(parts) == 1 {
		return parts[0]
	}
	out := &Rows{Frame: parts[0].Frame, IDs: parts[0].IDs, Sampled: parts[0].Sampled, Input: parts[0].Input}
	out.Frame.Numeric, out.Frame.Categorical = nil, nil
	for _, p := range parts {
		out.Frame.Numeric = append(out.Frame.Numeric, p.Frame.Numeric...)
		out.Frame.Categorical = append(out.Frame.Categorical, p.Frame.Categorical...)
		out.Label = append(out.Label, p.Label...)
		out.AsOf = append(out.AsOf, p.AsOf...)
		out.User = append(out.User, p.User...)
		out.AtRisk = append(out.AtRisk, p.AtRisk...)
	}
	return out
}

// Dates returns the different as-of dates, ascending.
func (r *Rows) Dates() []pipeline.Date {
	seen := map[pipeline.Date]bool{}
	for _, d := range r.AsOf {
		seen[d] = true
	}
	var out []pipeline.Date
	for d := range seen {
		out = append(out, d)
	}
	slices.Sort(out)
	return out
}

// DateIndex returns for every row the position of its date among Dates.
func (r *Rows) DateIndex() []int32 {
	dates := r.Dates()
	out := make([]int32, r.Len())
	for i, d := range r.AsOf {
		k, _ := slices.BinarySearch(dates, d)
		out[i] = int32(k)
	}
	return out
}

// Numeric returns a copy of a numeric column; nil if there is none of that name.
func (r *Rows) Numeric(name string) []float64 {
	return column(r.Frame.Numeric, r.Frame.NumericNames, name)
}

// Categorical returns a copy of a categorical column; nil if there is none of
// that name.
func (r *Rows) Categorical(name string) []string {
	return column(r.Frame.Categorical, r.Frame.CategoricalNames, name)
}

// column copies a column out of a row-major block with the given names.
func column[T any](block []T, names []string, name string) []T {
	j := slices.Index(names, name)
	if j < 0 {
		return nil
	}
	out := make([]T, len(block)/len(names))
	for i := range out {
		out[i] = block[i*len(names)+j]
	}
	return out
}

// Users returns the number of different users.
func (r *Rows) Users() int {
	return len(slices.Compact(slices.Sorted(slices.Values(r.User))))
}

// Positives returns the number of churned rows.
func (r *Rows) Positives() (n int) {
	for _, y := range r.Label {
		if y {
			n++
		}
	}
	return n
}

// Rate returns the share of churned rows.
func (r *Rows) Rate() float64 { return float64(r.Positives()) / float64(max(r.Len(), 1)) }

// OneClass explains why rows cannot be learned from or tested on: all of them
// churned, or none. It is nil if they can.
func (r *Rows) OneClass(period string) error {
	rate := r.Rate()
	if rate > 0 && rate < 1 {
		return nil
	}
	what := "churned"
	if rate == 0 {
		what = "stayed"
	}
	return fmt.Errorf("all %d rows of the %s period %s: nothing can be learned from one outcome; use more users or history, or another labels.window_days", r.Len(), period, what)
}

// sampler keeps a user by a hash of his id, the same in every run and as the
// data grows.
type sampler struct{ limit uint64 }

func newSampler(rows int64, maxRows int) sampler {
	if rows <= int64(maxRows) {
		return sampler{math.MaxUint64}
	}
	return sampler{uint64(float64(maxRows) / float64(rows) * math.MaxUint64)}
}

// samples reports whether it keeps some users only.
func (s sampler) samples() bool { return s.limit != math.MaxUint64 }

func (s sampler) keeps(user []byte) bool {
	return !s.samples() || xxhash.Sum64(user) <= s.limit
}

// Sample returns the rows of a share of users, about maxRows rows in all: by
// the same hash as Load, so that a smaller sample is a part of a larger one.
func (r *Rows) Sample(maxRows int) *Rows {
	s := newSampler(int64(r.Len()), maxRows)
	if !s.samples() {
		return r
	}
	keep := make([]bool, len(r.IDs))
	for u, id := range r.IDs {
		keep[u] = s.keeps([]byte(id))
	}
	out := r.Where(func(i int) bool { return keep[r.User[i]] })
	out.Sampled = true
	return out
}
