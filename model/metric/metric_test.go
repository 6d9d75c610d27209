package metric

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// near compares to 12 digits, with NaN equal to NaN.
var near = cmp.Options{cmpopts.EquateApprox(1e-12, 1e-12), cmpopts.EquateNaNs()}

func same(a, b float64) bool { return cmp.Equal(a, b, near) }

// The example of scikit-learn's average_precision_score and roc_auc_score:
// scores 0.8+ 0.4- 0.35+ 0.1-. Precision is 1 at the first positive and 2/3 at
// the second, so AP = ½·1 + ½·2/3 = 0.8333…; of the 4 pairs 3 are in order: 0.75.
func TestCurvesByHand(t *testing.T) {
	score, label := []float64{0.1, 0.4, 0.35, 0.8}, []bool{false, false, true, true}
	if got := AveragePrecision(score, label); !same(got, 5.0/6) {
		t.Errorf("average precision %v, want 5/6", got)
	}
	if got := ROCAUC(score, label); !same(got, 0.75) {
		t.Errorf("ROC AUC %v, want 0.75", got)
	}
	// Tied at 0.5: + - ; below: +. AP = ½·1/2 + ½·2/3 = 7/12. Of the 2 pairs one
	// ties (½) and one is lost: 1/4.
	score, label = []float64{0.5, 0.5, 0.2}, []bool{true, false, true}
	if ap, auc := AveragePrecision(score, label), ROCAUC(score, label); !same(ap, 7.0/12) || !same(auc, 0.25) {
		t.Errorf("with a tie: %v and %v, want 7/12 and 1/4", ap, auc)
	}
	// A NaN score ranks last: the positive is below both negatives.
	score, label = []float64{math.NaN(), math.Inf(-1), 0}, []bool{true, false, false}
	if ap, auc := AveragePrecision(score, label), ROCAUC(score, label); !same(ap, 1.0/3) || auc != 0 {
		t.Errorf("with NaN: %v and %v, want 1/3 and 0", ap, auc)
	}
}

// prob 0.9+ 0.8- : log-loss (-ln 0.9 - ln 0.2)/2; Brier (0.01 + 0.64)/2 =
// 0.325. Certain and wrong costs -ln 1e-15 = 34.54.
// ECE with 2 bins: 0.2- 0.4+ | 0.9+ 0.7+: |0.6-1|/4 + |1.6-2|/4 = 0.2.
func TestProbabilitiesByHand(t *testing.T) {
	prob, label := []float64{0.9, 0.8}, []bool{true, false}
	if got := LogLoss(prob, label); !same(got, -(math.Log(0.9)+math.Log(0.2))/2) {
		t.Errorf("log-loss %v", got)
	}
	if got := Brier(prob, label); !same(got, 0.325) {
		t.Errorf("Brier %v, want 0.325", got)
	}
	if got := LogLoss([]float64{0, 1}, []bool{true, true}); math.Abs(got-34.538776394910684/2) > 1e-12 {
		t.Errorf("clipped log-loss %v", got)
	}
	if got := ECE([]float64{0.2, 0.4, 0.9, 0.7}, []bool{false, true, true, true}, 2); !same(got, 0.2) {
		t.Errorf("ECE %v, want 0.2", got)
	}
	if got := BaseRate([]bool{true, false, false, true, true}); !same(got, 0.6) {
		t.Errorf("base rate %v, want 0.6", got)
	}
}

// Group 1: 0.9+ 0.5+ 0.5- 0.5- 0.1-; group 2: 0.8- 0.7+. k = 2 takes of group 1
// the first and one of three tied rows, 1 + 1/3 hits; of group 2 both, 1 hit.
// Precision (7/3)/4 = 7/12. By chance 2·2/5 + 2·1/2 = 9/5; lift (7/3)/(9/5) =
// 35/27. A fifth is 1 row of 5 and, rounded up, 1 of 2: 1 hit of 2.
func TestTopByHand(t *testing.T) {
	s := Sample{
		Score: []float64{0.5, 0.9, 0.8, 0.5, 0.1, 0.7, 0.5},
		Label: []bool{false, true, false, true, false, true, false},
		Group: []int32{1, 1, 2, 1, 1, 2, 1},
	}
	if top := TopK(s, 2); !same(top.Precision(), 7.0/12) || !same(top.Lift(), 35.0/27) || top.Selected != 4 {
		t.Errorf("top 2: %+v, precision %v, lift %v", top, top.Precision(), top.Lift())
	}
	if top := TopShare(s, 0.2); !same(top.Precision(), 0.5) || top.Selected != 2 {
		t.Errorf("top fifth: %+v", top)
	}
	if top := TopK(s, 100); !same(top.Precision(), 3.0/7) || !same(top.Lift(), 1) {
		t.Errorf("everything: precision %v, lift %v, want the base rate 3/7 and 1", top.Precision(), top.Lift())
	}
}

