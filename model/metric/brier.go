package metric

// Decomposition says where a Brier score comes from:
//
//	Brier = Reliability - Resolution + Uncertainty + WithinVariance - WithinCovariance
//
// With the means f_k of the probabilities and o_k of the labels in bin k of n_k
// rows, and o over all (Murphy, 1973):
//
//	Reliability      Σ n_k (f_k - o_k)² / n   miscalibration: less is better
//	Resolution       Σ n_k (o_k - o)² / n     spread of the rates: more is better
//	Uncertainty      o (1 - o)                of the labels alone
//
// and what bins hide (Stephenson, Coelho & Jolliffe, 2008), without which the sum
// is not exact:
//
//	WithinVariance   Σ (f_i - f_k)² / n
//	WithinCovariance 2 Σ (f_i - f_k)(o_i - o_k) / n
type Decomposition struct {
	Brier            float64 `json:"brier"`
	Reliability      float64 `json:"reliability"`
	Resolution       float64 `json:"resolution"`
	Uncertainty      float64 `json:"uncertainty"`
	WithinVariance   float64 `json:"within_variance"`
	WithinCovariance float64 `json:"within_covariance"`
}

// DecomposeBrier decomposes the Brier score over at most so many bins of equal
// mass. All parts are 0 without rows. It panics if the lengths differ or bins is
// below 1.
func DecomposeBrier(prob []float64, label []bool, bins int) Decomposition {
	if len(prob) != len(label) || bins < 1 {
		panic("metric: DecomposeBrier needs as many labels as probabilities and at least one bin")
	}
	n := len(label)
	if n == 0 {
		return Decomposition{}
	}
	p := rankProbabilities(Sample{Score: prob, Prob: prob, Label: label}, singles(n))
	rate := BaseRate(label)
	d := Decomposition{Brier: Brier(prob, label), Uncertainty: rate * (1 - rate)}
	for _, rows := range p.divide(bins) {
		rows.decompose(rate, &d)
	}
	for _, part := range []*float64{&d.Reliability, &d.Resolution, &d.WithinVariance, &d.WithinCovariance} {
		*part /= float64(n)
	}
	return d
}

// decompose adds the sums over the rows of one bin.
func (p probabilities) decompose(rate float64, d *Decomposition) {
	sum := p.sum()
	f, o := sum.prob/sum.rows, sum.positives/sum.rows
	d.Reliability += float64(sum.rows * (f - o) * (f - o))
	d.Resolution += float64(sum.rows * (o - rate) * (o - rate))
	for k, e := range p.ranking {
		within := p.prob[k] - f
		d.WithinVariance += float64(within * within)
		d.WithinCovariance += float64(2 * within * (number(e.positive) - o))
	}
}
