package monitor

import (
	"math"
	"math/rand/v2"

	"churn/model"
	"churn/model/metric"
)

// Blindness is what an estimate without labels cannot see; it stands wherever one
// is shown.
const Blindness = "estimated from the risks alone: it sees that other users are scored (covariate shift), and is blind to users of the same kind behaving in another way (concept drift), which only labels show"

// Line is what labelled rows, the reference, say of risks: the line through their
// log-odds under which the labels are likeliest, and how surely it is known. The
// zero errors are those of a line that is known.
type Line struct {
	Slope, Intercept float64
	SlopeErr         float64 // standard errors
	MeanErr          float64 // of the mean risk less the churn rate
}

// identity takes the risks at their word.
func identity() Line { return Line{Slope: 1} }

// sound returns l, or the identity where the reference defines no line.
func (l Line) sound() Line {
	if !(l.Slope > 0) || math.IsNaN(l.Intercept+l.SlopeErr+l.MeanErr) || math.IsInf(l.Intercept+l.SlopeErr+l.MeanErr, 0) {
		return identity()
	}
	return l
}

// Names of the figures that a line follows from.
const (
	calibrationSlope     = "calibration_slope"
	calibrationIntercept = "calibration_intercept"
	inLarge              = "calibration_in_the_large"
)

// LineOf returns the line by figures whose intervals have a confidence.
func LineOf(figures []metric.Estimate, confidence float64) Line {
	slope, intercept, level := find(figures, calibrationSlope), find(figures, calibrationIntercept), find(figures, inLarge)
	quantile := math.Sqrt2 * math.Erfinv(confidence)
	width := func(e metric.Estimate) float64 { return (e.High - e.Low) / (2 * quantile) }
	return Line{slope.Value, intercept.Value, width(slope), width(level)}.sound()
}

// fitLogOdds returns the line of labelled rows.
func fitLogOdds(s metric.Sample, p metric.EvalParams) (Line, error) {
	series, err := metric.Bootstrap([]metric.Sample{s}, []string{calibrationSlope, calibrationIntercept, inLarge}, p)
	if err != nil {
		return Line{}, err
	}
	of := series[0]
	return Line{of[0].Value, of[1].Value, of[0].StdErr(), of[2].StdErr()}.sound(), nil
}

// chances returns the chances of rows with the given risks to be positive.
func (l Line) chances(risks []float64) metric.Chances {
	logits, out := make([]float64, len(risks)), make([]float64, len(risks))
	var middle, mass float64
	for i, p := range risks {
		logits[i] = math.Log(clip(p)) - math.Log1p(-clip(p))
		out[i] = model.Sigmoid(float64(l.Slope*logits[i]) + l.Intercept)
		weight := out[i] * (1 - out[i])
		middle, mass = middle+float64(weight*logits[i]), mass+weight
	}
	if l.SlopeErr == 0 && l.MeanErr == 0 || mass == 0 {
		return metric.Chances{Of: out}
	}
	// Around the middle of the rows, weighted as the likelihood weights them, slope
	// and level err independently; a level's error in log-odds is that of the mean
	// over the mean of its derivative.
	middle, level := middle/mass, l.MeanErr/(mass/float64(len(risks)))
	return metric.Chances{Of: out, Redraw: func(rng *rand.Rand, out []float64) {
		slope, shift := l.SlopeErr*rng.NormFloat64(), level*rng.NormFloat64()
		for i, x := range logits {
			out[i] = model.Sigmoid(float64(l.Slope*x) + l.Intercept + float64(slope*(x-middle)) + shift)
		}
	}}
}

// clip keeps log-odds finite.
func clip(p float64) float64 { return min(max(p, 1e-9), 1-1e-9) }

// estimate returns what the figures of a sample will be once its labels are known,
// by the risks alone: confidence-based performance estimation (CBPE; NannyML,
// "Estimation of performance of the monitored model", and Białek, Kivimäki, Kuberski &
// Perrakis, "Estimating model performance under covariate shift without labels",
// arXiv:2401.08348, 2024, where it is the method that is built upon). Like there,
// the risks are first corrected by what a reference of labelled rows says of them:
// the line l.
//
// A figure's band is to hold the realised figure of these very rows: labels are
// drawn from the chances, so that the number of positives is Poisson-binomial, and
// the line is drawn within its errors. Every row must be of a user of its own, as
// on one date. That the line holds for other users and days than those of the
// reference is the assumption of the method.
func estimate(s metric.Sample, l Line, p metric.EvalParams) ([]metric.Estimate, error) {
	names := figures(p)
	series, err := metric.Expect(s, l.chances(s.Prob), names, p)
	if err != nil {
		return nil, err
	}
	out := summary(names, series, p.Confidence)
	return append(out, overMean(find(out, baseRate), s.Prob)), nil
}
