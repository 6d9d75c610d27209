package encode

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

	"churn/model"
)

var nan = math.NaN()

// sample returns n rows with every kind of column: plain, logged, with nulls,
// constant, all null; frequent and rare levels, a single level, nulls.
func sample(n int, seed uint64) (*model.Frame, Options) {
	rng := rand.New(rand.NewPCG(seed, 1))
	f := &model.Frame{
		NumericNames:     []string{"plain", "logged", "holes", "constant", "void"},
		CategoricalNames: []string{"plan", "country", "planet"},
	}
	for range n {
		holes := rng.NormFloat64() * 1e6
		if rng.IntN(4) == 0 {
			holes = nan
		}
		f.Numeric = append(f.Numeric, rng.NormFloat64(), math.Exp(5*rng.NormFloat64())-10, holes, 0.1, nan)
		plan := []string{"free", "paid", ""}[rng.IntN(3)]
		f.Categorical = append(f.Categorical, plan, fmt.Sprint("c", int(rng.ExpFloat64()*8)), "earth")
	}
	return f, Options{Numeric: []Column{{"plain", false}, {"logged", true}, {"holes", false}, {"constant", false}, {"void", false}}}
}

func fit(t testing.TB, f *model.Frame, o Options) *Encoder {
	t.Helper()
	e, err := Fit(f, o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// x = 1, 3, null, ∞ (null): mean 2; after imputation the deviations are
// -1, 1, 0, 0, so the variance is 2/4 and the encoded values are ∓1/√½.
// The indicator 0, 0, 1, 1 has mean ½ and deviation ½: ∓1.
func TestNumericByHand(t *testing.T) {
	f := &model.Frame{NumericNames: []string{"x"}, Numeric: []float64{1, 3, nan, math.Inf(1)}}
	e := fit(t, f, Options{})
	r2 := 1 / math.Sqrt(0.5)
	want := []float64{-r2, -1, r2, -1, 0, 1, 0, 1}
	if diff := cmp.Diff(want, e.Matrix(f).Dense); diff != "" {
		t.Errorf("dense (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"x", "x:missing"}, e.Names()); diff != "" {
		t.Error(diff)
	}
}

// Signed log1p of e-1 and 1-e is 1 and -1: mean 0, deviation 1.
func TestLogIsSigned(t *testing.T) {
	f := &model.Frame{NumericNames: []string{"x"}, Numeric: []float64{math.E - 1, 1 - math.E}}
	e := fit(t, f, Options{Numeric: []Column{{"x", true}}})
	if got := e.Matrix(f).Dense; math.Abs(got[0]-1) > 1e-15 || math.Abs(got[1]+1) > 1e-15 {
		t.Errorf("dense = %v, want 1 -1", got)
	}
}

// With MaxLevels 2 and MinLevelCount 2: b (3 rows) is kept, then a before c (2
// rows each, tie by name); d (1 row), "", "other" and the unseen z share the
// other column.
func TestLevelsByHand(t *testing.T) {
	f := &model.Frame{CategoricalNames: []string{"k"}, Categorical: strings.Split("c,b,a,b,c,a,b,d,,other", ",")}
	e := fit(t, f, Options{MaxLevels: 2, MinLevelCount: 2})
	if diff := cmp.Diff([]string{"k=a", "k=b", "k=other"}, e.Names()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int32{2, 1, 0, 1, 2, 0, 1, 2, 2, 2}, e.Matrix(f).Codes); diff != "" {
		t.Error(diff)
	}
	row := e.NewRow()
	if e.Encode(nil, []string{"z"}, row); row.Codes[0] != 2 {
		t.Errorf("unseen level: code %d, want 2", row.Codes[0])
	}
}

func TestColumnsThatCarryNothingAreDropped(t *testing.T) {
	f, o := sample(3000, 1)
	e := fit(t, f, o)
	for _, name := range e.Names() {
		if strings.HasPrefix(name, "constant") || strings.HasPrefix(name, "void") || strings.HasPrefix(name, "planet") {
			t.Errorf("column %s survived", name)
		}
	}
	if !slices.Contains(e.Names(), "holes:missing") || slices.Contains(e.Names(), "plain:missing") {
		t.Errorf("null indicators: %v", e.Names())
	}
}

// Law: every encoded column names the raw feature it came from.
func TestSource(t *testing.T) {
	f, o := sample(3000, 1)
	e := fit(t, f, o)
	raw := append(slices.Clone(f.NumericNames), f.CategoricalNames...)
	for col, name := range e.Names() {
		if src := raw[e.Source(col)]; name != src && !strings.HasPrefix(name, src+":") && !strings.HasPrefix(name, src+"=") {
			t.Errorf("column %d %s: source %s", col, name, src)
		}
	}
}

// sameBits compares matrices bit for bit.
func sameBits(a, b *model.Matrix) bool {
	same := func(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) }
	return slices.EqualFunc(a.Dense, b.Dense, same) && slices.Equal(a.Codes, b.Codes) && slices.Equal(a.Names, b.Names)
}

// Law: one row at a time == all at once, bit for bit, also for unseen data.
// The planted mutant (a neighbour's row) must be noticed.
func TestRowEqualsMatrix(t *testing.T) {
	f, o := sample(5000, 1)
	e := fit(t, f, o)
	unseen, _ := sample(9000, 2)
	batch := e.Matrix(unseen)
	online := func(shift int) *model.Matrix {
		m := &model.Matrix{Names: e.Names(), Width: e.Width, Groups: e.Groups}
		row := e.NewRow()
		for i := range unseen.Rows() {
			num, cat := unseen.Row((i + shift) % unseen.Rows())
			e.Encode(num, cat, row)
			m.Dense, m.Codes = append(m.Dense, row.Dense...), append(m.Codes, row.Codes...)
		}
		return m
	}
	if !sameBits(batch, online(0)) {
		t.Error("Encode and Matrix differ")
	}
	if sameBits(batch, online(1)) {
		t.Error("the comparison does not see a shifted row")
	}
}

// Law: decode(encode(e)) = e, and the two encode the same bits.
func TestJSONRoundTrip(t *testing.T) {
	f, o := sample(5000, 1)
	e := fit(t, f, o)
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var back Encoder
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(e, &back); diff != "" {
		t.Error(diff)
	}
	if !sameBits(e.Matrix(f), back.Matrix(f)) {
		t.Error("the decoded encoder encodes other bits")
	}
}

// Law: the number of cores changes no bit of the encoder or of the matrix.
func TestSameBitsOnAnyNumberOfCores(t *testing.T) {
	f, o := sample(50_000, 3)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	e1 := fit(t, f, o)
	m1 := e1.Matrix(f)
	runtime.GOMAXPROCS(4)
	e4 := fit(t, f, o)
	if diff := cmp.Diff(e1, e4); diff != "" {
		t.Error(diff)
	}
	if !sameBits(m1, e4.Matrix(f)) {
		t.Error("matrices differ")
	}
}

// Law: dense training columns have mean 0 and variance 1.
func TestColumnsAreStandardised(t *testing.T) {
	f, o := sample(20_000, 4)
	m := fit(t, f, o).Matrix(f)
	for j := range m.Width {
		var sum, squares float64
		for i := range m.Rows() {
			x := m.Row(i).Dense[j]
			sum += x
			squares += x * x
		}
		n := float64(m.Rows())
		if math.Abs(sum/n) > 1e-12 || math.Abs(squares/n-1) > 1e-12 {
			t.Errorf("%s: mean %g, mean square %g", m.Names[j], sum/n, squares/n)
		}
	}
}

func TestExtremesStayFinite(t *testing.T) {
	f := &model.Frame{NumericNames: []string{"x"}, Numeric: []float64{0, 1e-140}}
	e, row := fit(t, f, Options{}), model.Row{Dense: make([]float64, 1)}
	for _, x := range []float64{math.MaxFloat64, -math.MaxFloat64, math.Inf(-1), nan} {
		if e.Encode([]float64{x}, nil, row); math.IsInf(row.Dense[0], 0) || math.IsNaN(row.Dense[0]) {
			t.Errorf("Encode(%g) = %g", x, row.Dense[0])
		}
	}
}

func TestFitRefuses(t *testing.T) {
	one := &model.Frame{NumericNames: []string{"x"}, Numeric: []float64{1}}
	huge := &model.Frame{NumericNames: []string{"x"}, Numeric: []float64{1e308, -1e308}}
	for _, c := range []struct {
		want string
		f    *model.Frame
		o    Options
	}{
		{"no rows", &model.Frame{NumericNames: []string{"x"}}, Options{}},
		{"do not name", one, Options{Numeric: []Column{{"y", false}}}},
		{"do not name", one, Options{Numeric: []Column{}}},
		{"max_levels", one, Options{MaxLevels: -1}},
		{"min_level_count", one, Options{MinLevelCount: -1}},
		{"numeric block", &model.Frame{NumericNames: []string{"x", "y"}, Numeric: make([]float64, 3)}, Options{}},
		{"column x: values too large", huge, Options{}},
	} {
		if _, err := Fit(c.f, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

func TestEncodeDoesNotAllocate(t *testing.T) {
	f, o := sample(1000, 1)
	e := fit(t, f, o)
	row := e.NewRow()
	num, cat := f.Row(7)
	if n := testing.AllocsPerRun(100, func() { e.Encode(num, cat, row) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestEncodePanicsOnWrongShape(t *testing.T) {
	f, o := sample(1000, 1)
	e := fit(t, f, o)
	for name, call := range map[string]func(){
		"short row":         func() { e.Encode(nil, nil, e.NewRow()) },
		"short destination": func() { num, cat := f.Row(0); e.Encode(num, cat, model.Row{}) },
		"column":            func() { e.Source(e.Cols) },
		"negative column":   func() { e.Source(-1) },
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

// x = 1, null, ∞ (null), 0.1 stay as they are, with NaN for null; so does a
// constant column. Nothing is scaled, imputed, logged or dropped.
func TestRawByHand(t *testing.T) {
	f := &model.Frame{
		NumericNames: []string{"x", "constant"}, Numeric: []float64{1, 5, nan, 5, math.Inf(-1), 5, 0.1, 5},
		CategoricalNames: []string{"k"}, Categorical: strings.Split("b,a,b,b", ","),
	}
	e := fit(t, f, Options{Raw: true, Numeric: []Column{{"x", true}, {"constant", true}}, MinLevelCount: 1})
	if diff := cmp.Diff([]float64{1, 5, nan, 5, nan, 5, 0.1, 5}, e.Matrix(f).Dense, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("dense (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"x", "constant", "k=a", "k=b", "k=other"}, e.Names()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int32{3, 2, 3, 3}, e.Matrix(f).Codes); diff != "" {
		t.Error(diff)
	}
}

// Law: a raw encoder keeps every finite number bit for bit and turns all others
// to NaN, one row at a time and in bulk; each of its columns names its source.
func TestRawKeepsNumbers(t *testing.T) {
	f, o := sample(5000, 1)
	o.Raw = true
	e := fit(t, f, o)
	unseen, _ := sample(3000, 2)
	unseen.Numeric[0], unseen.Numeric[6] = math.Inf(1), -math.MaxFloat64
	m, row := e.Matrix(unseen), e.NewRow()
	for i := range unseen.Rows() {
		num, cat := unseen.Row(i)
		e.Encode(num, cat, row)
		for j, x := range num {
			want := x
			if math.IsInf(x, 0) {
				want = nan
			}
			got, online := m.Row(i).Dense[j], row.Dense[j]
			if math.Float64bits(got) != math.Float64bits(online) || got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
				t.Fatalf("row %d column %d: %v in bulk and %v alone, want %v", i, j, got, online, want)
			}
		}
	}
	for j, name := range f.NumericNames {
		if e.Names()[j] != name || e.Source(j) != j {
			t.Errorf("column %d: name %s, source %d", j, e.Names()[j], e.Source(j))
		}
	}
}

// Law: the codes of a raw encoder are the standard encoder's, but for the number
// of dense columns before them. The planted mutant does not shift them.
func TestRawCodesAreTheStandardOnes(t *testing.T) {
	f, o := sample(5000, 1)
	standard := fit(t, f, o)
	o.Raw = true
	raw := fit(t, f, o)
	unseen, _ := sample(3000, 2)
	a, b, shift := standard.Matrix(unseen), raw.Matrix(unseen), int32(raw.Width-standard.Width)
	if shift == 0 || slices.Equal(a.Codes, b.Codes) {
		t.Fatal("the encoders have the same columns: the law is dead")
	}
	for k, c := range a.Codes {
		if b.Codes[k] != c+shift {
			t.Fatalf("code %d: %d, want %d", k, b.Codes[k], c+shift)
		}
	}
	if diff := cmp.Diff(standard.Names()[standard.Width:], raw.Names()[raw.Width:]); diff != "" {
		t.Error(diff)
	}
}

// Law: decode(encode(e)) = e for a raw encoder too, and it passes its check.
func TestRawRoundTrip(t *testing.T) {
	f, o := sample(5000, 1)
	o.Raw = true
	e := fit(t, f, o)
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var back Encoder
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(e, &back); diff != "" {
		t.Error(diff)
	}
	if err := back.Check(); err != nil {
		t.Error(err)
	}
	if !sameBits(e.Matrix(f), back.Matrix(f)) {
		t.Error("the decoded encoder encodes other bits")
	}
}

// Check accepts what Fit makes and refuses an encoder that does not fit itself.
func TestCheckRefuses(t *testing.T) {
	f, o := sample(3000, 1)
	for _, c := range []struct {
		want  string
		raw   bool
		spoil func(e *Encoder)
	}{
		{"", false, func(*Encoder) {}},
		{"", true, func(*Encoder) {}},
		{"out of place", true, func(e *Encoder) { e.Numeric[0], e.Numeric[1] = e.Numeric[1], e.Numeric[0] }},
		{"out of place", true, func(e *Encoder) { e.Numeric[2].Missing.Col = 3 }},
		{"out of place", true, func(e *Encoder) { e.Numeric[1].Value.Col = -1 }},
		{"out of place", false, func(e *Encoder) { e.Raw = true }}, // columns were dropped
		{"by no feature", true, func(e *Encoder) { e.Numeric = e.Numeric[1:]; shiftLeft(e) }},
		{"by no feature", false, func(e *Encoder) { e.Groups++ }},
		{"does not exist", true, func(e *Encoder) { e.Width-- }},
		{"has no scale", true, func(e *Encoder) { e.Numeric[0].Value.Std = 0 }},
		{"has no scale", false, func(e *Encoder) { e.Numeric[0].Value.Mean = nan }},
		{"out of order", true, func(e *Encoder) { slices.Reverse(e.Categorical[1].Levels) }},
		{"out of order", true, func(e *Encoder) { e.Categorical[0].First = 0 }},
		{"columns, of which", true, func(e *Encoder) { e.Cols = 1 << 30 }},
	} {
		o.Raw = c.raw
		e := fit(t, f, o)
		c.spoil(e)
		if err := e.Check(); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("raw %v: error %v, want %q", c.raw, err, c.want)
		}
	}
}

// shiftLeft moves the numerics of a raw encoder to their positions.
func shiftLeft(e *Encoder) {
	for i := range e.Numeric {
		e.Numeric[i].Value.Col = i
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, n := range []int{1e3, 1e5} {
		f, o := sample(n, 1)
		e := fit(b, f, o)
		b.Run(fmt.Sprintf("matrix/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e.Matrix(f)
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
		b.Run(fmt.Sprintf("fit/%d", n), func(b *testing.B) {
			for b.Loop() {
				fit(b, f, o)
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
