package monitor

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"churn/model"
	"churn/model/metric"
	"churn/pipeline"
)

// rules are the defaults with fewer resamples.
func rules() Rules {
	r := Rules{PerformanceParams: DefaultPerformance(), Primary: metric.PRAUC, TopK: 2}
	r.Bootstrap = 100
	return r
}

// fixed returns a join that gives every user the fate that of says.
func fixed(of func(user string) Fate) func([]Due) error {
	return func(due []Due) error {
		for k := range due {
			due[k].Fates = nil
			for _, user := range due[k].Predictions.Users {
				due[k].Fates = append(due[k].Fates, of(user))
			}
		}
		return nil
	}
}

// perform runs on predictions, which must succeed.
func perform(t *testing.T, in PerformanceInput, join func([]Due) error) Performance {
	t.Helper()
	in.Trend = DefaultTrend()
	if in.Params.Dates == 0 {
		in.Params = rules()
	}
	report, err := Perform(t.Context(), in, join)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := json.Marshal(report); err != nil {
		t.Fatal(err)
	}
	return report
}

// list returns predictions of users a, b, … in the order of their risks.
func list(asOf pipeline.Date, risks ...float64) Given {
	g := Given{Window: 30}
	g.AsOf, g.Version, g.Source = asOf, "v0001", "list"
	for i, risk := range risks {
		g.add(string(rune('a'+i)), risk, int32(i+1))
	}
	return g
}

func figure(t *testing.T, figures []metric.Estimate, name string, want float64) {
	t.Helper()
	if got := find(figures, name).Value; math.Abs(got-want) > 1e-12 {
		t.Errorf("%s is %v, want %v", name, got, want)
	}
}

// Users a 0.9, b 0.5, c 0.5, d 0.2, e 0.1, f 0.4. a, c and e left, b and d stayed,
// f is not in the data. By rank a+ b- c+ d- e+: AP = (1 + 2/3 + 3/5)/3; of the 6
// pairs a wins two, c one, so that the area is 1/2. Of the first two, one left:
// 1/2 over 3/5. Three left where 0.9 + 0.5 + 0.5 + 0.2 + 0.1 = 2.2 were expected.
func TestRealisedByHand(t *testing.T) {
	left := "ace"
	join := fixed(func(user string) Fate {
		switch {
		case user == "f":
			return Unknown
		case strings.Contains(left, user):
			return Churned
		}
		return Stayed
	})
	report := perform(t, PerformanceInput{AsOf: 130, Given: []Given{list(100, 0.9, 0.5, 0.5, 0.2, 0.1, 0.4)}}, join)
	if len(report.Dates) != 1 || len(report.Immature) != 0 {
		t.Fatalf("%+v", report)
	}
	d := report.Dates[0]
	if d.Users != 5 || d.Churned != 3 || d.Unknown != 1 || d.Contacted != 0 || d.Closed != 130 {
		t.Errorf("%+v", d)
	}
	figure(t, d.Figures, metric.PRAUC, (1+2.0/3+3.0/5)/3)
	figure(t, d.Figures, rocAUC, 0.5)
	figure(t, d.Figures, logLoss, -(math.Log(0.9)+2*math.Log(0.5)+math.Log(0.8)+math.Log(0.1))/5)
	figure(t, d.Figures, "brier", (0.01+0.25+0.25+0.04+0.81)/5)
	figure(t, d.Figures, baseRate, 0.6)
	figure(t, d.Figures, "lift_at_2", 0.5/0.6)
	figure(t, d.Figures, ObservedExpected, 3/2.2)
	if math.Abs(float64(d.MeanRisk)-0.44) > 1e-12 {
		t.Errorf("mean risk %v", d.MeanRisk)
	}
}

