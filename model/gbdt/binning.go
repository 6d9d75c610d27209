package gbdt

import (
	"math"
	"slices"

	"churn/internal/parallel"
)

// sampleRows is the number of rows that the cuts of a column are found from, as
// in LightGBM and scikit-learn: the rank of a cut is then off by about
// √(¼/200,000) = 0.1% of the rows, a quarter of one of 255 bins.
const sampleRows = 200_000

// column is a feature in bins. Bin b of a numeric holds cuts[b-1] < x ≤ cuts[b];
// bin l of a categorical is its level l. A null is in bin bins.
type column struct {
	feature int       // index into the features
	cuts    []float64 // ascending, of a numeric
	bins    int       // of values, without the one for null
	missing bool      // some training row is null
	levels  bool      // a categorical
	first   int32     // code of its first level
	sign    int8      // monotone constraint
	offset  int       // of its bins in a histogram
}

// slots returns the number of bins, that for null included.
func (c *column) slots() int { return c.bins + 1 }

// columns returns the features with more than one value, null being one, and
// the length of a histogram of them.
func (p *problem) columns() (out []column, slots int) {
	all := make([]column, len(p.features))
	parallel.Each(len(all), func(f int) { all[f] = p.column(f) })
	for _, c := range all {
		if c.bins > 1 || c.bins == 1 && c.missing {
			c.offset = slots
			slots += c.slots()
			out = append(out, c)
		}
	}
	return out, slots
}

// column finds the bins of feature f.
func (p *problem) column(f int) column {
	c := column{feature: f, sign: p.sign[f], first: p.features[f].First}
	if levels := p.features[f].Levels; levels > 0 {
		c.levels, c.bins = true, levels
		return c
	}
	values, missing := p.train.values(f)
	c.missing = missing
	if len(values) > 0 {
		c.cuts = findCuts(values, p.params.MaxBins)
		c.bins = len(c.cuts) + 1
	}
	return c
}

// values returns the non-null values of dense column f in evenly spaced rows,
// at most sampleRows of them, ascending, and whether any row at all is null.
func (s *sample) values(f int) (values []float64, missing bool) {
	n := len(s.rows)
	take := min(n, sampleRows)
	values = make([]float64, 0, take)
	next := 0
	for i, r := range s.rows {
		x := s.x.Dense[int(r)*s.x.Width+f]
		missing = missing || x != x
		if i == next*n/take {
			next++
			if x == x {
				values = append(values, x)
			}
		}
	}
	slices.Sort(values)
	return values, missing
}

// run is a distinct value and how often it occurs.
type run struct {
	value float64
	count int
}

// distinct returns the runs of ascending values.
func distinct(values []float64) []run {
	var out []run
	for _, x := range values {
		if last := len(out) - 1; last >= 0 && out[last].value == x {
			out[last].count++
		} else {
			out = append(out, run{x, 1})
		}
	}
	return out
}

// findCuts returns ascending cuts, midway between neighbouring values, that
// divide the ascending values into at most bins bins of about equal counts. Up
// to bins distinct values get a bin each. Otherwise a value as frequent as the
// mean bin gets one for itself and the others share the rest evenly (as
// LightGBM's GreedyFindBin).
func findCuts(values []float64, bins int) []float64 {
	runs := distinct(values)
	var cuts []float64
	if len(runs) <= bins {
		for i := 1; i < len(runs); i++ {
			cuts = append(cuts, between(runs[i-1].value, runs[i].value))
		}
		return cuts
	}
	g := newGreedy(runs, bins)
	for i := 0; i+1 < len(runs) && len(cuts) < bins-1; i++ {
		if g.closes(runs[i].count, runs[i+1].count) {
			cuts = append(cuts, between(runs[i].value, runs[i+1].value))
		}
	}
	return cuts
}

// greedy fills bins from left to right.
type greedy struct {
	big  float64 // count from which a value has a bin for itself
	rest int     // rows of the smaller values to come
	bins int     // bins for them
	mean float64 // rest/bins, when the current bin began
	full int     // rows in the current bin
}

func newGreedy(runs []run, bins int) *greedy {
	g := &greedy{bins: bins}
	for _, r := range runs {
		g.rest += r.count
	}
	g.big = float64(g.rest) / float64(bins)
	for _, r := range runs {
		if float64(r.count) >= g.big {
			g.rest -= r.count
			g.bins--
		}
	}
	g.mean = float64(g.rest) / float64(max(g.bins, 1))
	return g
}

// closes adds a value that occurs count times to the current bin, and reports
// whether the bin ends there; next is the count of the value that follows.
func (g *greedy) closes(count, next int) bool {
	big := float64(count) >= g.big
	if !big {
		g.rest -= count
	}
	g.full += count
	beforeBig := float64(next) >= g.big && float64(g.full) >= max(1, g.mean/2)
	if !big && float64(g.full) < g.mean && !beforeBig {
		return false
	}
	g.full = 0
	if !big {
		g.bins--
		g.mean = float64(g.rest) / float64(max(g.bins, 1))
	}
	return true
}

// between returns a cut m with a ≤ m < b, midway if rounding allows.
func between(a, b float64) float64 {
	if m := a/2 + b/2; a <= m && m < b {
		return m
	}
	return a
}

// bin returns the bin of x: the number of cuts below it, or bins for NaN.
func (c *column) bin(x float64) uint8 {
	if math.IsNaN(x) {
		return uint8(c.bins)
	}
	k, _ := slices.BinarySearch(c.cuts, x)
	return uint8(k)
}
