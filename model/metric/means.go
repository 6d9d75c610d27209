package metric

// sums are those of one user's rows.
type sums struct {
	rows, positives, logLoss, brier, excess float64
}

// means measures what is a mean over rows, from sums over every user's.
func means(s Sample, user []int32, users int) measure {
	total := make([]sums, users)
	for i, u := range user {
		total[u].add(s, i)
	}
	m := measure{names: []string{"base_rate"}, values: func(weight []float64) []float64 {
		t := weighted(total, weight)
		return []float64{ratio(t.positives, t.rows)}
	}}
	if s.Prob == nil {
		return m
	}
	m.names = []string{"base_rate", "log_loss", "brier", "calibration_in_the_large"}
	m.values = func(weight []float64) []float64 {
		t := weighted(total, weight)
		return []float64{ratio(t.positives, t.rows), ratio(t.logLoss, t.rows), ratio(t.brier, t.rows), ratio(t.excess, t.rows)}
	}
	return m
}

// add adds row i of s.
func (t *sums) add(s Sample, i int) {
	t.rows++
	t.positives += number(s.Label[i])
	if s.Prob != nil {
		t.logLoss += logLoss(s.Prob[i], s.Label[i])
		t.brier += squaredError(s.Prob[i], s.Label[i])
		t.excess += s.Prob[i] - number(s.Label[i])
	}
}

// weighted returns the weighted sums over all users.
func weighted(total []sums, weight []float64) sums {
	var t sums
	for u, w := range weight {
		s := &total[u]
		t.rows += float64(w * s.rows)
		t.positives += float64(w * s.positives)
		t.logLoss += float64(w * s.logLoss)
		t.brier += float64(w * s.brier)
		t.excess += float64(w * s.excess)
	}
	return t
}
