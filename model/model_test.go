package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

// random returns a matrix of n rows, width dense columns and two one-hot
// groups of three levels, with its densified twin.
func random(rng *rand.Rand, n, width int) (*Matrix, [][]float64) {
	m := &Matrix{Names: make([]string, width+6), Width: width, Groups: 2}
	dense := make([][]float64, n)
	for i := range dense {
		dense[i] = make([]float64, width+6)
		for j := range width {
			dense[i][j] = rng.NormFloat64()
			m.Dense = append(m.Dense, dense[i][j])
		}
		for g := range 2 {
			c := width + 3*g + rng.IntN(3)
			dense[i][c] = 1
			m.Codes = append(m.Codes, int32(c))
		}
	}
	return m, dense
}

// Law: the row kernels agree with the plain loop over the densified row.
func TestRowKernelsMatchDenseTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, width := range []int{0, 1, 3, 4, 5, 8, 11, 120} {
		m, dense := random(rng, 20, width)
		if m.Rows() != 20 || m.Cols() != width+6 {
			t.Fatalf("width %d: shape %d × %d", width, m.Rows(), m.Cols())
		}
		for i, x := range dense {
			w, g, want := make([]float64, m.Cols()), make([]float64, m.Cols()), 0.0
			for j := range w {
				w[j] = rng.NormFloat64()
				want += x[j] * w[j]
			}
			if got := m.Row(i).Dot(w); math.Abs(got-want) > 1e-12 {
				t.Errorf("width %d row %d: Dot = %v, want %v", width, i, got, want)
			}
			m.Row(i).AddScaled(2.5, g)
			for j := range g {
				if g[j] != 2.5*x[j] {
					t.Errorf("width %d row %d column %d: AddScaled gave %v, want %v", width, i, j, g[j], 2.5*x[j])
				}
			}
		}
	}
}

func TestRowKernelsDoNotAllocate(t *testing.T) {
	m, _ := random(rand.New(rand.NewPCG(1, 2)), 4, 7)
	w := make([]float64, m.Cols())
	if n := testing.AllocsPerRun(10, func() { m.Row(2).AddScaled(m.Row(1).Dot(w), w) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestSigmoid(t *testing.T) {
	for _, c := range []struct{ margin, want float64 }{
		{0, 0.5}, {math.Log(3), 0.75}, {-math.Log(3), 0.25},
		{-745, 5e-324}, // exp(-745) is the smallest denormal: no flush to zero
		{800, 1}, {-800, 0}, {math.Inf(1), 1}, {math.Inf(-1), 0},
	} {
		if got := Sigmoid(c.margin); math.Abs(got-c.want) > 1e-15*c.want {
			t.Errorf("Sigmoid(%v) = %v, want %v", c.margin, got, c.want)
		}
	}
	if !math.IsNaN(Sigmoid(math.NaN())) {
		t.Error("Sigmoid(NaN) is not NaN")
	}
}

func TestFrame(t *testing.T) {
	f := &Frame{
		NumericNames: []string{"a", "b"}, Numeric: []float64{1, 2, 3, 4},
		CategoricalNames: []string{"c"}, Categorical: []string{"x", "y"},
	}
	num, cat := f.Row(1)
	if f.Rows() != 2 || num[0] != 3 || num[1] != 4 || cat[0] != "y" {
		t.Errorf("Row(1) of %d = %v %v", f.Rows(), num, cat)
	}
	if err := f.Check(); err != nil {
		t.Error(err)
	}
	for name, bad := range map[string]*Frame{
		"ragged numeric":        {NumericNames: []string{"a", "b"}, Numeric: []float64{1, 2, 3}},
		"too few categoricals":  {NumericNames: []string{"a"}, Numeric: []float64{1, 2}, CategoricalNames: []string{"c"}, Categorical: []string{"x"}},
		"values without a name": {Numeric: []float64{1}},
	} {
		if bad.Check() == nil {
			t.Errorf("%s: Check accepted it", name)
		}
	}
	if only := (&Frame{CategoricalNames: []string{"c"}, Categorical: []string{"x", "y"}}); only.Rows() != 2 {
		t.Errorf("categoricals only: %d rows, want 2", only.Rows())
	}
}

func BenchmarkDot(b *testing.B) {
	m, _ := random(rand.New(rand.NewPCG(1, 3)), 1000, 114)
	w := make([]float64, m.Cols())
	for i := range w {
		w[i] = float64(i)
	}
	var sum float64
	for b.Loop() {
		for i := range 1000 {
			sum += m.Row(i).Dot(w)
		}
	}
	b.ReportMetric(1000*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	_ = sum
}
