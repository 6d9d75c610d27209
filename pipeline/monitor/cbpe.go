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
// log-odds under which the labels are likeliest, and how surely it is known. Its
// level at the middle of the reference and its slope err independently; the zero
// errors are those of a line that is known.
type Line struct {
	Slope, Intercept   float64
	SlopeErr, LevelErr float64 // standard errors, in log-odds
	Middle             float64 // log-odds
}

// identity takes the risks at their word.
func identity() Line { return Line{Slope: 1} }

// sound returns l, or the identity where the reference defines no line.
func (l Line) sound() Line {
	if sum := l.Intercept + l.SlopeErr + l.LevelErr + l.Middle; !(l.Slope > 0) || math.IsNaN(sum) || math.IsInf(sum, 0) {
		return identity()
	}
	return l
}

// Names of the figures that a line follows from.
const (
	calibrationSlope     = "calibration_slope"
	calibrationIntercept = "calibration_intercept"
	inLarge              = "calibration_in_the_large"
	brier                = "brier"
)

// LineOf returns the line by figures whose intervals have a confidence. The error
// of the level follows from that of the mean risk and the mean of its derivative
// p(1-p), which the Brier score estimates. The middle is where the errors of level
// and slope make up that of the intercept, on the side of the usual risks.
func LineOf(figures []metric.Estimate, confidence float64) Line {
	value := func(name string) float64 { return find(figures, name).Value }
	quantile := math.Sqrt2 * math.Erfinv(confidence)
	width := func(name string) float64 { e := find(figures, name); return (e.High - e.Low) / (2 * quantile) }
	l := Line{Slope: value(calibrationSlope), Intercept: value(calibrationIntercept), SlopeErr: width(calibrationSlope), LevelErr: width(inLarge) / value(brier)}
	intercept := width(calibrationIntercept)
	l.Middle = math.Copysign(math.Sqrt(max(0, intercept*intercept-l.LevelErr*l.LevelErr))/l.SlopeErr, value(baseRate)-0.5)
	return l.sound()
}

// fitLogOdds returns the line of labelled rows.
func fitLogOdds(s metric.Sample, p metric.EvalParams) (Line, error) {
	series, err := metric.Bootstrap([]metric.Sample{s}, []string{calibrationSlope, calibrationIntercept, inLarge}, p)
	if err != nil {
		return Line{}, err
	}
	of := series[0]
	l := Line{Slope: of[0].Value, Intercept: of[1].Value, SlopeErr: of[0].StdErr()}
	var middle, mass float64
	for _, risk := range s.Prob {
		chance := l.chance(logOdds(risk))
		weight := chance * (1 - chance)
		middle, mass = middle+float64(weight*logOdds(risk)), mass+weight
	}
	l.Middle, l.LevelErr = middle/mass, of[2].StdErr()*float64(len(s.Prob))/mass
	return l.sound(), nil
}

// chance returns that of a row whose risk has the log-odds x.
func (l Line) chance(x float64) float64 { return model.Sigmoid(float64(l.Slope*x) + l.Intercept) }

// chances returns the chances of rows with the given risks to be positive.
func (l Line) chances(risks []float64) metric.Chances {
	logits, of := make([]float64, len(risks)), make([]float64, len(risks))
	for i, risk := range risks {
		logits[i] = logOdds(risk)
		of[i] = l.chance(logits[i])
	}
	if l.SlopeErr == 0 && l.LevelErr == 0 {
		return metric.Chances{Of: of}
	}
	return metric.Chances{Of: of, Redraw: func(rng *rand.Rand, out []float64) {
		slope, level := l.SlopeErr*rng.NormFloat64(), l.LevelErr*rng.NormFloat64()
		drawn := Line{Slope: l.Slope + slope, Intercept: l.Intercept + level - float64(slope*l.Middle)}
		for i, x := range logits {
			out[i] = drawn.chance(x)
		}
	}}
}

// logOdds returns those of a probability, which are kept finite.
func logOdds(p float64) float64 {
	p = min(max(p, 1e-9), 1-1e-9)
	return math.Log(p) - math.Log1p(-p)
}

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
// the line is drawn within its errors, and the band is Series.Band. Every row must be of a user of its own, as
// on one date. That the line holds for other users and days than those of the
// reference is the assumption of the method.
func estimate(s metric.Sample, l Line, p metric.EvalParams) ([]metric.Estimate, error) {
	names := figures(p)
	series, err := metric.Expect(s, l.chances(s.Prob), names, p)
	if err != nil {
		return nil, err
	}
	var out []metric.Estimate
	for k, name := range names {
		out = append(out, series[k].Band(name, p.Confidence))
	}
	return append(out, overMean(find(out, baseRate), s.Prob)), nil
}
