package explain

import (
	"math"
	"math/bits"
	"slices"

	"churn/model"
	"churn/model/gbdt"
)

// bruteForce returns the Shapley values of the features by their definition: a
// sum over all subsets of the others.
func bruteForce(m *gbdt.Model, r model.Row) []float64 {
	n := len(m.Features)
	value := make([]float64, 1<<n)
	for set := range value {
		for k := range m.Trees {
			value[set] += conditional(m, &m.Trees[k], 0, r, set)
		}
	}
	out := make([]float64, n)
	for set := range value {
		s := bits.OnesCount(uint(set))
		weight := math.Gamma(float64(s+1)) * math.Gamma(float64(n-s)) / math.Gamma(float64(n+1))
		for j := range n {
			if set>>j&1 == 0 {
				out[j] += weight * (value[set|1<<j] - value[set])
			}
		}
	}
	return out
}

// conditional is Algorithm 1 of Lundberg, Erion & Lee (2018): the expectation
// of a tree given the features of set.
func conditional(m *gbdt.Model, t *gbdt.Tree, i int32, r model.Row, set int) float64 {
	n := &t.Nodes[i]
	switch {
	case n.Feature == gbdt.Leaf:
		return n.Value
	case set>>n.Feature&1 == 0:
		left, right := conditional(m, t, i+1, r, set), conditional(m, t, n.Right, r, set)
		return (left*t.Nodes[i+1].Cover + right*t.Nodes[n.Right].Cover) / n.Cover
	case m.Left(t, n, r):
		return conditional(m, t, i+1, r, set)
	}
	return conditional(m, t, n.Right, r, set)
}

// pathEntry is a feature of the path of Algorithm 2: fractions of zeros and
// ones that flow through, and the share of sets of this size.
type pathEntry struct {
	feature           int32
	zero, one, weight float64
}

// textbook is Algorithm 2 of Lundberg, Erion & Lee (2018).
func textbook(m *gbdt.Model, r model.Row) []float64 {
	out := make([]float64, len(m.Features))
	for k := range m.Trees {
		recurse(m, &m.Trees[k], r, 0, nil, pathEntry{-1, 1, 1, 0}, out)
	}
	return out
}

func recurse(m *gbdt.Model, t *gbdt.Tree, r model.Row, i int32, path []pathEntry, entry pathEntry, out []float64) {
	path = extend(path, entry)
	n := &t.Nodes[i]
	if n.Feature == gbdt.Leaf {
		for k := 1; k < len(path); k++ {
			sum := 0.0
			for _, e := range unwind(path, k) {
				sum += e.weight
			}
			out[path[k].feature] += sum * (path[k].one - path[k].zero) * n.Value
		}
		return
	}
	hot, cold := i+1, n.Right
	if !m.Left(t, n, r) {
		hot, cold = cold, hot
	}
	zero, one := 1.0, 1.0
	if k := slices.IndexFunc(path, func(e pathEntry) bool { return e.feature == n.Feature }); k >= 0 {
		zero, one = path[k].zero, path[k].one
		path = unwind(path, k)
	}
	recurse(m, t, r, hot, path, pathEntry{n.Feature, zero * t.Nodes[hot].Cover / n.Cover, one, 0}, out)
	recurse(m, t, r, cold, path, pathEntry{n.Feature, zero * t.Nodes[cold].Cover / n.Cover, 0, 0}, out)
}

// extend grows all subsets by one more feature.
func extend(path []pathEntry, entry pathEntry) []pathEntry {
	path = append(slices.Clone(path), entry)
	l := len(path) - 1
	if l == 0 {
		path[0].weight = 1
	}
	for i := l - 1; i >= 0; i-- {
		path[i+1].weight += entry.one * path[i].weight * float64(i+1) / float64(l+1)
		path[i].weight = entry.zero * path[i].weight * float64(l-i) / float64(l+1)
	}
	return path
}

// unwind undoes the extension by entry k.
func unwind(path []pathEntry, k int) []pathEntry {
	l := len(path) - 1
	n, zero, one := path[l].weight, path[k].zero, path[k].one
	out := slices.Clone(path[:l])
	for j := l - 1; j >= 0; j-- {
		if one != 0 {
			next := path[j].weight
			out[j].weight = n * float64(l+1) / (float64(j+1) * one)
			n = next - out[j].weight*zero*float64(l-j)/float64(l+1)
		} else {
			out[j].weight = path[j].weight * float64(l+1) / (zero * float64(l-j))
		}
	}
	for j := k; j < l; j++ {
		out[j].feature, out[j].zero, out[j].one = path[j+1].feature, path[j+1].zero, path[j+1].one
	}
	return out
}
