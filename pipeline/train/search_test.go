package train

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"churn/model"
	"churn/model/calibrate"
	"churn/model/metric"
	"churn/pipeline"
	"churn/pipeline/dataset"
)

// The law: no label window of a fold's fit reaches into its validation period,
// a fold keeps a third of the dates, and the folds lie one before the other
// within the training period. Where that cannot be, no user is on both sides.
func TestFoldsPurge(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	kinds := map[string]int{}
	for range 200 {
		rows := world(30, 4+rng.IntN(40))
		window := 1 + rng.IntN(60)
		p := Defaults()
		p.ValidationSize, p.Folds = 0.1+0.3*rng.Float64(), 1+rng.IntN(4)
		all := folds(rows, window, p)
		if len(all) == 0 {
			t.Fatal("no folds")
		}
		for k, f := range all {
			kinds[f.By]++
			if f.FitRows != f.fit.Len() || f.ValidateRows != f.validate.Len() || f.FitRows == 0 || f.ValidateRows == 0 {
				t.Fatalf("fold %+v", f)
			}
			switch {
			case f.By == ByUsers:
				for _, u := range f.fit.User {
					if slices.Contains(f.validate.User, u) {
						t.Fatalf("user %d fits and validates", u)
					}
				}
			case f.FitLast+pipeline.Date(window) >= f.ValidateFirst:
				t.Fatalf("the window of %s reaches %s", f.FitLast, f.ValidateFirst)
			case k > 0 && f.ValidateLast >= all[k-1].ValidateFirst:
				t.Fatalf("folds overlap: %s, %s", f.ValidateLast, all[k-1].ValidateFirst)
			case 3*len(f.fit.Dates()) < len(rows.Dates()):
				t.Fatalf("%d of %d dates fit", len(f.fit.Dates()), len(rows.Dates()))
			}
		}
	}
	if kinds[ByDates] < 50 || kinds[ByUsers] < 20 {
		t.Errorf("the worlds do not reach both kinds: %v", kinds)
	}
}

// bothModels is a definition that fits logistic and trees quickly.
func bothModels() Definition {
	d := definition()
	d.Model.Models = models()
	d.Model.GBDT.MaxIter, d.Model.GBDT.MinSamplesLeaf, d.Model.GBDT.LearningRate = 60, []int{40}, []float64{0.2}
	return d
}

// parity returns the world with outcomes that no linear model can see: churn
// where exactly one of two features is large.
func parityWorld() *dataset.Rows {
	r := world(300, 30)
	rng := rand.New(rand.NewPCG(9, 10))
	width := len(r.Frame.NumericNames)
	for i := range r.Label {
		a, b := rng.IntN(2), rng.IntN(2)
		r.Frame.Numeric[i*width], r.Frame.Numeric[i*width+3] = float64(10*a), float64(10*b)
		r.Label[i] = rng.Float64() < []float64{0.05, 0.6, 0.05}[a+b]
	}
	return r
}

// linearWorld returns the world with outcomes that the logistic can see in
// full: it reads log(1+silent).
func linearWorld() *dataset.Rows {
	r := world(300, 30)
	rng := rand.New(rand.NewPCG(13, 14))
	silent := slices.Index(r.Frame.NumericNames, NameRule)
	for i := range r.Label {
		num, cat := r.Frame.Row(i)
		margin := 1.5*math.Log1p(num[silent]) - 3
		if cat[0] == "paid" {
			margin -= 1.5
		}
		r.Label[i] = rng.Float64() < model.Sigmoid(margin)
	}
	return r
}

