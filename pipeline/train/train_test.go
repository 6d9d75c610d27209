package train

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"churn/model/metric"
	"churn/pipeline"
	"churn/pipeline/dataset"
	"churn/pipeline/evaluate"
	"churn/pipeline/features"
	"churn/pipeline/labels"
)

// The law: no training label window (asOf, asOf+W] reaches the first test date,
// train and test dates are disjoint, and with purge off nothing is left out.
func TestSplitPurges(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		var dates []pipeline.Date
		day, every := pipeline.Date(rng.IntN(20000)), pipeline.Date(1+rng.IntN(14))
		for range 2 + rng.IntN(80) {
			dates = append(dates, day)
			day += every
		}
		window := 1 + rng.IntN(90)
		p := Params{TestSize: 0.05 + 0.9*rng.Float64(), Purge: rng.IntN(3) > 0}
		s, err := split(dates, window, p)
		if err != nil {
			continue
		}
		gap := pipeline.Date(0)
		if p.Purge {
			gap = pipeline.Date(window)
		}
		if s.TrainLast+gap >= s.TestFirst {
			t.Fatalf("training up to %s with a gap of %d reaches the test from %s", s.TrainLast, gap, s.TestFirst)
		}
		if next := s.TrainLast + every; next < s.TestFirst && next+gap < s.TestFirst {
			t.Fatalf("the date %s could have been trained on", next)
		}
		inTest := int(s.TestLast-s.TestFirst)/int(every) + 1
		if share := float64(inTest) / float64(len(dates)); share < p.TestSize-1e-9 || float64(inTest-1)/float64(len(dates)) >= p.TestSize {
			t.Fatalf("%d of %d dates test, the share is %v", inTest, len(dates), p.TestSize)
		}
		if inTrain := int(s.TrainLast-s.TrainFirst)/int(every) + 1; inTrain+s.Purged+inTest != len(dates) {
			t.Fatalf("%d training, %d purged and %d test dates of %d", inTrain, s.Purged, inTest, len(dates))
		}
	}
}

func measured(name string, prAUC, base float64) Measured {
	return Measured{Name: name, Estimates: []metric.Estimate{{Name: PRAUC, Value: prAUC}, {Name: "base_rate", Value: base}}}
}

