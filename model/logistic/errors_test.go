package logistic

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"churn/model"
)

// clustered returns weighted rows of users, each up to three times in a row.
func clustered(n int, seed uint64) (data, []int32) {
	d, user := windows(n, 4, 0.5, 1, seed), make([]int32, n)
	rng := rand.New(rand.NewPCG(seed, 9))
	for i := range user {
		d.w = append(d.w, 0.5+rng.Float64())
		if i > 0 {
			user[i] = user[i-1] + int32(rng.IntN(3)/2)
		}
	}
	return d, user
}

// naiveErrors is the readable twin: the formulas of Errors on densified rows,
// with the inverse by elimination. It returns StdErr² and ModelErr² of θ.
func naiveErrors(d data, p *problem, theta []float64, user []int32) (robust, plain []float64) {
	dim := len(theta)
	hessian, fisher, meat := square(dim), square(dim), square(dim)
	scores := map[int32][]float64{}
	for i, x := range d.design() {
		s := model.Sigmoid(naiveDot(x, theta))
		if scores[user[i]] == nil {
			scores[user[i]] = make([]float64, dim)
		}
		for a := range x {
			scores[user[i]][a] += p.weight[i] * (s - float64(index(d.y[i]))) * x[a]
			for b := range x {
				fisher[a][b] += p.weight[i] * s * (1 - s) * x[a] * x[b]
			}
		}
	}
	for _, s := range scores {
		for a := range s {
			for b := range s {
				meat[a][b] += s[a] * s[b]
			}
		}
	}
	for a := range dim {
		copy(hessian[a], fisher[a])
		if a < dim-1 {
			hessian[a][a] += p.l2
		}
	}
	groups := float64(len(scores))
	for a := range dim {
		unit, h := make([]float64, dim), square(dim)
		unit[a] = 1
		for b := range h {
			copy(h[b], hessian[b])
		}
		z := gauss(h, unit)
		robust = append(robust, groups/(groups-1)*form(meat, z))
		plain = append(plain, form(fisher, z)/p.total)
	}
	return robust, plain
}

func square(n int) [][]float64 {
	m := make([][]float64, n)
	for i := range m {
		m[i] = make([]float64, n)
	}
	return m
}

// form returns zᵀMz.
func form(m [][]float64, z []float64) (sum float64) {
	for a := range z {
		sum += z[a] * naiveDot(m[a], z)
	}
	return sum
}

