package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"churn/internal/parallel"
	"churn/model"
)

const (
	syntheticColumns = 50
	syntheticChunk   = 4096 // rows of one random stream, so that cores do not matter
	factors          = 5    // latent; column j shares factor j % 5
	nullShare        = 0.1  // of every fifth column, where nulls are asked for

	// Columns of one factor correlate by shared² = 0.88, as the windows of 7, 14
	// and 30 days of one count do: in the matrices of the portals the median over
	// columns of the largest correlation with another is 0.86 to 0.99.
	shared, own = 0.94, 0.34
)

// synthetic returns n rows of 50 correlated numerics: a fifth skewed, a fifth
// counts, a fifth coarse, the rest smooth. The log-odds of the label bend, step
// and interact in the factors; about a fifth of the labels are positive. The
// same n, seed and nulls give the same rows.
func synthetic(n int, seed uint64, nulls bool) *sample {
	s := &sample{label: make([]bool, n), frame: model.Frame{Numeric: make([]float64, n*syntheticColumns)}}
	for j := range syntheticColumns {
		s.frame.NumericNames = append(s.frame.NumericNames, fmt.Sprintf("x%02d", j))
	}
	parallel.Each((n+syntheticChunk-1)/syntheticChunk, func(k int) {
		rng := rand.New(rand.NewPCG(seed, uint64(k)))
		for i := k * syntheticChunk; i < min((k+1)*syntheticChunk, n); i++ {
			x, _ := s.frame.Row(i)
			s.label[i] = rng.Float64() < model.Sigmoid(draw(rng, x))
			if nulls {
				blank(rng, x)
			}
		}
	})
	return s
}

// draw fills one row and returns its log-odds.
func draw(rng *rand.Rand, x []float64) float64 {
	var z [factors]float64
	for k := range z {
		z[k] = rng.NormFloat64()
	}
	for j := range x {
		v := shared*z[j%factors] + own*rng.NormFloat64()
		switch j / factors % 5 {
		case 0:
			v = math.Exp(v)
		case 1:
			v = math.Floor(3 * math.Exp(0.8*v))
		case 2:
			v = math.Round(5*v) / 5
		}
		x[j] = v
	}
	step := 0.0
	if z[4] > 0.5 {
		step = 1
	}
	return -2.3 + 0.8*z[0] - 0.6*z[1] + 0.8*z[2]*z[3] + step + 0.4*math.Sin(2*z[0]) + 0.3*math.Abs(x[15])
}

// blank makes a tenth of every fifth column null.
func blank(rng *rand.Rand, x []float64) {
	for j := 0; j < len(x); j += 5 {
		if rng.Float64() < nullShare {
			x[j] = math.NaN()
		}
	}
}

// weighted gives every row one of three weights.
func (s *sample) weighted() *sample {
	s.weight = make([]float64, len(s.label))
	for i := range s.weight {
		s.weight[i] = []float64{0.5, 1, 2}[i%3]
	}
	return s
}
