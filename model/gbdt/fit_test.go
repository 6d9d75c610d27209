package gbdt

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"churn/model"
)

// Law: the same inputs give the same bytes for any number of workers. The
// planted mutant is another seed.
func TestSameBytesForAnyNumberOfWorkers(t *testing.T) {
	d, v := random(20_000, 11, 20), random(2000, 11, 21)
	for i := range d.Label {
		d.Weight = append(d.Weight, 1+float64(i%7)/10)
	}
	p := with(func(p *Params) { p.Subsample, p.Colsample, p.NIterNoChange = 0.8, 0.7, 3 })
	one := func(workers int, p Params) *Model {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(workers))
		m, _, err := Fit(t.Context(), Input{Train: d, Validation: &v}, p, nil)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	want := one(1, p)
	for _, workers := range []int{2, 7} {
		if !same(t, one(workers, p), want) {
			t.Errorf("%d workers give another model", workers)
		}
	}
	if p.Seed++; same(t, one(1, p), want) {
		t.Error("the law does not see the seed")
	}
}

// Law: the order of the rows does not change the first tree of balanced
// classes, whose gradients are exact, and later rounds, whose rounding follows
// the position of the row, only as another seed would. The planted mutant is a
// label.
func TestOrderOfRowsDoesNotMatter(t *testing.T) {
	d := balanced(random(6000, 6, 22))
	order := rand.New(rand.NewPCG(1, 10)).Perm(len(d.Label))
	p := with(func(p *Params) { p.MaxIter = 1 })
	a, _ := fit(t, d, p)
	if b, _ := fit(t, d.pick(order), p); !same(t, a, b) {
		t.Error("another first tree")
	}
	d.Label[0] = !d.Label[0]
	if b, _ := fit(t, d, p); same(t, a, b) {
		t.Error("the law does not see a label")
	}
	d.Label[0] = !d.Label[0]
	p.MaxIter = 30
	_, first := fit(t, d, p)
	_, second := fit(t, d.pick(order), p)
	if diff := math.Abs(first.TrainLoss - second.TrainLoss); diff > 0.003*first.TrainLoss {
		t.Errorf("losses %v and %v", first.TrainLoss, second.TrainLoss)
	}
}

// Law: a constant column changes nothing. The planted mutant tells the label of
// some rows.
func TestConstantColumnDoesNotMatter(t *testing.T) {
	d := random(3000, 5, 23)
	p := with(func(p *Params) { p.Colsample = 0.6 })
	m, _ := fit(t, d, p)
	differ := func(value func(i int) float64) bool {
		e := d.withColumn(value)
		other, _ := fit(t, e, p)
		return farthest(m, other, d.X, e.X) != 0
	}
	for _, c := range []float64{0, 3, math.NaN()} {
		if differ(func(int) float64 { return c }) {
			t.Errorf("a column of %v changes the margins", c)
		}
	}
	if !differ(func(i int) float64 { return float64(index(d.Label[i]) * (i % 2)) }) {
		t.Error("the law does not see a column that tells labels")
	}
}

// Law: only the order of a feature's values matters: a monotone transformation
// gives the same training margins. The planted mutant is not monotone.
func TestMonotoneTransformationDoesNotMatter(t *testing.T) {
	d := random(3000, 6, 24)
	m, _ := fit(t, d, with(func(p *Params) {}))
	differ := func(f func(x float64) float64) bool {
		e, x := d, *d.X
		x.Dense = slices.Clone(x.Dense)
		for i, v := range x.Dense {
			x.Dense[i] = f(v)
		}
		e.X = &x
		other, _ := fit(t, e, with(func(p *Params) {}))
		return farthest(m, other, d.X, e.X) != 0
	}
	if differ(func(x float64) float64 { return math.Exp(x) - 7 }) {
		t.Error("another unit changes the margins")
	}
	if !differ(math.Abs) {
		t.Error("the law does not see a transformation that is not monotone")
	}
}

// Law: with constraints the margin never falls, or never rises, along a grid of
// the feature, whatever the other features and through several trees; nulls are
// free. The planted mutant is the fit without.
func TestMonotoneConstraintsHold(t *testing.T) {
	d := random(5000, 6, 25)
	broken := func(p Params) (broken [2]bool) {
		m, _ := fit(t, d, p)
		for i := range 60 {
			r := d.X.Row(i)
			for k, f := range []int{0, 4} {
				x := slices.Clone(r.Dense)
				last := math.Inf(-1)
				for v := -4.0; v <= 4; v += 0.02 {
					x[f] = v
					if at := m.Margin(model.Row{Dense: x, Codes: r.Codes}) * float64(1-2*k); at < last-1e-12 {
						broken[k] = true
					} else {
						last = at
					}
				}
			}
		}
		return broken
	}
	p := with(func(p *Params) { p.MaxIter, p.MaxLeafNodes = 15, 31 })
	if broken(p) != [2]bool{true, true} {
		t.Error("the law does not see that a fit is not monotone")
	}
	p.MonotoneIncreasing, p.MonotoneDecreasing = []string{"x0"}, []string{"x4"}
	if got := broken(p); got != [2]bool{} {
		t.Errorf("constraints broken: %v", got)
	}
}

