package calibrate

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"churn/model"
)

// draw returns n margins of n/4 users and labels of probability truth(margin).
// The margins are rounded, so that they tie.
func draw(n int, seed uint64, truth func(margin float64) float64) (margin []float64, label []bool, user []int32) {
	rng := rand.New(rand.NewPCG(seed, 5))
	for range n {
		m := math.Round(100*(1.5*rng.NormFloat64()-1)) / 100
		margin, label = append(margin, m), append(label, rng.Float64() < truth(m))
		user = append(user, int32(3*rng.IntN(n/4)))
	}
	return margin, label, user
}

// distorted is what class weights do: log-odds too high by 1.5.
func distorted(margin float64) float64 { return model.Sigmoid(0.7*margin - 1.5) }

// bent is what no line through the margins can mend.
func bent(margin float64) float64 { return 0.05 + 0.6*number(margin > -1) + 0.3*number(margin > 0.5) }

// balance returns the weighted sum of probabilities and of positives.
func balance(m Map, margin []float64, label []bool, weight []float64) (predicted, observed float64) {
	for i := range margin {
		predicted += weight[i] * m.Probability(margin[i])
		observed += weight[i] * number(label[i])
	}
	return predicted, observed
}

func weights(n int) []float64 {
	w := make([]float64, n)
	for i := range w {
		w[i] = float64(i % 4)
	}
	return w
}

// Law: the mean probability is the observed rate on the rows of the fit. The
// planted mutant, an intercept off by a thousandth, must be noticed.
func TestPlattKeepsTheRate(t *testing.T) {
	margin, label, _ := draw(3000, 1, distorted)
	m, err := FitPlatt(margin, label, weights(3000))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := balance(m, margin, label, weights(3000)); math.Abs(got/want-1) > 1e-12 {
		t.Errorf("predicted %v of %v positives", got, want)
	}
	m.Intercept += 1e-3
	if got, want := balance(m, margin, label, weights(3000)); math.Abs(got/want-1) < 1e-12 {
		t.Error("the law does not see a changed intercept")
	}
}

// Law: no line near the fitted one has a higher likelihood.
func TestPlattIsTheBestLine(t *testing.T) {
	margin, label, _ := draw(500, 2, distorted)
	rows, _ := sorted(margin, label, weights(500))
	m, err := fitPlatt(rows)
	if err != nil {
		t.Fatal(err)
	}
	best := measure(rows, 0, line{m.Slope, m.Intercept}).loss
	for _, d := range []line{{1e-3, 0}, {-1e-3, 0}, {0, 1e-3}, {0, -1e-3}} {
		if other := measure(rows, 0, line{m.Slope + d.slope, m.Intercept + d.intercept}).loss; other <= best {
			t.Errorf("%+v off: %v, fitted %v", d, other, best)
		}
	}
}

// With a few far margins Newton's full steps overshoot: of these seeds 94 and 271
// need halved ones, and without them go round in circles.
func TestPlattConvergesOnHeavyTails(t *testing.T) {
	for _, seed := range []uint64{94, 271} {
		rng := rand.New(rand.NewPCG(seed, 1))
		var margin []float64
		var label []bool
		for range 20 + rng.IntN(200) {
			x := rng.NormFloat64()
			x = math.Copysign(math.Pow(math.Abs(x), 1+4*rng.Float64()), x) * math.Exp(3*rng.NormFloat64())
			margin, label = append(margin, x), append(label, rng.Float64() < model.Sigmoid(5*x-3))
		}
		m, err := FitPlatt(margin, label, nil)
		if err != nil {
			t.Fatal(seed, err)
		}
		if got, want := balance(m, margin, label, slices.Repeat([]float64{1}, len(label))); math.Abs(got/want-1) > 1e-9 {
			t.Errorf("seed %d: predicted %v of %v positives", seed, got, want)
		}
	}
}

