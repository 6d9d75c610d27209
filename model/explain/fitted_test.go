package explain

import (
	"math"
	"math/rand/v2"
	"testing"

	"churn/model/gbdt"
)

// Law: base and contributions sum to the margin of a model that was fitted, as
// the model itself computes it, to 1e-9. The planted mutant, a base that is off
// by 1e-6, must be noticed.
func TestFittedTreesAreAdditive(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 1))
	x := randomMatrix(rng, 2000)
	label := make([]bool, x.Rows())
	for i := range label {
		r := x.Row(i)
		label[i] = r.Dense[0]*r.Dense[1] > rng.NormFloat64() || r.Codes[0] == numerics
	}
	for g := range categoricals {
		for l := range levels {
			x.Names[numerics+levels*g+l] = string(rune('a'+g)) + "=" + string(rune('p'+l))
		}
	}
	for j := range numerics {
		x.Names[j] = string(rune('u' + j))
	}
	p := gbdt.Defaults()
	p.MaxIter, p.NIterNoChange = 30, 0
	m, _, err := gbdt.Fit(t.Context(), gbdt.Input{Train: gbdt.Data{X: x, Label: label}}, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	worst := func(e explained) (off float64) {
		out := make([]float64, len(m.Features))
		for i := range x.Rows() {
			e.fill(x.Row(i), out)
			sum := e.base
			for _, v := range out {
				sum += v
			}
			off = max(off, math.Abs(sum-m.Margin(x.Row(i))))
		}
		return off
	}
	e := explain(m)
	if off := worst(e); !(off < 1e-9) {
		t.Errorf("the sum is off by %g", off)
	}
	e.base += 1e-6
	if off := worst(e); off < 1e-9 {
		t.Error("the law does not notice a base that is off")
	}
}
