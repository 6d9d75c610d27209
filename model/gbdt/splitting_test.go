package gbdt

import (
	"math"
	"math/rand/v2"
	"testing"
)

// choice is one way that the twin tries: which bins go left.
type choice struct {
	gain float64
	left [256]bool
}

// exhaustive is the readable twin: the gain of each choice of bins that go
// left, from sums of floats, and the best of them.
func exhaustive(s *searcher, h []bin, n *node, sign int8, choices [][256]bool) (best choice) {
	for _, left := range choices {
		var sum [2]bin
		for k, b := range h {
			sum[index(!left[k])].add(b)
		}
		ok := true
		var value, score [2]float64
		for k, b := range sum {
			g, hess := float64(b.g)*s.unitG, float64(b.h)*s.unitH
			ok = ok && b.n >= int64(s.params.MinSamplesLeaf) && hess >= s.params.MinChildWeight
			value[k] = math.Min(math.Max(-g/(hess+s.params.L2), n.low), n.high)
			score[k] = -2*g*value[k] - (hess+s.params.L2)*value[k]*value[k]
		}
		if ok && float64(sign)*(value[1]-value[0]) >= 0 {
			if gain := score[0] + score[1] - s.score(n.sum, n); gain > best.gain {
				best = choice{gain, left}
			}
		}
	}
	return best
}

// thresholds returns the choices of a numeric with this number of bins: all
// thresholds with nulls on either side.
func thresholds(bins int) (out [][256]bool) {
	for t := range bins - 1 {
		for _, null := range []bool{false, true} {
			var left [256]bool
			for k := range t + 1 {
				left[k] = true
			}
			left[bins] = null
			out = append(out, left)
		}
	}
	return out
}

// values returns the choice of the values against the nulls.
func values(bins int) (left [256]bool) {
	for k := range bins {
		left[k] = true
	}
	return left
}

// subsets returns all choices of levels.
func subsets(levels int) (out [][256]bool) {
	for s := range 1 << levels {
		var left [256]bool
		for k := range levels {
			left[k] = s>>k&1 == 1
		}
		out = append(out, left)
	}
	return out
}

// bins returns a random histogram with some empty bins and its node.
func randomBins(rng *rand.Rand, n int, nulls bool) ([]bin, *node) {
	h := make([]bin, n+1)
	for k := range h {
		if rng.IntN(4) > 0 && (k < n || nulls) {
			rows := 1 + rng.Int64N(30)
			h[k] = bin{rows * (rng.Int64N(1000) - 500), rows * (50 + rng.Int64N(200)), rows}
		}
	}
	at := root(total(h))
	return h, &at
}

// goes returns which bins a split sends to the left.
func (b *split) goes(c *column) (out [256]bool) {
	for k, l := range b.goesLeft(c) {
		out[k] = l == 1
	}
	return out
}

func newSearcher(p Params, bounded bool) *searcher {
	return &searcher{params: &p, unitG: 1.0 / gradOne, unitH: 1.0 / hessOne, bounded: bounded}
}

// Law: the best split of a numeric is that of the twin, in gain and in what
// goes left, with nulls, bounds, constraints, λ and limits. The planted mutant
// forgets λ.
func TestNumericSplitMatchesTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 7))
	noticed := false
	for trial := range 500 {
		p := with(func(p *Params) {
			p.L2, p.MinSamplesLeaf, p.MinChildWeight = float64(trial%3), 1+20*(trial%2), float64(trial%5)
		})
		c := &column{bins: 1 + rng.IntN(20), sign: int8(trial%3 - 1)}
		h, n := randomBins(rng, c.bins, trial%4 > 0)
		s := newSearcher(p, c.sign != 0 || trial%2 == 0)
		if s.bounded {
			n.low, n.high = -0.5*rng.Float64(), 0.5*rng.Float64()
		}
		got, want := s.numeric(c, h, n), exhaustive(s, h, n, c.sign, thresholds(c.bins))
		sign := c.sign
		if null := exhaustive(s, h, n, 0, [][256]bool{values(c.bins)}); null.gain >= want.gain {
			want, sign = null, 0
		}
		if math.Abs(got.gain-want.gain) > 1e-9*(1+want.gain) {
			t.Fatalf("trial %d: gain %v, want %v", trial, got.gain, want.gain)
		}
		if same := exhaustive(s, h, n, sign, [][256]bool{got.goes(c)}); got.gain > 0 && math.Abs(same.gain-want.gain) > 1e-9*(1+want.gain) {
			t.Fatalf("trial %d: the split sends other bins to the left than its gain says", trial)
		}
		p.L2 = 0
		mutant := newSearcher(p, s.bounded).numeric(c, h, n)
		noticed = noticed || math.Abs(mutant.gain-want.gain) > 1e-6
	}
	if !noticed {
		t.Error("the law does not see λ")
	}
}

// Law: without smoothing, λ and bounds, no subset of levels gains more than
// the best prefix of the sorted ones (Fisher 1958). The planted mutant sorts by
// level.
func TestCategoricalSplitMatchesTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 8))
	noticed := false
	for trial := range 200 {
		p := with(func(p *Params) { p.CatSmooth, p.MinSamplesLevel, p.MinSamplesLeaf, p.MinChildWeight = 0, 1, 1, 0 })
		c := &column{bins: 2 + rng.IntN(8), levels: true}
		h, n := randomBins(rng, c.bins, false)
		s := newSearcher(p, false)
		got, want := s.categorical(c, h, n), exhaustive(s, h, n, 0, subsets(c.bins))
		if math.Abs(got.gain-want.gain) > 1e-9*(1+want.gain) {
			t.Fatalf("trial %d: gain %v, want %v", trial, got.gain, want.gain)
		}
		if same := exhaustive(s, h, n, 0, [][256]bool{got.goes(c)}); got.gain > 0 && math.Abs(same.gain-want.gain) > 1e-9*(1+want.gain) {
			t.Fatalf("trial %d: the split sends other levels to the left than its gain says", trial)
		}
		noticed = noticed || s.numeric(c, h, n).gain < want.gain-1e-6
	}
	if !noticed {
		t.Error("the law does not see the order of the levels")
	}
}

// Law: a level with fewer rows than min_samples_level stays on the right.
func TestRareLevelsStayRight(t *testing.T) {
	h := []bin{{-9000, 100, 5}, {9000, 900, 50}, {-9000, 900, 50}, {}}
	n := root(total(h))
	got := newSearcher(with(func(p *Params) { p.MinSamplesLevel = 6 }), false).categorical(&column{bins: 3, levels: true}, h, &n)
	if got.gain == 0 || got.set.Has(0) || got.set.Has(1) == got.set.Has(2) {
		t.Errorf("levels %b go left with gain %v", got.set[0], got.gain)
	}
}
