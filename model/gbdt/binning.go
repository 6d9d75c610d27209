package gbdt

import "churn/internal/parallel"

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
	missing bool      // of a numeric: there are nulls among the rows that the cuts come from
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
	values := p.train.evenly()
	all := make([]column, len(p.features))
	parallel.Each(len(all), func(f int) {
		all[f] = column{feature: f, sign: p.sign[f], first: p.features[f].First, bins: p.features[f].Levels, levels: p.features[f].Levels > 0}
		if !all[f].levels {
			all[f].cut(values[f], p.params.MaxBins)
		}
	})
	for _, c := range all {
		if c.bins > 1 || c.bins == 1 && c.missing {
			c.offset = slots
			slots += c.slots()
			out = append(out, c)
		}
	}
	return out, slots
}

// cut finds the cuts of a numeric from its values, null included.
func (c *column) cut(values []float64, bins int) {
	known := sorted(values)
	c.missing = len(known) < len(values)
	if len(known) > 0 {
		c.cuts = findCuts(known, bins)
		c.bins = len(c.cuts) + 1
	}
}

// evenly returns the values of each dense column in evenly spaced rows, at most
// sampleRows of them.
func (s *sample) evenly() [][]float64 {
	n, width := len(s.rows), s.x.Width
	take := min(n, sampleRows)
	out := make([][]float64, width)
	for f := range out {
		out[f] = make([]float64, take)
	}
	eachChunk(take, func(_, from, to int) {
		for k := from; k < to; k++ {
			for f, x := range s.x.Row(int(s.rows[k*n/take])).Dense {
				out[f][k] = x
			}
		}
	})
	return out
}

// run is a distinct value and how often it occurs.
type run struct {
	value float64
	count int
}

// distinct returns the runs of ascending values.
func distinct(values []float64) []run {
	n := 0
	for i, x := range values {
		if i == 0 || x != values[i-1] {
			n++
		}
	}
	out := make([]run, 0, n)
	for i, x := range values {
		if i == 0 || x != values[i-1] {
			out = append(out, run{value: x})
		}
		out[len(out)-1].count++
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
