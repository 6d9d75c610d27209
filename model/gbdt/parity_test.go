package gbdt

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"churn/model"
)

// golden is testdata/parity.json; its README says where it comes from.
type golden struct {
	Levels       int
	Plain, Nulls [][]*float64
	Level        []int32
	Label        []int
	Weight       []float64
	Every        int
	Cases        []goldenCase
}

type goldenCase struct {
	Name, Peer              string
	Nulls, Weighted, Levels bool
	Params                  json.RawMessage
	Sign                    []int
	Margins                 []float64
}

// data returns the rows of a case.
func (g *golden) data(c *goldenCase) Data {
	rows := g.Plain
	if c.Nulls {
		rows = g.Nulls
	}
	d := Data{X: &model.Matrix{Width: len(rows[0])}}
	for j := range rows[0] {
		d.X.Names = append(d.X.Names, fmt.Sprint("x", j))
	}
	if c.Levels {
		d.X.Groups = 1
		for l := range g.Levels {
			d.X.Names = append(d.X.Names, fmt.Sprint("c=", l))
		}
	}
	if c.Weighted {
		d.Weight = g.Weight
	}
	for i, row := range rows {
		for _, x := range row {
			if x == nil {
				x = new(float64)
				*x = math.NaN()
			}
			d.X.Dense = append(d.X.Dense, *x)
		}
		if c.Levels {
			d.X.Codes = append(d.X.Codes, int32(d.X.Width)+g.Level[i])
		}
		d.Label = append(d.Label, g.Label[i] == 1)
	}
	return d
}

// off returns the largest difference from the margins of a case.
func (c *goldenCase) off(m *Model, d Data, every int) (most float64) {
	for k, want := range c.Margins {
		most = max(most, math.Abs(m.Margin(d.X.Row(k*every))-want))
	}
	return most
}

// Law: where the peers must agree with us, they do, to what float32 gradients
// leave. The planted mutant has another λ.
func TestParity(t *testing.T) {
	file, err := os.ReadFile("testdata/parity.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(file, &g); err != nil {
		t.Fatal(err)
	}
	for _, c := range g.Cases {
		p := Defaults()
		if err := json.Unmarshal(c.Params, &p); err != nil {
			t.Fatal(err)
		}
		for j, s := range c.Sign {
			switch s {
			case 1:
				p.MonotoneIncreasing = append(p.MonotoneIncreasing, fmt.Sprint("x", j))
			case -1:
				p.MonotoneDecreasing = append(p.MonotoneDecreasing, fmt.Sprint("x", j))
			}
		}
		d := g.data(&c)
		m, _ := fit(t, d, p)
		tolerance := 1e-6
		if len(c.Sign) > 0 {
			tolerance = 1e-4 // the bounds of children come from rounded gradients
		}
		if off := c.off(m, d, g.Every); off > tolerance {
			t.Errorf("%s, %s: margins differ by up to %.2g", c.Name, c.Peer, off)
		}
		p.L2 += 0.1
		if m, _ := fit(t, d, p); c.off(m, d, g.Every) < 1e-3 {
			t.Errorf("%s, %s: the law does not see λ", c.Name, c.Peer)
		}
	}
}
