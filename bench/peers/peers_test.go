package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"churn/model"
	"churn/model/encode"
	"churn/model/logistic"
)

// The law: what is written is read back bit for bit, special values included.
func TestNpyRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.npy")
	want := []float64{1.5, math.NaN(), math.Inf(-1), math.Copysign(0, -1), 5e-324}
	if err := writeNpy(path, len(want), 0, func(i int, row []float64) { row[0] = want[i] }); err != nil {
		t.Fatal(err)
	}
	got, err := readNpy(path, len(want))
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if math.Float64bits(got[i]) != math.Float64bits(want[i]) {
			t.Errorf("value %d: %v, want %v", i, got[i], want[i])
		}
	}
	if _, err := readNpy(path, len(want)+1); err == nil {
		t.Error("a file of another length is read")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data[:len(data)-1], 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readNpy(path, len(want)); err == nil {
		t.Error("a file that was cut off is read")
	}
}

// The bytes are those of numpy 2.4.6 for
// numpy.save(f, numpy.array([[1, 2, 3], [4, 5, 6.5]])).
func TestNpyIsNumPys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.npy")
	values := []float64{1, 2, 3, 4, 5, 6.5}
	if err := writeNpy(path, 2, 3, func(i int, row []float64) { copy(row, values[3*i:]) }); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head := "\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }" + strings.Repeat(" ", 58) + "\n"
	tail := "\x00\x00\x00\x00\x00\x00\xf0?\x00\x00\x00\x00\x00\x00\x00@\x00\x00\x00\x00\x00\x00\x08@" +
		"\x00\x00\x00\x00\x00\x00\x10@\x00\x00\x00\x00\x00\x00\x14@\x00\x00\x00\x00\x00\x00\x1a@"
	if string(got) != head+tail {
		t.Errorf("got  %q\nwant %q", got, head+tail)
	}
	if n := len(npyHeader(123456)); n%npyAlign != 0 || !strings.Contains(string(npyHeader(123456)), "(123456,)") {
		t.Errorf("header of one dimension: %q", npyHeader(123456))
	}
}

