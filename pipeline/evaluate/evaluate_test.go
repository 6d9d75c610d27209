package evaluate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"churn/model/metric"
	"churn/pipeline"
	"churn/pipeline/dataset"
)

// rows returns labelled rows of 300 users over 10 dates: silence tells a little
// of the outcome, noise nothing, and spy as much as asked.
func rows(spy func(label bool, rng *rand.Rand) float64) *dataset.Rows {
	rng := rand.New(rand.NewPCG(1, 2))
	r := &dataset.Rows{}
	r.Frame.NumericNames, r.Frame.CategoricalNames = []string{RuleFeature, "days_since_signup", "noise", "spy"}, []string{"plan"}
	for u := range 300 {
		r.IDs = append(r.IDs, fmt.Sprint(u))
		for d := range 10 {
			silent := math.Floor(8 * rng.ExpFloat64())
			label := rng.Float64() < 1/(1+math.Exp(2-0.1*silent))
			r.Frame.Numeric = append(r.Frame.Numeric, silent, float64(u+7*d), rng.NormFloat64(), spy(label, rng))
			r.Frame.Categorical = append(r.Frame.Categorical, []string{"free", "paid", ""}[u%3])
			r.Label, r.User = append(r.Label, label), append(r.User, int32(u))
			r.AsOf = append(r.AsOf, pipeline.Date(20000+7*d))
		}
	}
	return r
}

func suspect(r *dataset.Rows, auc float64, p Params) Suspicion {
	feature, own := Strongest(r)
	return Suspect(auc, feature, own, p)
}

func honest(bool, *rand.Rand) float64 { return 0 }

// A feature that has seen the outcome is named, whether its high or its low
// values tell; an honest world raises no alarm, and a model that is too good
// does whatever its features.
func TestSuspect(t *testing.T) {
	p := Defaults()
	if s := suspect(rows(honest), 0.75, p); s.Reason != "" || s.Feature != RuleFeature || !(s.FeatureROCAUC > 0.5) {
		t.Errorf("honest: %+v", s)
	}
	for name, sign := range map[string]float64{"high": 1, "low": -1} {
		leak := func(label bool, rng *rand.Rand) float64 {
			x := rng.NormFloat64()
			if label {
				x += 2
			}
			return sign * x
		}
		s := suspect(rows(leak), 0.93, p)
		if s.Feature != "spy" || !strings.Contains(s.Reason, "spy alone") {
			t.Errorf("%s values leak: %+v", name, s)
		}
		if s := suspect(rows(leak), 0.969, Params{LeakROCAUC: 0.97, LeakShare: 2}); s.Reason != "" {
			t.Errorf("%s values leak, alarm off: %+v", name, s)
		}
	}
	r := rows(honest)
	for i, y := range r.Label {
		if y {
			r.Frame.Categorical[i] = "won back"
		}
	}
	if s := suspect(r, 0.96, p); s.Feature != "plan" || s.Reason == "" {
		t.Errorf("a level leaks: %+v", s)
	}
	if s := suspect(rows(honest), 0.98, p); !strings.Contains(s.Reason, "too good to be true") {
		t.Errorf("ROC-AUC of 0.98: %+v", s)
	}
	if s := suspect(rows(honest), math.NaN(), p); s.Reason != "" {
		t.Errorf("undefined: %+v", s)
	}
}

// The law: the groups of a segment hold every row once, but for those too small;
// nulls are called unknown; days fall on the right side of each limit.
func TestSegments(t *testing.T) {
	r := rows(honest)
	in := Input{Params: Defaults(), Measure: metric.EvalParams{Confidence: 0.95}}
	m := measured{r, Rule(r), nil}
	m.probs = make([]float64, r.Len())
	sizes := map[string]int{}
	for _, s := range in.segments(m) {
		n := 0
		for _, g := range s.Groups {
			sizes[g.Name] = g.Rows
			n += g.Rows
		}
		if s.Small == 0 && n != r.Len() {
			t.Errorf("%s: %d of %d rows", s.By, n, r.Len())
		}
		if s.By != ByPlan && s.By != ByTenure {
			t.Errorf("segment %s of rows that do not have it", s.By)
		}
	}
	if sizes["unknown"] != 1000 || sizes["free"] != 1000 {
		t.Errorf("sizes %v", sizes)
	}
	days := []float64{0, 29, 30, 89, 90, 179, 180, 364, 365, 4000}
	edge := &dataset.Rows{Label: make([]bool, len(days))}
	edge.Frame.NumericNames, edge.Frame.Numeric = []string{"days_since_signup"}, days
	of, order := tenures(edge)
	for i, name := range of {
		if name != order[i/2] {
			t.Errorf("%v days: %s", days[i], name)
		}
	}
}

// Nothing that falls short is left unsaid.
func TestWarn(t *testing.T) {
	e := Evaluation{InSample: true, Sampled: true, Suspicion: Suspicion{Reason: "spy"},
		OverRule: []metric.Estimate{{Name: metric.PRAUC, Value: 0.01, Low: -0.01, High: 0.03}, {Name: metric.ProfitAtCapacity, Value: 5, Low: 1, High: 9}},
		Cohort:   Population{Model: []metric.Estimate{{Name: "calibration_in_the_large", Value: 0.1, Low: 0.05, High: 0.15}}}}
	e.warn()
	text := strings.Join(e.Warnings, "\n")
	for _, want := range []string{"in sample", "a sample of the users", "+10.0 points", "pr_auc is not above that of the rule", "LEAK ALARM: spy"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not said:\n%s", want, text)
		}
	}
	if strings.Contains(text, "profit") {
		t.Errorf("a profit beyond chance is warned of:\n%s", text)
	}
	var fine Evaluation
	fine.Cohort.Model = []metric.Estimate{{Name: "calibration_in_the_large", Value: 0.01, Low: -0.05, High: 0.15}}
	if fine.warn(); len(fine.Warnings) != 0 {
		t.Errorf("warned of nothing: %q", fine.Warnings)
	}
}
