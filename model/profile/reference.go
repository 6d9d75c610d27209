package profile

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"churn/internal/parallel"
	"churn/model"
)

// Format is the version of the layout of a Reference.
const Format = 1

// Rows are the rows to describe or to compare.
type Rows struct {
	Frame *model.Frame // NaN, infinities and "" are nulls
	User  []int32      // of every row, in any order; nil: each row has its own
	Known []bool       // of rows to compare: whose user has rows in the reference, too; nil: nobody knows
}

// Scores are what a model says of rows that it has not learned from: on those
// that it has, it is surer than it will ever be again.
type Scores struct {
	Probability []float64
	User        []int32 // of every score; nil: each has its own
}

// Reference is the profile of the rows that a model was trained on.
type Reference struct {
	Format      int           `json:"format"`
	Rows        int           `json:"rows"`
	Users       int           `json:"users"`
	RowsPerUser float64       `json:"rows_per_user"` // that the user of a row has: Σk²/Σk over users with k rows
	Numeric     []Numeric     `json:"numeric"`
	Categorical []Categorical `json:"categorical"`
	Score       *Score        `json:"score,omitempty"` // nil: no scores were given
}

// Numeric is the distribution of a numeric feature.
type Numeric struct {
	Name   string    `json:"name"`
	Nulls  int       `json:"nulls"`
	Mean   float64   `json:"mean"`   // of the values; 0 without any
	SD     float64   `json:"sd"`     // over n−1; 0 with fewer than two
	Points []float64 `json:"points"` // the different ones among minimum, percentiles and maximum; none if all are null
	UpTo   []int     `json:"up_to"`  // rows with a value of at most each point
	Edges  []float64 `json:"edges"`  // bin k holds values in (Edges[k−1], Edges[k]]; the first and the last are open
	Alike  float64   `json:"alike"`  // intra-user correlation of bins and nulls, 0…1; 1 where no user has two rows
	// Apart is 1 less the intra-user correlation of being among the lowest or the
	// highest hundredth; 0, the careful answer, where it is not known.
	Apart float64 `json:"apart,omitempty"`
}

// Categorical is the distribution of a categorical feature.
type Categorical struct {
	Name   string   `json:"name"`
	Nulls  int      `json:"nulls"`
	Levels []Level  `json:"levels"`         // the most frequent first
	Rare   []string `json:"rare,omitempty"` // the other values, ascending
	// RareRows is the number of rows with the other values. They share one cell
	// with values that were never seen: of a thousand rare ones a second sample
	// has others, and nothing has moved.
	RareRows int     `json:"rare_rows"`
	Listed   bool    `json:"listed"` // Rare is complete; above maxRare values it is empty
	Alike    float64 `json:"alike"`  // as in Numeric
}

// Level is a frequent value.
type Level struct {
	Value string `json:"value"`
	Rows  int    `json:"rows"`
}

// Score is the distribution of the probabilities of a model.
type Score struct {
	Rows        int     `json:"rows"`
	Users       int     `json:"users"`
	High        float64 `json:"high"`          // probability from which one counts as high
	Share       float64 `json:"share_high"`    // of rows that are
	RowsPerUser float64 `json:"rows_per_user"` // as in Reference
	Numeric
}

const (
	percentiles = 100   // intervals between points
	bins        = 10    // at most, each a whole number of percentiles
	leastShare  = 0.005 // of the rows, that a level of its own needs
	leastRows   = 30    // likewise: of many rare values those that happen to be less rare would be chosen, and not be so again
	maxLevels   = 50
	maxRare     = 1000
	scoreName   = "score"
)

