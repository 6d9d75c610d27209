package promote

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"churn/model"
	"churn/model/bundle"
	"churn/model/calibrate"
	"churn/model/encode"
	"churn/model/logistic"
	"churn/model/profile"
	"churn/pipeline"
	"churn/pipeline/dataset"
	"churn/pipeline/evaluate"
	"churn/pipeline/labels"
	"churn/pipeline/score"
	"churn/pipeline/train"
)

// The first judged date, and the last date of both trainings: the label windows
// of 30 days end on the day before.
const (
	firstDate = pipeline.Date(20000)
	trainLast = firstDate - 31
)

// The numeric features of the tests' worlds.
const (
	silence = iota // what the rule sees
	signal         // what it does not
	noise
	spy // the outcome itself, if the world has a leak
	tenure
)

// weights are those of silence, signal, noise and spy in the log-odds.
type weights [4]float64

func truth() weights { return weights{0.7, 0.9, 0, 0} }

// world returns rows of users over dates whose log-odds are -1.5 and the truth;
// rows of one user are alike, and nobody sees the future.
func world(users, dates int, seed uint64) *dataset.Rows {
	return leaky(users, dates, seed, math.Inf(1))
}

// leaky is a world in which the spy tells the outcome, through noise.
func leaky(users, dates int, seed uint64, through float64) *dataset.Rows {
	rng := rand.New(rand.NewPCG(seed, 77))
	r := &dataset.Rows{}
	r.Frame.NumericNames, r.Frame.CategoricalNames = []string{evaluate.RuleFeature, "signal", "noise", "spy", "days_since_signup"}, []string{"plan"}
	for u := range users {
		r.IDs = append(r.IDs, fmt.Sprint("u", u))
		own := [3]float64{rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64()}
		for d := range dates {
			var x [3]float64
			for k := range x {
				x[k] = 0.8*own[k] + 0.6*rng.NormFloat64()
			}
			label := rng.Float64() < 1/(1+math.Exp(1.5-truth()[silence]*x[silence]-truth()[signal]*x[signal]))
			seen := -1 / through
			if label {
				seen = 1 / through
			}
			r.Frame.Numeric = append(r.Frame.Numeric, x[0], x[1], x[2], seen+rng.NormFloat64(), float64(u%400+7*d))
			r.Frame.Categorical = append(r.Frame.Categorical, []string{"free", "paid", "trial"}[u%3])
			r.Label, r.User, r.AsOf = append(r.Label, label), append(r.User, int32(u)), append(r.AsOf, firstDate+pipeline.Date(7*d))
		}
	}
	return r
}

// contender returns a logistic model of the given weights, whose log-odds are
// moved by shift.
func contender(t testing.TB, version string, rows *dataset.Rows, w weights, shift float64) Contender {
	t.Helper()
	e, err := encode.Fit(&rows.Frame, encode.Options{Numeric: []encode.Column{{Name: evaluate.RuleFeature}, {Name: "signal"}, {Name: "noise"}, {Name: "spy"}, {Name: "days_since_signup"}}})
	if err != nil {
		t.Fatal(err)
	}
	m := &logistic.Model{Intercept: -1.5 + shift}
	for _, name := range e.Names() {
		k := slices.Index(rows.Frame.NumericNames, name)
		if k < 0 || k >= len(w) {
			m.Coef = append(m.Coef, 0)
		} else {
			m.Coef = append(m.Coef, w[k])
		}
	}
	spec := json.RawMessage("{}")
	b, err := bundle.New(bundle.Bundle{Kind: bundle.KindLogistic, FeatureSet: "x", Numeric: rows.Frame.NumericNames, Categorical: rows.Frame.CategoricalNames,
		Encoder: e, Logistic: m, Mean: make([]float64, len(m.Coef)), Calibration: calibrate.Map{Kind: calibrate.None}, Threshold: 0.5, Profile: bundle.ProfileOf(&rows.Frame), Spec: &spec})
	if err != nil {
		t.Fatal(err)
	}
	return Contender{Model: &score.Model{Bundle: b, Version: version, Spec: score.Spec{Labels: labels.Defaults()}}, TrainLast: trainLast, Rows: rows}
}

func params() Params {
	p := Defaults()
	p.Bootstrap = 200
	return p
}

