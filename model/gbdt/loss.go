package gbdt

import (
	"math"

	"churn/internal/parallel"
)

// lossRows is the number of rows that one task adds up. It is a constant
// because the order of summation follows it.
const lossRows = 16384

// gradient returns the derivatives by the margin m of the loss
// log(1+exp(m)) - y·m of a row: p - y and p(1-p). y is 0 or 1. There is no
// branch on m or y, which cannot be predicted.
func gradient(m, y float64) (g, h float64) {
	e := expNeg(math.Abs(m))
	r := 1 / (1 + e) // the larger of p and 1-p
	return 0.5 + math.Copysign(r-0.5, m) - y, e * r * r
}

// logLoss returns log(1+exp(m)) - y·m.
func logLoss(m float64, y bool) float64 {
	if y {
		m = -m
	}
	return max(m, 0) + math.Log1p(expNeg(math.Abs(m)))
}

// expNeg returns exp(-x) for x ≥ 0 within one unit in the last place, down to
// exp(-700). Unlike math.Exp, which is assembly on some machines, it gives the
// same bits on all of them. The method is that of FreeBSD's e_exp.c: with
// -x = r - k·log 2 and |r| ≤ ½ log 2, exp(r) is a rational function of r.
func expNeg(x float64) float64 {
	const (
		high = 6.93147180369123816490e-01 // log 2, in two parts
		low  = 1.90821492927058770002e-10
		p1   = 1.66666666666666657415e-01
		p2   = -2.77777777770155933842e-03
		p3   = 6.61375632143793436117e-05
		p4   = -1.65339022054652515390e-06
		p5   = 4.13813679705723846039e-08
	)
	x = min(x, 700)
	k := int64(float64(x*math.Log2E) + 0.5)
	a, b := float64(float64(k)*high)-x, float64(float64(k)*low)
	r := a + b
	t := r * r
	c := r - float64(t*(p1+float64(t*(p2+float64(t*(p3+float64(t*(p4+float64(t*p5)))))))))
	y := 1 + (a + (b + float64(r*c)/(2-c)))
	return y * math.Float64frombits(uint64(1023-k)<<52)
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