// Law: a row of weight 2 is two rows in the first tree of balanced classes, and
// nearly so later; weights in other units, with λ and the least weight in the
// same, change nothing. The planted mutant doubles other rows.
func TestWeightsCountRows(t *testing.T) {
	d := balanced(random(6000, 6, 26))
	twice := func(i int) int { return 1 + i/2%2 }
	order := make([]int, 0, len(d.Label))
	var class [2][]int
	for i, y := range d.Label {
		class[index(y)] = append(class[index(y)], i)
	}
	for k := range class[0] { // pairs of a negative and a positive: the classes stay balanced
		order = append(order, class[0][k], class[1][k])
	}
	d = d.pick(order)
	for i, x := range d.X.Dense { // each value a bin: the quantiles of the binning count rows
		d.X.Dense[i] = math.Floor(8*x) / 8
	}
	weighted := d
	for i := range d.Label {
		weighted.Weight = append(weighted.Weight, float64(twice(i)))
	}
	p := with(func(p *Params) { p.MaxIter, p.MinSamplesLeaf, p.L2, p.MinSamplesLevel = 1, 1, 3, 1 })
	a, _ := fit(t, weighted, p)
	b, _ := fit(t, d.where(twice), p)
	if !same(t, a, b) {
		t.Error("a row of weight 2 is not two rows")
	}
	if c, _ := fit(t, d.where(func(i int) int { return 3 - twice(i) }), p); same(t, a, c) {
		t.Error("the law does not see which rows weigh more")
	}
	p.MaxIter = 30
	_, first := fit(t, weighted, p)
	_, second := fit(t, d.where(twice), p)
	if diff := math.Abs(first.TrainLoss - second.TrainLoss); diff > 0.003*first.TrainLoss {
		t.Errorf("losses %v and %v", first.TrainLoss, second.TrainLoss)
	}
	a, _ = fit(t, weighted, p)
	for i := range weighted.Weight {
		weighted.Weight[i] *= 8
	}
	p.L2, p.MinChildWeight, p.CatSmooth = p.L2*8, p.MinChildWeight*8, p.CatSmooth*8
	if c, _ := fit(t, weighted, p); farthest(a, c, d.X, d.X) > 1e-12 {
		t.Error("the unit of the weights matters")
	}
}

// Law: a row of weight 0 might as well not be there, and weights of 1 as well as
// none.
func TestRowsWithoutWeightDoNotMatter(t *testing.T) {
	d := random(4000, 6, 27)
	p := with(func(p *Params) { p.Subsample = 0.9 })
	for i := range d.Label {
		d.Weight = append(d.Weight, float64(index(i%3 > 0)))
	}
	a, _ := fit(t, d, p)
	there := d.where(func(i int) int { return index(i%3 > 0) })
	b, _ := fit(t, there, p)
	there.Weight = nil
	c, _ := fit(t, there, p)
	if !same(t, a, b) || !same(t, a, c) {
		t.Error("rows without weight change the model")
	}
	d.Weight[0] = 1e-3
	if m, _ := fit(t, d, p); same(t, a, m) {
		t.Error("the law does not see a weight")
	}
}

// Law: balanced class weights are the weights that give both classes half of
// the total.
func TestClassWeightsAreWeights(t *testing.T) {
	d := random(3000, 5, 28)
	var rows [2]float64
	for _, y := range d.Label {
		rows[index(y)]++
	}
	weighted := d
	for _, y := range d.Label {
		weighted.Weight = append(weighted.Weight, 3000/(2*rows[index(y)]))
	}
	p := with(func(p *Params) {})
	want, _ := fit(t, weighted, p)
	p.ClassWeight = ClassWeightBalanced
	got, _ := fit(t, d, p)
	if !same(t, got, want) || math.Abs(got.Base) > 1e-9 {
		t.Errorf("balanced classes are not those weights, or their base is %v", got.Base)
	}
}

