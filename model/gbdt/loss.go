package gbdt

import "math"

// gradient returns the derivatives by the margin m of the loss
// log(1+exp(m)) - y·m of a row: p - y and p(1-p). y is 0 or 1. There is no
// branch on m or y, which cannot be predicted, and one division.
func gradient(m, y float64) (g, h float64) {
	num, den := exp(-m)
	scale := 1 / (num + den)
	p := float64(den * scale)
	return p - y, p * (num * scale)
}

// logLoss returns log(1+exp(m)) - y·m.
func logLoss(m float64, y bool) float64 {
	if y {
		m = -m
	}
	num, den := exp(-math.Abs(m))
	return max(m, 0) + math.Log1p(num/den)
}

// exp returns exp(x) as a fraction, within two units in the last place; x is cut
// to ±700. Unlike math.Exp, which is assembly on some machines, it gives the
// same bits on all of them. The method is that of FreeBSD's e_exp.c: with
// x = r + k·log 2, |r| ≤ ½ log 2 and a polynomial c of r,
//
//	exp(r) = (2 - c + 2r) / (2 - c) .
func exp(x float64) (num, den float64) {
	const (
		high = 6.93147180369123816490e-01 // log 2, in two parts
		low  = 1.90821492927058770002e-10
		p1   = 1.66666666666666657415e-01
		p2   = -2.77777777770155933842e-03
		p3   = 6.61375632143793436117e-05
		p4   = -1.65339022054652515390e-06
		p5   = 4.13813679705723846039e-08
	)
	x = min(max(x, -700), 700)
	k := int64(float64(x*math.Log2E)+1023.5) - 1023 // truncated, and so rounded down
	r := x - float64(float64(k)*high) - float64(float64(k)*low)
	t := float64(r * r)
	c := r - float64(t*(p1+float64(t*(p2+float64(t*(p3+float64(t*(p4+float64(t*p5)))))))))
	den = 2 - c
	return (den + 2*r) * math.Float64frombits(uint64(1023+k)<<52), den
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