// Law: the derivatives are those of the loss (central differences).
func TestPlattDerivatives(t *testing.T) {
	margin, label, _ := draw(200, 3, distorted)
	rows, _ := sorted(margin, label, weights(200))
	const h = 1e-5
	at := line{0.8, -0.3}
	s := measure(rows, 0.5, at)
	up, down := measure(rows, 0.5, line{at.slope + h, at.intercept}), measure(rows, 0.5, line{at.slope - h, at.intercept})
	right, left := measure(rows, 0.5, line{at.slope, at.intercept + h}), measure(rows, 0.5, line{at.slope, at.intercept - h})
	for name, pair := range map[string][2]float64{
		"ga": {s.ga, (up.loss - down.loss) / (2 * h)}, "gb": {s.gb, (right.loss - left.loss) / (2 * h)},
		"haa": {s.haa, (up.ga - down.ga) / (2 * h)}, "hab": {s.hab, (up.gb - down.gb) / (2 * h)},
		"hbb": {s.hbb, (right.gb - left.gb) / (2 * h)},
	} {
		if math.Abs(pair[0]-pair[1]) > 1e-6*math.Abs(pair[1]) {
			t.Errorf("%s: %v, by differences %v", name, pair[0], pair[1])
		}
	}
}

func TestPlattRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		margin []float64
		label  []bool
		want   string
	}{
		"one class":  {[]float64{1, 2}, []bool{true, true}, "one class"},
		"separable":  {[]float64{1, 2, 2, 3}, []bool{false, false, true, true}, "separate"},
		"falling":    {[]float64{1, 2, 2.5, 3}, []bool{true, true, false, true}, "reverse"},
		"no rows":    {nil, nil, "one class"},
		"not finite": {[]float64{math.NaN(), 1}, []bool{false, true}, "row 0"},
	} {
		if _, err := FitPlatt(c.margin, c.label, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// naiveIsotonic is the readable twin: the min-max formula of isotonic regression
// (Robertson, Wright & Dykstra, 1988, 1.4): the highest mean of any run that
// starts at or before a block and the lowest over its ends.
func naiveIsotonic(b []block) []float64 {
	out := make([]float64, len(b))
	for i := range b {
		highest := math.Inf(-1)
		for from := 0; from <= i; from++ {
			lowest := math.Inf(1)
			for to := i; to < len(b); to++ {
				var run block
				for _, part := range b[from : to+1] {
					run.weight, run.positive = run.weight+part.weight, run.positive+part.positive
				}
				lowest = min(lowest, run.mean())
			}
			highest = max(highest, lowest)
		}
		out[i] = highest
	}
	return out
}

// Law: pooling gives the min-max formula. The planted mutant, one row's label,
// must be noticed.
func TestPoolMatchesNaiveTwin(t *testing.T) {
	for seed := range uint64(20) {
		margin, label, _ := draw(60, seed, bent)
		rows, _ := sorted(margin, label, weights(60))
		want := naiveIsotonic(tied(rows))
		agrees := func() bool {
			m := knots(pool(tied(rows)))
			for k, b := range tied(rows) {
				if math.Abs(m.Probability(b.low)-want[k]) > 1e-12 {
					return false
				}
			}
			return true
		}
		if !agrees() {
			t.Errorf("seed %d: not the least squares", seed)
		}
		rows[30].positive = !rows[30].positive
		if agrees() {
			t.Errorf("seed %d: the law does not see a changed label", seed)
		}
	}
}

// Laws: probabilities inside (0, 1), never falling with the margin, their sum
// within one row of the positives; on any data, the ends of one class included.
func TestIsotonicIsInsideAndRises(t *testing.T) {
	for seed := range uint64(10) {
		margin, label, _ := draw(400, seed, func(m float64) float64 { return number(m > -1) })
		m, err := FitIsotonic(margin, label, nil)
		if err != nil || m.Check() != nil {
			t.Fatal(err, m.Check())
		}
		last := 0.0
		for x := -9.0; x < 9; x += 0.003 {
			p := m.Probability(x)
			if p < last || p <= 0 || p >= 1 {
				t.Fatalf("probability %v at %v after %v", p, x, last)
			}
			last = p
		}
		if got, want := balance(m, margin, label, slices.Repeat([]float64{1}, 400)); math.Abs(got-want) >= 1 {
			t.Errorf("predicted %v of %v positives", got, want)
		}
	}
}

// Margins 0- 0- 1+ 1- 2+ 2+ with half a row of each class at both ends:
// (0.5)/3, 1/2, 2.5/3; half way between knots half the way.
func TestIsotonicByHand(t *testing.T) {
	m, err := FitIsotonic([]float64{2, 0, 1, 0, 1, 2}, []bool{true, false, true, false, false, true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for margin, want := range map[float64]float64{-5: 0.5 / 3, 0: 0.5 / 3, 0.5: 1.0 / 3, 1: 0.5, 1.5: 2.0 / 3, 2: 2.5 / 3, math.Inf(1): 2.5 / 3} {
		if got := m.Probability(margin); math.Abs(got-want) > 1e-15 {
			t.Errorf("at %v: %v, want %v", margin, got, want)
		}
	}
	if !math.IsNaN(m.Probability(math.NaN())) {
		t.Error("NaN has a probability")
	}
}

// Laws: weight 2 is the row twice, weight 0 none, and the order of rows does not
// matter.
func TestWeightsAndOrder(t *testing.T) {
	margin, label, _ := draw(300, 4, distorted)
	var m2 []float64
	var l2 []bool
	for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(300) {
		for range int(weights(300)[i]) {
			m2, l2 = append(m2, margin[i]), append(l2, label[i])
		}
	}
	for name, fit := range map[string]func([]float64, []bool, []float64) (Map, error){"platt": FitPlatt, "isotonic": withoutPrior} {
		a, errA := fit(margin, label, weights(300))
		b, errB := fit(m2, l2, nil)
		if errA != nil || errB != nil {
			t.Fatal(name, errA, errB)
		}
		for x := -6.0; x < 6; x += 0.1 {
			if math.Abs(a.Probability(x)-b.Probability(x)) > 1e-12 {
				t.Fatalf("%s at %v: weighted %v, repeated %v", name, x, a.Probability(x), b.Probability(x))
			}
		}
	}
}

// withoutPrior is FitIsotonic without the half rows, whose weight is that of a
// mean row and so not the same for repeated rows.
func withoutPrior(margin []float64, label []bool, weight []float64) (Map, error) {
	rows, err := sorted(margin, label, weight)
	return knots(pool(tied(rows))), err
}

// What is distorted as by class weights needs a line, what is bent needs steps,
// and what is right already must be left alone.
func TestChooseFindsTheKind(t *testing.T) {
	for want, truth := range map[string]func(float64) float64{None: model.Sigmoid, Platt: distorted, Isotonic: bent} {
		var right int
		for seed := range uint64(10) {
			margin, label, user := draw(4000, seed, truth)
			m, choice, err := Choose(margin, label, user, Defaults())
			if err != nil || m.Check() != nil || m.Kind != choice.Kind || len(choice.Candidates) != 3 {
				t.Fatal(err, m.Check(), choice)
			}
			right += int(number(m.Kind == want))
		}
		if right < 9 {
			t.Errorf("%s was found %d times of 10", want, right)
		}
	}
}

// On its own rows isotonic always wins, and cross-fitting must not let it: here
// the margins are pure noise but for what a user's rows share.
func TestChooseKeepsUsersTogether(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	var margin []float64
	var label []bool
	var user []int32
	for u := range int32(300) {
		m, l := rng.NormFloat64(), rng.Float64() < 0.5
		for range 20 {
			margin, label, user = append(margin, m/10), append(label, l), append(user, u)
		}
	}
	p := Params{Folds: 5, MinPerClass: 50}
	together, _, err := Choose(margin, label, user, p)
	if err != nil || together.Kind != None {
		t.Errorf("%v, %v; want none", together.Kind, err)
	}
	if apart, _, _ := Choose(margin, label, nil, p); apart.Kind != Isotonic {
		t.Errorf("the law does not see rows of a user in several folds: %v", apart.Kind)
	}
}

// Differences 1 and 3 of two users: mean 2, error of the mean √(2/2) = 1. Each row
// twice changes neither; a user whose rows cancel counts for nothing.
func TestDifferenceByHand(t *testing.T) {
	for name, c := range map[string]struct {
		a             []float64
		user          []int32
		value, stdErr float64
	}{
		"two":    {[]float64{1, 3}, []int32{4, 2}, 2, 1},
		"twice":  {[]float64{1, 3, 1, 3}, []int32{4, 2, 4, 2}, 2, 1},
		"cancel": {[]float64{1, 3, 1, 3}, []int32{4, 4, 2, 2}, 2, 0},
		"one":    {[]float64{1, 3}, []int32{4, 4}, 2, 0},
	} {
		if value, stdErr := difference(c.a, make([]float64, len(c.a)), c.user, together(c.user)); value != c.value || math.Abs(stdErr-c.stdErr) > 1e-15 {
			t.Errorf("%s: %v ± %v", name, value, stdErr)
		}
	}
}

func TestChooseRefuses(t *testing.T) {
	margin, label, user := draw(100, 1, model.Sigmoid)
	_, choice, err := Choose(margin, label, user, Defaults())
	if err != nil || !strings.Contains(choice.Candidates[2].Refused, "needs 200") {
		t.Errorf("%+v, %v", choice, err)
	}
	m, choice, err := Choose(margin, make([]bool, 100), nil, Defaults())
	if err != nil || m.Kind != None || !strings.Contains(choice.Candidates[1].Refused, "one class") {
		t.Errorf("one class: %+v, %v", choice, err)
	}
	if m, _, err := Choose(nil, nil, nil, Defaults()); err != nil || m.Kind != None {
		t.Errorf("no rows: %+v, %v", m, err)
	}
	if _, _, err := Choose([]float64{math.Inf(1)}, []bool{true}, nil, Defaults()); err == nil {
		t.Error("accepted an infinite margin")
	}
}

// Law: the number of cores changes no bit.
func TestSameBitsOnAnyNumberOfCores(t *testing.T) {
	margin, label, user := draw(4000, 1, bent)
	var first []byte
	for _, cores := range []int{1, 2, 7} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
		m, choice, err := Choose(margin, label, user, Defaults())
		if err != nil {
			t.Fatal(err)
		}
		text, _ := json.Marshal([]any{m, choice})
		if first == nil {
			first = text
		} else if string(text) != string(first) {
			t.Errorf("%d cores give other bytes", cores)
		}
	}
}

// Law: decode∘encode is the identity.
func TestJSONRoundTrip(t *testing.T) {
	margin, label, _ := draw(1000, 1, distorted)
	platt, _ := FitPlatt(margin, label, nil)
	isotonic, _ := FitIsotonic(margin, label, nil)
	for _, m := range []Map{{Kind: None}, platt, isotonic} {
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var back Map
		if err := json.Unmarshal(text, &back); err != nil || back.Check() != nil {
			t.Fatal(err, back.Check())
		}
		if diff := cmp.Diff(m, back); diff != "" {
			t.Error(diff)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	inf := math.Inf(1)
	for want, m := range map[string]Map{
		"unknown":       {},
		"parameters":    {Kind: None, Slope: 1},
		"slope":         {Kind: Platt, Slope: -1},
		"intercept":     {Kind: Platt, Slope: 1, Intercept: inf},
		"has knots":     {Kind: Platt, Slope: 1, Probs: []float64{1}},
		"0 margins":     {Kind: Isotonic},
		"2 margins":     {Kind: Isotonic, Margins: []float64{1, 2}, Probs: []float64{0.5}},
		"has a line":    {Kind: Isotonic, Slope: 1, Margins: []float64{1}, Probs: []float64{0.5}},
		"not finite":    {Kind: Isotonic, Margins: []float64{inf}, Probs: []float64{0.5}},
		"not in (0, 1)": {Kind: Isotonic, Margins: []float64{1}, Probs: []float64{1}},
		"knot 1 does":   {Kind: Isotonic, Margins: []float64{1, 1}, Probs: []float64{0.5, 0.6}},
		"does not rise": {Kind: Isotonic, Margins: []float64{1, 2}, Probs: []float64{0.5, 0.4}},
	} {
		if err := m.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", m, err, want)
		}
	}
	for name, call := range map[string]func(){
		"kind":    func() { (&Map{}).Probability(0) },
		"lengths": func() { _, _ = FitPlatt([]float64{1}, nil, nil) },
		"params":  func() { _, _, _ = Choose(nil, nil, nil, Params{}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call()
		}()
	}
}

func TestProbabilityDoesNotAllocate(t *testing.T) {
	margin, label, _ := draw(1000, 1, distorted)
	isotonic, _ := FitIsotonic(margin, label, nil)
	for _, m := range []*Map{{Kind: None}, {Kind: Platt, Slope: 1}, &isotonic} {
		if n := testing.AllocsPerRun(100, func() { m.Probability(0.123) }); n != 0 {
			t.Errorf("%s allocates %v times", m.Kind, n)
		}
	}
}
