package logistic

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"churn/model"
)

// golden is testdata/parity.json: what other libraries make of the same rows.
type golden struct {
	Data   map[string]goldenData `json:"data"`
	Cases  []goldenCase          `json:"cases"`
	Errors struct {
		Coef     []float64 `json:"coef"` // the constant first
		ModelErr []float64 `json:"model_std_err"`
		StdErr   []float64 `json:"std_err"`
	} `json:"errors"`
}

type goldenData struct {
	Dense  [][]float64 `json:"dense"`
	Codes  [][]int32   `json:"codes"` // by group, each from 0
	Levels []int32     `json:"levels"`
	Label  []int       `json:"label"`
	Weight []float64   `json:"weight"`
	User   []int32     `json:"user"`
}

type goldenCase struct {
	Name      string    `json:"name"`
	Data      string    `json:"data"`
	L2        float64   `json:"l2"`
	L1Ratio   float64   `json:"l1_ratio"`
	Weighted  bool      `json:"weighted"`
	Balanced  bool      `json:"balanced"`
	Objective float64   `json:"objective"`
	Coef      []float64 `json:"coef"`
	Intercept float64   `json:"intercept"`
}

func readGolden(t *testing.T) golden {
	t.Helper()
	text, err := os.ReadFile("testdata/parity.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// data returns the rows as a matrix, unweighted.
func (g goldenData) data() data {
	x := &model.Matrix{Width: len(g.Dense[0]), Groups: len(g.Levels)}
	for j := range x.Width {
		x.Names = append(x.Names, fmt.Sprint("x", j))
	}
	first := []int32{int32(x.Width)}
	for k, levels := range g.Levels {
		for l := range levels {
			x.Names = append(x.Names, fmt.Sprintf("g%d=%d", k, l))
		}
		first = append(first, first[k]+levels)
	}
	out := data{x: x}
	for i, row := range g.Dense {
		x.Dense = append(x.Dense, row...)
		for k, code := range g.Codes[i] {
			x.Codes = append(x.Codes, first[k]+code)
		}
		out.y = append(out.y, g.Label[i] == 1)
	}
	return out
}

// params returns the case's settings.
func (c goldenCase) params() Params {
	p := with(func(p *Params) { p.L2, p.L1Ratio, p.Tol = c.L2, c.L1Ratio, 1e-12 })
	if c.Balanced {
		p.ClassWeight = ClassWeightBalanced
	}
	return p
}

// Law: the training loss with its penalty is scikit-learn's within 1e-6, and
// the coefficients within 1e-3 of the largest; those that ‖β‖₁ sets to 0 are 0
// in both. The planted mutants are the neighbours' answers.
func TestParityWithScikitLearn(t *testing.T) {
	g := readGolden(t)
	for _, c := range g.Cases {
		t.Run(c.Name, func(t *testing.T) {
			d := g.Data[c.Data].data()
			if c.Weighted {
				d.w = g.Data[c.Data].Weight
			}
			m, r := fit(t, d, c.params())
			if !c.agrees(r.Objective, m.theta()) {
				t.Errorf("objective %v, want %v\ncoefficients %v\nwant         %v %v", r.Objective, c.Objective, m.theta(), c.Coef, c.Intercept)
			}
			for _, other := range g.Cases {
				if other.Name != c.Name && other.agrees(r.Objective, m.theta()) {
					t.Errorf("the law does not tell %s from %s", c.Name, other.Name)
				}
			}
			for j, b := range c.Coef {
				if c.L1Ratio > 0 && (b == 0) != (m.Coef[j] == 0) {
					t.Errorf("%s: %v, want %v", d.x.Names[j], m.Coef[j], b)
				}
			}
		})
	}
}

// agrees reports whether a fit is that of the case.
func (c goldenCase) agrees(objective float64, theta []float64) bool {
	want := append(slices.Clone(c.Coef), c.Intercept)
	return math.Abs(objective/c.Objective-1) < 1e-6 && distance(theta, want) < 1e-3
}

// Law: the standard errors are those of statsmodels, times √(G/(G-1)) where it
// knows the users. The planted mutant has no clusters.
func TestErrorsParityWithStatsmodels(t *testing.T) {
	g := readGolden(t)
	rows, want := g.Data["portal"], g.Errors
	rows.Codes, rows.Levels = make([][]int32, len(rows.Label)), nil // dense columns only
	d, p := rows.data(), with(func(p *Params) { p.L2, p.Tol = 0, 1e-13 })
	m, _ := fit(t, d, p)
	terms, err := Errors(d.input(), m, p, rows.User)
	if err != nil {
		t.Fatal(err)
	}
	users := float64(rows.User[len(rows.User)-1] + 1)
	for k, term := range terms {
		stdErr := want.StdErr[k] * math.Sqrt(users/(users-1))
		if off(term.Coef, want.Coef[k]) || off(term.StdErr, stdErr) || off(term.ModelErr, want.ModelErr[k]) {
			t.Errorf("%+v, want %v, %v and %v", term, want.Coef[k], stdErr, want.ModelErr[k])
		}
	}
	alone, err := Errors(d.input(), m, p, nil)
	if err != nil || !off(alone[1].StdErr, terms[1].StdErr) {
		t.Errorf("the law does not see the users: %v %v", alone[1], err)
	}
}

// off reports whether a differs from b by more than 1e-5 of it.
func off(a, b float64) bool { return !(math.Abs(a/b-1) <= 1e-5) }
