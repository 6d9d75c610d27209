package metric

// Gain is a point of the gains and lift curves: what the highest-scored share of
// every group's rows holds.
type Gain struct {
	Share     float64 `json:"share"`     // of every group, before rounding up to whole rows
	Rows      float64 `json:"rows"`      // on the lists
	Recall    float64 `json:"recall"`    // share of all positives that the lists hold
	Precision float64 `json:"precision"` // share of positives on the lists
	Lift      float64 `json:"lift"`      // as Top.Lift
}

// Gains returns a point for every share in (0, 1], in their order; lists are those
// of TopShare. It is nil without positives. It panics if a share is out of range.
func Gains(s Sample, shares []float64) []Gain {
	cuts := make([]cut, len(shares))
	for i, share := range shares {
		if !(share > 0 && share <= 1) {
			panic("metric: Gains needs shares in (0, 1]")
		}
		cuts[i] = cut{share: share}
	}
	n := len(s.Label)
	groups := rankGroups(s, singles(n))
	var positives float64
	for _, g := range groups {
		_, p := g.totals(ones(n))
		positives += p
	}
	if positives == 0 {
		return nil
	}
	out := make([]Gain, len(cuts))
	for i, t := range take(groups, cuts, ones(n)) {
		out[i] = Gain{Share: shares[i], Rows: t.Selected, Recall: t.Hits / positives, Precision: t.Precision(), Lift: t.Lift()}
	}
	return out
}