// match returns a champion of weights champion against a challenger, on rows.
func match(t testing.TB, rows *dataset.Rows, challenger, champion weights) Input {
	t.Helper()
	in := first(t, rows, challenger)
	c := contender(t, "v0001", rows, champion, 0)
	in.Champion = &c
	return in
}

func first(t testing.TB, rows *dataset.Rows, challenger weights) Input {
	t.Helper()
	return Input{Challenger: contender(t, "v0002", rows, challenger, 0), Training: train.Verdict{Passed: true, Reason: "beats the floor"},
		Evaluate: evaluate.Defaults(), Value: evaluate.DefaultValue()}
}

func decide(t testing.TB, in Input) Decision {
	t.Helper()
	d, err := Judge(in, params())
	if err != nil {
		t.Fatal(err)
	}
	if d.Reason == "" || len(d.Criteria) == 0 {
		t.Errorf("a verdict without a reason: %+v", d)
	}
	return d
}

// expect fails unless the verdict is as wanted, and the criterion of that name
// says so.
func expect(t *testing.T, d Decision, want Verdict, name string, outcome Outcome) {
	t.Helper()
	if c := d.Find(name); d.Verdict != want || c.Outcome != outcome {
		t.Errorf("%s, %s is %q; want %s, %q:\n%s", d.Verdict, name, c.Outcome, want, outcome, d.Markdown())
	}
}

// The three answers: what is equal or a little noisier is never promoted, what
// is better is, what is worse is rejected.
func TestVerdicts(t *testing.T) {
	rows := world(800, 6, 1)
	half := weights{0.7, 0.3, 0, 0}
	for name, c := range map[string]struct {
		challenger, champion weights
		want                 Verdict
		criterion            string
		outcome              Outcome
	}{
		"the same under another name": {truth(), truth(), Hold, "gain", Unproven},
		"better":                      {truth(), half, Promote, "gain", Pass},
		"worse":                       {half, truth(), Reject, "gain", Fail},
		"a little noise":              {weights{0.7, 0.9, 0.1, 0}, truth(), Hold, "gain", Unproven},
		"much noise":                  {weights{0.7, 0.9, 0.9, 0}, truth(), Reject, "gain", Fail},
		"too confident":               {weights{7, 9, 0, 0}, half, Reject, "calibration", Fail},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, decide(t, match(t, rows, c.challenger, c.champion)), c.want, c.criterion, c.outcome)
		})
	}
}

// A challenger that has seen the outcome is never promoted, however much better
// it is: neither if the feature alone gives it away, nor if only the leap does.
func TestLeaksAreNotPromoted(t *testing.T) {
	for through, want := range map[float64]Outcome{0.3: Fail, 0.7: Fail, 1.3: Unproven} {
		d := decide(t, match(t, leaky(800, 6, 1, through), weights{0.7, 0.9, 0, 2}, truth()))
		if d.Verdict == Promote || d.Find("leak").Outcome != want || d.Find("gain").Outcome != Pass {
			t.Errorf("a leak through noise of %v:\n%s", through, d.Markdown())
		}
	}
}

// The first model has no champion to beat, but limits, the floor, the rule and
// the leak alarm to pass.
func TestFirst(t *testing.T) {
	rows := world(300, 4, 2)
	expect(t, decide(t, first(t, rows, truth())), Promote, "training", Pass)
	expect(t, decide(t, first(t, leaky(300, 4, 2, 0.3), weights{0.7, 0.9, 0, 6})), Reject, "leak", Fail)
	expect(t, decide(t, first(t, rows, weights{-0.7, -0.2, 0.5, 0})), Reject, "baseline", Fail)
	expect(t, decide(t, first(t, rows, weights{0, -0.9, 0, 0})), Reject, "floor", Pass)
	in := first(t, rows, truth())
	in.Training = train.Verdict{Reason: "does not beat the floor"}
	expect(t, decide(t, in), Reject, "training", Fail)
	in = first(t, rows, truth())
	in.Training.Suspicion.Reason = "spy alone"
	expect(t, decide(t, in), Reject, "training", Fail)
	expect(t, decide(t, first(t, world(20, 1, 3), truth())), Promote, "evidence", Pass)
}

