package model

import "math"

// Classifier scores one encoded row. Margin is the log-odds of the positive
// class; Sigmoid turns it into a probability. Implementations are safe for
// concurrent use and do not allocate.
type Classifier interface {
	Margin(r Row) float64
}

// Sigmoid returns 1/(1+exp(-margin)) without overflow: the exponential is only
// taken of a negative number, so both tails keep their relative precision.
func Sigmoid(margin float64) float64 {
	if margin >= 0 {
		return 1 / (1 + math.Exp(-margin))
	}
	e := math.Exp(margin)
	return e / (1 + e)
}
