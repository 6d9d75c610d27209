package profile

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// smoothing is added to the count of every cell, so that an empty one has a
// logarithm: the estimate of Krichevsky and Trofimov (IEEE Trans. Inf. Theory
// 27, 1981), which is Jeffreys' prior.
const smoothing = 0.5

// psi returns the population stability index Σ(q−p)·ln(q/p) over the cells that
// any row is in.
func psi(before, now []int) (sum float64) {
	cells, n, m := used(before, now)
	k := float64(cells)
	for i := range before {
		if before[i]+now[i] == 0 {
			continue
		}
		p, q := (float64(before[i])+smoothing)/(n+smoothing*k), (float64(now[i])+smoothing)/(m+smoothing*k)
		sum += (q - p) * math.Log(q/p)
	}
	return sum
}

// used returns the number of cells that any row is in, and the rows.
func used(before, now []int) (cells int, n, m float64) {
	for i := range before {
		if before[i]+now[i] > 0 {
			cells++
		}
		n, m = n+float64(before[i]), m+float64(now[i])
	}
	return cells, n, m
}

// jensenShannon returns the Jensen-Shannon distance, the root of the divergence
// in bits: 0 for the same shares, 1 for shares with nothing in common
// (scipy.spatial.distance.jensenshannon with base 2).
func jensenShannon(before, now []int) float64 {
	_, n, m := used(before, now)
	var sum float64
	for i := range before {
		p, q := float64(before[i])/n, float64(now[i])/m
		sum += half(p, (p+q)/2) + half(q, (p+q)/2)
	}
	return math.Sqrt(math.Max(sum, 0))
}

func half(p, middle float64) float64 {
	if p == 0 {
		return 0
	}
	return p * math.Log2(p/middle) / 2
}

// ks returns the largest distance of the two distribution functions, over
// values that are not null, at the reference's points: between two points,
// which have no more than about a hundredth of the rows between them, the
// reference does not know its own.
func (n *Numeric) ks(values []float64) (most float64) {
	sorted := finite(values)
	if len(sorted) == 0 || len(n.Points) == 0 {
		return 0
	}
	at, rows := 0, float64(len(sorted))
	for at < len(sorted) && sorted[at] < n.Points[0] {
		at++ // of the reference nothing lies before its first point
	}
	most = float64(at) / rows
	for k, x := range n.Points {
		for at < len(sorted) && sorted[at] <= x {
			at++
		}
		most = math.Max(most, math.Abs(float64(at)/rows-float64(n.UpTo[k])/float64(n.values())))
	}
	return most
}

// shift returns the earth mover's distance (Wasserstein's of order 1: by how much
// a value had to move in the mean) in standard deviations of the reference, over
// values that are not null. Between two points of the reference, its rows count
// as if they were at the upper one. Where the reference has one value only, it is
// the share of the values that differ.
func (n *Numeric) shift(values []float64) (sum float64) {
	sorted := finite(values)
	if len(sorted) == 0 || len(n.Points) == 0 {
		return 0
	}
	if n.SD == 0 {
		return n.ks(values)
	}
	before, at, last := 0.0, 0, math.Min(sorted[0], n.Points[0])
	move := func(x float64) {
		sum += math.Abs(float64(at)/float64(len(sorted))-before) * (x - last)
		last = x
	}
	for k, x := range n.Points {
		for at < len(sorted) && sorted[at] <= x {
			move(sorted[at])
			at++
		}
		move(x)
		before = float64(n.UpTo[k]) / float64(n.values())
	}
	for ; at < len(sorted); at++ {
		move(sorted[at])
	}
	return sum / n.SD
}

// chance is the distribution of the index without drift: scale·χ²(freedom).
type chance struct{ freedom, scale float64 }

// chancePSI returns it for effective sizes n and m.
func chancePSI(before, now []int, n, m float64) chance {
	cells, _, _ := used(before, now)
	return chance{float64(cells - 1), 1/n + 1/m}
}

func (c chance) mean() float64 { return c.freedom * c.scale }

func (c chance) quantile(p float64) float64 {
	if c.freedom < 1 {
		return 0
	}
	return c.scale * distuv.ChiSquared{K: c.freedom}.Quantile(p)
}

