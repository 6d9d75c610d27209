package metric

import "sync"

// atCapacity measures the profit of contacting the Capacity highest-scored rows
// of every group, or all if it has fewer, whatever their probabilities: the
// figure by which rankings without probabilities compare at equal effort.
func (v Value) atCapacity(groups func() []ranking) measure {
	return measure{
		names: []string{ProfitAtCapacity, "profit_per_contact"},
		values: func(weight []float64) []float64 {
			profit, contacts := v.contact(groups(), weight)
			return []float64{ratio(profit, float64(len(groups()))), ratio(profit, contacts)}
		},
	}
}

// atThreshold measures the profit of contacting, of the rows whose probability
// reaches Threshold, the Capacity highest-scored ones of every group: what one
// would do who trusts the probabilities, leaving capacity unused.
func (v Value) atThreshold(s Sample, user []int32) measure {
	groups := sync.OnceValue(func() []ranking {
		var paying []int
		for i, p := range s.Prob {
			if p >= v.Threshold() {
				paying = append(paying, i)
			}
		}
		return rankGroups(s.Subset(paying), pick(user, paying))
	})
	dates := float64(s.groups())
	return measure{
		names: []string{"profit_at_threshold", "contacts_at_threshold"},
		values: func(weight []float64) []float64 {
			profit, contacts := v.contact(groups(), weight)
			return []float64{ratio(profit, dates), ratio(contacts, dates)}
		},
	}
}

// contact returns the profit of contacting the first Capacity rows of every
// group, and how many rows those are.
func (v Value) contact(groups []ranking, weight []float64) (profit, contacts float64) {
	var hits float64
	for _, g := range groups {
		rows, positives := g.first(float64(v.Capacity), weight)
		contacts, hits = contacts+rows, hits+positives
	}
	return v.Profit(contacts, hits), contacts
}

// first returns the first rows, up to limit, and the positives among them, as cut
// does, but looks no further.
func (r ranking) first(limit float64, weight []float64) (rows, hits float64) {
	var block, positives float64
	for _, e := range r {
		w := weight[e.user]
		block += w
		if e.positive {
			positives += w
		}
		if !e.last || block == 0 {
			continue
		}
		taken := min(limit-rows, block)
		rows, hits = rows+taken, hits+float64(positives*(taken/block))
		if rows >= limit {
			break
		}
		block, positives = 0, 0
	}
	return rows, hits
}