// Of describes rows. It panics unless the parts fit together.
func Of(rows Rows) Reference {
	f, g := rows.Frame, newGroups(rows.User, rows.Frame.Rows())
	r := Reference{Format: Format, Rows: f.Rows(), Users: g.users(), RowsPerUser: g.perUser(),
		Numeric: make([]Numeric, len(f.NumericNames)), Categorical: make([]Categorical, len(f.CategoricalNames))}
	parallel.Each(len(r.Numeric), func(j int) {
		r.Numeric[j] = numericOf(f.NumericNames[j], column(f.Numeric, j, len(f.NumericNames)), g)
	})
	parallel.Each(len(r.Categorical), func(j int) {
		r.Categorical[j] = categoricalOf(f.CategoricalNames[j], texts(f, j), g)
	})
	return r
}

// WithScores returns the reference with the scores of a model; high is the
// probability from which a score counts as high.
func (r Reference) WithScores(s Scores, high float64) Reference {
	g := newGroups(s.User, len(s.Probability))
	r.Score = &Score{Rows: len(s.Probability), Users: g.users(), RowsPerUser: g.perUser(), High: high, Share: shareFrom(s.Probability, high),
		Numeric: numericOf(scoreName, s.Probability, g)}
	return r
}

// column copies column j out of a row-major block.
func column[T any](block []T, j, width int) []T {
	out := make([]T, 0, len(block)/width)
	for i := j; i < len(block); i += width {
		out = append(out, block[i])
	}
	return out
}

// texts copies a categorical column, as JSON can hold it.
func texts(f *model.Frame, j int) []string {
	out := column(f.Categorical, j, len(f.CategoricalNames))
	for i, v := range out {
		if !utf8.ValidString(v) {
			out[i] = strings.ToValidUTF8(v, "\uFFFD")
		}
	}
	return out
}

// shareFrom returns the share of values of at least the limit.
func shareFrom(values []float64, limit float64) float64 {
	n := 0
	for _, v := range values {
		if v >= limit {
			n++
		}
	}
	return float64(n) / float64(len(values))
}

func null(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) }

func numericOf(name string, values []float64, g groups) Numeric {
	sorted := finite(values)
	n := Numeric{Name: name, Nulls: len(values) - len(sorted), Points: []float64{}, UpTo: []int{}, Edges: []float64{}}
	n.Mean, n.SD = moments(sorted)
	for k := range percentiles + 1 {
		n.point(sorted, k)
	}
	n.Alike = g.alike(n.cells(values))
	n.Apart = 1 - g.alike(n.tails(values))
	return n
}

// point adds the value at percentile k, the one at the rounded rank, unless it
// is there already.
func (n *Numeric) point(sorted []float64, k int) {
	if len(sorted) == 0 {
		return
	}
	at := (k*(len(sorted)-1) + percentiles/2) / percentiles
	x := sorted[at] + 0 // −0 is 0
	if m := len(n.Points); m == 0 || n.Points[m-1] != x {
		upTo, _ := slices.BinarySearchFunc(sorted, x, func(a, b float64) int {
			if a <= b {
				return -1
			}
			return 1
		})
		n.Points, n.UpTo = append(n.Points, x), append(n.UpTo, upTo)
	}
	last := sorted[len(sorted)-1]
	switch m := len(n.Edges); {
	case sorted[0] == last && k == 0: // one value: whatever differs from it has a bin
		n.Edges = append(n.Edges, math.Nextafter(x, math.Inf(-1)), x)
	case k%(percentiles/bins) == 0 && k > 0 && x < last && (m == 0 || n.Edges[m-1] < x):
		n.Edges = append(n.Edges, x)
	}
}

// moments returns the mean and the standard deviation, in two passes.
func moments(values []float64) (mean, sd float64) {
	if len(values) == 0 {
		return 0, 0
	}
	for _, v := range values {
		mean += v / float64(len(values))
	}
	if len(values) == 1 {
		return mean, 0
	}
	var squares float64
	for _, v := range values {
		squares += float64((v - mean) * (v - mean))
	}
	return mean, math.Sqrt(squares / float64(len(values)-1))
}

// cell returns the cell of a value: its bin, or the last cell for a null.
func (n *Numeric) cell(x float64) int32 {
	if null(x) {
		return int32(len(n.Edges) + 1)
	}
	k, _ := slices.BinarySearch(n.Edges, x)
	return int32(k)
}

