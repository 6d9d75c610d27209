package monitor

import (
	"math"
	"math/rand/v2"
	"testing"

	"churn/model/metric"
)

// foreseen draws rows of a world, and returns the estimate of their figures before
// their labels were known, corrected by a line, and the figures that they came to.
func (w world) foreseen(t *testing.T, rng *rand.Rand, n int, l Line) (estimated, realised []metric.Estimate) {
	t.Helper()
	m := rules().evaluation(nil)
	risks, churned := w.draw(rng, n)
	s := metric.Sample{Score: risks, Prob: risks}
	estimated, err := estimate(s, l, m)
	if err != nil {
		t.Fatal(err)
	}
	s.Label, m.Bootstrap = churned, 0
	if realised, err = measure(s, m); err != nil {
		t.Fatal(err)
	}
	return estimated, realised
}

// inside reports whether the realised figure lies in the band.
func inside(estimated, realised []metric.Estimate, name string) bool {
	e, r := find(estimated, name), find(realised, name)
	return e.Low <= r.Value && r.Value <= e.High
}

// The law: where other users come and behave as their kind always did, the
// realised figures lie in the bands of the estimates. `make bench-monitor` does the
// same at length.
func TestEstimatesHoldUnderCovariateShift(t *testing.T) {
	const replays = 60
	rng := rand.New(rand.NewPCG(1, 2))
	other, held := trained(), map[string]int{}
	other.shift, other.spread = -1, 0.5
	usual, _ := trained().foreseen(t, rng, 20_000, identity())
	var last []metric.Estimate
	for range replays {
		estimated, realised := other.foreseen(t, rng, 600, card(rng, 1000).line())
		for _, name := range []string{rocAUC, logLoss, baseRate} {
			if inside(estimated, realised, name) {
				held[name]++
			}
		}
		last = estimated
	}
	for _, name := range []string{rocAUC, logLoss, baseRate} {
		if moved := math.Abs(find(last, name).Value - find(usual, name).Value); moved < 0.02 {
			t.Errorf("%s: the shift moves it by %v only", name, moved)
		}
		if held[name] < replays-8 { // 95% less three standard deviations
			t.Errorf("%s: %d of %d realised figures lie in the band", name, held[name], replays)
		}
	}
}

// The blindness that every report states: where users of the same kind behave in
// another way, the estimate stays where it was and the realised figure falls.
func TestEstimatesAreBlindToConceptShift(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	changed := trained()
	changed.a = -0.3 // what told leavers apart does so no more
	line := card(rng, 4000).line()
	before, _ := trained().foreseen(t, rng, 4000, line)
	estimated, realised := changed.foreseen(t, rng, 4000, line)
	for _, name := range []string{rocAUC, metric.PRAUC} {
		was, is, came := find(before, name).Value, find(estimated, name), find(realised, name).Value
		if math.Abs(is.Value-was) > 0.02 {
			t.Errorf("%s: the estimate moved from %.3f to %.3f, though it cannot see why", name, was, is.Value)
		}
		if came > is.Low-0.1 {
			t.Errorf("%s: realised %.3f, estimated %.3f (%.3f–%.3f): the shift shows nothing", name, came, is.Value, is.Low, is.High)
		}
	}
}

// Risks that are wrong in a way that the reference shows are corrected by it.
func TestEstimatesAreCorrectedByTheReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	sure := func(risks []float64) (out []float64) { // the log-odds doubled, and one less
		for _, p := range risks {
			odds := math.Pow(p/(1-p), 2) / math.E
			out = append(out, odds/(1+odds))
		}
		return out
	}
	risks, churned := trained().draw(rng, 4000)
	line, err := fitLogOdds(metric.Sample{Score: risks, Prob: sure(risks), Label: churned}, rules().evaluation(nil))
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(line.Slope-0.5) > 0.06 || math.Abs(line.Intercept-0.5) > 0.2 || !(line.SlopeErr > 0 && line.SlopeErr < 0.05) || !(line.LevelErr > 0 && line.LevelErr < 0.1) {
		t.Errorf("%+v, want a slope and an intercept of 0.5", line)
	}
	risks, churned = trained().draw(rng, 4000)
	s := metric.Sample{Score: risks, Prob: sure(risks)}
	corrected, err := estimate(s, line, rules().evaluation(nil))
	if err != nil {
		t.Fatal(err)
	}
	taken, err := estimate(s, identity(), rules().evaluation(nil))
	if err != nil {
		t.Fatal(err)
	}
	s.Label = churned
	realised, err := measure(s, rules().evaluation(nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{rocAUC, logLoss, baseRate, ObservedExpected, "ece"} {
		if !inside(corrected, realised, name) || inside(taken, realised, name) {
			t.Errorf("%s: realised %.3f, corrected %+v, taken at their word %+v", name, find(realised, name).Value, find(corrected, name), find(taken, name))
		}
	}
}

// A reference that defines no line leaves the risks as they are.
func TestLineOfPoorReferences(t *testing.T) {
	nan := math.NaN()
	for _, figures := range [][]metric.Estimate{
		nil,
		{{Name: calibrationSlope, Value: nan, Low: nan, High: nan}, {Name: calibrationIntercept}, {Name: inLarge}},
		{{Name: calibrationSlope, Value: -0.5, Low: -1, High: 0}, {Name: calibrationIntercept}, {Name: inLarge}},
		{{Name: calibrationSlope, Value: 1.5, Low: 1, High: 2}, {Name: calibrationIntercept}, {Name: inLarge, Low: nan}},
	} {
		if l := LineOf(figures, 0.95); l != identity() {
			t.Errorf("%v: %+v", figures, l)
		}
	}
	c := Line{Slope: 1.5, Intercept: 0.2, SlopeErr: 0.1, LevelErr: 0.1}.chances([]float64{0, 1, 0.5})
	if c.Redraw == nil || !(c.Of[0] >= 0 && c.Of[0] < 1e-9) || !(c.Of[1] <= 1 && c.Of[1] > 1-1e-9) {
		t.Errorf("%v", c.Of)
	}
}