func TestSplit(t *testing.T) {
	s, err := split([]byte(`{"rows": 9, "split": {"train_first": "2025-01-01", "train_last": "2025-09-03", "test_first": "2025-10-08", "test_last": "2025-12-01", "train_rows": 7}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(s.TrainFirst, s.TrainLast, s.TestFirst, s.TestLast); got != "2025-01-01 2025-09-03 2025-10-08 2025-12-01" {
		t.Errorf("split %s", got)
	}
	for _, bad := range []string{`{}`, `{"split": {"train_first": "2025-01-01", "train_last": "2025-09-03", "test_first": "2025-09-03", "test_last": "2025-12-01"}}`, `x`} {
		if _, err := split([]byte(bad)); err == nil {
			t.Errorf("%s is taken for a split", bad)
		}
	}
}

// Both forms of a row carry the same values: one-hot columns for the logistic
// regression, level numbers and NaN for trees.
func TestDenseRows(t *testing.T) {
	s := &sample{label: make([]bool, 200)}
	s.frame = model.Frame{NumericNames: []string{"a"}, CategoricalNames: []string{"c", "d"}}
	for i := range s.label {
		s.frame.Numeric = append(s.frame.Numeric, []float64{1, math.NaN()}[i%2])
		s.frame.Categorical = append(s.frame.Categorical, []string{"p", "q"}[i%2], []string{"x", "y", "z", "z"}[i%4])
	}
	raw, err := encoded("raw", encode.Options{Raw: true}, s)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float64, raw[0].width())
	if raw[0].dense(2, got); !slices.Equal(got, []float64{1, 0, 2}) {
		t.Errorf("raw row 2: %v", got)
	}
	if raw[0].dense(1, got); !math.IsNaN(got[0]) || got[1] != 1 || got[2] != 1 {
		t.Errorf("raw row 1: %v", got)
	}
	hot, err := encoded("hot", encode.Options{}, s)
	if err != nil {
		t.Fatal(err)
	}
	row, weights := make([]float64, hot[0].width()), make([]float64, hot[0].width())
	for j := range weights {
		weights[j] = float64(j*j + 1)
	}
	for i := range s.label {
		hot[0].dense(i, row)
		sum := 0.0
		for j, v := range row {
			sum += v * weights[j]
		}
		if want := hot[0].x.Row(i).Dot(weights); math.Abs(sum-want) > 1e-12 {
			t.Fatalf("one-hot row %d: %v gives %v, want %v", i, row, sum, want)
		}
	}
}

// A column without a value in any training row goes, from both parts.
func TestFilledColumns(t *testing.T) {
	nan := math.NaN()
	f := model.Frame{NumericNames: []string{"a", "b", "c"}, Numeric: []float64{nan, nan, 1, 2, nan, 3}}
	keep := filled(&f)
	if got := selected(&f, keep); !slices.Equal(keep, []int{0, 2}) || !slices.Equal(got.NumericNames, []string{"a", "c"}) || got.Numeric[3] != 3 || got.Check() != nil {
		t.Errorf("kept %v: %+v", keep, got)
	}
}

// The law: synthetic rows do not depend on the number of cores; a fifth of the
// labels are positive, and a tenth of every fifth column is null.
func TestSynthetic(t *testing.T) {
	const n = 3*syntheticChunk + 5
	one := synthetic(n, 7, true)
	before := runtime.GOMAXPROCS(7)
	seven := synthetic(n, 7, true)
	runtime.GOMAXPROCS(before)
	if !slices.Equal(one.label, seven.label) || !slices.EqualFunc(one.frame.Numeric, seven.frame.Numeric, func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }) {
		t.Error("the rows depend on the number of cores")
	}
	positives, nulls := 0.0, 0.0
	for i, y := range one.label {
		positives += number(y)
		if x, _ := one.frame.Row(i); math.IsNaN(x[5]) {
			nulls++
		}
	}
	if rate := positives / n; math.Abs(rate-0.2) > 0.03 {
		t.Errorf("%.3f of the labels are positive", rate)
	}
	if share := nulls / n; math.Abs(share-nullShare) > 0.02 {
		t.Errorf("%.3f of a column is null", share)
	}
	if full := synthetic(100, 7, false); slices.ContainsFunc(full.frame.Numeric, math.IsNaN) {
		t.Error("nulls where none were asked for")
	}
}

// The optimum has a lower objective than its neighbours, and two rows of weight
// 1 are one of weight 2.
func TestObjective(t *testing.T) {
	s := synthetic(2000, 9, false)
	all, err := encoded("a", encode.Options{}, s)
	if err != nil {
		t.Fatal(err)
	}
	m, err := fitLogistic(t.Context(), all[0], logistic.Defaults().Tol)
	if err != nil {
		t.Fatal(err)
	}
	best := objective(all[0], m.Coef, m.Intercept)
	for j := range m.Coef {
		for _, step := range []float64{-1e-3, 1e-3} {
			c := slices.Clone(m.Coef)
			c[j] += step
			if near := objective(all[0], c, m.Intercept); near <= best {
				t.Errorf("coefficient %d %+g: %v is not above %v", j, step, near, best)
			}
		}
	}
	twice := &rows{x: &model.Matrix{Names: []string{"a"}, Width: 1, Dense: []float64{3, 3, -1, -1}}, label: []bool{true, true, false, false}}
	once := &rows{x: &model.Matrix{Names: []string{"a"}, Width: 1, Dense: []float64{3, -1}}, label: []bool{true, false}, weight: []float64{2, 2}}
	if a, b := objective(twice, []float64{0.3}, 0.1), objective(once, []float64{0.3}, 0.1); a != b {
		t.Errorf("weights: %v and %v", a, b)
	}
}

func TestVerdicts(t *testing.T) {
	runs := func(wall ...float64) (v []took) {
		for _, s := range wall {
			v = append(v, took{Wall: s, CPU: 1})
		}
		return v
	}
	r := race{What: "x", Rows: 100, Ours: runs(9, 1, 2), LightGBM: runs(2, 1, 9), Sklearn: runs(6, 6, 6), Target: target{LightGBM: 1, Sklearn: 3}}
	if !r.ok() || r.times(r.Sklearn, wall) != 3 || r.times(r.Sklearn, cpuTime) != 1 {
		t.Errorf("%+v is short", r)
	}
	for name, t2 := range map[string]target{"LightGBM": {LightGBM: 1.1}, "scikit-learn": {Sklearn: 3.1}, "rate": {Rate: 51}} {
		if r.Target = t2; r.ok() {
			t.Errorf("a target of %s that is missed is ok", name)
		}
	}
	tree := treeQuality{Leads: []float64{0}, Ours: figures{PRAUC: 0.5}, LightGBM: figures{PRAUC: 0.4}, Hist: figures{PRAUC: 0.5019}}
	linear := linearQuality{Ours: figures{PRAUC: 0.5}, Sklearn: figures{PRAUC: 0.5009}, Excess: 1e-7, Coef: 9e-4}
	all := results{Versions: map[string]string{}, Trees: []treeQuality{tree}, Linear: []linearQuality{linear}, Races: []race{r}}
	if !tree.ok() || !linear.ok() || all.missed() != 1 {
		t.Errorf("%d missed, want the race alone", all.missed())
	}
	tree.Hist.PRAUC = 0.5021
	for k, bad := range []linearQuality{{Ours: figures{PRAUC: 0.0011}}, {Excess: 2e-6}, {Coef: 2e-3}} {
		if bad.ok() {
			t.Errorf("linear %d is ok", k)
		}
	}
	if tree.ok() {
		t.Error("trees that are behind are ok")
	}
	var out bytes.Buffer
	all.print(&out)
	if strings.Count(out.String(), "| short |\n") != 1 || strings.Count(out.String(), "| ok |\n") != 2 {
		t.Errorf("printed:\n%s", out.String())
	}
	if _, err := json.Marshal(all); err != nil {
		t.Error(err)
	}
}

// Lanes take turns, and the first error ends the race.
func TestTake(t *testing.T) {
	var order []int
	runner := func(k int) lane {
		return func() (took, error) { order = append(order, k); return took{Wall: float64(len(order))}, nil }
	}
	times, err := take(2, runner(0), runner(1))
	if err != nil || !slices.Equal(order, []int{0, 1, 0, 1}) || !slices.Equal(times[1], []took{{Wall: 2}, {Wall: 4}}) {
		t.Errorf("order %v, times %v (%v)", order, times, err)
	}
	if _, err := take(1, func() (took, error) { return took{}, os.ErrNotExist }); err == nil {
		t.Error("an error is lost")
	}
}