// Law: going on from n trees to n+m is fitting n+m trees, also with samples of
// rows and columns, since all randomness follows from the number of the round.
// The planted mutant starts from one tree less.
func TestWarmStartGoesOn(t *testing.T) {
	d := random(5000, 8, 29)
	p := with(func(p *Params) { p.MaxIter, p.Subsample, p.Colsample = 9, 0.7, 0.7 })
	want, _ := fit(t, d, p)
	start := func(trees int) *Model {
		p := p
		p.MaxIter = trees
		m, _ := fit(t, d, p)
		return m
	}
	from := start(4)
	got, r, err := Fit(t.Context(), Input{Train: d, Start: from}, p, nil)
	if err != nil || !same(t, got, want) || r.Rounds != 9 || len(from.Trees) != 4 {
		t.Errorf("4 and 5 trees are not 9: %v", err)
	}
	less := start(4)
	less.Trees = less.Trees[1:]
	if got, _, _ := Fit(t.Context(), Input{Train: d, Start: less}, p, nil); same(t, got, want) {
		t.Error("the law does not see a tree")
	}
}

// Law: early stopping keeps the trees up to the lowest validation loss, which
// are those of a fit with that many.
func TestEarlyStoppingKeepsTheBestRound(t *testing.T) {
	d, v := random(1500, 5, 30), random(1500, 5, 31)
	p := with(func(p *Params) { p.MaxIter, p.LearningRate, p.NIterNoChange = 200, 0.4, 6 })
	m, r, err := Fit(t.Context(), Input{Train: d, Validation: &v}, p, nil)
	if err != nil || r.Status != StoppedEarly || r.Rounds != len(m.Trees) || r.Rounds < 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	loss := func(m *Model, d Data) (sum float64) {
		for i, y := range d.Label {
			sum += logLoss(m.Margin(d.X.Row(i)), y)
		}
		return sum / float64(len(d.Label))
	}
	if math.Abs(loss(m, v)-r.ValidationLoss) > 1e-12 || math.Abs(loss(m, d)-r.TrainLoss) > 1e-12 {
		t.Errorf("the report %+v is not of the model that is kept", r)
	}
	p.NIterNoChange, p.MaxIter = 0, r.Rounds+6
	all, _ := fit(t, d, p)
	for k := 1; k <= len(all.Trees); k++ {
		part := &Model{Base: all.Base, Features: all.Features, Trees: all.Trees[:k]}
		if l := loss(part, v); l < r.ValidationLoss-1e-12 {
			t.Errorf("%d trees have loss %v, lower than %v", k, l, r.ValidationLoss)
		}
		if k == r.Rounds && !same(t, part, m) {
			t.Error("the trees kept are not those of a fit without stopping")
		}
	}
	p.NIterNoChange, p.Tol, p.MaxIter = 6, 1, 200
	if _, r, _ := Fit(t.Context(), Input{Train: d, Validation: &v}, p, nil); r.Status != StoppedEarly || r.Rounds > 6 {
		t.Errorf("a fall of 1 is expected, and it goes on: %+v", r)
	}
}

// Law: without sampling, at a small rate, no round raises the training loss.
func TestTrainingLossFalls(t *testing.T) {
	d := random(4000, 6, 32)
	last, rounds := math.Inf(1), 0
	_, r, err := Fit(t.Context(), Input{Train: d}, with(func(p *Params) { p.MaxIter = 40 }), func(round int, loss float64) {
		if rounds++; round != rounds || !(loss < last) {
			t.Errorf("round %d: loss %v after %v", round, loss, last)
		}
		last = loss
	})
	if err != nil || r.TrainLoss != last || r.Status != Completed || rounds != 40 {
		t.Errorf("%+v after %d rounds: %v", r, rounds, err)
	}
}

// Law: where no split gains anything, the fit says so and keeps the base.
func TestNothingToGain(t *testing.T) {
	x := &model.Matrix{Names: []string{"a"}, Width: 1, Dense: []float64{0, 0, 1, 1}}
	m, r := fit(t, Data{X: x, Label: []bool{true, false, true, false}}, with(func(p *Params) { p.MinSamplesLeaf = 1 }))
	if r.Status != NoSplit || len(m.Trees) != 0 || r.Rounds != 0 || math.Abs(r.TrainLoss-math.Ln2) > 1e-15 {
		t.Errorf("%+v with %d trees", r, len(m.Trees))
	}
}

func TestFitEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, _, err := Fit(ctx, Input{Train: random(500, 4, 33)}, with(func(p *Params) {}), func(int, float64) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Bad data is an error that says what is wrong.
func TestBadInput(t *testing.T) {
	good, p := random(60, 3, 34), with(func(p *Params) {})
	start, _ := fit(t, random(600, 4, 35), p)
	narrow := random(60, 2, 36)
	for want, c := range map[string]func(in *Input, p *Params){
		"every label is positive":      func(in *Input, p *Params) { in.Train.Label = slices.Repeat([]bool{true}, 60) },
		"every label is negative":      func(in *Input, p *Params) { in.Train.Label = make([]bool, 60) },
		"60 rows, 59 labels":           func(in *Input, p *Params) { in.Train.Label = in.Train.Label[1:] },
		"60 labels and 2 weights":      func(in *Input, p *Params) { in.Train.Weight = []float64{1, 2} },
		"weight of row 1: NaN":         func(in *Input, p *Params) { in.Train.Weight = append([]float64{1, math.NaN()}, make([]float64, 58)...) },
		"weight of row 0: -1":          func(in *Input, p *Params) { in.Train.Weight = append([]float64{-1}, make([]float64, 59)...) },
		"no rows with a weight":        func(in *Input, p *Params) { in.Train.Weight = make([]float64, 60) },
		"column x1 of row 2 is infini": func(in *Input, p *Params) { in.Train.X.Dense[7] = math.Inf(1) },
		"every column is constant":     func(in *Input, p *Params) { *in = constant(in) },
		"code 99, outside its levels":  func(in *Input, p *Params) { in.Train.X.Codes[4] = 99 },
		"validation rows: their colum": func(in *Input, p *Params) { in.Validation = &narrow },
		"start: its features are not":  func(in *Input, p *Params) { in.Start = start },
		"max_iter: 0 is not ≥ 1":       func(in *Input, p *Params) { p.MaxIter = 0 },
		"\"nobody\" is not a numeric":  func(in *Input, p *Params) { p.MonotoneIncreasing = []string{"nobody"} },
		"\"c\" is not a numeric":       func(in *Input, p *Params) { p.MonotoneDecreasing = []string{"c"} },
		"\"x0\" is in monotone_decrea": func(in *Input, p *Params) {
			p.MonotoneIncreasing, p.MonotoneDecreasing = []string{"x0"}, []string{"x0"}
		},
	} {
		in, p := Input{Train: good.where(func(int) int { return 1 })}, p
		c(&in, &p)
		if _, _, err := Fit(t.Context(), in, p, nil); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "fit boosted trees: ") {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	p.MaxIter = len(start.Trees)
	if _, _, err := Fit(t.Context(), Input{Train: random(600, 4, 35), Start: start}, p, nil); err == nil || !strings.Contains(err.Error(), "max_iter") {
		t.Errorf("a start that has all trees: %v", err)
	}
	empty := Data{X: &model.Matrix{Names: []string{"a"}, Width: 1}}
	if _, _, err := Fit(t.Context(), Input{Train: empty}, p, nil); err == nil || !strings.Contains(err.Error(), "no rows") {
		t.Errorf("no rows: %v", err)
	}
}

// constant returns in with the same value everywhere.
func constant(in *Input) Input {
	x := &model.Matrix{Names: []string{"a", "b"}, Width: 2, Dense: slices.Repeat([]float64{1, math.NaN()}, len(in.Train.Label))}
	return Input{Train: Data{X: x, Label: in.Train.Label}}
}

// All faults of the parameters are told at once, by key.
func TestValidate(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Error(err)
	}
	nan := math.NaN()
	bad := Params{LearningRate: nan, MinChildWeight: nan, L2: math.Inf(1), CatSmooth: -1, Subsample: 2, NIterNoChange: -1, Tol: nan, MaxDepth: -1, ClassWeight: "x"}
	err := fmt.Sprint(bad.Validate())
	for _, key := range []string{
		"max_iter", "learning_rate", "max_leaf_nodes", "max_depth", "min_samples_leaf", "min_child_weight", "l2_regularization",
		"max_bins", "cat_smooth", "min_samples_level", "subsample", "colsample", "n_iter_no_change", "tol", "class_weight",
	} {
		if !strings.Contains("\n"+err, "\n"+key+": ") {
			t.Errorf("no fault of %s in %s", key, err)
		}
	}
}

func BenchmarkFit(b *testing.B) {
	for _, n := range []int{1e3, 1e5, 1e6} {
		d := random(n, 50, 40)
		p := Defaults()
		p.MaxIter = 20
		b.Run(fmt.Sprint("rows=", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				fit(b, d, p)
			}
			b.ReportMetric(float64(n)*20*float64(b.N)/b.Elapsed().Seconds(), "rows·trees/s")
		})
	}
}
