package metric

import (
	"math"
	"math/rand/v2"
	"testing"
)

// clustered returns two rankings of the same labelled rows of so many users over
// 5 groups, the second one noisier.
func clustered(users int) (a, b Sample) {
	rng := rand.New(rand.NewPCG(5, 6))
	for u := range users {
		own := rng.NormFloat64()
		for g := range 5 {
			x := own + rng.NormFloat64()
			a.Label, a.Group, a.User = append(a.Label, x+rng.NormFloat64() > 1), append(a.Group, int32(g)), append(a.User, int32(u))
			a.Score, b.Score = append(a.Score, x), append(b.Score, x+rng.NormFloat64())
		}
	}
	b.Label, b.Group, b.User = a.Label, a.Group, a.User
	for i := range a.Score {
		a.Prob, b.Prob = append(a.Prob, 1/(1+math.Exp(1-a.Score[i]))), append(b.Prob, 1/(1+math.Exp(1-b.Score[i])))
	}
	return a, b
}

// The law: every metric of Evaluate comes out of Bootstrap with the same bits,
// whatever is asked for beside it, and its interval too.
func TestBootstrapAgreesWithEvaluate(t *testing.T) {
	a, b := clustered(60)
	p := params()
	p.Bootstrap = 20
	report := Evaluate(a, p)
	var names []string
	for _, e := range report.Estimates {
		names = append(names, e.Name)
	}
	together, err := Bootstrap([]Sample{b, a}, names, p)
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range report.Estimates {
		alone, err := Bootstrap([]Sample{a}, []string{want.Name}, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []Series{together[1][k], alone[0][0]} {
			if got := s.Interval(want.Name, p.Confidence); got != want {
				t.Errorf("%+v, Evaluate %+v", got, want)
			}
		}
	}
}

// The law: a part of the rows meets the draws of the whole, users without a row
// in it included, and fewer replicates are the first of more.
func TestPartsMeetTheSameDraws(t *testing.T) {
	a, _ := clustered(50)
	var keep []int
	for i, u := range a.User {
		if u%3 == 0 {
			keep = append(keep, i)
		}
	}
	p := params()
	p.Bootstrap = 12
	drawn, err := Bootstrap([]Sample{a, a.Subset(keep)}, []string{"base_rate"}, p)
	if err != nil {
		t.Fatal(err)
	}
	for b := range p.Bootstrap {
		weight := make([]float64, 50)
		resample(rand.New(rand.NewPCG(p.Seed, uint64(b))), weight)
		var rows, positives float64
		for _, i := range keep {
			rows += weight[a.User[i]]
			positives += weight[a.User[i]] * number(a.Label[i])
		}
		if got, want := drawn[1][0].Draws[b], positives/rows; got != want {
			t.Errorf("replicate %d: %v, by hand %v", b, got, want)
		}
	}
	p.Bootstrap = 5
	fewer, err := Bootstrap([]Sample{a}, []string{"base_rate"}, p)
	if err != nil {
		t.Fatal(err)
	}
	for b, v := range fewer[0][0].Draws {
		if v != drawn[0][0].Draws[b] {
			t.Errorf("replicate %d of 5 is not that of 12", b)
		}
	}
}

func TestSeries(t *testing.T) {
	nan := math.NaN()
	a, b := Series{3, []float64{1, 2, nan, 6}}, Series{1, []float64{1, 1, 1, 2}}
	d := a.Less(b, 2)
	if d.Value != 1 || d.Draws[0] != -1 || d.Draws[1] != 0 || !math.IsNaN(d.Draws[2]) || d.Draws[3] != 2 {
		t.Errorf("a - 2b = %+v", d)
	}
	if got, want := a.StdErr(), math.Sqrt(7); math.Abs(got-want) > 1e-15 {
		t.Errorf("standard error %v of 1, 2 and 6; it is √7", got)
	}
	if !math.IsNaN((Series{1, []float64{1, nan}}).StdErr()) {
		t.Error("a standard error of one value")
	}
	if e := a.Interval("x", 0.5); e != (Estimate{"x", 3, 1.5, 4}) || !math.IsNaN(a.Draws[2]) {
		t.Errorf("interval %+v, draws %v", e, a.Draws)
	}
}

func TestBootstrapRefuses(t *testing.T) {
	a, _ := clustered(10)
	p := params()
	p.Bootstrap = 1
	if _, err := Bootstrap([]Sample{a}, []string{"gini"}, p); err == nil || err.Error() != `no metric "gini"` {
		t.Errorf("unknown metric: %v", err)
	}
	b := a
	b.User = nil
	if _, err := Bootstrap([]Sample{a, b}, []string{"pr_auc"}, p); err == nil {
		t.Error("one sample without users")
	}
	if _, err := Bootstrap([]Sample{b, b.Subset([]int{0, 1})}, []string{"pr_auc"}, p); err == nil {
		t.Error("samples of other rows, without users")
	}
}

// 999 draws 1 … 999 at 95%: rank 25 moved outwards by 5; of 10 draws the ends.
func TestBandByHand(t *testing.T) {
	s := Series{Value: 500, Draws: []float64{math.NaN()}}
	for k := range 999 {
		s.Draws = append(s.Draws, float64(999-k))
	}
	if got := s.Band("x", 0.95); got.Low != 20 || got.High != 980 || got.Value != 500 {
		t.Errorf("%+v", got)
	}
	s.Draws = s.Draws[990:]
	if got := s.Band("x", 0.95); got.Low != 1 || got.High != 10 {
		t.Errorf("%+v", got)
	}
	if got := (Series{}).Band("x", 0.95); !math.IsNaN(got.Low) || !math.IsNaN(got.High) {
		t.Errorf("%+v", got)
	}
}