// cells returns the cell of every value, and the number of cells.
func (n *Numeric) cells(values []float64) (of []int32, count int) {
	of = make([]int32, len(values))
	for i, x := range values {
		of[i] = n.cell(x)
	}
	return of, len(n.Edges) + 2
}

// counts returns the rows of every cell.
func (n *Numeric) counts() []int {
	out := make([]int, len(n.Edges)+2)
	before := 0
	for k, e := range n.Edges {
		out[k] = n.upTo(e) - before
		before += out[k]
	}
	out[len(n.Edges)], out[len(n.Edges)+1] = n.values()-before, n.Nulls
	return out
}

// values returns the number of rows that are not null.
func (n *Numeric) values() int {
	if len(n.UpTo) == 0 {
		return 0
	}
	return n.UpTo[len(n.UpTo)-1]
}

// upTo returns the rows with a value of at most an edge.
func (n *Numeric) upTo(edge float64) int {
	k, found := slices.BinarySearch(n.Points, edge)
	switch {
	case found:
		return n.UpTo[k]
	case k == 0:
		return 0
	}
	return n.UpTo[k-1]
}

func categoricalOf(name string, values []string, g groups) Categorical {
	seen := map[string]int{}
	for _, v := range values {
		seen[v]++
	}
	c := Categorical{Name: name, Nulls: seen[""], Levels: []Level{}, Listed: true}
	delete(seen, "")
	var all []Level
	for v, n := range seen {
		all = append(all, Level{v, n})
	}
	slices.SortFunc(all, func(a, b Level) int { return cmp.Or(b.Rows-a.Rows, cmp.Compare(a.Value, b.Value)) })
	for _, l := range all {
		if len(c.Levels) < maxLevels && l.Rows >= leastRows && float64(l.Rows) >= leastShare*float64(len(values)) {
			c.Levels = append(c.Levels, l)
			continue
		}
		c.RareRows += l.Rows
		c.Rare = append(c.Rare, l.Value)
	}
	slices.Sort(c.Rare)
	if len(c.Rare) > maxRare {
		c.Rare, c.Listed = nil, false
	}
	c.Alike = g.alike(c.cells(values))
	return c
}

// The cells of a categorical feature: its levels, then these.
const (
	cellOther = iota // rare or never seen
	cellNull
	otherCells
)

// cells returns the cell of every value, and the number of cells.
func (c *Categorical) cells(values []string) (of []int32, count int) {
	known := map[string]int32{"": int32(len(c.Levels) + cellNull)}
	for k, l := range c.Levels {
		known[l.Value] = int32(k)
	}
	of = make([]int32, len(values))
	for i, v := range values {
		k, ok := known[v]
		if !ok {
			k = int32(len(c.Levels) + cellOther)
		}
		of[i] = k
	}
	return of, len(c.Levels) + otherCells
}

// unseen returns the share of values that the reference does not have; 0 where
// it has too many to tell.
func (c *Categorical) unseen(values []string) float64 {
	if !c.Listed {
		return 0
	}
	seen, count := c.known(), 0
	for _, v := range values {
		if !seen[v] {
			count++
		}
	}
	return float64(count) / float64(len(values))
}

// known returns the values that the reference has, null among them.
func (c *Categorical) known() map[string]bool {
	seen := map[string]bool{"": true}
	for _, l := range c.Levels {
		seen[l.Value] = true
	}
	for _, v := range c.Rare {
		seen[v] = true
	}
	return seen
}

// counts returns the rows of every cell.
func (c *Categorical) counts() []int {
	out := make([]int, len(c.Levels)+otherCells)
	for k, l := range c.Levels {
		out[k] = l.Rows
	}
	out[len(c.Levels)+cellOther], out[len(c.Levels)+cellNull] = c.RareRows, c.Nulls
	return out
}