// A challenger that is better for most but fails one plan is rejected, and the
// slice is named; where the loss is within what is allowed it is not.
func TestSlices(t *testing.T) {
	rows := world(1500, 6, 4)
	in := match(t, rows, truth(), weights{0.7, 0.3, 0, 0})
	worse := *rows
	worse.Frame.Numeric = slices.Clone(rows.Frame.Numeric)
	for i := range rows.Len() {
		if rows.Frame.Categorical[i] == "trial" {
			worse.Frame.Numeric[i*5+signal] *= -0.3
			worse.Frame.Numeric[i*5+silence] *= 0.3
		}
	}
	expect(t, decide(t, in), Promote, "slices", Pass)
	in.Challenger.Rows = &worse
	d := decide(t, in)
	expect(t, d, Reject, "slices", Fail)
	if text := d.Find("slices").Text; !strings.Contains(text, "plan trial") || strings.Contains(text, "plan free") {
		t.Errorf("slices: %s", text)
	}
	p := params()
	p.SliceLoss = 0.9
	if d, err := Judge(in, p); err != nil || d.Find("slices").Outcome != Pass {
		t.Errorf("a loss within the limit: %+v, %v", d.Find("slices"), err)
	}
	small := decide(t, match(t, world(60, 2, 5), truth(), truth()))
	for _, s := range small.Slices {
		if s.Outcome != "" {
			t.Errorf("%s %s of %d users was judged", s.By, s.Name, s.Users)
		}
	}
}

// Holm's limits by hand: of four at 5% they are 1.25%, 1.67%, 2.5% and 5%, and
// the first that is missed ends it.
func TestHolm(t *testing.T) {
	for _, c := range []struct {
		p    []Number
		want string
	}{
		{[]Number{0.01, 0.04, 0.03, 0.005}, "30"},  // 0.03 > 2.5% ends it, though 0.04 < 5%
		{[]Number{0.2, 0.0126, 0.3, 0.4}, ""},      // above 1.25%
		{[]Number{0.0124, none(), none(), 1}, "0"}, // of two: 2.5%
		{[]Number{0.01, 0.016, 0.024, 0.049}, "0123"},
	} {
		var parts []Slice
		for i, p := range c.p {
			parts = append(parts, Slice{Name: fmt.Sprint(i), PValue: p, Outcome: Pass})
		}
		got := ""
		for _, name := range holm(parts, 0.05) {
			got += strings.Fields(name)[0]
		}
		if got != c.want {
			t.Errorf("%v: alarms %q, want %q", c.p, got, c.want)
		}
	}
}

// The law: whatever lies between the trainings, no date that may judge lies
// within the label window of either, none is open, and none is lost without
// need. Judge itself refuses rows that were learned from, and takes one day more.
func TestNoJudgedRowWasLearnedFrom(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	rows := world(60, 2, 6)
	in := match(t, rows, truth(), truth())
	for range 2000 {
		var test []pipeline.Date
		for d := range pipeline.Date(1 + rng.IntN(20)) {
			test = append(test, firstDate+7*d)
		}
		challenger, champion := in.Challenger, *in.Champion
		challenger.TrainLast, champion.TrainLast = firstDate-pipeline.Date(rng.IntN(60)), firstDate-60+pipeline.Date(rng.IntN(200))
		last := firstDate + pipeline.Date(rng.IntN(200))
		dates := Dates(test, last, challenger, &champion)
		for _, d := range test {
			may := d > challenger.TrainLast+30 && d > champion.TrainLast+30 && d+30 <= last
			if slices.Contains(dates, d) != may {
				t.Fatalf("%s judges: %v; trainings up to %s and %s, data up to %s", d, !may, challenger.TrainLast, champion.TrainLast, last)
			}
		}
	}
	for _, who := range []*Contender{&in.Challenger, in.Champion} {
		who.TrainLast++
		if _, err := Judge(in, params()); err == nil || !strings.Contains(err.Error(), who.Model.Version) {
			t.Errorf("rows that %s has learned from: %v", who.Model.Version, err)
		}
		who.TrainLast--
	}
	decide(t, in)
}