func TestCutNamesAndLengths(t *testing.T) {
	for _, c := range []struct {
		cut    cut
		name   string
		length float64 // of 100 rows
	}{
		{cut{rows: 50}, "50", 50}, {cut{rows: 500}, "500", 100}, {cut{share: 0.01}, "1pct", 1},
		{cut{share: 0.07}, "7pct", 7}, {cut{share: 0.005}, "0.5pct", 1}, {cut{share: 1}, "100pct", 100},
	} {
		if c.cut.name() != c.name || c.cut.length(100) != c.length {
			t.Errorf("%+v: %s, %v rows", c.cut, c.cut.name(), c.cut.length(100))
		}
	}
}

// Law: under any whole-number weights the fast metrics are the naive ones on
// repeated rows. The planted mutant, another user's weight, must be noticed by
// every metric under one seed at least.
func TestWeightedMetricsMatchNaiveTwin(t *testing.T) {
	noticed := map[string]bool{}
	for seed := range uint64(20) {
		s := random(120, 2+int(seed), seed)
		e, rng := newEvaluator(s, params()), rand.New(rand.NewPCG(seed, 9))
		byUser, weight, ids := make([]int, 1000), make([]float64, e.users), distinct(s.User)
		for u := range weight {
			w := rng.IntN(4)
			weight[u], byUser[ids[u]] = float64(w), w
		}
		for name, want := range naiveMetrics(repeated(s, byUser), 3) {
			k := slices.Index(e.names(), name)
			if fast := e.metrics(weight)[k]; !same(fast, want) {
				t.Errorf("seed %d, %s: naive %v, fast %v", seed, name, want, fast)
			}
			weight[0]++
			noticed[name] = noticed[name] || !same(e.metrics(weight)[k], want)
			weight[0]--
		}
	}
	for name, ok := range noticed {
		if !ok {
			t.Errorf("%s: the law does not see a changed weight", name)
		}
	}
}

// Law: the order of the rows changes nothing, not even the intervals' digits
// beyond rounding of the sums.
func TestRowOrderDoesNotMatter(t *testing.T) {
	s := random(300, 5, 1)
	want := Evaluate(s, params())
	for seed := range uint64(3) {
		if diff := cmp.Diff(want, Evaluate(shuffled(s, seed), params()), near); diff != "" {
			t.Error(diff)
		}
	}
}

// Law: a rising function of the scores changes no ranking metric.
func TestOnlyTheOrderOfScoresMatters(t *testing.T) {
	s := random(300, 20, 2)
	want := Evaluate(s, params())
	s.Score = slices.Clone(s.Score)
	for i, v := range s.Score {
		s.Score[i] = math.Exp(5*v) - 3
	}
	if diff := cmp.Diff(want, Evaluate(s, params())); diff != "" {
		t.Error(diff)
	}
}

// Law: the number of cores changes no bit; the seed does.
func TestSameBitsOnAnyNumberOfCores(t *testing.T) {
	s, p := random(2000, 50, 3), params()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one := Evaluate(s, p)
	for _, cores := range []int{2, 7} {
		runtime.GOMAXPROCS(cores)
		if diff := cmp.Diff(one, Evaluate(s, p)); diff != "" {
			t.Error(diff)
		}
	}
	p.Seed++
	if cmp.Equal(one, Evaluate(s, p)) {
		t.Error("another seed gives the same intervals")
	}
}

// The standard error of a mean of n 0/1 values is √(p(1-p)/n): the interval of
// the base rate over single-row users is ±1.645 of them at 90 %. With every
// user's row repeated four times the interval must not shrink: clusters count,
// rows do not.
func TestIntervalIsThatOfUsers(t *testing.T) {
	var s Sample
	for u := range 400 {
		s.Score = append(s.Score, float64(u%7))
		s.Label = append(s.Label, u%4 == 0)
		s.User = append(s.User, int32(u))
	}
	p := params()
	p.Bootstrap, p.Value = 2000, nil
	want := 2 * 1.645 * math.Sqrt(0.25*0.75/400)
	one, _ := Evaluate(s, p).Find("base_rate")
	if width := one.High - one.Low; math.Abs(width/want-1) > 0.1 {
		t.Errorf("width %v, want about %v", width, want)
	}
	four := Sample{Score: slices.Repeat(s.Score, 4), Label: slices.Repeat(s.Label, 4), User: slices.Repeat(s.User, 4)}
	if got, _ := Evaluate(four, p).Find("base_rate"); !cmp.Equal(one, got, near) {
		t.Errorf("four rows per user: %+v, want %+v", got, one)
	}
	four.User = nil
	if got, _ := Evaluate(four, p).Find("base_rate"); got.High-got.Low > 0.6*want {
		t.Errorf("rows as clusters: width %v, want half of %v", got.High-got.Low, want)
	}
}

