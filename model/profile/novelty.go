package profile

import (
	"fmt"
	"math"
	"slices"
	"sort"
)

// Novelty is what the reference has never seen the like of: levels that it does
// not have, and numbers far outside of its range. A few rows of it move no index
// over bins, and are what a model knows least about.
type Novelty struct {
	Novel      float64 `json:"novel"`         // share of the rows
	NovelUsers int     `json:"novel_users"`   // with such rows
	NovelP     float64 `json:"novel_p_value"` // of so many users, if all were draws from one population; at most
	Strange    bool    `json:"novel_beyond_chance"`
}

// crowd is so many rows, of users with so many each.
type crowd struct {
	rows    int
	perUser float64
}

// tails returns for every value whether it lies in the lowest or the highest
// hundredth, as cells.
func (n *Numeric) tails(values []float64) (of []int32, count int) {
	low, high := n.Quantile(0.01), n.Quantile(0.99)
	of = make([]int32, len(values))
	for i, x := range values {
		switch {
		case x > high && !null(x):
			of[i] = 2
		case x < low && !null(x):
			of[i] = 1
		}
	}
	return of, 3
}

// Quantile returns the value at the rounded rank q, if that is a percentile, else
// the point above it; NaN without values.
func (n *Numeric) Quantile(q float64) float64 {
	rank := int(q*float64(n.values()-1) + 0.5)
	k := sort.Search(len(n.UpTo), func(k int) bool { return n.UpTo[k] > rank })
	if k == len(n.Points) {
		return math.NaN()
	}
	return n.Points[k]
}

// rounding is by how much, relatively, equal quantities can differ that were
// summed in another order or over more terms: the mean of five equal prices is
// not always that price.
const rounding = 1e-9

// fence returns the limits from which values are far outside: once more the
// distance from the last percentile beyond the extremes, and never so near that
// rounding reaches it.
func (n *Numeric) fence() (low, high float64) {
	low, high = n.Points[0], n.Points[len(n.Points)-1]
	return low - (n.Quantile(0.01) - low) - rounding*math.Abs(low), high + (high - n.Quantile(0.99)) + rounding*math.Abs(high)
}

// novelty finds the values beyond the fence. That a new value exceeds the largest
// of n has the probability 1/(n+1), whatever the distribution; that k of m do
// is at most (m/(n+m))^k, by the ranks of all. Beyond a fence at twice the
// largest it is at most half as probable for each where the tail is no heavier
// than one without a mean (Pareto's with exponent 1).
func (n *Numeric) novelty(values []float64, g groups, before crowd) Novelty {
	if len(n.Points) == 0 {
		return Novelty{NovelP: 1} // that there are values at all shows in the cells
	}
	low, high := n.fence()
	far := make([]bool, len(values))
	for i, x := range values {
		far[i] = !null(x) && (x < low || x > high)
	}
	half := 0.5
	if last := len(n.Points) - 1; n.Quantile(0.01) == n.Points[0] || n.Quantile(0.99) == n.Points[last] {
		half = 1 // no distance to tell the tail by
	}
	m := half * effective(g.rows, g.perUser(), 1-n.Apart)
	return novelty(far, g, m, effective(before.rows, before.perUser, 1-n.Apart))
}

// novelty finds the levels that the reference does not have. Where they come
// with users whom it does not know, these alone were draws: an account's country
// is drawn once.
func (c *Categorical) novelty(values []string, known []bool, g groups, users int) Novelty {
	if !c.Listed {
		return Novelty{NovelP: 1}
	}
	seen, far := c.known(), make([]bool, len(values))
	entrants := known != nil
	for i, v := range values {
		far[i] = !seen[v]
		entrants = entrants && !(far[i] && known[i])
	}
	m := g.users()
	if entrants {
		m = g.with(not(known))
	}
	return novelty(far, g, float64(m), float64(users))
}

// novelty counts what is far, given that m of m+n draws were now.
func novelty(far []bool, g groups, m, n float64) Novelty {
	out := Novelty{NovelUsers: g.with(far), NovelP: 1}
	for _, f := range far {
		if f {
			out.Novel += 1 / float64(len(far))
		}
	}
	if out.NovelUsers > 0 {
		out.NovelP = math.Pow(m/(n+m), float64(out.NovelUsers))
	}
	return out
}

func not(v []bool) []bool {
	out := slices.Clone(v)
	for i := range out {
		out[i] = !out[i]
	}
	return out
}

// with returns the number of users with at least one marked row.
func (g groups) with(marked []bool) (users int) {
	if g.order == nil {
		for _, m := range marked {
			if m {
				users++
			}
		}
		return users
	}
	from := 0
	for _, to := range g.ends {
		if slices.ContainsFunc(g.order[from:to], func(i int32) bool { return marked[i] }) {
			users++
		}
		from = to
	}
	return users
}

// label names cell k.
func (n *Numeric) label(k int) string {
	switch {
	case k == len(n.Edges)+1:
		return "(null)"
	case len(n.Edges) == 0:
		return "any"
	case k == 0:
		return fmt.Sprintf("≤ %.4g", n.Edges[0])
	case k == len(n.Edges):
		return fmt.Sprintf("> %.4g", n.Edges[k-1])
	}
	return fmt.Sprintf("%.4g to %.4g", n.Edges[k-1], n.Edges[k])
}

// label names cell k.
func (c *Categorical) label(k int) string {
	switch k - len(c.Levels) {
	case cellOther:
		return "(other)"
	case cellNull:
		return "(null)"
	}
	return c.Levels[k].Value
}
