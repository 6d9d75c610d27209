package shadow

import (
	"maps"
	"math"
	"slices"
	"time"

	"churn/server"
)

// tally is what has been counted of two models. Tallies of several processes
// add up, in any order. Distributions are kept in bins, so that their size is
// bounded.
type tally struct {
	First       time.Time `json:"first"`
	Last        time.Time `json:"last"`
	Rows        int64     `json:"rows"`
	Failed      int64     `json:"failed"`
	Skipped     int64     `json:"skipped"`
	Sum         float64   `json:"sum_difference"`
	SumAbsolute float64   `json:"sum_absolute_difference"`
	Differences counts    `json:"differences"` // by difference in thousandths
	Ranks       counts    `json:"ranks"`       // by the bins of both risks: champion's × riskBins + challenger's
	Tiers       counts    `json:"tiers"`       // by 3 × the champion's + the challenger's; 0 is low, 2 high
	SumLatency  float64   `json:"sum_latency_ms"`
	Latencies   counts    `json:"latencies"` // by quarters of a power of two of microseconds
}

func newTally() *tally {
	return &tally{Differences: counts{}, Ranks: counts{}, Tiers: counts{}, Latencies: counts{}}
}

// counts are numbers by bin.
type counts map[int]int64

func (c counts) add(other counts) {
	for k, n := range other {
		c[k] += n
	}
}

// quantile returns the first bin up to which a share of all lies; 0 of nothing.
func (c counts) quantile(share float64) int {
	var total, seen int64
	for _, n := range c {
		total += n
	}
	for _, k := range slices.Sorted(maps.Keys(c)) {
		if seen += c[k]; float64(seen) >= share*float64(total) {
			return k
		}
	}
	return 0
}

// seen notes the time of a row.
func (t *tally) seen(at time.Time) {
	if t.First.IsZero() || at.Before(t.First) {
		t.First = at
	}
	if at.After(t.Last) {
		t.Last = at
	}
}

// compare counts a row that both models have scored.
func (t *tally) compare(ours, theirs server.Score, took time.Duration) {
	d := theirs.Risk - ours.Risk
	t.Rows++
	t.Sum += d
	t.SumAbsolute += math.Abs(d)
	t.Differences[int(math.Round(d*1000))]++
	t.Ranks[riskBin(ours.Risk)*riskBins+riskBin(theirs.Risk)]++
	t.Tiers[3*tierOf(ours.Tier)+tierOf(theirs.Tier)]++
	t.SumLatency += took.Seconds() * 1000
	t.Latencies[latencyBin(took)]++
}

// The bins of risks are quarters of log-odds from -8 to 8; what lies in one
// counts as equal in rank.
const riskBins = 65

func riskBin(p float64) int {
	return int((min(max(math.Log(p/(1-p)), -8), 8) + 8) * 4)
}

func latencyBin(d time.Duration) int {
	return int(math.Floor(4 * math.Log2(max(float64(d)/1000, 1))))
}

// latencyOf returns the upper end of a bin in milliseconds.
func latencyOf(bin int) float64 { return math.Exp2(float64(bin+1)/4) / 1000 }

// add adds what another process, or this one since, has counted.
func (t *tally) add(o *tally) {
	if o.First.IsZero() {
		return
	}
	t.seen(o.First)
	t.seen(o.Last)
	t.Rows += o.Rows
	t.Failed += o.Failed
	t.Skipped += o.Skipped
	t.Sum += o.Sum
	t.SumAbsolute += o.SumAbsolute
	t.SumLatency += o.SumLatency
	t.Differences.add(o.Differences)
	t.Ranks.add(o.Ranks)
	t.Latencies.add(o.Latencies)
	t.Tiers.add(o.Tiers)
}

// comparison sums up. What no row tells is 0.
func (t *tally) comparison(p names) server.ShadowComparison {
	c := server.ShadowComparison{Champion: p.Champion.Version, Challenger: p.Challenger.Version, First: t.First, Last: t.Last, Rows: t.Rows, Failed: t.Failed, Skipped: t.Skipped}
	if t.Rows == 0 {
		return c
	}
	n := float64(t.Rows)
	c.MeanDifference, c.MeanAbsolute, c.LatencyMean = t.Sum/n, t.SumAbsolute/n, t.SumLatency/n
	at := func(share float64) float64 { return float64(t.Differences.quantile(share)) / 1000 }
	c.Quantiles = server.Quantiles{P1: at(0.01), P10: at(0.1), Median: at(0.5), P90: at(0.9), P99: at(0.99)}
	c.Latency99 = latencyOf(t.Latencies.quantile(0.99))
	c.RankCorrelation = t.Ranks.spearman()
	for k, count := range t.Tiers {
		ours, theirs := k/3, k%3
		share := float64(count) / n
		switch {
		case ours == theirs:
			c.SameTier += share
		case theirs == high:
			c.HighOnly += share
		case ours == high:
			c.HighNoMore += share
		}
	}
	return c
}

// high is the tier above the threshold at which users are contacted.
const high = 2

// tierOf returns a tier as a number.
func tierOf(tier string) int {
	switch tier {
	case "high":
		return high
	case "medium":
		return 1
	}
	return 0
}

// spearman returns the rank correlation of the two bins of each key, with the
// mean rank for those in the same one; 0 where either is the same for all.
func (c counts) spearman() float64 {
	var first, second [riskBins]int64
	var n int64
	for k, count := range c {
		if k < 0 || k >= riskBins*riskBins { // of a file that somebody changed
			continue
		}
		first[k/riskBins] += count
		second[k%riskBins] += count
		n += count
	}
	a, b := midranks(first), midranks(second)
	mean := float64(n+1) / 2
	var ab, aa, bb float64
	for _, k := range slices.Sorted(maps.Keys(c)) { // sorted, so that the sum is the same each time
		if k < 0 || k >= riskBins*riskBins {
			continue
		}
		x, y, w := a[k/riskBins]-mean, b[k%riskBins]-mean, float64(c[k])
		ab, aa, bb = ab+float64(w*x*y), aa+float64(w*x*x), bb+float64(w*y*y)
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}

// midranks returns the mean rank, from 1, of those in each bin.
func midranks(in [riskBins]int64) (out [riskBins]float64) {
	before := int64(0)
	for i, n := range in {
		out[i] = float64(before) + float64(n+1)/2
		before += n
	}
	return out
}
