package metric

import (
	"fmt"
	"math/rand/v2"

	"churn/internal/parallel"
)

// Chances are those of the rows to be positive. Redraw, if it is not nil, writes
// the chances of a replicate to out, where they are known with an error
// themselves.
type Chances struct {
	Of     []float64
	Redraw func(rng *rand.Rand, out []float64)
}

// Expect returns what metrics of s, which are Evaluate's, would be if nothing but
// the chances of its rows were known; s.Label is not looked at.
//
// The value is the metric under the expected confusion matrix at every threshold
// (row i counts Of[i] as a positive and 1-Of[i] as a negative), which is the
// confidence-based estimate of NannyML (Performance estimation, "how it works",
// CBPE). The p.Bootstrap draws are the metric under labels drawn from the chances,
// independently of each other, as Kivimäki, Białek, Kuberski & Nurminen
// ("Performance estimation in binary classification using calibrated confidence",
// arXiv:2505.05295) treat the confusion matrix: the metric that these very rows
// will have once their labels are known lies among them. A row is to be of its own
// user. Replicate b depends on p.Seed, b and the rows alone.
//
// It returns an error if Evaluate would not report a metric, and panics if s, p or
// the number of chances is invalid.
func Expect(s Sample, chances Chances, names []string, p EvalParams) ([]Series, error) {
	n := len(chances.Of)
	if n != len(s.Score) {
		panic("metric: Expect needs a chance of every row")
	}
	both := s.bothWays()
	metrics, err := both.checked(p).evaluator(both.User, 2*n, p).only(names)
	if err != nil {
		return nil, fmt.Errorf("expect: %w", err)
	}
	values := metrics(split(chances.Of, make([]float64, 2*n)))
	draws := make([][]float64, p.Bootstrap)
	parallel.Each((len(draws)+replicateBlock-1)/replicateBlock, func(k int) {
		of, weight := make([]float64, n), make([]float64, 2*n)
		for b := k * replicateBlock; b < min((k+1)*replicateBlock, len(draws)); b++ {
			chances.draw(rand.New(rand.NewPCG(p.Seed, uint64(b))), of)
			draws[b] = metrics(split(of, weight))
		}
	})
	out := make([]Series, len(names))
	for k := range names {
		out[k] = Series{values[k], column(draws, k)}
	}
	return out, nil
}

// bothWays returns every row as a positive and as a negative one, of users of
// their own: 2i and 2i+1.
func (s Sample) bothWays() Sample {
	n := len(s.Score)
	out := Sample{Score: make([]float64, 2*n), Prob: make([]float64, 2*n), Label: make([]bool, 2*n), User: singles(2 * n)}
	if s.Group != nil {
		out.Group = make([]int32, 2*n)
	}
	for k := range 2 * n {
		out.Score[k], out.Prob[k], out.Label[k] = s.Score[k/2], s.Prob[k/2], k%2 == 0
		if s.Group != nil {
			out.Group[k] = s.Group[k/2]
		}
	}
	return out
}

// draw writes labels, 1 for a positive one, to of.
func (c Chances) draw(rng *rand.Rand, of []float64) {
	copy(of, c.Of)
	if c.Redraw != nil {
		c.Redraw(rng, of)
	}
	for i, chance := range of {
		of[i] = number(rng.Float64() < chance)
	}
}

// split writes the weights of the rows of bothWays.
func split(chance, weight []float64) []float64 {
	for i, p := range chance {
		weight[2*i], weight[2*i+1] = p, 1-p
	}
	return weight
}
