package metric

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"churn/model"
	"churn/model/calibrate"
)

// calibrated returns n rows of users with rows each, labels drawn by Prob but for
// a shift of the log-odds; rows of one user share their label if shared.
func calibrated(n, each int, shift float64, shared bool, seed uint64) (s Sample) {
	rng := rand.New(rand.NewPCG(seed, 3))
	var u float64
	for i := range n {
		if i%each == 0 || !shared {
			u = rng.Float64()
		}
		margin := 1.5*rng.NormFloat64() - 1
		s.Prob = append(s.Prob, model.Sigmoid(margin))
		s.Label = append(s.Label, u < model.Sigmoid(margin+shift))
		s.User = append(s.User, int32(i/each))
	}
	s.Score = s.Prob
	return s
}

// Law: the parts of the decomposition add up to the Brier score. The planted
// mutant, one part left out, must be noticed.
func TestBrierDecompositionAddsUp(t *testing.T) {
	for seed := range uint64(20) {
		s := random(150, 2+int(seed)*3, seed)
		d := DecomposeBrier(s.Prob, s.Label, 1+int(seed)%12)
		murphy := d.Reliability - d.Resolution + d.Uncertainty
		if !same(d.Brier, Brier(s.Prob, s.Label)) || !same(d.Brier, murphy+d.WithinVariance-d.WithinCovariance) {
			t.Errorf("seed %d: %+v", seed, d)
		}
		if seed%12 == 5 && same(d.Brier, murphy) {
			t.Errorf("seed %d: the law does not see the parts within bins", seed)
		}
		for _, part := range []float64{d.Reliability, d.Resolution, d.Uncertainty, d.WithinVariance} {
			if part < 0 {
				t.Errorf("seed %d: %+v", seed, d)
			}
		}
	}
}

// Two bins, 0.2- 0.4+ and 0.6- 0.8+: means 0.3 and 0.7, rates ½ as over all. So
// reliability 0.2² = 0.04, resolution 0, uncertainty ¼, variance within 0.01,
// covariance 2·(0.1·½) = 0.1; Brier (0.04 + 0.36 + 0.36 + 0.04)/4 = 0.2.
func TestBrierDecompositionByHand(t *testing.T) {
	got := DecomposeBrier([]float64{0.8, 0.2, 0.6, 0.4}, []bool{true, false, false, true}, 2)
	want := Decomposition{Brier: 0.2, Reliability: 0.04, Uncertainty: 0.25, WithinVariance: 0.01, WithinCovariance: 0.1}
	for i, pair := range [][2]float64{
		{got.Brier, want.Brier}, {got.Reliability, want.Reliability}, {got.Resolution, want.Resolution}, {got.Uncertainty, want.Uncertainty},
		{got.WithinVariance, want.WithinVariance}, {got.WithinCovariance, want.WithinCovariance},
	} {
		if !same(pair[0], pair[1]) {
			t.Errorf("part %d: %v, want %v", i, pair[0], pair[1])
		}
	}
}

// Wilson's interval for 1 of 10 at 95 % is 0.0179 to 0.4042 (Brown, Cai & DasGupta,
// 2001, with z = 1.96).
func TestWilsonByHand(t *testing.T) {
	low, high := wilson(0.1, 10, 1.959963984540054)
	if math.Abs(low-0.01787621) > 1e-7 || math.Abs(high-0.40415003) > 1e-7 {
		t.Errorf("%v to %v", low, high)
	}
	if low, high = wilson(0, 10, 1.96); low != 0 || high < 0.27 || high > 0.28 {
		t.Errorf("none of ten: %v to %v", low, high)
	}
}

// Ten users of ten rows, half of each user's positive, all given 0.9: the error is
// 0.4 and no user differs from another, so that none of it is noise. All negative,
// ten users say as much as ten rows do.
func TestReliabilityByHand(t *testing.T) {
	var s Sample
	for i := range 100 {
		s.Prob, s.Label, s.User = append(s.Prob, 0.9), append(s.Label, i%2 == 0), append(s.User, int32(i/10))
	}
	s.Score = s.Prob
	if r := ReliabilityCurve(s, 10, 0.95); !same(r.ECE, 0.4) || math.Abs(r.ExpectedECE) > 1e-12 {
		t.Errorf("%+v", r)
	}
	s.Label = make([]bool, 100)
	_, want := wilson(0, 10, 1.959963984540054)
	if b := ReliabilityCurve(s, 10, 0.95).Bins[0]; b.Users != 10 || !same(b.RateHigh, want) {
		t.Errorf("%+v, want at most %v", b, want)
	}
}

