package linear

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"churn/model"
)

// random returns n rows of width dense columns and a one-hot group of three,
// with labels that depend on the first column.
func random(n, width int, seed uint64) (*model.Matrix, []bool) {
	rng := rand.New(rand.NewPCG(seed, 1))
	m := &model.Matrix{Names: make([]string, width+3), Width: width, Groups: 1}
	var y []bool
	for range n {
		first := rng.NormFloat64()
		m.Dense = append(m.Dense, first)
		for range width - 1 {
			m.Dense = append(m.Dense, rng.NormFloat64())
		}
		m.Codes = append(m.Codes, int32(width+rng.IntN(3)))
		y = append(y, first+rng.NormFloat64() > 0.5)
	}
	return m, y
}

func fit(t testing.TB, x *model.Matrix, y []bool, p Params) *Model {
	t.Helper()
	m, err := Fit(x, y, p)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// y = 0, 0, 1, 1 at x = 0, 1, 2, 3: slope Σ(x-x̄)(y-ȳ)/Σ(x-x̄)² = 2/5 = 0.4,
// intercept 0.5 - 0.4·1.5 = -0.1.
func TestLineByHand(t *testing.T) {
	x := &model.Matrix{Names: []string{"x"}, Width: 1, Dense: []float64{0, 1, 2, 3}}
	m := fit(t, x, []bool{false, false, true, true}, Defaults())
	if math.Abs(m.Coef[0]-0.4) > 1e-14 || math.Abs(m.Intercept+0.1) > 1e-14 {
		t.Errorf("%+v, want slope 0.4, intercept -0.1", m)
	}
	at := func(v float64) model.Row { return model.Row{Dense: []float64{v}} }
	if p := m.Probability(at(0)); p != clip {
		t.Errorf("Probability(0) = %v, want the clip", p)
	}
	if p := m.Probability(at(100)); p != 1-clip {
		t.Errorf("Probability(100) = %v, want the clip", p)
	}
	// Predict(2) = 0.7, whose log-odds are log(7/3).
	if got := m.Margin(at(2)); math.Abs(got-math.Log(7.0/3)) > 1e-13 {
		t.Errorf("Margin(2) = %v", got)
	}
}

// Law: the residuals are orthogonal to the intercept and to every column, even
// those left out. The planted mutant, a shifted coefficient, must be noticed.
func TestNormalEquations(t *testing.T) {
	x, y := random(1500, 12, 1)
	for i := range x.Rows() { // column 11 = 2·column 0 - column 1: collinear
		d := x.Row(i).Dense
		d[11] = 2*d[0] - d[1]
	}
	m := fit(t, x, y, Defaults())
	worst := func() (worst float64) {
		sums := make([]float64, x.Cols()+1)
		for i := range x.Rows() {
			r := -m.Predict(x.Row(i))
			if y[i] {
				r++
			}
			x.Row(i).AddScaled(r, sums)
			sums[x.Cols()] += r
		}
		for _, s := range sums {
			worst = max(worst, math.Abs(s)/1500)
		}
		return worst
	}
	if w := worst(); w > 1e-12 {
		t.Errorf("residuals correlate by %g", w)
	}
	if m.Coef[3] += 1e-6; worst() < 1e-9 {
		t.Error("the law does not see a changed coefficient")
	}
}

// Law: of two equal columns and a full set of dummies, one each is left out;
// constants too; nearly equal columns (1e-3) stay.
func TestCollinearColumnsAreLeftOut(t *testing.T) {
	x, y := random(1000, 6, 2)
	for i := range x.Rows() {
		d := x.Row(i).Dense
		d[1], d[2], d[3] = d[0], 7, d[0]+1e-3*d[3]
	}
	design, _ := densify(x, y, sample(1000, Defaults()))
	got, err := independent(design, x.Cols())
	if err != nil {
		t.Fatal(err)
	}
	// 9 columns - twin - constant - one dummy = 6.
	if len(got) != 6 {
		t.Errorf("chosen %v, want 6 of 9", got)
	}
}

func TestOneClassAndNoColumns(t *testing.T) {
	x, _ := random(50, 2, 3)
	m := fit(t, x, make([]bool, 50), Defaults())
	if p := m.Predict(x.Row(3)); math.Abs(p) > 1e-12 {
		t.Errorf("all negative: Predict = %v, want 0", p)
	}
	flat := &model.Matrix{Names: []string{"x"}, Width: 1, Dense: make([]float64, 4)}
	m = fit(t, flat, []bool{true, false, false, false}, Defaults())
	if math.Abs(m.Intercept-0.25) > 1e-15 || m.Coef[0] != 0 {
		t.Errorf("constant column: %+v, want the base rate 0.25", m)
	}
}

// Fewer rows than columns: a degree of freedom is left beside the intercept
// and 8 columns of 10 rows.
func TestMoreColumnsThanRows(t *testing.T) {
	x, y := random(10, 40, 4)
	used := 0
	for _, b := range fit(t, x, y, Defaults()).Coef {
		if b != 0 {
			used++
		}
	}
	if used != 8 {
		t.Errorf("%d columns used, want 8", used)
	}
}

func TestSeedDecidesTheSample(t *testing.T) {
	x, y := random(5000, 4, 5)
	a, b := fit(t, x, y, Params{MaxRows: 500, Seed: 1}), fit(t, x, y, Params{MaxRows: 500, Seed: 1})
	if diff := cmp.Diff(a, b); diff != "" {
		t.Error(diff)
	}
	if cmp.Equal(a, fit(t, x, y, Params{MaxRows: 500, Seed: 2})) {
		t.Error("another seed gives the same model")
	}
}

func TestFitRefuses(t *testing.T) {
	x, y := random(10, 2, 6)
	bad, _ := random(10, 2, 6)
	bad.Dense[4] = math.Inf(1)
	for _, c := range []struct {
		want string
		x    *model.Matrix
		y    []bool
		p    Params
	}{
		{"max_rows: 2", x, y, Params{MaxRows: 2}},
		{"10 rows and 3 labels", x, y[:3], Defaults()},
		{"not finite", bad, y, Defaults()},
	} {
		if _, err := Fit(c.x, c.y, c.p); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

func BenchmarkFit(b *testing.B) {
	for _, n := range []int{1e3, 1e5} {
		x, y := random(n, 117, 8)
		b.Run(fmt.Sprintf("%dx120", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				fit(b, x, y, Defaults())
			}
			b.ReportMetric(float64(min(n, Defaults().MaxRows))*float64(b.N)/b.Elapsed().Seconds(), "sampled-rows/s")
		})
	}
}

// Law: the number of cores changes no bit, the library's matrix products
// included.
func TestSameBitsOnAnyNumberOfCores(t *testing.T) {
	x, y := random(3000, 60, 9)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one := fit(t, x, y, Defaults())
	runtime.GOMAXPROCS(2)
	if diff := cmp.Diff(one, fit(t, x, y, Defaults())); diff != "" {
		t.Error(diff)
	}
}
