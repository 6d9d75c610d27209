package explain

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Law: base and contributions sum to the margin; they are the Shapley values of
// the definition, and those of the textbook's algorithm.
func TestTreesAreShapley(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, leaves := range []int{1, 2, 4, 12, 40} {
		m, x := randomModel(rng, 6, leaves), randomMatrix(rng, 20)
		trees := NewTrees(m, nil)
		e, out := trees.NewExplainer(), make([]float64, len(m.Features))
		for i := range x.Rows() {
			r := x.Row(i)
			e.Contributions(r, out)
			sum := trees.Base()
			for _, v := range out {
				sum += v
			}
			if d := math.Abs(sum - margin(m, r)); !(d < 1e-12) {
				t.Errorf("%d leaves, row %d: not additive by %g", leaves, i, d)
			}
			brute, book := bruteForce(m, r), textbook(m, r)
			for j, got := range out {
				if !(math.Abs(got-brute[j]) < 1e-12) || !(math.Abs(got-book[j]) < 1e-9) {
					t.Errorf("%d leaves, row %d, feature %d: %v, want %v (definition), %v (textbook)", leaves, i, j, got, brute[j], book[j])
				}
			}
		}
	}
}