// Laws: the bins hold all rows in order of probability and about as many each, the
// ECE is that of the metric, and the order of rows does not matter.
func TestReliabilityCurve(t *testing.T) {
	s := random(997, 300, 4)
	r := ReliabilityCurve(s, 10, 0.95)
	rows, last := 0, -1.0
	for _, b := range r.Bins {
		rows += b.Rows
		if b.Rows < 90 || b.Rows > 110 || b.MeanProb <= last || !(b.RateLow < b.Rate && b.Rate < b.RateHigh) || b.Users > b.Rows {
			t.Errorf("%+v", b)
		}
		last = b.MeanProb
	}
	if e, _ := Evaluate(s, params()).Find("ece"); rows != 997 || len(r.Bins) != 10 || !same(r.ECE, e.Value) || !same(r.ECE, ECEEqualMass(s.Prob, s.Label, 10)) {
		t.Errorf("%d rows in %d bins, ECE %v", rows, len(r.Bins), r.ECE)
	}
	if other := ReliabilityCurve(shuffled(s, 1), 10, 0.95); !same(other.ExpectedECE, r.ExpectedECE) || !same(other.ECE, r.ECE) {
		t.Error("the order of rows matters")
	}
	if one := ReliabilityCurve(Sample{Score: s.Score, Prob: slices.Repeat([]float64{0.3}, 997), Label: s.Label}, 10, 0.95); len(one.Bins) != 1 {
		t.Errorf("one probability in %d bins", len(one.Bins))
	}
	if none := ReliabilityCurve(Sample{}, 10, 0.95); none.Bins != nil || none.ECE != 0 {
		t.Errorf("no rows: %+v", none)
	}
}

// On calibrated probabilities the mean ECE is the expected one, and 90 % intervals
// of the rates cover the mean probability in nine bins of ten; also where the rows
// of a user share their label, which intervals that take rows for independent miss.
func TestExpectedECEAndCoverage(t *testing.T) {
	for _, each := range []int{1, 8} {
		t.Run(fmt.Sprint(each), func(t *testing.T) {
			const samples = 100
			var ece, expected, covered, naive, bins float64
			for seed := range uint64(samples) {
				s := calibrated(800, each, 0, true, seed)
				r := ReliabilityCurve(s, 10, 0.9)
				ece, expected = ece+r.ECE/samples, expected+r.ExpectedECE/samples
				alone := ReliabilityCurve(Sample{Score: s.Score, Prob: s.Prob, Label: s.Label}, 10, 0.9)
				for k, b := range r.Bins {
					bins++
					covered += number(b.RateLow <= b.MeanProb && b.MeanProb <= b.RateHigh)
					naive += number(alone.Bins[k].RateLow <= b.MeanProb && b.MeanProb <= alone.Bins[k].RateHigh)
				}
			}
			if math.Abs(expected/ece-1) > 0.05 {
				t.Errorf("mean ECE %v, expected %v", ece, expected)
			}
			if covered/bins < 0.87 || covered/bins > 0.93 {
				t.Errorf("covered %v of the bins", covered/bins)
			}
			if each == 8 && naive/bins > 0.87 {
				t.Errorf("the law does not see users: %v", naive/bins)
			}
		})
	}
	if r := ReliabilityCurve(calibrated(1600, 1, 0.8, true, 1), 10, 0.9); r.ECE < 3*r.ExpectedECE {
		t.Errorf("shifted: ECE %v, expected %v", r.ECE, r.ExpectedECE)
	}
}

// Law: the one step from the optimum is close to the full optimum on repeated rows:
// much closer than the replicates are to each other. The planted mutant, no step,
// must be noticed.
func TestRecalibrationIsNearlyTheFullFit(t *testing.T) {
	s := calibrated(2000, 4, 0.5, false, 6)
	user, users := s.clusters()
	m := recalibration(s, user, users)
	optimum := m.values(ones(users))
	var off, stepped float64
	for b := range uint64(20) {
		weight := make([]float64, users)
		resample(rand.New(rand.NewPCG(1, b)), weight)
		var margin, rows []float64
		for i, p := range s.Prob {
			margin, rows = append(margin, logOdds(p)), append(rows, weight[user[i]])
		}
		slope, intercept, err := calibrate.Line(margin, s.Label, rows)
		if err != nil {
			t.Fatal(err)
		}
		got := m.values(weight)
		off = max(off, math.Abs(got[0]-slope), math.Abs(got[1]-intercept))
		stepped = max(stepped, math.Abs(optimum[0]-slope), math.Abs(optimum[1]-intercept))
	}
	if off > stepped/10 {
		t.Errorf("%v off, where the step is up to %v", off, stepped)
	}
}

// Log-odds too low by 0.5: intercept 0.5 and slope 1 within their intervals. Labels
// that a threshold separates have no line.
func TestRecalibrationFindsTheShift(t *testing.T) {
	r := Evaluate(calibrated(10000, 4, 0.5, false, 2), EvalParams{Bootstrap: 100, Seed: 1, Confidence: 0.95})
	slope, _ := r.Find("calibration_slope")
	intercept, _ := r.Find("calibration_intercept")
	if !(slope.Low < 1 && 1 < slope.High && slope.High-slope.Low < 0.3) || !(intercept.Low < 0.5 && 0.5 < intercept.High) {
		t.Errorf("%+v, %+v", slope, intercept)
	}
	s := calibrated(100, 1, 0, false, 1)
	for i, p := range s.Prob {
		s.Label[i] = p > 0.3
	}
	if e, ok := Evaluate(s, params()).Find("calibration_slope"); !ok || !math.IsNaN(e.Value) {
		t.Errorf("separable: %+v", e)
	}
}

// Law: the interval of calibration in the large is that of a mean over users.
func TestCalibrationInTheLarge(t *testing.T) {
	right, _ := Evaluate(calibrated(4000, 4, 0, true, 3), params()).Find("calibration_in_the_large")
	wrong, _ := Evaluate(calibrated(4000, 4, -1, true, 3), params()).Find("calibration_in_the_large")
	if !(right.Low < 0 && 0 < right.High) || wrong.Low <= 0 {
		t.Errorf("right %+v, too high %+v", right, wrong)
	}
}