// What cannot be judged is held with its reason, not an error.
func TestTooLittleIsHeld(t *testing.T) {
	full := world(400, 4, 7)
	for name, c := range map[string]struct {
		rows *dataset.Rows
		text string
	}{
		"no rows":     {&dataset.Rows{Frame: full.Frame}, "no rows that neither model has learned from"},
		"nil":         {nil, "no rows that neither model has learned from"},
		"one outcome": {full.Where(func(i int) bool { return full.Label[i] }), "same outcome"},
		"few users":   {full.Where(func(i int) bool { return full.User[i] < 150 }), "only 150 users"},
		"few leavers": {full.Where(func(i int) bool { return !full.Label[i] || full.User[i] < 10 }), "users to judge by"},
	} {
		in := match(t, full, truth(), weights{0.7, 0, 0, 0})
		in.Challenger.Rows, in.Champion.Rows = c.rows, c.rows
		d := decide(t, in)
		expect(t, d, Hold, "evidence", Unproven)
		if !strings.Contains(d.Reason, c.text) || !strings.Contains(string(d.Markdown()), c.text) {
			t.Errorf("%s: %s", name, d.Reason)
		}
	}
	in := first(t, full, truth())
	in.Challenger.Rows = nil
	expect(t, decide(t, in), Hold, "evidence", Unproven)
}

// What servers have seen of a challenger is shown and never promotes; one that
// did not answer is held, however much better it is.
func TestShadow(t *testing.T) {
	rows := world(800, 6, 8)
	better, equal := match(t, rows, truth(), weights{0.7, 0.3, 0, 0}), match(t, rows, truth(), truth())
	for name, c := range map[string]struct {
		in      Input
		shadow  Shadow
		verdict Verdict
		outcome Outcome
		text    string
	}{
		"better and alike": {better, Shadow{Rows: 1000, MeanAbsolute: 0.01, RankCorrelation: 0.99, SameTier: 0.97, Milliseconds: 0.012}, Promote, Pass, "1000 requests, 0.012 ms each: risks differ by 0.010 on average, rank correlation 0.990, 97.0% in the same tier"},
		"better, unlike":   {better, Shadow{Rows: 1000, MeanAbsolute: 0.4, RankCorrelation: -0.5}, Promote, Pass, "correlation -0.500"},
		"equal and alike":  {equal, Shadow{Rows: 1_000_000, RankCorrelation: 1, SameTier: 1}, Hold, Pass, "1000000 requests"},
		"better, failing":  {better, Shadow{Rows: 999, Failed: 1}, Hold, Unproven, "no risk to 1 of 1000 requests"},
		"other features":   {better, Shadow{Skipped: 7}, Promote, Pass, "none of 7 requests"},
	} {
		c.in.Shadow = &c.shadow
		d := decide(t, c.in)
		expect(t, d, c.verdict, "shadow", c.outcome)
		if text := d.Find("shadow").Text; !strings.Contains(text, c.text) || !strings.Contains(string(d.Markdown()), text) {
			t.Errorf("%s: %s", name, text)
		}
	}
	if c := decide(t, better).Find("shadow"); c.Name != "" {
		t.Errorf("without a server: %+v", c)
	}
}

// Other reasons not to promote.
func TestOtherCriteria(t *testing.T) {
	rows := world(800, 6, 8)
	better := func() Input { return match(t, rows, truth(), weights{0.7, 0.3, 0, 0}) }
	in := better()
	in.Barred = &Barred{Date: "2025-03-01", Reason: "complaints"}
	d := decide(t, in)
	expect(t, d, Reject, "not rolled back", Fail)
	if !strings.Contains(d.Reason, "2025-03-01: complaints") {
		t.Error(d.Reason)
	}
	if o := d.Overrule(" we know "); !o.Moves() || d.Moves() || o.Verdict != Reject || !strings.Contains(string(o.Markdown()), "Reason given: we know") {
		t.Errorf("overruled: %+v", o)
	}
	in = better()
	in.Champion.Model.Spec.Labels.WindowDays = 14
	expect(t, decide(t, in), Hold, "same question", Unproven)
	in = better()
	in.Champion.Model.Version = in.Challenger.Model.Version
	if d := decide(t, in); !d.InProduction || d.Verdict != Hold || d.Moves() || d.Overrule("x").Moves() {
		t.Errorf("in production already: %+v", d)
	}
	in = better()
	p := params()
	p.Metrics.PRAUC.Gain = 0.9
	if d, err := Judge(in, p); err != nil || d.Verdict != Hold || !strings.Contains(d.Reason, "by less than the 90%") {
		t.Errorf("a gain below what is asked for: %v, %+v", err, d)
	}
	other := *rows
	other.Label = slices.Clone(rows.Label)
	other.Label[0] = !other.Label[0]
	in.Champion.Rows = &other
	if _, err := Judge(in, p); err == nil {
		t.Error("rows with other labels were compared")
	}
}