// Selection sees which model is the better one: the trees where two features
// act together, the logistic where all is linear.
func TestSelectionSeesTheBetterModel(t *testing.T) {
	for name, c := range map[string]struct {
		rows *dataset.Rows
		want string
	}{"together": {parityWorld(), ModelGBDT}, "linear": {linearWorld(), ModelLogistic}} {
		report, candidates, err := Run(context.Background(), c.rows, bothModels(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if report.Selection.Name != c.want || report.Selection.Difference == nil {
			t.Errorf("%s: selected %+v", name, report.Selection)
		}
		best := report.Models[slices.IndexFunc(report.Models, func(m Measured) bool { return m.Name == c.want })]
		for _, m := range report.Models {
			if m.Find(PRAUC).Value > best.Find(PRAUC).Value+0.01 {
				t.Errorf("%s: %s has %v on the test rows, the selected %v", name, m.Name, m.Find(PRAUC).Value, best.Find(PRAUC).Value)
			}
			if chosen := slices.IndexFunc(m.Trials, func(t Trial) bool { return t.Chosen }); chosen < 0 || m.Trials[chosen].Setting != m.Setting {
				t.Errorf("%s: %s has trials %+v and setting %s", name, m.Name, m.Trials, m.Setting)
			}
		}
		if len(candidates) == 0 || candidates[0].Verdict.Name == "" {
			t.Errorf("%s: %d candidates", name, len(candidates))
		}
	}
}

// The law: class weights do not distort probabilities. The mean risk is the
// churn rate within its interval; the mutant, the margins taken at their word,
// is far off.
func TestBalancedClassesKeepTheRate(t *testing.T) {
	d := bothModels()
	d.Model.ClassWeight = "balanced"
	rows := linearWorld()
	report, candidates, err := Run(context.Background(), rows, d, nil)
	if err != nil {
		t.Fatal(err)
	}
	test := rows.Between(report.Split.TestFirst, report.Split.TestLast)
	for _, c := range candidates {
		if d := c.Measured.Find("calibration_in_the_large"); d.Low > 0 || d.High < 0 {
			t.Errorf("%s: mean risk less churn rate %+v", c.Measured.Name, d)
		}
		var naive float64
		for _, m := range c.Bundle.Margins(&test.Frame) {
			naive += model.Sigmoid(m) / float64(test.Len())
		}
		if naive-test.Rate() < 0.1 {
			t.Errorf("%s: the margins at their word have a mean of %v at a rate of %v: the weights do nothing, the test is dead", c.Measured.Name, naive, test.Rate())
		}
	}
	if len(candidates) != 2 {
		t.Errorf("%d candidates", len(candidates))
	}
}

// The law: a map that was moved by δ is the map of margin + δ.
func TestShifted(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	var margins []float64
	var label []bool
	for range 4000 {
		m := 2 * rng.NormFloat64()
		margins, label = append(margins, m), append(label, rng.Float64() < model.Sigmoid(0.7*m-1))
	}
	platt, errP := calibrate.FitPlatt(margins, label, nil)
	isotonic, errI := calibrate.FitIsotonic(margins, label, nil)
	if errP != nil || errI != nil {
		t.Fatal(errP, errI)
	}
	for _, c := range []calibrate.Map{{Kind: calibrate.None}, platt, isotonic} {
		moved := shifted(c, -0.8)
		if err := moved.Check(); err != nil {
			t.Errorf("%s: %v", c.Kind, err)
		}
		for x := -6.0; x < 6; x += 0.37 {
			if got, want := moved.Probability(x), c.Probability(x-0.8); math.Abs(got-want) > 1e-12 {
				t.Errorf("%s at %v: %v, want %v", c.Kind, x, got, want)
			}
		}
		delta := rateShift(margins, 0.123, c.Probability)
		moved = shifted(c, delta)
		var mean float64
		for _, m := range margins {
			mean += moved.Probability(m) / float64(len(margins))
		}
		if math.Abs(mean-0.123) > 1e-6 {
			t.Errorf("%s moved to a rate of 0.123 has %v", c.Kind, mean)
		}
	}
}

// A row of half-life age weighs half, and no half-life means no weights.
func TestWeights(t *testing.T) {
	if weights([]pipeline.Date{1, 2}, 0) != nil {
		t.Error("weights without a half-life")
	}
	if got := weights([]pipeline.Date{100, 70, 40}, 30); !slices.Equal(got, []float64{1, 0.5, 0.25}) {
		t.Errorf("weights %v", got)
	}
}

// Folds of one outcome are no folds: nothing is validated, and the report says
// so.
func TestNoValidation(t *testing.T) {
	rows := world(4, 30)
	for i := range rows.Label {
		rows.Label[i] = rows.User[i] == 3
	}
	if f := folds(rows, 30, Defaults()); len(f) != 0 && f[0].By == ByUsers {
		t.Errorf("folds %+v", f)
	}
	report := Report{}
	tr := trainer{definition: definition(), fit: rows, test: rows, report: &report}
	report.Rule = Measured{Estimates: []metric.Estimate{{Name: "base_rate", Value: 0.25, Low: 0, High: 1}}}
	tr.warn()
	if n := len(report.Warnings); n != 2 || !strings.Contains(report.Warnings[0], "reach into the test period") || !strings.Contains(report.Warnings[1], "nothing was validated") {
		t.Errorf("warnings %q", report.Warnings)
	}
}

// The law: the iterations of a fold are those of the others, in proportion to
// its rows, and the final fit's those of all.
func TestRounds(t *testing.T) {
	perRow := []float64{0.01, 0.03, 0.05}
	for but, want := range map[int]int{-1: 30, 0: 40, 1: 30, 2: 20} {
		if got := rounds(perRow, but, 1000); got != want {
			t.Errorf("without fold %d: %d, want %d", but, got, want)
		}
	}
	if got := rounds([]float64{0.02}, 0, 1000); got != 20 {
		t.Errorf("the only fold: %d", got)
	}
	if got := rounds([]float64{1e-9, 1e-9}, 0, 10); got != 1 {
		t.Errorf("nothing learned: %d", got)
	}
}

// A constraint on a feature that is not there is found before anything is
// fitted, whatever models are asked for.
func TestUnknownConstraint(t *testing.T) {
	d := definition()
	d.Model.GBDT.MonotoneDecreasing = []string{"nosuch"}
	if _, _, err := Run(context.Background(), world(20, 30), d, nil); err == nil || !strings.Contains(err.Error(), `train.gbdt.monotone_decreasing: there is no numeric feature "nosuch"`) {
		t.Errorf("%v", err)
	}
}