// Contacts change what they are made to change: who was contacted within (asOf,
// asOf+window] is counted apart, whatever became of him, and others as ever.
func TestContactedAreCountedApart(t *testing.T) {
	risks := []float64{0.9, 0.8, 0.7, 0.4, 0.3, 0.2}
	stays := fixed(func(user string) Fate {
		if strings.Contains("af", user) {
			return Churned
		}
		return Stayed
	})
	leaves := fixed(func(user string) Fate {
		if strings.Contains("abcf", user) {
			return Churned
		}
		return Stayed
	})
	in := PerformanceInput{AsOf: 200, Given: []Given{list(100, risks...)}, Treatments: Treatments{
		"a": {{Day: 100}}, "b": {{Day: 101, Treatment: "call"}}, "c": {{Day: 90}, {Day: 130, Treatment: "mail"}}, "d": {{Day: 131}}, "x": {{Day: 110}}}}
	one, other := perform(t, in, stays), perform(t, in, leaves)
	for name, want := range map[string]int{"users": 4, "contacted": 2, "churned": 2} {
		got := map[string]int{"users": one.Dates[0].Users, "contacted": one.Dates[0].Contacted, "churned": one.Dates[0].Churned}[name]
		if got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	if a, b := one.Dates[0].Figures, other.Dates[0].Figures; !slices.EqualFunc(a, b, func(x, y metric.Estimate) bool { return fmt.Sprint(x) == fmt.Sprint(y) }) {
		t.Errorf("what became of contacted users changes the figures of the others:\n%v\n%v", a, b)
	}
	c := one.Contacts
	if c == nil || c.Why == "" || len(c.Treatments) != 3 || c.Treatments[0].Rows != 2 || c.Treatments[0].Churned != 0 || c.Treatments[1].Treatment != "call" {
		t.Fatalf("%+v", c)
	}
	figure(t, other.Contacts.Treatments[0].Figures, ObservedExpected, 2/1.5)
}

// world draws users whose log-odds are level + a·x + b·y and whose risks are those
// of a model that knows level, a and b of another world: the model's.
type world struct {
	level, a, b   float64
	shift, spread float64 // of x: another kind of users
}

// model is the world that the model was trained in.
func trained() world { return world{level: -1.6, a: 1.1, b: 0.8, spread: 1} }

// draw returns n users with the risks that the model gives and what they do.
func (w world) draw(rng *rand.Rand, n int) (risks []float64, churned []bool) {
	m := trained()
	for range n {
		x, y := float64(w.spread*rng.NormFloat64())+w.shift, rng.NormFloat64()
		risks = append(risks, model.Sigmoid(m.level+m.a*x+m.b*y))
		churned = append(churned, rng.Float64() < model.Sigmoid(w.level+w.a*x+w.b*y))
	}
	return risks, churned
}

// given returns predictions of so many users of a world and their fates, with
// users whom no other date has.
func (w world) given(rng *rand.Rand, asOf pipeline.Date, n int) (Given, map[string]Fate) {
	risks, churned := w.draw(rng, n)
	g, fates := Given{Window: 30}, map[string]Fate{}
	g.AsOf, g.Version = asOf, "v0001"
	for i, risk := range risks {
		user := fmt.Sprintf("%d-%d", asOf, i)
		g.add(user, risk, 1)
		if fates[user] = Stayed; churned[i] {
			fates[user] = Churned
		}
	}
	return g, fates
}

// card is the promise of the model by n rows of its own world.
func card(rng *rand.Rand, n int) *Promise {
	risks, churned := trained().draw(rng, n)
	p := metric.EvalParams{Bootstrap: 100, Seed: 1, Confidence: 0.95}
	return &Promise{Version: "v0001", Learned: 90, From: 50, To: 60, interval: p.Confidence, Figures: metric.Evaluate(metric.Sample{Score: risks, Prob: risks, Label: churned}, p).Estimates}
}

// judged returns the report on one date of a world.
func (w world) judged(t *testing.T, seed uint64, n int) Performance {
	rng := rand.New(rand.NewPCG(seed, 4))
	g, fates := w.given(rng, 100, n)
	g.Promise = card(rng, 1200)
	return perform(t, PerformanceInput{AsOf: 150, Given: []Given{g}}, fixed(func(user string) Fate { return fates[user] }))
}

// The law: a promise that is kept raises hardly ever an alarm, one that is broken
// nearly always, and the share of leavers alone moves neither verdict of the
// ranking, though it moves PR-AUC itself by more than is allowed: the mutant.
func TestVerdicts(t *testing.T) {
	same, blind, rare, off := trained(), trained(), trained(), trained()
	blind.a, rare.level, off.level = -0.2, -3, -0.4
	const replays = 8
	count := func(w world, criterion string) (failed, moved int) {
		for seed := range uint64(replays) {
			r := w.judged(t, seed, 1000)
			for _, c := range r.Judged.Criteria {
				if c.Name == criterion && c.Status == Fail {
					failed++
				}
			}
			now, promised := find(r.Judged.Figures, metric.PRAUC), find(r.Dates[0].Promise.Figures, metric.PRAUC)
			if distance(now, promised, 0.9) < 0 {
				moved++
			}
		}
		return failed, moved
	}
	if failed, _ := count(same, CriterionRanking); failed > 1 {
		t.Errorf("a kept promise fails %d of %d times", failed, replays)
	}
	if failed, _ := count(same, CriterionCalibration); failed > 0 {
		t.Errorf("right risks fail %d of %d times", failed, replays)
	}
	if failed, _ := count(blind, CriterionRanking); failed < replays {
		t.Errorf("a broken ranking fails only %d of %d times", failed, replays)
	}
	if failed, moved := count(rare, CriterionRanking); failed > 1 || moved < replays*2/3 {
		t.Errorf("fewer leavers: the ranking fails %d times, plain PR-AUC would %d times of %d", failed, moved, replays)
	}
	if failed, _ := count(off, CriterionCalibration); failed < replays {
		t.Errorf("risks far too low fail only %d of %d times", failed, replays)
	}
}

// The dates together can hide that each is wrong in another direction.
func TestDatesThatHideEachOther(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	high, low, good := trained(), trained(), trained()
	high.level, low.level = -0.2, -3.4
	status := func(worlds ...world) Performance {
		in, all := PerformanceInput{AsOf: 200}, map[string]Fate{}
		promise := card(rng, 1200)
		for k, w := range worlds {
			g, fates := w.given(rng, pipeline.Date(100+k), 800)
			g.Promise = promise
			in.Given = append(in.Given, g)
			for user, f := range fates {
				all[user] = f
			}
		}
		return perform(t, in, fixed(func(user string) Fate { return all[user] }))
	}
	if r := status(good, good, good, good); r.Status != OK || len(r.Reasons) != 0 {
		t.Errorf("good dates: %s %q", r.Status, r.Reasons)
	}
	if r := status(low, high, good, good); r.Status != Fail || len(r.Reasons) < 2 {
		t.Errorf("half of the dates: %s %q", r.Status, r.Reasons)
	}
	if r := status(good, good, good, low); r.Status != Fail {
		t.Errorf("the last date: %s %q", r.Status, r.Reasons)
	}
	if r := status(good, low, good, good); r.Status != Warn {
		t.Errorf("an earlier date: %s %q", r.Status, r.Reasons)
	}
}

// What has not matured is never asked for and never counted; what was made in
// hindsight is told, and judges nothing.
func TestImmatureAndHindsight(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	good, fates := trained().given(rng, 100, 500)
	good.Promise = card(rng, 1000)
	late, _ := trained().given(rng, 125, 400)
	late.Promise = good.Promise
	wrong := trained()
	wrong.a, wrong.b, wrong.level = -2, -2, 1
	early, bad := wrong.given(rng, 80, 500) // the model has learned up to day 90
	early.Promise = good.Promise
	early.Version = "v0001"
	future, _ := trained().given(rng, 170, 50)
	for user, f := range bad {
		fates[user] = f
	}
	in := PerformanceInput{AsOf: 150, Given: []Given{late, early, good, future}}
	asked := 0
	r := perform(t, in, func(due []Due) error {
		asked = len(due)
		return fixed(func(user string) Fate { return fates[user] })(due)
	})
	if asked != 2 || len(r.Dates) != 2 || len(r.Immature) != 1 {
		t.Fatalf("asked for %d dates, realised %d, immature %d", asked, len(r.Dates), len(r.Immature))
	}
	if r.Status != OK || r.Judged.Rows != 500 || r.Judged.Dates != 1 {
		t.Errorf("%s %q %+v", r.Status, r.Reasons, r.Judged)
	}
	if d := r.Dates[0]; d.Hindsight != 90 || d.Status != Unmeasured || len(d.Criteria) != 0 || len(d.Estimated) != 0 || !strings.Contains(d.Note, "hindsight") {
		t.Errorf("%+v", d)
	}
	if i := r.Immature[0]; i.AsOf != 125 || i.Matures != 155 || i.Users != 400 || i.Status != OK || i.Corrected != "test period 1970-02-20 to 1970-03-02" {
		t.Errorf("%+v", i)
	}
	if len(r.Tracked) == 0 || r.Tracked[0].Dates != 1 || r.Blind != Blindness {
		t.Errorf("%+v", r.Tracked)
	}
}

// Poor data have clear answers, and none of them is OK.
func TestPerformanceOfPoorData(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	promise := card(rng, 1000)
	of := func(n int, promised bool) Given {
		g, _ := trained().given(rng, 100, n)
		if promised {
			g.Promise = promise
		} else {
			g.Why = "nothing is promised: the version is gone"
		}
		return g
	}
	everyone := func(f Fate) func([]Due) error { return fixed(func(string) Fate { return f }) }
	for name, c := range map[string]struct {
		given  []Given
		join   func([]Due) error
		status Status
		want   string
	}{
		"no predictions":  {nil, everyone(Stayed), Unmeasured, "there are no predictions"},
		"not matured":     {[]Given{{Predictions: list(140, 0.5).Predictions, Window: 30, Promise: promise}}, everyone(Stayed), Unmeasured, "the first does on"},
		"one row":         {[]Given{of(1, true)}, everyone(Churned), Unmeasured, "too few to judge"},
		"no version":      {[]Given{of(300, false)}, everyone(Stayed), Unmeasured, "the version is gone"},
		"nobody known":    {[]Given{of(300, true)}, everyone(Unknown), Unmeasured, "none of the 300 users can be counted"},
		"nobody left":     {[]Given{of(300, true)}, everyone(Stayed), Fail, "0 of 300 users left"},
		"everybody left":  {[]Given{of(300, true)}, everyone(Churned), Fail, "300 of 300 users left"},
		"a broken table":  {[]Given{of(400, true)}, everyone(Stayed), Fail, "predictions.csv is set aside: it is torn"},
		"only in part ok": {[]Given{of(29, true)}, everyone(Stayed), Unmeasured, "too few to judge"},
	} {
		in := PerformanceInput{AsOf: 150, Given: c.given}
		if name == "a broken table" {
			in.SetAside = []SetAside{{"predictions.csv", "it is torn"}}
		}
		r := perform(t, in, c.join)
		if said := strings.Join(r.Reasons, "\n"); r.Status != c.status || !strings.Contains(said, c.want) {
			t.Errorf("%s: %s, %q; want %s, %q", name, r.Status, said, c.status, c.want)
		}
	}
	failing := errors.New("the timelines are damaged")
	in := PerformanceInput{AsOf: 150, Given: []Given{of(40, true)}, Params: rules()}
	if _, err := Perform(t.Context(), in, func([]Due) error { return failing }); !errors.Is(err, failing) {
		t.Errorf("%v", err)
	}
}

// Of many dates the latest are looked at, and the latest of these judged together.
func TestLatestDates(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	in, all, promise := PerformanceInput{AsOf: 300, Params: rules()}, map[string]Fate{}, card(rng, 1000)
	in.Params.Dates, in.Params.Together = 5, 3
	for k := range 8 {
		g, fates := trained().given(rng, pipeline.Date(100+7*k), 300)
		g.Promise = promise
		in.Given = append(in.Given, g)
		for user, f := range fates {
			all[user] = f
		}
	}
	slices.Reverse(in.Given)
	r := perform(t, in, fixed(func(user string) Fate { return all[user] }))
	if len(r.Dates) != 5 || r.Dates[0].AsOf != 121 || r.Judged.Dates != 3 || r.Judged.Rows != 900 || r.Judged.From != 135 || r.Judged.To != 149 {
		t.Errorf("%d dates from %d; judged %+v", len(r.Dates), r.Dates[0].AsOf, r.Judged)
	}
	// A date is corrected by labels that had matured by then, and by no other.
	if got := r.Dates[4].Corrected; !strings.HasPrefix(got, "test period") {
		t.Errorf("the estimate of day 149 is corrected by %q; the first label matured on day 151", got)
	}
	if len(r.Trends) == 0 || r.Trends[0].Note == "" {
		t.Errorf("five dates have a trend: %+v", r.Trends)
	}
}

// Leaving out those of whom the model is surest takes from its ranking, and no
// fault of the model: the promise is taken down by what that costs.
func TestContactsTakeFromThePromise(t *testing.T) {
	failed, naive := 0, 0
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 9))
		g, fates := trained().given(rng, 100, 2000)
		g.Promise = card(rng, 2000)
		in := PerformanceInput{AsOf: 150, Given: []Given{g}, Treatments: Treatments{}}
		for i, user := range g.Users {
			if g.Risks[i] > 0.3 {
				in.Treatments[user] = []Contact{{Day: 105}}
				fates[user] = Stayed // the contact works
			}
		}
		r := perform(t, in, fixed(func(user string) Fate { return fates[user] }))
		c := r.Dates[0].Criteria[0]
		if c.Status == Fail {
			failed++
		}
		if distance(c.Realised, find(g.Promise.Figures, metric.PRAUC), 0.9) < 0 {
			naive++
		}
	}
	if failed > 1 || naive < 6 {
		t.Errorf("a good model fails %d of 8 times, by the plain promise %d times", failed, naive)
	}
}
