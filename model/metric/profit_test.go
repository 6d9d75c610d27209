package metric

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// A kept customer is worth 100, a contact costs 12 and 40 % succeed: it pays from
// a probability of 0.3 on. Groups 0.9+ 0.3- 0.2+ | 0.4- | 0.1-; of each the first 2
// are 4 contacts, 1 hit, 40 - 48 = -8, per group -8/3, per contact -2. Who trusts
// the probabilities leaves out the last: 4/3 per group of 3/3 contacts. The best
// number of contacts is 4: 80 - 48 = 32, per row 32/5.
func TestProfitByHand(t *testing.T) {
	v := Value{KeptCustomer: 100, ContactCost: 12, SuccessRate: 0.4, Capacity: 2}
	s := Sample{Score: []float64{0.9, 0.3, 0.2, 0.4, 0.1}, Label: []bool{true, false, true, false, false}, Group: []int32{1, 1, 1, 2, 3}}
	s.Prob = s.Score
	if !same(v.Threshold(), 0.3) || !same(v.Profit(3, 1), 4) {
		t.Errorf("threshold %v, profit %v", v.Threshold(), v.Profit(3, 1))
	}
	r := Evaluate(s, EvalParams{Confidence: 0.9, Value: &v})
	for name, want := range map[string]float64{
		"profit_at_capacity": -8.0 / 3, "profit_per_contact": -2, "profit_at_threshold": 4.0 / 3, "contacts_at_threshold": 1, "max_profit": 6.4,
	} {
		if e, ok := r.Find(name); !ok || !same(e.Value, want) {
			t.Errorf("%s: %v, want %v", name, e.Value, want)
		}
	}
	s.Prob = nil
	if _, ok := Evaluate(s, EvalParams{Confidence: 0.9, Value: &v}).Find("profit_at_threshold"); ok {
		t.Error("a threshold without probabilities")
	}
}

// find returns one metric of s without intervals.
func find(t *testing.T, s Sample, v Value, name string) float64 {
	t.Helper()
	e, ok := Evaluate(s, EvalParams{Confidence: 0.9, Value: &v}).Find(name)
	if !ok {
		t.Fatal(name)
	}
	return e.Value
}

// Law: profit is linear in value and cost. The planted mutant, a changed success
// rate, must be noticed.
func TestProfitIsLinearInMoney(t *testing.T) {
	s, v := random(300, 40, 1), *params().Value
	twice := v
	twice.KeptCustomer, twice.ContactCost = 2*v.KeptCustomer, 2*v.ContactCost
	for _, name := range []string{"profit_at_capacity", "profit_per_contact", "profit_at_threshold", "max_profit", "empc"} {
		one := find(t, s, v, name)
		if got := find(t, s, twice, name); !same(got, 2*one) {
			t.Errorf("%s: %v for twice the money, want %v", name, got, 2*one)
		}
		other := twice
		other.SuccessRate = 0.41
		if same(find(t, s, other, name), 2*one) {
			t.Errorf("%s: the law does not see another success rate", name)
		}
	}
}

// Laws: EMPC is never negative, at least the maximum profit at the mean success
// rate (Jensen), and at most that of the perfect ranking, which nothing beats.
func TestEMPCBounds(t *testing.T) {
	for seed := range uint64(30) {
		s, v := random(200, 30, seed), *params().Value
		v.ContactCost = float64(seed) * 3
		empc, maximum := find(t, s, v, "empc"), find(t, s, v, "max_profit")
		perfect := s
		perfect.Score = make([]float64, len(s.Label))
		for i, positive := range s.Label {
			perfect.Score[i] = number(positive)
		}
		best := find(t, perfect, v, "empc")
		if maximum < 0 || empc < maximum-1e-12 || empc > best+1e-12 {
			t.Errorf("seed %d: maximum %v, expected %v, perfect %v", seed, maximum, empc, best)
		}
		if want := BaseRate(s.Label) * integral(v, func(rate float64) float64 { return max(0, rate*100-v.ContactCost) }); math.Abs(best-want) > 1e-6 {
			t.Errorf("seed %d: perfect %v, want %v", seed, best, want)
		}
	}
}

