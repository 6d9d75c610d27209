package backtest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"churn/model"
	"churn/pipeline"
	"churn/pipeline/dataset"
	"churn/pipeline/evaluate"
	"churn/pipeline/features"
	"churn/pipeline/labels"
	"churn/pipeline/promote"
	"churn/pipeline/train"
)

// world returns weekly rows in which the days of silence and the plan tell the
// outcome.
func world(users, dates int) *dataset.Rows {
	r := &dataset.Rows{}
	r.Frame.NumericNames, r.Frame.CategoricalNames = features.NewIndex(features.Catalog(course())).Names()
	silent := slices.Index(r.Frame.NumericNames, evaluate.RuleFeature)
	rng := rand.New(rand.NewPCG(1, 2))
	for u := range users {
		r.IDs = append(r.IDs, fmt.Sprint(u))
		for d := range dates {
			row := make([]float64, len(r.Frame.NumericNames))
			for j := range row {
				row[j] = math.Floor(4 * rng.ExpFloat64())
			}
			plan := []string{"free", "paid"}[u%2]
			margin := math.Log1p(row[silent]) - 3
			if plan == "free" {
				margin += 2
			}
			r.Frame.Numeric = append(r.Frame.Numeric, row...)
			r.Frame.Categorical = append(r.Frame.Categorical, plan, "DE", "ads")
			r.Label, r.User = append(r.Label, rng.Float64() < model.Sigmoid(margin)), append(r.User, int32(u))
			r.AsOf = append(r.AsOf, pipeline.Date(20000+7*d))
		}
	}
	return r
}

func course() features.Params {
	return features.Params{WindowsDays: []int{7}, EveryDays: 7, UsualDays: 30, Set: features.SetCourse}
}

func input(rows *dataset.Rows, p Plan) Input {
	g := promote.Defaults()
	g.Bootstrap = 100
	return Input{Rows: rows, Definition: definition(), Gate: g, Plan: p}
}

func definition() train.Definition {
	p := train.Defaults()
	p.Models, p.Bootstrap, p.Logistic.L2 = []string{train.ModelLogistic}, 20, []float64{10}
	return train.Definition{Features: course(), Labels: labels.Defaults(), Threshold: 0.5, Model: p, Evaluate: evaluate.Defaults(), Value: evaluate.DefaultValue(),
		Primary: train.PRAUC, AsOf: pipeline.NoDate}
}

// The law: nothing that becomes known after a training changes what its model
// says. Turning round every label whose window closes after the first training
// leaves the mean risk of the first step as it is, to the last bit, and changes
// the figures.
func TestNothingLaterReachesAModel(t *testing.T) {
	rows := world(200, 40)
	plan := Plan{From: 20000 + 7*28, To: 20000 + 7*32, Every: 14}
	before, err := Run(t.Context(), input(rows, plan), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range rows.AsOf {
		if d+30 > plan.From {
			rows.Label[i] = !rows.Label[i]
		}
	}
	after, err := Run(t.Context(), input(rows, plan), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(before.Steps) != 3 || before.Steps[0].Model == "" {
		t.Fatalf("steps %+v", before.Steps)
	}
	one, two := before.Steps[0], after.Steps[0]
	if math.Float64bits(one.MeanRisk) != math.Float64bits(two.MeanRisk) || one.TrainRows != two.TrainRows {
		t.Errorf("the first model saw later labels: mean risk %v and %v", one.MeanRisk, two.MeanRisk)
	}
	if one.PRAUC.Model.Value == two.PRAUC.Model.Value {
		t.Error("the figures do not depend on the labels: the test is dead")
	}
	if before.Steps[2].MeanRisk == after.Steps[2].MeanRisk {
		t.Error("the last model does not depend on labels that it may know: the test is dead")
	}
}

// Where a training finds nothing, the model before it stays, as in production;
// and the whole is that of the steps.
func TestProductionStays(t *testing.T) {
	rows := world(200, 40)
	from := pipeline.Date(20000 + 7*28)
	for i, d := range rows.AsOf { // from the second training on, its test period has one outcome
		if d > from-30 && d <= from+56-30 {
			rows.Label[i] = false
		}
	}
	r, err := Run(t.Context(), input(rows, Plan{From: from, To: from + 56, Every: 56}), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Steps) != 2 || r.Steps[1].TrainedOn != from || r.Steps[1].Note == "" || r.Steps[0].Note != "" {
		t.Fatalf("steps %+v", r.Steps)
	}
	if r.Rows != r.Steps[0].Rows+r.Steps[1].Rows || !(r.PRAUC.Difference.Value > 0) {
		t.Errorf("all together %d rows, %+v", r.Rows, r.PRAUC)
	}
}

// The gate of a backtest knows what each model was trained on, and what its
// training promised, as that of production does.
func TestContendersHavePapers(t *testing.T) {
	rows := world(200, 40)
	r := runner{rows: rows, definition: definition(), gate: promote.Defaults()}
	made, err := r.train(t.Context(), 20000+7*28)
	if err != nil || made.bundle == nil {
		t.Fatalf("%v, %s", err, made.note)
	}
	c, err := made.contender()
	if err != nil || c.Reference == nil || c.Reference.Rows != made.split.TrainRows || c.Reference.Score.Rows != made.split.TestRows || !(made.promise > 0.5) {
		t.Fatalf("%+v, promise %v, %v", c.Reference, made.promise, err)
	}
	d, err := r.judge(made, &production{name: LineGated, serves: made, models: 1})
	if err != nil || d.Champion == nil || !d.InProduction {
		t.Errorf("%+v, %v", d, err)
	}
}

// The laws of the lines: the frozen one keeps its first model, the latest one
// takes each, and the gated one takes just those that the gate promoted.
func TestLines(t *testing.T) {
	rows := world(300, 44)
	from := pipeline.Date(20000 + 7*24)
	turned := from + 70 // from then on, the plan tells the opposite
	plan := slices.Index(rows.Frame.CategoricalNames, "plan")
	for i, d := range rows.AsOf {
		if cell := &rows.Frame.Categorical[i*len(rows.Frame.CategoricalNames)+plan]; d >= turned {
			*cell = map[string]string{"free": "paid", "paid": "free"}[*cell]
		}
	}
	r, err := Run(t.Context(), input(rows, Plan{From: from, To: from + 112, Every: 28}), nil)
	if err != nil {
		t.Fatal(err)
	}
	var gated pipeline.Date
	for k, s := range r.Steps {
		if k == 0 && s.Verdict != promote.Promote {
			t.Fatalf("the first model got %s: %s", s.Verdict, s.Reason)
		}
		if s.Verdict == promote.Promote {
			gated = s.AsOf
		}
		want := map[string]pipeline.Date{LineFrozen: r.Steps[0].AsOf, LineGated: gated, LineLatest: s.AsOf}
		for _, l := range s.Lines {
			if l.TrainedOn != want[l.Name] {
				t.Errorf("on %s %s serves the model of %s, want %s", s.AsOf, l.Name, l.TrainedOn, want[l.Name])
			}
		}
	}
	if n := len(r.Steps); len(r.Lines) != 3 || r.Lines[0].Models != 1 || r.Lines[2].Models != n || r.Lines[0].OverFrozen[0].Value != 0 {
		t.Errorf("%d steps, lines %+v", n, r.Lines)
	}
}
