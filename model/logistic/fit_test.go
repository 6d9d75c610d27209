package logistic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"churn/model"
	"churn/model/encode"
)

// with returns the defaults after a change.
func with(change func(*Params)) Params {
	p := Defaults()
	change(&p)
	return p
}

// fit fits d and expects convergence.
func fit(t testing.TB, d data, p Params) (*Model, Report) {
	t.Helper()
	m, r, err := Fit(context.Background(), d.input(), p, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Status != Converged {
		t.Errorf("report %+v, want converged", r)
	}
	return m, r
}

// theta returns the coefficients followed by the intercept.
func (m *Model) theta() []float64 { return append(slices.Clone(m.Coef), m.Intercept) }

// distance is the largest difference between a and b relative to the largest
// element of b.
func distance(a, b []float64) float64 {
	var diff, largest float64
	for j := range a {
		diff, largest = max(diff, math.Abs(a[j]-b[j])), max(largest, math.Abs(b[j]))
	}
	return diff / largest
}

// Law: the optimum is Newton's, within 1e-6 of the objective and 1e-3 of the
// largest coefficient, in a handful of epochs, however ill-conditioned.
func TestOptimumIsNewtons(t *testing.T) {
	balanced := with(func(p *Params) { p.ClassWeight = ClassWeightBalanced })
	weighted := windows(3000, 8, 1e-2, 1, 5)
	for i := range weighted.y {
		weighted.w = append(weighted.w, float64(i%5))
	}
	for name, c := range map[string]struct {
		d      data
		p      Params
		epochs int
	}{
		"easy":                   {windows(2000, 5, 1, 1, 1), Defaults(), 8},
		"one batch":              {windows(200, 5, 1, 1, 1), Defaults(), 8},
		"condition 1e6":          {windows(8000, 20, 1e-2, 1, 2), Defaults(), 8},
		"condition 1e10":         {windows(8000, 20, 1e-4, 1, 2), Defaults(), 8},
		"collinear, no penalty":  {windows(3000, 6, 0, 1, 3), with(func(p *Params) { p.L2 = 0 }), 8},
		"nearly separable":       {windows(8000, 10, 1e-1, 60, 4), with(func(p *Params) { p.L2 = 1e-2 }), 25},
		"weights, some zero":     {weighted, Defaults(), 8},
		"balanced classes":       {windows(5000, 10, 1e-2, 1, 6), balanced, 8},
		"strong penalty":         {windows(5000, 10, 1e-1, 1, 7), with(func(p *Params) { p.L2 = 1e5 }), 8},
		"small batch, full step": {windows(8000, 10, 1e-1, 1, 8), with(func(p *Params) { p.BatchSize, p.LearningRate = 64, 1 }), 15},
	} {
		t.Run(name, func(t *testing.T) {
			m, r := fit(t, c.d, c.p)
			prob, err := newProblem(c.d.input(), c.p)
			if err != nil {
				t.Fatal(err)
			}
			theta, want := newton(c.d, prob)
			if got := naiveObjective(prob, c.d.design(), m.theta()); got-want > 1e-6*want {
				t.Errorf("objective %.12f, want %.12f", got, want)
			}
			if c.p.L2 > 0 { // without a penalty the collinear optimum is not unique
				if diff := distance(m.theta(), theta); diff > 1e-3 {
					t.Errorf("coefficients off by %.2g of the largest", diff)
				}
			}
			if r.Epochs > c.epochs {
				t.Errorf("%d epochs, want at most %d", r.Epochs, c.epochs)
			}
			t.Logf("%+v", r)
		})
	}
}

// One column with x = ±1, 3 of 4 positives at +1 and 1 of 4 at -1, without a
// penalty: the margins are the log-odds ±log 3, so Coef = log 3, Intercept = 0
// and f = -(3/4 log 3/4 + 1/4 log 1/4).
func TestOptimumByHand(t *testing.T) {
	x := &model.Matrix{Names: []string{"x"}, Width: 1, Dense: []float64{1, 1, 1, 1, -1, -1, -1, -1}}
	y := []bool{true, true, true, false, true, false, false, false}
	m, r := fit(t, data{x: x, y: y}, with(func(p *Params) { p.L2, p.Tol = 0, 1e-12 }))
	if math.Abs(m.Coef[0]-math.Log(3)) > 1e-5 || math.Abs(m.Intercept) > 1e-5 {
		t.Errorf("coef %v, intercept %v, want %v and 0", m.Coef[0], m.Intercept, math.Log(3))
	}
	if want := -(0.75*math.Log(0.75) + 0.25*math.Log(0.25)); math.Abs(r.Objective-want) > 1e-11 {
		t.Errorf("objective %v, want %v", r.Objective, want)
	}
	if row := x.Row(4); m.Margin(row) != m.Intercept-m.Coef[0] {
		t.Errorf("margin %v", m.Margin(row))
	}
}

// The O-ring data of the Challenger inquiry (Dalal, Fowlkes & Hoadley, JASA
// 1989): temperature in °F of 23 launches, and whether a ring showed distress.
// The published maximum likelihood fit (Agresti, Categorical Data Analysis; R's
// glm) is 15.0429 - 0.2322·temperature with deviance 20.315 = 2·23·f.
func TestPublishedFit(t *testing.T) {
	x := &model.Matrix{Names: []string{"temperature"}, Width: 1, Dense: []float64{
		66, 70, 69, 68, 67, 72, 73, 70, 57, 63, 70, 78, 67, 53, 67, 75, 70, 81, 76, 79, 75, 76, 58}}
	y := make([]bool, 23)
	for _, i := range []int{1, 8, 9, 10, 13, 20, 22} {
		y[i] = true
	}
	m, r := fit(t, data{x: x, y: y}, with(func(p *Params) { p.L2, p.Tol = 0, 1e-12 }))
	if math.Abs(m.Intercept-15.0429) > 5e-4 || math.Abs(m.Coef[0]+0.2322) > 5e-5 {
		t.Errorf("%+v", m)
	}
	if deviance := 2 * 23 * r.Objective; math.Abs(deviance-20.315) > 5e-4 {
		t.Errorf("deviance %v, want 20.315", deviance)
	}
}

// Law: with balanced classes and a free intercept, the mean probability of the
// positives and that of the negatives sum to 1, since the gradient of the
// intercept is ½(mean of p over negatives) - ½(mean of 1-p over positives).
func TestBalancedClasses(t *testing.T) {
	d := windows(5000, 5, 1e-1, 1, 17)
	gap := func(p Params) float64 {
		m, _ := fit(t, d, p)
		var sum, count [2]float64
		for i, y := range d.y {
			sum[index(y)] += model.Sigmoid(m.Margin(d.x.Row(i)))
			count[index(y)]++
		}
		return math.Abs(sum[0]/count[0] + sum[1]/count[1] - 1)
	}
	if g := gap(with(func(p *Params) { p.ClassWeight, p.Tol = ClassWeightBalanced, 1e-13 })); g > 1e-5 {
		t.Errorf("balanced: the means miss 1 by %v", g)
	}
	if g := gap(Defaults()); g < 1e-3 {
		t.Error("the law does not see classes that are not balanced")
	}
}

// Law: the order of the rows moves the model only within the tolerance. (A pure
// lasso has no unique optimum where intercept and levels can trade places.)
func TestRowOrderDoesNotMatter(t *testing.T) {
	d := windows(8000, 10, 1e-2, 1, 9)
	for _, ratio := range []float64{0, 0.5, 0.9} {
		p := with(func(p *Params) { p.L2, p.L1Ratio, p.Tol = 10, ratio, 1e-12 })
		a, _ := fit(t, d, p)
		b, _ := fit(t, d.permuted(1), p)
		if diff := distance(a.theta(), b.theta()); diff > 1e-4 {
			t.Errorf("ratio %v: coefficients differ by %.2g", ratio, diff)
		}
		other, _ := fit(t, windows(8000, 10, 1e-2, 1, 10), p)
		if distance(a.theta(), other.theta()) < 1e-3 {
			t.Error("the law does not see other rows")
		}
	}
}

// Law: without a penalty, a column in other units gives the same margins. The
// planted mutant has a penalty.
func TestUnitsDoNotMatter(t *testing.T) {
	d, p := windows(8000, 6, 1e-1, 1, 10), with(func(p *Params) { p.L2, p.Tol = 0, 1e-12 })
	scaled := *d.x
	scaled.Dense = slices.Clone(d.x.Dense)
	for i := range scaled.Dense {
		scaled.Dense[i] *= math.Pow(1000, float64(i%6-3))
	}
	a, _ := fit(t, d, p)
	b, _ := fit(t, data{x: &scaled, y: d.y}, p)
	for i := range 100 {
		if ma, mb := a.Margin(d.x.Row(i)), b.Margin(scaled.Row(i)); math.Abs(ma-mb) > 1e-4 {
			t.Errorf("row %d: margins %v and %v", i, ma, mb)
		}
	}
	p.L2 = 100
	c, _ := fit(t, d, p)
	m, _ := fit(t, data{x: &scaled, y: d.y}, p)
	if math.Abs(c.Margin(d.x.Row(0))-m.Margin(scaled.Row(0))) < 1e-3 {
		t.Error("the law does not see that a penalty has units")
	}
}

// Law: a row of weight 2 is two rows, and scaling all weights with L2 changes
// nothing. The planted mutant doubles every row.
func TestWeightsCountRows(t *testing.T) {
	d := windows(4000, 6, 1e-1, 1, 11)
	more, scaled := d.repeated(func(i int) int { return 1 + i%2 }), make([]float64, 4000)
	d.w = slices.Repeat([]float64{1, 2}, 2000)
	for i := range scaled {
		scaled[i] = 7 * d.w[i]
	}
	for _, ratio := range []float64{0, 0.5} {
		p := with(func(p *Params) { p.L1Ratio, p.Tol = ratio, 1e-12 })
		a, _ := fit(t, more, p)
		b, _ := fit(t, d, p)
		p.L2 = 7
		c, _ := fit(t, data{x: d.x, y: d.y, w: scaled}, p)
		if ab, ac := distance(a.theta(), b.theta()), distance(a.theta(), c.theta()); ab > 1e-4 || ac > 1e-4 {
			t.Errorf("ratio %v: coefficients differ by %.2g and %.2g", ratio, ab, ac)
		}
		p.L2 = 1
		if m, _ := fit(t, d.repeated(func(int) int { return 2 }), p); distance(a.theta(), m.theta()) < 1e-3 {
			t.Error("the law does not see other weights")
		}
	}
}

// Law: a constant column changes no margin by more than 1e-4: the free intercept
// does what it could, so that a penalty keeps it at 0; without one, only its sum
// with the intercept is determined. The planted mutant is a column that varies.
func TestConstantColumnDoesNotMatter(t *testing.T) {
	d := windows(5000, 6, 1e-1, 1, 18)
	for _, p := range []Params{
		with(func(p *Params) { p.Tol = 1e-12 }),
		with(func(p *Params) { p.L2, p.L1Ratio, p.Tol = 20, 0.5, 1e-12 }),
		with(func(p *Params) { p.L2, p.Tol = 0, 1e-12 }),
	} {
		without, _ := fit(t, d, p)
		differ := func(value func(i int) float64) bool {
			x := d.withColumn(value)
			m, _ := fit(t, data{x: x, y: d.y}, p)
			for i := range 5000 {
				if math.Abs(m.Margin(x.Row(i))-without.Margin(d.x.Row(i))) > 1e-4 {
					return true
				}
			}
			return false
		}
		if differ(func(int) float64 { return 2 }) {
			t.Errorf("%+v: a constant column changes the margins", p)
		}
		if !differ(func(i int) float64 { return float64(index(d.y[i]) + i%5) }) {
			t.Errorf("%+v: the law does not see a column that hints at the labels", p)
		}
	}
}

// Law: with a penalty units do matter, unless the standardising encoder comes
// first: then the margins are the same to 1e-6.
func TestEncoderMakesUnitsIrrelevant(t *testing.T) {
	d := windows(5000, 6, 1e-1, 1, 19)
	margins := func(scale float64, raw bool) []float64 {
		f := &model.Frame{NumericNames: d.x.Names[:6]}
		for i, v := range d.x.Dense {
			f.Numeric = append(f.Numeric, v*math.Pow(scale, float64(i%6)))
		}
		e, err := encode.Fit(f, encode.Options{Raw: raw})
		if err != nil {
			t.Fatal(err)
		}
		x := e.Matrix(f)
		m, _ := fit(t, data{x: x, y: d.y}, with(func(p *Params) { p.L2 = 100 }))
		out := make([]float64, x.Rows())
		m.Margins(x, out)
		return out
	}
	if diff := distance(margins(0.1, false), margins(1, false)); diff > 1e-6 {
		t.Errorf("margins differ by %.2g", diff)
	}
	if distance(margins(0.1, true), margins(1, true)) < 1e-3 {
		t.Error("the law does not see units")
	}
}

// Data that a hyperplane separates has no optimum without a penalty: the status
// says so. With a penalty it has one.
func TestSeparableIsNotConverged(t *testing.T) {
	d := windows(500, 10, 1e-1, 1e6, 4)
	for i := range d.y {
		d.y[i] = d.x.Row(i).Dense[0] > 0
	}
	_, r, err := Fit(context.Background(), d.input(), with(func(p *Params) { p.L2 = 0 }), nil)
	if err != nil || r.Status == Converged {
		t.Errorf("report %+v, error %v", r, err)
	}
	fit(t, d, with(func(p *Params) { p.L2 = 1e-6 }))
}

// Law: the number of cores changes no bit; the seed does (or the test is dead).
func TestSameBitsOnAnyNumberOfCores(t *testing.T) {
	d := windows(20_000, 10, 1e-2, 1, 12)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, ratio := range []float64{0, 0.5} {
		p := with(func(p *Params) { p.L2, p.L1Ratio = 10, ratio })
		var first []any
		for _, cores := range []int{1, 2, 7} {
			runtime.GOMAXPROCS(cores)
			m, r := fit(t, d, p)
			terms, err := Errors(d.input(), m, p, nil)
			if err != nil {
				t.Fatal(err)
			}
			out := []any{m, r, terms}
			if first == nil {
				first = out
			}
			if diff := cmp.Diff(first, out); diff != "" {
				t.Errorf("ratio %v, %d cores: %s", ratio, cores, diff)
			}
		}
		p.Seed++
		if other, _ := fit(t, d, p); cmp.Equal(first[0], other) {
			t.Error("another seed gives the same bits: the comparison is dead")
		}
	}
}

// Law: Margins is Margin, bit for bit, on any number of cores.
func TestMarginsAreMargin(t *testing.T) {
	d := windows(10_000, 7, 1, 1, 20)
	m, _ := fit(t, d, Defaults())
	out := make([]float64, 10_000)
	m.Margins(d.x, out)
	for i, got := range out {
		if got != m.Margin(d.x.Row(i)) {
			t.Fatalf("row %d: %v, want %v", i, got, m.Margin(d.x.Row(i)))
		}
	}
	for name, call := range map[string]func(){
		"rows":    func() { m.Margins(d.x, out[1:]) },
		"columns": func() { (&Model{}).Margins(d.x, out) },
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

// A row that alone carries a level, and rows with extreme values: the sample
// must see both.
func TestRareAndExtremeRows(t *testing.T) {
	d := windows(30_000, 6, 1e-1, 1, 13)
	for i := 0; i < 30_000; i += 2500 {
		d.x.Dense[6*i] = 1000
	}
	prob, err := newProblem(d.input(), Defaults())
	if err != nil {
		t.Fatal(err)
	}
	_, want := newton(d, prob)
	if _, r := fit(t, d, Defaults()); r.Objective-want > 1e-6*want || r.Epochs > 15 {
		t.Errorf("%+v, want objective %v", r, want)
	}
}

func TestJSONRoundTrip(t *testing.T) {
	m, _ := fit(t, windows(500, 4, 1, 1, 14), Defaults())
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var back Model
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, &back); diff != "" {
		t.Error(diff)
	}
}

func TestFitRefuses(t *testing.T) {
	d := windows(20, 2, 1, 1, 15)
	nan := *d.x
	nan.Dense = slices.Clone(d.x.Dense)
	nan.Dense[3] = math.NaN()
	all := func(y bool) []bool { return slices.Repeat([]bool{y}, 20) }
	for _, c := range []struct {
		want string
		x    *model.Matrix
		y    []bool
		w    []float64
		p    Params
	}{
		{"every label is positive", d.x, all(true), nil, Defaults()},
		{"every label is negative", d.x, all(false), nil, Defaults()},
		{"20 rows, 3 labels", d.x, d.y[:3], nil, Defaults()},
		{"0 weights", d.x, d.y, []float64{}, Defaults()},
		{"weight of row 0: -1", d.x, d.y, slices.Repeat([]float64{-1}, 20), Defaults()},
		{"no rows with a weight", d.x, d.y, make([]float64, 20), Defaults()},
		{"feature x1 is not finite", &nan, d.y, nil, Defaults()},
		{"max_epochs", d.x, d.y, nil, with(func(p *Params) { p.MaxEpochs = 0 })},
	} {
		if _, _, err := Fit(context.Background(), Input{X: c.x, Label: c.y, Weight: c.w}, c.p, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

func TestValidateReportsAllFaults(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Errorf("defaults: %v", err)
	}
	err := Params{L2: -1, L1Ratio: 2, LearningRate: math.NaN(), Tol: math.Inf(1), ClassWeight: "auto"}.Validate()
	for _, key := range []string{"l2", "l1_ratio", "learning_rate", "batch_size", "max_epochs", "tol", "class_weight"} {
		if err == nil || !strings.Contains(err.Error(), key+": ") {
			t.Errorf("%s is missing in %v", key, err)
		}
	}
}

func TestEndsAndProgress(t *testing.T) {
	d := windows(3000, 6, 1e-2, 1, 16)
	p := with(func(p *Params) { p.MaxEpochs = 1 })
	var epochs []int
	_, r, err := Fit(context.Background(), d.input(), p, func(epoch int, objective, gap float64) { epochs = append(epochs, epoch) })
	if err != nil || r.Status != IterationLimit || r.Epochs != 1 || !slices.Equal(epochs, []int{0, 1}) {
		t.Errorf("report %+v, error %v, progress %v", r, err, epochs)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := errors.New("stop")
	_, _, err = Fit(ctx, d.input(), Defaults(), func(int, float64, float64) { cancel(stop) })
	if !errors.Is(err, stop) {
		t.Errorf("error %v, want the context's cause", err)
	}
}

// Law of adapt: a rise or a NaN is refused with a smaller step and a larger
// sample; a good fall restores the step.
func TestAdapt(t *testing.T) {
	for _, c := range []struct {
		fall, gap, rate float64
		accept          bool
		growth          int
	}{
		{1, 1, 0.2, true, 1}, {0.1, 1, 0.2, true, 4}, {0, 1, 0.025, false, 4},
		{-1, 1, 0.025, false, 4}, {math.NaN(), 1, 0.025, false, 4},
	} {
		s := &solver{params: Params{LearningRate: 0.25}, rate: 0.1, growth: 1}
		if got := s.adapt(c.fall, c.gap); got != c.accept || s.rate != c.rate || s.growth != c.growth {
			t.Errorf("fall %v: accept %v, rate %v, growth %d", c.fall, got, s.rate, s.growth)
		}
	}
	if s := (&solver{rate: minRate / 2}); s.status(3, 1, 1) != Diverged {
		t.Error("a vanishing step is not reported as diverged")
	}
}

func BenchmarkFit(b *testing.B) {
	for _, n := range []int{1e3, 1e5, 1e6} {
		for _, ratio := range []float64{0, 0.5} {
			d := windows(n, 34, 1e-2, 2, 1) // 50 columns, 16 of them one-hot
			p := with(func(p *Params) { p.L1Ratio = ratio })
			b.Run(fmt.Sprintf("%d/l1_ratio=%v", n, ratio), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					fit(b, d, p)
				}
				b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}

func BenchmarkMargins(b *testing.B) {
	for _, n := range []int{1e3, 1e5, 1e6} {
		x := &model.Matrix{Names: make([]string, 50), Width: 50, Dense: make([]float64, 50*n)}
		m, out := &Model{Coef: make([]float64, 50)}, make([]float64, n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.Margins(x, out)
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func BenchmarkErrors(b *testing.B) {
	for _, n := range []int{1e3, 1e5} {
		d := windows(n, 34, 1e-2, 2, 1)
		m, _ := fit(b, d, Defaults())
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, err := Errors(d.input(), m, Defaults(), nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
