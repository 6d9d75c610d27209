package metric

import (
	"cmp"
	"math"
	"sync"
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

// places walks up bins of equal mass. Its arithmetic is exact for whole weights,
// so a block in the middle between two bins does not depend on rounding.
type places struct {
	total, bins float64
	at          int
}

// next returns the bin in which the middle of the next block of equal
// probabilities lies. A block is never divided, so bins differ in mass where one
// is long.
func (p *places) next(before, block float64) int {
	for (before+block/2)*p.bins >= float64(p.at+1)*p.total {
		p.at++
	}
	return p.at
}

// bins returns the bins of equal mass, some perhaps empty, with weight[u] for the
// rows of user u, total in all.
func (p probabilities) bins(weight []float64, total float64, count int) []bin {
	out, in := make([]bin, count), places{total: total, bins: float64(count)}
	var before, rows, positives float64
	for k, e := range p.ranking {
		w := weight[e.user]
		rows += w
		if e.positive {
			positives += w
		}
		if !e.last || rows == 0 {
			continue
		}
		b := &out[in.next(before, rows)]
		b.rows += rows
		b.prob += float64(rows * p.prob[k])
		b.positives += positives
		before, rows, positives = before+rows, 0, 0
	}
	return out
}

// divide returns the rows of every bin that has any, all weights being 1.
func (p probabilities) divide(bins int) (out []probabilities) {
	in := places{total: float64(len(p.prob)), bins: float64(bins)}
	last, start, from := -1, 0, 0
	for k, e := range p.ranking {
		if !e.last {
			continue
		}
		if at := in.next(float64(from), float64(k+1-from)); at != last {
			out, last, start = append(out, probabilities{}), at, from
		}
		out[len(out)-1] = probabilities{p.ranking[start : k+1], p.prob[start : k+1]}
		from = k + 1
	}
	return out
}

// equalMass measures the calibration error over bins of equal mass.
func equalMass(s Sample, user []int32, users int) measure {
	sorted, rows := sync.OnceValue(func() probabilities { return rankProbabilities(s, user) }), make([]float64, users)
	for _, u := range user {
		rows[u]++
	}
	return measure{names: []string{"ece"}, values: func(weight []float64) []float64 {
		var total float64
		for u, w := range weight {
			total += float64(w * rows[u])
		}
		return []float64{calibrationError(sorted().bins(weight, total, probabilityBins))}
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
	n := len(prob)
	p := rankProbabilities(Sample{Score: prob, Prob: prob, Label: label}, singles(n))
	return calibrationError(p.bins(ones(n), float64(n), bins))
}