// Law: the errors are those of the twin; the intercept comes first. The planted
// mutant takes every row for a user of its own.
func TestErrorsAreTheTwins(t *testing.T) {
	d, user := clustered(3000, 41)
	p := with(func(p *Params) { p.L2, p.ClassWeight = 5, ClassWeightBalanced })
	m, _ := fit(t, d, p)
	prob, err := newProblem(d.input(), p)
	if err != nil {
		t.Fatal(err)
	}
	robust, plain := naiveErrors(d, prob, m.theta(), user)
	terms, err := Errors(d.input(), m, p, user)
	if err != nil {
		t.Fatal(err)
	}
	alone, err := Errors(d.input(), m, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, term := range terms {
		j := (k + len(m.Coef)) % len(terms)
		if off(term.StdErr, math.Sqrt(robust[j])) || off(term.ModelErr, math.Sqrt(plain[j])) {
			t.Errorf("%+v, want %v and %v", term, math.Sqrt(robust[j]), math.Sqrt(plain[j]))
		}
		if !off(alone[k].StdErr, term.StdErr) {
			t.Errorf("%s: the law does not see the users", term.Name)
		}
	}
	if terms[0].Name != InterceptName || terms[1].Name != d.x.Names[0] || len(terms) != d.x.Cols()+1 {
		t.Errorf("terms %+v", terms)
	}
}

// Law: neither the numbers of the users nor the order of the rows matter, beyond
// rounding.
func TestErrorsDoNotKnowTheOrder(t *testing.T) {
	d, user := clustered(3000, 42)
	m, _ := fit(t, d, Defaults())
	want, err := Errors(d.input(), m, Defaults(), user)
	if err != nil {
		t.Fatal(err)
	}
	mixed, names := d.permuted(1), []int32{}
	for _, i := range rand.New(rand.NewPCG(1, 8)).Perm(len(user)) { // the order of permuted
		names = append(names, 1000-7*user[i])
	}
	got, err := Errors(mixed.input(), m, Defaults(), names)
	if err != nil {
		t.Fatal(err)
	}
	for k := range want {
		if math.Abs(got[k].StdErr/want[k].StdErr-1) > 1e-9 {
			t.Errorf("%+v, want %+v", got[k], want[k])
		}
	}
}

// 40 rows with x = 0, 10 of them positive, and 40 with x = 1, 20 of them
// positive: the odds are 1/3 and 1, the ratio 3, and the model-based variance of
// its logarithm is 1/10 + 1/30 + 1/20 + 1/20 (Woolf, 1955). Without clusters the
// robust variance of a saturated model is the same, times 80/79.
func TestErrorsByHand(t *testing.T) {
	d := data{x: &model.Matrix{Names: []string{"x"}, Width: 1}}
	for i := range 80 {
		d.x.Dense = append(d.x.Dense, float64(i/40))
		d.y = append(d.y, i%40 < 10*(1+i/40))
	}
	p := with(func(p *Params) { p.L2, p.Tol = 0, 1e-13 })
	m, _ := fit(t, d, p)
	terms, err := Errors(d.input(), m, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	variance := 0.1 + 1/30.0 + 0.05 + 0.05
	robust := math.Sqrt(variance * 80 / 79)
	want := Term{
		Name: "x", Coef: math.Log(3), StdErr: robust, ModelErr: math.Sqrt(variance), OddsRatio: 3,
		Low: 3 * math.Exp(-1.959963985*robust), High: 3 * math.Exp(1.959963985*robust),
	}
	x := terms[1]
	if off(x.Coef, want.Coef) || off(x.StdErr, want.StdErr) || off(x.ModelErr, want.ModelErr) ||
		off(x.OddsRatio, 3) || off(x.Low, want.Low) || off(x.High, want.High) {
		t.Errorf("%+v, want %+v", x, want)
	}
}

// Coefficients that ‖β‖₁ set to 0 have no row.
func TestErrorsLeaveOutWhatIsZero(t *testing.T) {
	d, user := clustered(3000, 43)
	p := with(func(p *Params) { p.L2, p.L1Ratio = 300, 1 })
	m, _ := fit(t, d, p)
	terms, err := Errors(d.input(), m, p, user)
	if err != nil {
		t.Fatal(err)
	}
	kept := 1
	for _, b := range m.Coef {
		kept += index(b != 0)
	}
	if len(terms) != kept || kept == len(m.Coef)+1 || slices.ContainsFunc(terms, func(t Term) bool { return !(t.StdErr > 0) }) {
		t.Errorf("%d terms, want %d: %+v", len(terms), kept, terms)
	}
}

func TestErrorsRefuse(t *testing.T) {
	d, user := clustered(300, 44)
	none := with(func(p *Params) { p.L2 = 0 })
	m := &Model{Coef: make([]float64, d.x.Cols())}
	if _, err := Errors(d.input(), m, none, user); err == nil || !strings.Contains(err.Error(), "L2 penalty") {
		t.Errorf("all levels of a group: error %v", err)
	}
	if _, err := Errors(d.input(), m, Defaults(), make([]int32, 300)); err == nil || !strings.Contains(err.Error(), "one cluster") {
		t.Errorf("one user: error %v", err)
	}
	zero := data{x: &model.Matrix{Names: []string{"x"}, Width: 1, Dense: make([]float64, 300)}, y: d.y}
	if _, err := Errors(zero.input(), &Model{Coef: []float64{0}}, none, user); err == nil {
		t.Error("a column of zeros has an error")
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	_, _ = Errors(d.input(), m, Defaults(), user[1:])
}