// A better ranking with risks of which the log-loss suffers is rejected: by the
// loss that is put up with, and not within it.
func TestLoss(t *testing.T) {
	rows := world(1200, 6, 9)
	in := match(t, rows, truth(), weights{0.7, 0.3, 0, 0})
	in.Challenger = contender(t, "v0002", rows, truth(), 1.2)
	lost := func(d Decision) (names []string) {
		for _, c := range d.Criteria {
			if c.Name == "no loss" && c.Outcome == Fail {
				names = append(names, c.Metric)
			}
		}
		return names
	}
	if names := lost(decide(t, in)); !slices.Equal(names, []string{"log_loss", "brier"}) {
		t.Errorf("lost on %v", names)
	}
	p := params()
	p.Metrics.LogLoss.Gain, p.Metrics.Brier.Gain = -0.5, -0.5
	if d, err := Judge(in, p); err != nil || lost(d) != nil {
		t.Errorf("lost on %v: %v", lost(d), err)
	}
}

// A challenger trained on rows unlike those that judge it is held, unless the
// champion's were no more like them; without a profile drift is not judged.
func TestDrift(t *testing.T) {
	rows := world(800, 6, 15)
	moved := *rows
	moved.Frame.Numeric = slices.Clone(rows.Frame.Numeric)
	for i := range moved.Frame.Numeric {
		moved.Frame.Numeric[i] += 3
	}
	like, unlike := profile.Of(profile.Rows{Frame: &rows.Frame, User: rows.User}), profile.Of(profile.Rows{Frame: &moved.Frame, User: rows.User})
	for _, c := range []struct {
		challenger, champion *profile.Reference
		want                 Verdict
		outcome              Outcome
	}{{&like, &like, Promote, Pass}, {&like, nil, Promote, Pass}, {&unlike, &like, Hold, Unproven}, {&unlike, nil, Hold, Unproven}, {&unlike, &unlike, Promote, Pass}, {&like, &unlike, Promote, Pass}, {nil, &like, Promote, ""}} {
		in := match(t, rows, truth(), weights{0.7, 0.3, 0, 0})
		in.Challenger.Reference, in.Champion.Reference = c.challenger, c.champion
		expect(t, decide(t, in), c.want, "drift", c.outcome)
	}
	in := match(t, rows, truth(), truth())
	other := profile.Of(profile.Rows{Frame: &model.Frame{NumericNames: []string{"x"}, Numeric: make([]float64, 50)}})
	in.Challenger.Reference = &other
	if _, err := Judge(in, params()); err == nil || !strings.Contains(err.Error(), "gate: drift: ") {
		t.Errorf("the profile of other features: %v", err)
	}
}

// What the champion could once do is no leap, after a drift that it suffers from.
func TestRecoveryIsNoLeap(t *testing.T) {
	in := match(t, world(800, 6, 16), weights{2, 3, 0, 0}, weights{0.3, -0.5, 0, 0})
	p := params()
	p.Calibration, p.Metrics.LogLoss.Gain, p.Metrics.Brier.Gain = 1, -0.9, -0.9
	for promise, want := range map[float64]Outcome{0: Unproven, 0.75: Pass} {
		in.Champion.Promise = promise
		if d, err := Judge(in, p); err != nil || d.Find("leak").Outcome != want {
			t.Errorf("a promise of %v: %+v %v", promise, d.Find("leak"), err)
		}
	}
}

