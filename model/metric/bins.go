package metric

import (
	"cmp"
	"math"
)

// probabilityBins is the number of bins of equal mass behind "ece": the usual
// ten, each of which then holds rows enough for its rate to mean something.
const probabilityBins = 10

// probabilities holds rows sorted by rising probability.
type probabilities struct {
	ranking
	prob []float64
}

// rankProbabilities sorts the rows. user is the cluster of every row.
func rankProbabilities(s Sample, user []int32) probabilities {
	r, order := s.sorted(user, func(a, b int32) int { return cmp.Compare(s.Prob[a], s.Prob[b]) })
	prob := make([]float64, len(order))
	for k, i := range order {
		prob[k] = s.Prob[i]
	}
	return probabilities{r, prob}
}

// bin holds weighted sums over the rows of one bin.
type bin struct{ rows, prob, positives float64 }

// excess returns Σ (probability - label).
func (b bin) excess() float64 { return b.prob - b.positives }

// eachBlock calls visit with the rows [from, to) of every block of equal
// probabilities, their sums and the bin of equal mass in which the middle of the
// block lies: a block is never divided, so bins differ in mass where it is long.
func (p probabilities) eachBlock(weight []float64, bins int, visit func(from, to, at int, b bin)) {
	total, _ := p.totals(weight)
	var before float64
	var block bin
	from := 0
	for k, e := range p.ranking {
		block.rows += weight[e.user]
		block.positives += float64(weight[e.user] * number(e.positive))
		if !e.last {
			continue
		}
		if block.rows > 0 {
			block.prob = block.rows * p.prob[k]
			at := int((before + block.rows/2) / total * float64(bins))
			visit(from, k+1, min(at, bins-1), block)
		}
		before, block, from = before+block.rows, bin{}, k+1
	}
}

// bins returns the bins of equal mass, some perhaps empty.
func (p probabilities) bins(weight []float64, count int) []bin {
	out := make([]bin, count)
	p.eachBlock(weight, count, func(_, _, at int, b bin) {
		out[at].rows += b.rows
		out[at].prob += b.prob
		out[at].positives += b.positives
	})
	return out
}

// equalMass measures the calibration error over bins of equal mass.
func equalMass(s Sample, user []int32) measure {
	p := rankProbabilities(s, user)
	return measure{names: []string{"ece"}, values: func(weight []float64) []float64 {
		return []float64{calibrationError(p.bins(weight, probabilityBins))}
	}}
}

// calibrationError returns Σ |excess| over the rows.
func calibrationError(bins []bin) float64 {
	var sum, rows float64
	for _, b := range bins {
		sum += math.Abs(b.excess())
		rows += b.rows
	}
	return ratio(sum, rows)
}

// ECEEqualMass returns the expected calibration error over bins of as equal
// numbers of rows as equal probabilities allow, which waste none on empty ranges
// (Nguyen & O'Connor, 2015). bins is at least 1. Like every ECE it is above 0 for
// calibrated probabilities too: compare with Reliability.ExpectedECE.
func ECEEqualMass(prob []float64, label []bool, bins int) float64 {
	if len(prob) != len(label) || bins < 1 {
		panic("metric: ECEEqualMass needs as many labels as probabilities and at least one bin")
	}
	s := Sample{Score: prob, Prob: prob, Label: label}
	return calibrationError(rankProbabilities(s, singles(len(prob))).bins(ones(len(prob)), bins))
}