func TestVerdict(t *testing.T) {
	nan := math.NaN()
	for name, c := range map[string]struct {
		ours, floor, rule, base float64
		passed, warned          bool
	}{
		"beats all":              {0.5, 0.4, 0.3, 0.1, true, false},
		"the rule is better":     {0.5, 0.4, 0.6, 0.1, true, true},
		"the rule is as good":    {0.5, 0.4, 0.5, 0.1, true, true},
		"the floor is as good":   {0.5, 0.5, 0.3, 0.1, false, false},
		"no better than chance":  {0.1, 0.05, 0.05, 0.1, false, false},
		"undefined is no better": {nan, 0.4, 0.3, 0.1, false, true},
	} {
		v := verdict(measured(ModelLogistic, c.ours, c.base), measured(NameFloor, c.floor, c.base), measured(NameRule, c.rule, c.base))
		if v.Passed != c.passed || (v.Warning != "") != c.warned || v.Reason == "" {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

// world returns rows whose outcome depends on days_since_last_activity and the
// plan, over weekly as-of dates.
func world(users, dates int) *dataset.Rows {
	p := features.Params{WindowsDays: []int{7}, EveryDays: 7, UsualDays: 30, Set: features.SetCourse}
	index := features.NewIndex(features.Catalog(p))
	rng := rand.New(rand.NewPCG(5, 6))
	r := &dataset.Rows{}
	r.Frame.NumericNames, r.Frame.CategoricalNames = index.Names()
	silent := index.Position(NameRule)
	for u := range users {
		r.IDs = append(r.IDs, fmt.Sprint("u", u))
		for d := range dates {
			row := make([]float64, len(r.Frame.NumericNames))
			for i := range row {
				row[i] = math.Floor(4 * rng.ExpFloat64())
			}
			plan := []string{"free", "paid"}[rng.IntN(2)]
			margin := 0.5*row[silent] - 3
			if plan == "paid" {
				margin -= 4
			}
			r.Frame.Numeric = append(r.Frame.Numeric, row...)
			r.Frame.Categorical = append(r.Frame.Categorical, plan, "DE", "ads")
			r.Label = append(r.Label, rng.Float64() < 1/(1+math.Exp(-margin)))
			r.AsOf = append(r.AsOf, pipeline.Date(20000+7*d))
			r.User = append(r.User, int32(u))
		}
	}
	return r
}

func definition() Definition {
	m := Defaults()
	m.Models, m.Bootstrap, m.GBDT.MaxIter = []string{ModelLogistic}, 50, 30
	return Definition{Features: features.Params{WindowsDays: []int{7}, EveryDays: 7, UsualDays: 30, Set: features.SetCourse}, Labels: labels.Defaults(),
		Threshold: 0.5, Model: m, Evaluate: evaluate.Defaults(), Value: evaluate.DefaultValue(), Primary: PRAUC, AsOf: pipeline.NoDate}
}

// A model must find what the rule cannot see, and its bundle must give the very
// probabilities that were measured.
func TestRunFindsWhatTheRuleCannotSee(t *testing.T) {
	report, candidates, err := Run(context.Background(), world(300, 30), definition(), nil)
	if err != nil || len(candidates) != 1 {
		t.Fatalf("%d candidates: %v", len(candidates), err)
	}
	ours, rule := report.Models[0].Find(PRAUC), report.Rule.Find(PRAUC)
	if !(ours.Low > rule.Value) || !(ours.Low <= ours.Value && ours.Value <= ours.High) {
		t.Errorf("ours %+v, the rule %+v", ours, rule)
	}
	s := report.Split
	if s.TestFirst-s.TrainLast <= 30 || s.TrainRows != 300*20 || s.TestRows != 300*6 || report.TestUsers != 300 {
		t.Errorf("split %+v", s)
	}
	card := string(Card(candidates[0], report, Lineage{AsOf: s.TestLast + 30, CodeVersion: "x"}))
	for _, want := range []string{"# Churn model: logistic", "plan=paid", s.TestFirst.String(), "converged"} {
		if !strings.Contains(card, want) {
			t.Errorf("the card lacks %q:\n%s", want, card)
		}
	}
}

// The law: the test period never reaches the model. Turning a fifth of its labels
// round changes the figures and no bit of the bundle.
func TestTestLabelsDoNotReachTheModel(t *testing.T) {
	rows := world(300, 30)
	before, a, err := Run(context.Background(), rows, definition(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range rows.AsOf {
		if d > before.Split.TrainLast && i%5 == 0 {
			rows.Label[i] = !rows.Label[i]
			rows.Frame.Numeric[i*len(rows.Frame.NumericNames)] += 1000
		}
	}
	after, b, err := Run(context.Background(), rows, definition(), nil)
	if err != nil {
		t.Fatal(err)
	}
	one, errOne := a[0].Bundle.Encode()
	two, errTwo := b[0].Bundle.Encode()
	if errOne != nil || errTwo != nil || string(one) != string(two) {
		t.Errorf("the bundle depends on the test period (%v, %v)", errOne, errTwo)
	}
	if after.Models[0].Find(PRAUC).Value == before.Models[0].Find(PRAUC).Value {
		t.Error("the figures do not depend on the test labels: the test is dead")
	}
}

// The truth is measured on the very test rows; a truth with a hole is no
// ceiling, and one of another window neither.
func TestCeilingNeedsTheWholeTruth(t *testing.T) {
	rows, d := world(60, 30), definition()
	d.Truth = Truth{}
	for i, label := range rows.Label {
		p := 0.1
		if label {
			p = 0.9
		}
		d.Truth[truthKey{rows.IDs[rows.User[i]], rows.AsOf[i]}] = p
	}
	report, _, err := Run(context.Background(), rows, d, nil)
	if err != nil || report.Ceiling == nil || report.Ceiling.Find(PRAUC).Value != 1 {
		t.Fatalf("a truth that knows every outcome has %+v (%v)", report.Ceiling, err)
	}
	last := rows.Len() - 1
	delete(d.Truth, truthKey{rows.IDs[rows.User[last]], rows.AsOf[last]})
	if report, _, err = Run(context.Background(), rows, d, nil); err != nil || report.Ceiling != nil {
		t.Errorf("a truth with a hole has %+v (%v)", report.Ceiling, err)
	}
}

func TestRunExplainsWhatItCannotDo(t *testing.T) {
	short := world(20, 6)
	if _, _, err := Run(context.Background(), short, definition(), nil); err == nil || !strings.Contains(err.Error(), "no training date is left") {
		t.Errorf("short history: %v", err)
	}
	quiet := world(20, 30)
	clear(quiet.Label)
	if _, _, err := Run(context.Background(), quiet, definition(), nil); err == nil || !strings.Contains(err.Error(), "rows of the training period stayed") {
		t.Errorf("one outcome: %v", err)
	}
}