// Law: the difference of a model to itself is exactly 0; that of two models is
// the difference of their values, and it changes sign with the order.
func TestPairedDifference(t *testing.T) {
	a := random(600, 30, 4)
	b := a
	b.Score = make([]float64, 600) // no skill
	for _, name := range []string{"pr_auc", "roc_auc", "lift_at_20pct", "brier", "profit_at_capacity", "empc"} {
		self, err := PairedDifference(a, a, name, params())
		if err != nil || self.Value != 0 || self.Low != 0 || self.High != 0 {
			t.Errorf("%s of itself: %+v, %v", name, self, err)
		}
	}
	ab, err := PairedDifference(a, b, "roc_auc", params())
	if err != nil {
		t.Fatal(err)
	}
	ba, _ := PairedDifference(b, a, "roc_auc", params())
	if !same(ab.Value, ROCAUC(a.Score, a.Label)-0.5) || !same(ab.Low, -ba.High) || ab.Low <= 0 {
		t.Errorf("a-b %+v, b-a %+v", ab, ba)
	}
	if _, err := PairedDifference(a, shuffled(a, 1), "roc_auc", params()); err == nil {
		t.Error("accepted other rows")
	}
	if _, err := PairedDifference(a, b, "f1", params()); err == nil || !strings.Contains(err.Error(), `"f1"`) {
		t.Errorf("unknown metric: %v", err)
	}
}

// One class: what is not defined is NaN, and null in JSON, and comes back.
func TestUndefinedIsNull(t *testing.T) {
	s := Sample{Score: []float64{1, 2, 3}, Label: make([]bool, 3)}
	r := Evaluate(s, params())
	for _, e := range r.Estimates {
		defined := e.Name == "base_rate" || strings.HasPrefix(e.Name, "precision") || strings.Contains(e.Name, "profit") || e.Name == "empc"
		if math.IsNaN(e.Value) == defined || math.IsNaN(e.Low) == defined {
			t.Errorf("%+v", e)
		}
		if e.Name == "log_loss" || e.Name == "brier" {
			t.Errorf("%s without probabilities", e.Name)
		}
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"name":"roc_auc","value":null,"low":null,"high":null}`; !strings.Contains(string(text), want) {
		t.Errorf("%s in %s", want, text)
	}
	var back Report
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, back, cmpopts.EquateNaNs()); diff != "" {
		t.Error(diff)
	}
	empty := Evaluate(Sample{}, params())
	if _, ok := empty.Find("nothing"); ok || empty.Groups != 0 || !math.IsNaN(empty.Estimates[0].Value) {
		t.Errorf("no rows: %+v", empty)
	}
}

// Without replicates there is a value and no interval.
func TestNoBootstrap(t *testing.T) {
	p := params()
	p.Bootstrap = 0
	e, _ := Evaluate(random(60, 9, 5), p).Find("pr_auc")
	if math.IsNaN(e.Value) || !math.IsNaN(e.Low) || !math.IsNaN(e.High) {
		t.Errorf("%+v", e)
	}
}

// Of 1, 2, 4: the quarter point lies half way between the first two.
func TestQuantileByHand(t *testing.T) {
	for q, want := range map[float64]float64{0: 1, 0.25: 1.5, 0.5: 2, 0.75: 3, 1: 4} {
		if got := quantile([]float64{1, 2, 4}, q); !same(got, want) {
			t.Errorf("quantile(%v) = %v, want %v", q, got, want)
		}
	}
}

func TestValidateReportsAllFaults(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Errorf("defaults: %v", err)
	}
	err := EvalParams{Bootstrap: -1, TopK: []int{0}, TopShare: []float64{0, 2}, Confidence: 95}.Validate()
	for _, key := range []string{"bootstrap: -1", "top_k: 0", "top_share: 0", "top_share: 2", "confidence: 95"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s is missing in %v", key, err)
		}
	}
}

func TestWrongShapesPanic(t *testing.T) {
	for name, call := range map[string]func(){
		"scores":  func() { ROCAUC([]float64{1}, nil) },
		"prob":    func() { Brier([]float64{1}, nil) },
		"bins":    func() { ECE(nil, nil, 0) },
		"value":   func() { Evaluate(Sample{}, EvalParams{Confidence: 0.9, Value: &Value{}}) },
		"users":   func() { Evaluate(Sample{User: []int32{1}}, params()) },
		"invalid": func() { Evaluate(Sample{}, EvalParams{}) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			call()
		})
	}
}

func BenchmarkEvaluate(b *testing.B) {
	for _, n := range []int{1e3, 1e5, 350_000} {
		s, p := random(n, 1<<20, 1), Defaults()
		p.Value = params().Value
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Evaluate(s, p)
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
