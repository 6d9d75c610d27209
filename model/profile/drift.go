package profile

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"churn/internal/parallel"
)

// Status says how far something has moved.
type Status string

// The statuses.
const (
	OK   Status = "ok"
	Warn Status = "warn"
	Fail Status = "fail"
)

// Limits say from where on a distance matters.
type Limits struct {
	WarnPSI    float64 // index below which nobody would act on a drift
	FailPSI    float64 // index from which a drift is an alarm
	FDR        float64 // share of chance among the features that are said to have moved
	NovelFDR   float64 // likewise among those that are said to have novel values
	MovedShare float64 // of the features that warn or fail, from which the whole fails
}

// DefaultLimits returns the customary 0.1 and 0.25 (Siddiqi, "Credit Risk
// Scorecards", Wiley 2006) as the least effects, one false alarm in a hundred
// comparisons without drift, and a fifth of the features for an alarm about all:
// some always move, such as the age of accounts and all that adds up for ever.
func DefaultLimits() Limits {
	return Limits{WarnPSI: 0.1, FailPSI: 0.25, FDR: 0.01, NovelFDR: 0.01, MovedShare: 0.2}
}

// Feature is how one feature, or the score, has moved.
type Feature struct {
	Name      string  `json:"name"`
	Status    Status  `json:"status"`
	PSI       float64 `json:"psi"`           // population stability index over the reference's cells, nulls among them
	Expected  float64 `json:"expected_psi"`  // without drift, by chance
	WarnLimit float64 `json:"warn_limit"`    // of PSI: the fixed one, or what chance exceeds with probability FDR if that is more
	FailLimit float64 `json:"fail_limit"`    // likewise
	P         float64 `json:"p_value"`       // of Pearson's χ² over the cells, for rows of users who are alike
	Moved     bool    `json:"beyond_chance"` // by Benjamini and Hochberg over all features
	JS        float64 `json:"jensen_shannon"`
	KS        float64 `json:"ks,omitempty"`       // numeric only: largest distance of the distribution functions at the reference's points
	Shift     float64 `json:"shift_sd,omitempty"` // numeric only: earth mover's distance in standard deviations of the reference

	MissingBefore float64 `json:"missing_before"` // share of nulls in the reference
	Missing       float64 `json:"missing"`
	Zero          bool    `json:"zero,omitempty"` // numeric only: all values are 0
	ZeroBefore    float64 `json:"zero_before"`    // share of the reference's values that are 0
	Unseen        float64 `json:"unseen"`         // share of values that the reference does not have: new levels, or beyond its range

	Novelty
	Cells []Cell `json:"cells,omitempty"`
}

// Cell is a bin of a numeric feature or a level of a categorical one, with the
// share of the rows that are in it.
type Cell struct {
	Label  string  `json:"label"` // such as "≤ 3", "3 to 7", "> 7", a level, "(other)", "(null)"
	Before float64 `json:"before"`
	Now    float64 `json:"now"`
}

// Drift is how far rows have moved from a reference.
type Drift struct {
	Status     Status     `json:"status"`
	Rows       int        `json:"rows"`
	Users      int        `json:"users"`
	Features   []Feature  `json:"features"` // numeric, then categorical, as in the reference
	Score      *Feature   `json:"score,omitempty"`
	MeanScore  [2]float64 `json:"mean_score"` // before, now; zeros without scores
	HighShare  [2]float64 `json:"high_share"`
	Warned     int        `json:"warned"` // features
	Failed     int        `json:"failed"`
	MovedShare float64    `json:"moved_share"` // of the features, those that warn or fail
	Limit      float64    `json:"moved_limit"` // from which the whole fails
}

// LeastRows is the number of rows below which nothing can be said of drift.
const LeastRows = 30

// ErrFewRows is the answer to fewer than LeastRows rows.
var ErrFewRows = fmt.Errorf("fewer than %d rows: too few to tell of drift", LeastRows)