// integral integrates f over the distribution of the success rate (midpoints).
func integral(v Value, f func(rate float64) float64) float64 {
	const steps = 5000
	density := distuv.Beta{Alpha: 20 * v.SuccessRate, Beta: 20 * (1 - v.SuccessRate)}
	var sum float64
	for k := range steps {
		rate := (float64(k) + 0.5) / steps
		sum += f(rate) * density.Prob(rate) / steps
	}
	return sum
}

// Law: the closed form is the integral of the naive maximum over the success
// rate. The planted mutant, another mean, must be noticed.
func TestEMPCMatchesIntegral(t *testing.T) {
	for seed := range uint64(3) {
		s, v := random(40, 12, seed), *params().Value
		want := integral(v, func(rate float64) float64 { return naiveMaximum(s, rate) })
		if got := find(t, s, v, "empc"); math.Abs(got-want) > 1e-5 {
			t.Errorf("seed %d: %v, integral %v", seed, got, want)
		}
		v.SuccessRate = 0.401
		if got := find(t, s, v, "empc"); math.Abs(got-want) < 1e-5 {
			t.Errorf("seed %d: the law does not see another mean", seed)
		}
	}
}

// Law: a contact that costs nothing is worth making to everyone, and one that
// costs more than it can win to nobody.
func TestExtremeCosts(t *testing.T) {
	s, v := random(100, 10, 1), *params().Value
	v.ContactCost = 0
	everyone := BaseRate(s.Label) * 40
	if m, e := find(t, s, v, "max_profit"), find(t, s, v, "empc"); !same(m, everyone) || !same(e, everyone) {
		t.Errorf("free: %v and %v, want %v", m, e, everyone)
	}
	v.ContactCost = 100
	if m, e := find(t, s, v, "max_profit"), find(t, s, v, "empc"); m != 0 || e != 0 {
		t.Errorf("dear: %v and %v, want 0", m, e)
	}
}

// Law: on the hull lie no three corners on a line, its slopes fall, and no point
// of the gains curve is above it.
func TestHullIsConcaveAndAbove(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	s := random(300, 60, 2)
	user, users := s.clusters()
	weight := make([]float64, users)
	for u := range weight {
		weight[u] = float64(rng.IntN(3))
	}
	r := rank(s, user)
	hull := r.hull(weight)
	height := func(rows float64) float64 {
		k := slices.IndexFunc(hull[1:], func(c point) bool { return c.rows >= rows })
		a, b := hull[k], hull[k+1]
		return a.hits + (b.hits-a.hits)*(rows-a.rows)/(b.rows-a.rows)
	}
	var at point
	for k := 2; k < len(hull); k++ {
		a, b, c := hull[k-2], hull[k-1], hull[k]
		if (b.hits-a.hits)*(c.rows-b.rows) <= (c.hits-b.hits)*(b.rows-a.rows) {
			t.Errorf("corner %d does not bend down", k-1)
		}
	}
	for _, e := range r {
		at.rows, at.hits = at.rows+weight[e.user], at.hits+weight[e.user]*number(e.positive)
		if e.last && at.rows > 0 && height(at.rows) < at.hits-1e-9 {
			t.Errorf("%+v is above the hull", at)
		}
	}
	if rows, hits := r.totals(weight); hull[len(hull)-1] != (point{rows, hits}) {
		t.Errorf("the hull ends at %+v", hull[len(hull)-1])
	}
}

func TestValueValidateReportsAllFaults(t *testing.T) {
	err := Value{ContactCost: -1, SuccessRate: 1}.Validate()
	for _, key := range []string{"kept_customer: 0", "contact_cost: -1", "success_rate: 1", "capacity: 0"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s is missing in %v", key, err)
		}
	}
}

// Subset keeps rows together, and nil as nil.
func TestSubset(t *testing.T) {
	s := random(30, 5, 1)
	s.Group = nil
	got := s.Subset([]int{7, 3})
	if got.Group != nil || got.Score[0] != s.Score[7] || got.Label[1] != s.Label[3] || got.User[1] != s.User[3] || len(got.Prob) != 2 {
		t.Errorf("%+v", got)
	}
}
