package metric

import (
	"cmp"
	"math"
	"math/rand/v2"
)

// The readable twins: O(n²), on rows with whole-number weights, a row of weight
// w being w equal rows.

// repeated returns s with every row as often as its user's weight says.
func repeated(s Sample, weight []int) Sample {
	var out Sample
	for i := range s.Label {
		for range weight[s.User[i]] {
			out.Score = append(out.Score, s.Score[i])
			out.Prob = append(out.Prob, s.Prob[i])
			out.Label = append(out.Label, s.Label[i])
			out.Group = append(out.Group, s.Group[i])
		}
	}
	return out
}

// naiveAP: every positive contributes the precision among all rows that are
// scored no lower; the mean of it over the positives is Σ ΔR·P.
func naiveAP(s Sample) float64 {
	var sum, positives float64
	for i := range s.Label {
		if !s.Label[i] {
			continue
		}
		positives++
		var above, hits float64
		for j := range s.Label {
			if cmp.Compare(s.Score[j], s.Score[i]) >= 0 {
				above++
				hits += number(s.Label[j])
			}
		}
		sum += hits / above
	}
	return sum / positives
}

// naiveAUC counts the pairs.
func naiveAUC(s Sample) float64 {
	var wins, pairs float64
	for i := range s.Label {
		for j := range s.Label {
			if !s.Label[i] || s.Label[j] {
				continue
			}
			pairs++
			wins += float64(1+cmp.Compare(s.Score[i], s.Score[j])) / 2
		}
	}
	return wins / pairs
}

// naiveTop gives every row its probability of being on a list: with a rows of
// its group above it and t equal to it, itself included, (k-a)/t held to [0, 1].
func naiveTop(s Sample, length func(size float64) float64) (top Top) {
	for i := range s.Label {
		var above, tied, size, positives float64
		for j := range s.Label {
			if s.Group[j] != s.Group[i] {
				continue
			}
			size++
			positives += number(s.Label[j])
			switch cmp.Compare(s.Score[j], s.Score[i]) {
			case 1:
				above++
			case 0:
				tied++
			}
		}
		listed := math.Max(0, math.Min(1, (length(size)-above)/tied))
		top.Selected += listed
		top.Hits += listed * number(s.Label[i])
		top.Chance += listed * positives / size
	}
	return top
}

// naiveECE gives every row its bin of ten by the rows with lower and with equal
// probability.
func naiveECE(s Sample) float64 {
	var excess [10]float64
	for i, p := range s.Prob {
		var below, equal int
		for _, q := range s.Prob {
			switch cmp.Compare(q, p) {
			case -1:
				below++
			case 0:
				equal++
			}
		}
		bin := (2*below + equal) * 10 / (2 * len(s.Prob)) // whole numbers: rounded down
		excess[bin] += p - number(s.Label[i])
	}
	var sum float64
	for _, e := range excess {
		sum += math.Abs(e)
	}
	return sum / float64(len(s.Prob))
}

// naiveProfit: the expected profit of lists of 4 rows per group.
func naiveProfit(s Sample, groups int) (perGroup, perContact float64) {
	list := naiveTop(s, func(size float64) float64 { return min(4, size) })
	profit := list.Hits*0.4*100 - list.Selected*12
	return profit / float64(groups), profit / list.Selected
}

// naiveMaximum tries every threshold, and to contact nobody, at one success rate.
func naiveMaximum(s Sample, successRate float64) float64 {
	var best float64
	for _, threshold := range s.Score {
		var profit float64
		for i, score := range s.Score {
			if score >= threshold {
				profit += number(s.Label[i])*successRate*100 - 12
			}
		}
		best = max(best, profit)
	}
	return best / float64(len(s.Label))
}

// paying returns the rows of s for which a contact pays.
func paying(s Sample) Sample {
	var keep []int
	for i, p := range s.Prob {
		if p*0.4*100 >= 12 {
			keep = append(keep, i)
		}
	}
	return s.Subset(keep)
}

// naiveMetrics returns metrics of params by name; groups is the number of groups
// before s was resampled.
func naiveMetrics(s Sample, groups int) map[string]float64 {
	few := naiveTop(s, func(size float64) float64 { return min(3, size) })
	fifth := naiveTop(s, func(size float64) float64 { return math.Ceil(size/5 - 1e-9) })
	profit, perContact := naiveProfit(s, groups)
	trusting, _ := naiveProfit(paying(s), groups)
	return map[string]float64{
		"pr_auc": naiveAP(s), "roc_auc": naiveAUC(s),
		"base_rate": BaseRate(s.Label), "log_loss": LogLoss(s.Prob, s.Label), "brier": Brier(s.Prob, s.Label),
		"calibration_in_the_large": meanOf(s.Prob) - BaseRate(s.Label),
		"ece":                      naiveECE(s),
		"precision_at_3":           few.Hits / few.Selected, "lift_at_3": few.Hits / few.Chance,
		"precision_at_20pct": fifth.Hits / fifth.Selected, "lift_at_20pct": fifth.Hits / fifth.Chance,
		"profit_at_capacity": profit, "profit_per_contact": perContact, "profit_at_threshold": trusting,
		"max_profit": naiveMaximum(s, 0.4),
	}
}

func meanOf(v []float64) float64 {
	var sum float64
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// params are the cuts and values of naiveMetrics.
func params() EvalParams {
	value := Value{KeptCustomer: 100, ContactCost: 12, SuccessRate: 0.4, Capacity: 4}
	return EvalParams{Bootstrap: 200, Seed: 3, TopK: []int{3}, TopShare: []float64{0.2}, Confidence: 0.9, Value: &value}
}

// random returns n rows of about n/3 users in 3 groups, with scores that tie
// often: multiples of 1/steps.
func random(n, steps int, seed uint64) Sample {
	rng := rand.New(rand.NewPCG(seed, 1))
	var s Sample
	for range n {
		p := float64(rng.IntN(steps+1)) / float64(steps)
		s.Score = append(s.Score, p)
		s.Prob = append(s.Prob, p)
		s.Label = append(s.Label, rng.Float64() < 0.1+0.6*p)
		s.Group = append(s.Group, int32(10*rng.IntN(3)))
		s.User = append(s.User, int32(7*rng.IntN(n/3)))
	}
	return s
}

// shuffled returns the rows of s in another order.
func shuffled(s Sample, seed uint64) (out Sample) {
	for _, i := range rand.New(rand.NewPCG(seed, 2)).Perm(len(s.Label)) {
		out.Score = append(out.Score, s.Score[i])
		out.Prob = append(out.Prob, s.Prob[i])
		out.Label = append(out.Label, s.Label[i])
		out.Group = append(out.Group, s.Group[i])
		out.User = append(out.User, s.User[i])
	}
	return out
}