// Drift compares rows, and scores if there are any, with the reference. The
// features must be those of the reference, in its order.
//
// The whole fails if the score fails or at least a share MovedShare of the
// features warns or fails, and warns if anything else does not rest.
func (r *Reference) Drift(rows Rows, scores Scores, l Limits) (Drift, error) {
	if err := r.comparable(rows, scores); err != nil {
		return Drift{}, err
	}
	all, g := make([]comparison, len(r.Numeric)+len(r.Categorical)), newGroups(rows.User, rows.Frame.Rows())
	parallel.Each(len(all), func(j int) { all[j] = r.compare(j, rows, g) })
	if len(scores.Probability) > 0 {
		all = append(all, r.Score.compareScores(scores))
	}
	features := judge(all, l)
	d := Drift{Status: OK, Rows: g.rows, Users: g.users(), Features: features, Limit: l.MovedShare}
	if len(scores.Probability) > 0 {
		last := len(features) - 1
		d.Score, d.Features = &features[last], features[:last]
		d.MeanScore = [2]float64{r.Score.Mean, mean(scores.Probability)}
		d.HighShare = [2]float64{r.Score.Share, shareFrom(scores.Probability, r.Score.High)}
	}
	d.sum()
	return d, nil
}

func mean(values []float64) float64 {
	m, _ := moments(values)
	return m
}

func (r *Reference) comparable(rows Rows, scores Scores) error {
	var numeric, categorical []string
	for _, n := range r.Numeric {
		numeric = append(numeric, n.Name)
	}
	for _, c := range r.Categorical {
		categorical = append(categorical, c.Name)
	}
	switch {
	case !slices.Equal(numeric, rows.Frame.NumericNames) || !slices.Equal(categorical, rows.Frame.CategoricalNames):
		return errors.New("profile: the rows do not have the features of the reference")
	case rows.Frame.Rows() < LeastRows:
		return ErrFewRows
	case len(scores.Probability) > 0 && r.Score == nil:
		return errors.New("profile: the reference has no scores to compare with")
	case len(scores.Probability) > 0 && len(scores.Probability) < LeastRows:
		return ErrFewRows
	}
	return nil
}

// sum fills in what follows from the features.
func (d *Drift) sum() {
	for _, f := range d.Features {
		switch f.Status {
		case Warn:
			d.Warned++
		case Fail:
			d.Failed++
		}
	}
	moved := d.Warned + d.Failed
	d.MovedShare = float64(moved) / float64(max(len(d.Features), 1))
	score := OK
	if d.Score != nil {
		score = d.Score.Status
	}
	switch {
	case score == Fail || moved > 0 && d.MovedShare >= d.Limit:
		d.Status = Fail
	case score == Warn || moved > 0:
		d.Status = Warn
	}
}

// comparison is the cells of a feature before and now.
type comparison struct {
	feature     Feature // without what depends on limits
	before, now []int
	n, m        float64 // effective rows of them
	label       func(k int) string
}

// compare compares feature j: the numeric ones first.
func (r *Reference) compare(j int, rows Rows, g groups) (c comparison) {
	f, alike := rows.Frame, 0.0
	if j < len(r.Numeric) {
		n, values := &r.Numeric[j], column(f.Numeric, j, len(f.NumericNames))
		alike, c = n.Alike, n.compare(values)
		c.feature.Novelty = n.novelty(values, g, crowd{r.Rows, r.RowsPerUser})
	} else {
		k, values := &r.Categorical[j-len(r.Numeric)], texts(f, j-len(r.Numeric))
		alike, c = k.Alike, k.compare(values)
		c.feature.Novelty = k.novelty(values, rows.Known, g, r.Users)
	}
	c.n, c.m = effective(r.Rows, r.RowsPerUser, alike), effective(g.rows, g.perUser(), alike)
	return c
}

// compareScores compares the scores.
func (s *Score) compareScores(now Scores) comparison {
	g := newGroups(now.User, len(now.Probability))
	c := s.Numeric.compare(now.Probability)
	c.feature.Novelty = Novelty{NovelP: 1} // a probability cannot lie outside of what there is
	c.n, c.m = effective(s.Rows, s.RowsPerUser, s.Alike), effective(g.rows, g.perUser(), s.Alike)
	return c
}

