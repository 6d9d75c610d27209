package gbdt

import (
	"math"

	"churn/internal/parallel"
)

// lossRows is the number of rows that one task adds up. It is a constant
// because the order of summation follows it.
const lossRows = 16384

// gradient returns the derivatives by the margin m of the loss
// log(1+exp(m)) - y·m of a row: p - y and p(1-p).
func gradient(m float64, y bool) (g, h float64) {
	e := math.Exp(-math.Abs(m))
	r := 1 / (1 + e) // the larger of p and 1-p
	small := e * r
	h = small * r
	switch {
	case y == (m >= 0):
		g = small
	default:
		g = r
	}
	if y {
		g = -g
	}
	return g, h
}

// logLoss returns log(1+exp(m)) - y·m.
func logLoss(m float64, y bool) float64 {
	if y {
		m = -m
	}
	return max(m, 0) + math.Log1p(math.Exp(-math.Abs(m)))
}

// loss returns the weighted mean loss of a sample.
func (s *sample) loss(margin []float64) float64 {
	sum := 0.0
	parts := make([]float64, chunks(len(margin)))
	eachChunk(len(margin), func(k, from, to int) {
		for i := from; i < to; i++ {
			parts[k] += float64(s.weightOf(i) * logLoss(margin[i], s.label[i]))
		}
	})
	for _, part := range parts {
		sum += part
	}
	return sum / s.total
}

// eachChunk calls work for every chunk of n rows, on several cores.
func eachChunk(n int, work func(k, from, to int)) {
	parallel.Each(chunks(n), func(k int) { work(k, k*lossRows, min((k+1)*lossRows, n)) })
}

// chunks returns the number of chunks of n rows.
func chunks(n int) int { return (n + lossRows - 1) / lossRows }