// leastExpected is the number of rows that a cell of Pearson's test should
// expect (Cochran, Biometrics 10, 1954).
const leastExpected = 5

// pearson returns the p-value of Pearson's χ² for equal shares in two samples of
// effective sizes n and m. Cells that expect less than leastExpected rows of the
// smaller sample are taken together.
func pearson(before, now []int, n, m float64) float64 {
	cells := pooled(before, now, func(p, q float64) bool { return (p*n+q*m)/(n+m)*math.Min(n, m) < leastExpected })
	var statistic float64
	for _, c := range cells {
		statistic += float64((c.p-c.q)*(c.p-c.q)) * (n + m) / (c.p*n + c.q*m)
	}
	if len(cells) < 2 {
		return 1
	}
	return distuv.ChiSquared{K: float64(len(cells) - 1)}.Survival(statistic / (1/n + 1/m))
}

// pair is the share of a cell before and now.
type pair struct{ p, q float64 }

// pooled returns the shares of the cells that any row is in, the small ones as
// one, or with the smallest of the others if they are small even together.
func pooled(before, now []int, small func(p, q float64) bool) (cells []pair) {
	_, n, m := used(before, now)
	var rest pair
	for i := range before {
		c := pair{float64(before[i]) / n, float64(now[i]) / m}
		if small(c.p, c.q) {
			rest = pair{rest.p + c.p, rest.q + c.q}
		} else {
			cells = append(cells, c)
		}
	}
	switch {
	case rest == pair{}:
	case len(cells) > 0 && small(rest.p, rest.q):
		k := 0
		for i, c := range cells {
			if c.p+c.q < cells[k].p+cells[k].q {
				k = i
			}
		}
		cells[k] = pair{cells[k].p + rest.p, cells[k].q + rest.q}
	default:
		cells = append(cells, rest)
	}
	return cells
}

// courseFloor stands for empty bins in PSI.
const courseFloor = 1e-6

// PSI returns the population stability index as the original course computes
// it: over bins between the quantiles of expected (linear interpolation; equal
// ones fall together), with shares of at least 1e-6. Nulls are left out, and so
// is what lies outside the range of expected. It knows nothing of chance: see
// Reference.Drift. NaN if nothing is left of one of the samples.
func PSI(expected, actual []float64, bins int) float64 {
	a, b := finite(expected), finite(actual)
	if len(a) == 0 {
		return math.NaN()
	}
	b = slices.DeleteFunc(b, func(x float64) bool { return x < a[0] || x > a[len(a)-1] })
	if len(b) == 0 {
		return math.NaN()
	}
	p, q := shares(a, quantiles(a, bins)), shares(b, quantiles(a, bins))
	var sum float64
	for k := range p {
		sum += (q[k] - p[k]) * math.Log(q[k]/p[k])
	}
	return sum
}

// quantiles returns the different values that divide sorted ones into bins.
func quantiles(sorted []float64, bins int) (edges []float64) {
	last := sorted[0]
	for k := 1; k < bins; k++ {
		if e := interpolated(sorted, float64(k)/float64(bins)); e > last && e < sorted[len(sorted)-1] {
			edges, last = append(edges, e), e
		}
	}
	return edges
}

// finite returns the values that are not null, sorted.
func finite(values []float64) []float64 {
	out := slices.DeleteFunc(slices.Clone(values), null)
	slices.Sort(out)
	return out
}

// interpolated returns the quantile between the two nearest of sorted values,
// with the rounding of numpy.
func interpolated(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	k := min(int(at), len(sorted)-1)
	next := min(k+1, len(sorted)-1)
	t, step := at-float64(k), sorted[next]-sorted[k]
	if t >= 0.5 {
		return sorted[next] - float64(step*(1-t))
	}
	return sorted[k] + float64(step*t)
}

// shares returns the share of sorted values in each of [edge, next edge).
func shares(sorted, edges []float64) []float64 {
	out, from := make([]float64, len(edges)+1), 0
	for k := range out {
		to := len(sorted)
		if k < len(edges) {
			to, _ = slices.BinarySearch(sorted, edges[k])
		}
		out[k] = math.Max(float64(to-from)/float64(len(sorted)), courseFloor)
		from = to
	}
	return out
}