// compare counts the cells of values.
func (n *Numeric) compare(values []float64) comparison {
	before, now, null := n.counts(), tally(n.cells(values)), len(n.Edges)+1
	return comparison{before: before, now: now, label: n.label,
		feature: Feature{Name: n.Name, Zero: zero(values), ZeroBefore: n.zeros(), KS: n.ks(values), Shift: n.shift(values), MissingBefore: share(before, null), Missing: share(now, null), Unseen: n.beyond(values)}}
}

// compare counts the cells of values.
func (c *Categorical) compare(values []string) comparison {
	before, now, levels := c.counts(), tally(c.cells(values)), len(c.Levels)
	return comparison{before: before, now: now, label: c.label,
		feature: Feature{Name: c.Name, MissingBefore: share(before, levels+cellNull), Missing: share(now, levels+cellNull), Unseen: c.unseen(values)}}
}

// zero reports whether there are values, and all of them are 0.
func zero(values []float64) bool {
	some := false
	for _, x := range values {
		if x != 0 && !null(x) {
			return false
		}
		some = some || x == 0
	}
	return some
}

// zeros returns the share of the values that are 0, of a feature that is never
// negative.
func (n *Numeric) zeros() float64 {
	if len(n.Points) == 0 || n.Points[0] != 0 {
		return 0
	}
	return float64(n.UpTo[0]) / float64(n.values())
}

// beyond returns the share of values outside the range of the reference.
func (n *Numeric) beyond(values []float64) float64 {
	count := 0
	for _, x := range values {
		if !null(x) && (len(n.Points) == 0 || x < n.Points[0] || x > n.Points[len(n.Points)-1]) {
			count++
		}
	}
	return float64(count) / float64(len(values))
}

// tally counts the rows of each cell.
func tally(cell []int32, cells int) []int {
	out := make([]int, cells)
	for _, c := range cell {
		out[c]++
	}
	return out
}

// share returns the share of cell k in all.
func share(counts []int, k int) float64 {
	total := 0
	for _, c := range counts {
		total += c
	}
	return float64(counts[k]) / float64(max(total, 1))
}

// judge gives every feature its limits and status.
func judge(all []comparison, l Limits) []Feature {
	out := make([]Feature, len(all))
	p, novel := make([]float64, len(all)), make([]float64, len(all))
	for i, c := range all {
		p[i], novel[i] = pearson(c.before, c.now, c.n, c.m), c.feature.NovelP
	}
	moved, strange := Discoveries(p, l.FDR), Discoveries(novel, l.NovelFDR)
	for i, c := range all {
		f := c.feature
		chance := chancePSI(c.before, c.now, c.n, c.m)
		f.PSI, f.JS, f.P, f.Moved = psi(c.before, c.now), jensenShannon(c.before, c.now), p[i], moved[i]
		f.Strange, f.Cells = strange[i], c.cells()
		f.Expected = chance.mean()
		f.WarnLimit, f.FailLimit = math.Max(l.WarnPSI, chance.quantile(1-l.FDR)), math.Max(l.FailPSI, chance.quantile(1-l.FDR))
		f.Status = OK
		switch {
		case f.Moved && f.PSI >= f.FailLimit:
			f.Status = Fail
		case f.Moved && f.PSI >= f.WarnLimit:
			f.Status = Warn
		}
		out[i] = f
	}
	return out
}

// cells returns the shares of the cells that any row is in.
func (c *comparison) cells() (out []Cell) {
	for k := range c.before {
		if c.before[k]+c.now[k] > 0 {
			out = append(out, Cell{c.label(k), share(c.before, k), share(c.now, k)})
		}
	}
	return out
}

// Discoveries returns which hypotheses the step-up procedure of Benjamini and
// Hochberg rejects at level q: all up to the largest k with p(k) ≤ k·q/n.
func Discoveries(p []float64, q float64) []bool {
	sorted := slices.Clone(p)
	slices.Sort(sorted)
	limit := -1.0
	for k, v := range sorted {
		if v <= float64(k+1)/float64(len(p))*q {
			limit = v
		}
	}
	out := make([]bool, len(p))
	for i, v := range p {
		out[i] = v <= limit
	}
	return out
}
