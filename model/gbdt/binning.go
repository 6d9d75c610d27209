package gbdt

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
	all := make([]column, len(p.features))
	for f, feature := range p.features {
		all[f] = column{feature: f, sign: p.sign[f], first: feature.First, bins: feature.Levels, levels: feature.Levels > 0}
	}
	width := p.train.x.Width
	each((width+lineColumns-1)/lineColumns, func(k int) {
		p.cut(all[k*lineColumns : min((k+1)*lineColumns, width)])
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

// lineColumns is the number of values of a row in a cache line.
const lineColumns = 8

// cut finds the cuts of neighbouring numerics.
func (p *problem) cut(columns []column) {
	var s sorter
	for j, values := range p.train.evenly(columns) {
		c := &columns[j]
		runs, known := s.runs(values)
		c.missing = known < len(values)
		if known > 0 {
			c.cuts = findCuts(runs, p.params.MaxBins)
			c.bins = len(c.cuts) + 1
		}
	}
}

// evenly returns the values of neighbouring numerics in evenly spaced rows, at
// most sampleRows of them.
func (s *sample) evenly(columns []column) [][]float64 {
	n, first := len(s.rows), columns[0].feature
	take := min(n, sampleRows)
	out := make([][]float64, len(columns))
	for j := range out {
		out[j] = make([]float64, take)
	}
	for k := range take {
		for j, x := range s.x.Row(int(s.rows[k*n/take])).Dense[first : first+len(out)] {
			out[j][k] = x
		}
	}
	return out
}

// findCuts returns ascending cuts, midway between neighbouring values, that
// divide the ascending runs into at most bins bins of about equal counts. Up
// to bins distinct values get a bin each. Otherwise a value as frequent as the
// mean bin gets one for itself and the others share the rest evenly (as
// LightGBM's GreedyFindBin).
func findCuts(runs []run, bins int) []float64 {
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
