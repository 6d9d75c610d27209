package logistic

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
)

// refit fits d from a start and returns the report too.
func refit(t *testing.T, d data, p Params, s *Start) (*Model, Report) {
	t.Helper()
	in := d.input()
	in.Start = s
	m, r, err := Fit(context.Background(), in, p, nil)
	if err != nil || r.Status != Converged {
		t.Fatalf("report %+v, error %v", r, err)
	}
	return m, r
}

// Law: a start changes the way and not the goal. From its own optimum a fit
// needs no more than one epoch, and from a neighbour's fewer than from nothing.
func TestStartSavesEpochs(t *testing.T) {
	d := windows(8000, 10, 1e-2, 1, 31)
	for _, ratio := range []float64{0, 0.5} {
		p := with(func(p *Params) { p.L1Ratio, p.Tol = ratio, 1e-11 })
		cold, r := fit(t, d, p)
		if _, again := refit(t, d, p, &Start{d.x.Names, cold}); again.Epochs > 1 {
			t.Errorf("ratio %v: %d epochs from its own optimum", ratio, again.Epochs)
		}
		near, _ := fit(t, d, with(func(p *Params) { p.L2, p.L1Ratio = 1.1, ratio }))
		warm, w := refit(t, d, p, &Start{d.x.Names, near})
		if w.Epochs >= r.Epochs {
			t.Errorf("ratio %v: %d epochs from nearby, %d from nothing", ratio, w.Epochs, r.Epochs)
		}
		if diff := distance(warm.theta(), cold.theta()); diff > 1e-3 {
			t.Errorf("ratio %v: coefficients differ by %.2g", ratio, diff)
		}
	}
}

// Law: a start is matched by name, wherever its columns are; unknown ones are
// left out and missing ones begin at 0. The planted mutant matches by position.
func TestStartIsMatchedByName(t *testing.T) {
	p, _ := point(t, 100)
	names := slices.Clone(p.x.Names)
	coef := make([]float64, len(names))
	for j := range coef {
		coef[j] = float64(j + 1)
	}
	slices.Reverse(names)
	names[0] = "gone" // was the last column
	theta := (&Start{names, &Model{Intercept: 0.5, Coef: coef}}).point(p)
	n := len(names)
	for j := range n {
		want := float64(n - j)
		if j == n-1 {
			want = 0
		}
		if theta[j] != want {
			t.Errorf("%s begins at %v, want %v", p.x.Names[j], theta[j], want)
		}
	}
	if theta[n] != 0.5 {
		t.Errorf("the intercept begins at %v", theta[n])
	}
}

// Law: a start that is worse than none is not used: the same bits come out.
func TestBadStartIsNotUsed(t *testing.T) {
	d := windows(2000, 5, 1, 1, 32)
	cold, _ := fit(t, d, Defaults())
	for _, b := range []float64{-100, 1e300} {
		bad := &Model{Coef: slices.Repeat([]float64{b}, d.x.Cols())}
		if m, _ := refit(t, d, Defaults(), &Start{d.x.Names, bad}); !slices.Equal(m.theta(), cold.theta()) {
			t.Errorf("coefficients %v: another model came out", b)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	d := windows(20, 2, 1, 1, 33)
	for want, s := range map[string]*Start{
		"1 names for 2":              {[]string{"x"}, &Model{Coef: []float64{1, 2}}},
		"coefficient 0 of the start": {[]string{"x"}, &Model{Coef: []float64{math.NaN()}}},
		"coefficient 1 of the start": {[]string{"x"}, &Model{Intercept: math.Inf(1), Coef: []float64{1}}},
	} {
		in := d.input()
		in.Start = s
		if _, _, err := Fit(context.Background(), in, Defaults(), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