// The law: swapping the roles turns every difference around.
func TestSwappingRolesFlipsTheSign(t *testing.T) {
	in := match(t, world(400, 4, 10), truth(), weights{0.7, 0.5, 0.2, 0})
	there := decide(t, in)
	in.Challenger, *in.Champion = *in.Champion, in.Challenger
	back := decide(t, in)
	near := func(a, b Number) bool { return math.Abs(float64(a-b)) < 1e-12 }
	compared := 0
	for _, c := range there.Criteria {
		if c.Name != "gain" && c.Name != "no loss" {
			continue
		}
		for _, r := range back.Criteria {
			if r.Name == c.Name && r.Metric == c.Metric {
				compared++
				if !near(c.Difference.Value, -r.Difference.Value) || c.Challenger != r.Champion || !near(c.Difference.Low, -r.Difference.High) {
					t.Errorf("%s: %+v and %+v", c.Metric, c, r)
				}
			}
		}
	}
	if compared != 5 {
		t.Errorf("%d metrics compared", compared)
	}
}

// The law: neither the order of the rows nor the run changes a byte, and what is
// read back says the same.
func TestSameBytes(t *testing.T) {
	rows := world(300, 4, 11)
	order := rand.New(rand.NewPCG(1, 1)).Perm(rows.Len())
	shuffled := rows.Take(order)
	in := match(t, rows, truth(), weights{0.7, 0.3, 0, 0})
	decision := decide(t, in)
	want := encoded(t, decision)
	in.Challenger.Rows, in.Champion.Rows = shuffled, shuffled
	if got := encoded(t, decide(t, in)); !bytes.Equal(got, want) {
		t.Errorf("in another order:\n%s\nthan:\n%s", got, want)
	}
	copied := *shuffled
	in.Champion.Rows = &copied // its own features, that happen to be the same
	if got := encoded(t, decide(t, in)); !bytes.Equal(got, want) {
		t.Error("the champion's own rows give other bytes")
	}
	var back Decision
	text, err := decision.JSON()
	if err == nil {
		err = json.Unmarshal(text, &back)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := encoded(t, back); !bytes.Equal(got, want) {
		t.Errorf("read back:\n%s", got)
	}
	if c := back.Find("training"); !math.IsNaN(float64(c.Challenger)) {
		t.Errorf("null is read as %v", c.Challenger)
	}
}

func encoded(t *testing.T, d Decision) []byte {
	t.Helper()
	data, err := d.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return append(data, d.Markdown()...)
}

// Users who are not at risk do not judge.
func TestOnlyTheCohortJudges(t *testing.T) {
	rows := world(500, 4, 12)
	in := match(t, rows, truth(), weights{0.7, 0.3, 0, 0})
	want := decide(t, in)
	wider := dataset.Concat([]*dataset.Rows{rows, world(500, 4, 13)})
	for i := range wider.Len() {
		wider.AtRisk = append(wider.AtRisk, i < rows.Len())
	}
	in.Challenger.Rows, in.Champion.Rows = wider, wider
	got := decide(t, in)
	if !bytes.Equal(encoded(t, got), encoded(t, want)) {
		t.Errorf("with others beside the cohort:\n%s", got.Markdown())
	}
}

// The page for people leads with the verdict and leaves no criterion out.
func TestMarkdown(t *testing.T) {
	d := decide(t, match(t, world(400, 4, 14), truth(), truth()))
	text := string(d.Markdown())
	if !strings.HasPrefix(text, "# HOLD: v0001 stays, since nothing is proven\n") {
		t.Error(text)
	}
	for _, c := range d.Criteria {
		if !strings.Contains(text, "| "+c.Name+" |") {
			t.Errorf("%s is left out", c.Name)
		}
	}
	for _, want := range []string{"400 users", "2024-10-04", "200 resamples", "## What would change the verdict\n\n- gain:", "| plan | free |"} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
	if bad := "a|b\nc"; cell(bad) != `a\|b c` {
		t.Errorf("%q in a cell: %q", bad, cell(bad))
	}
}

// All faults are reported at once, each with its key.
func TestValidate(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Error(err)
	}
	p := Params{PrimaryMetric: "f1", Metrics: Metrics{Brier: Bound{Limit: -1}, Profit: Gain{math.NaN()}}, SliceLoss: 2, Calibration: -1, Drift: 1.5, Leap: math.NaN()}
	err := p.Validate()
	for _, key := range []string{"primary_metric", "confidence", "bootstrap", "min_users", "metrics.brier.limit", "metrics.profit_at_capacity.gain", "max_slice_loss", "max_calibration_error", "max_drift", "max_leap"} {
		if err == nil || !strings.Contains(err.Error(), "promote."+key+": ") {
			t.Errorf("%s is not reported: %v", key, err)
		}
	}
}
