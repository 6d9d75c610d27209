package train

import (
	"math"

	"churn/model"
	"churn/model/calibrate"
	"churn/pipeline/dataset"
)

// A fold is fitted on earlier dates than it is judged by, and churn rates move
// with the seasons. What a fold's margins miss of its rate is not the map's to
// mend: the final fit has seen those dates itself, and a map that had learned
// the difference would add it once more. So the margins of every fold are moved
// to the fold's own rate before the map is fitted, and the map is then moved to
// the rate of all training rows, which also undoes what class weights do.

// maxShift bounds how far margins are moved: odds of e²⁰ : 1 are certainty.
const maxShift = 20

// rateShift returns δ with mean(probability(margin+δ)) = rate, by bisection:
// the mean never falls in δ.
func rateShift(margins []float64, rate float64, probability func(margin float64) float64) float64 {
	low, high := -float64(maxShift), float64(maxShift)
	for high-low > 1e-9 {
		middle := (low + high) / 2
		var sum float64
		for _, m := range margins {
			sum += probability(m + middle)
		}
		if sum < rate*float64(len(margins)) {
			low = middle
		} else {
			high = middle
		}
	}
	return (low + high) / 2
}

// toOwnRates moves the margins of each fold's validation rows to its churn rate.
func toOwnRates(folds []Fold, margins []float64) {
	for _, f := range folds {
		own := margins[:f.validate.Len()]
		delta := rateShift(own, f.validate.Rate(), model.Sigmoid)
		for i := range own {
			own[i] += delta
		}
		margins = margins[len(own):]
	}
}

// shiftRows bounds the rows that the final shift is measured on.
const shiftRows = 50_000

// leastShift is the shift of the log-odds below which the map is left alone: a
// fiftieth changes no risk by half a point.
const leastShift = 0.02

// toTrainingRate moves a map so that the mean probability over the training
// rows is their churn rate.
func toTrainingRate(c calibrate.Map, margins []float64, rows *dataset.Rows) calibrate.Map {
	step := max(len(margins)/shiftRows, 1)
	var sample []float64
	positives := 0
	for i := 0; i < len(margins); i += step {
		sample = append(sample, margins[i])
		if rows.Label[i] {
			positives++
		}
	}
	delta := rateShift(sample, float64(positives)/float64(len(sample)), c.Probability)
	if math.Abs(delta) < leastShift {
		return c
	}
	return shifted(c, delta)
}

// shifted returns the map x ↦ c(x+δ).
func shifted(c calibrate.Map, delta float64) calibrate.Map {
	switch c.Kind {
	case calibrate.None:
		return calibrate.Map{Kind: calibrate.Platt, Slope: 1, Intercept: delta}
	case calibrate.Platt:
		c.Intercept += float64(c.Slope * delta)
		return c
	}
	knots := make([]float64, len(c.Margins))
	for i, m := range c.Margins {
		knots[i] = m - delta
	}
	c.Margins = knots
	return c
}
