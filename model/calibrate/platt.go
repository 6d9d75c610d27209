package calibrate

import (
	"errors"
	"math"
)

// FitPlatt returns the map sigmoid(a·margin + b) of the greatest likelihood
// (Platt, 1999), found by Newton's method with backtracking (Lin, Lin & Weng,
// 2007). A nil weight is 1 for all.
//
// Platt's smoothed targets are left out on purpose. With labels as they are the
// likelihood is greatest where the weighted mean of the probabilities equals the
// weighted rate of positives; smoothed targets pull it towards ½. What they
// guard against, classes that do not overlap, is an error here, and so are
// margins that do not rise with the labels. It panics if the lengths differ.
func FitPlatt(margin []float64, label []bool, weight []float64) (Map, error) {
	rows, err := sorted(margin, label, weight)
	if err != nil {
		return Map{}, err
	}
	return fitPlatt(rows)
}

// Line returns slope and intercept of the greatest likelihood as FitPlatt does,
// but of either sign: 1 and 0 if the margins are calibrated (Cox, 1958).
func Line(margin []float64, label []bool, weight []float64) (slope, intercept float64, err error) {
	rows, err := sorted(margin, label, weight)
	if err != nil {
		return 0, 0, err
	}
	l, err := fitLine(rows)
	return l.slope, l.intercept, err
}

// fitPlatt is FitPlatt of rows in increasing order of the margin.
func fitPlatt(rows []row) (Map, error) {
	l, err := fitLine(rows)
	if err != nil {
		return Map{}, err
	}
	if !(l.slope > 0) {
		return Map{}, errors.New("calibrate: the margins do not rise with the labels; a map would reverse their order")
	}
	return Map{Kind: Platt, Slope: l.slope, Intercept: l.intercept}, nil
}

// fitLine is Line of rows.
func fitLine(rows []row) (line, error) {
	if err := checkClasses(rows); err != nil {
		return line{}, err
	}
	if separated(rows) {
		return line{}, errors.New("calibrate: the margins separate the classes (almost) without overlap; no line has the greatest likelihood")
	}
	center := meanMargin(rows)
	l, err := newton(rows, center)
	l.intercept -= float64(l.slope * center)
	return l, err
}

// separated reports whether the classes meet in one margin at most. Otherwise a
// finite line has the greatest likelihood (Albert & Anderson, 1984).
func separated(rows []row) bool {
	low, high := [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{math.Inf(-1), math.Inf(-1)}
	for _, r := range rows {
		class := int(number(r.positive))
		low[class], high[class] = min(low[class], r.margin), max(high[class], r.margin)
	}
	return low[1] >= high[0] || low[0] >= high[1]
}

// meanMargin returns the weighted mean. Margins are centred on it, so that slope
// and intercept are nearly independent and the 2×2 system is well conditioned.
func meanMargin(rows []row) float64 {
	var sum float64
	for _, r := range rows {
		sum += float64(r.weight * r.margin)
	}
	return sum / totalWeight(rows)
}

// line is intercept + slope·(margin - center).
type line struct{ slope, intercept float64 }

const (
	newtonSteps = 200 // 6 to 10 are usual
	// converged is the decrement (twice the loss still to gain) per unit of weight
	// at which one more step, whose error is its square, leaves only rounding.
	converged = 1e-16
	// lossRounding is how much worse, relatively, the loss of a better line may
	// seem after a million additions.
	lossRounding = 1e-11
)

// newton returns the line of the greatest likelihood. A step that does not lower
// the loss is halved.
func newton(rows []row, center float64) (line, error) {
	weight := totalWeight(rows)
	var at, step line
	best := math.Inf(1)
	for range newtonSteps {
		s := measure(rows, center, at)
		if !(s.loss <= best+float64(lossRounding*best)) {
			step = line{step.slope / 2, step.intercept / 2}
			at = line{at.slope - step.slope, at.intercept - step.intercept}
			continue
		}
		best = s.loss
		var decrement float64
		if step, decrement = s.step(); decrement <= converged*weight {
			return line{at.slope + step.slope, at.intercept + step.intercept}, nil
		}
		at = line{at.slope + step.slope, at.intercept + step.intercept}
	}
	return line{}, errors.New("calibrate: Newton's method did not converge; scale the margins")
}

// sums are the log-loss of a line with its first and second derivatives.
type sums struct {
	loss          float64
	ga, gb        float64 // by slope and intercept
	haa, hab, hbb float64
}

// measure sums over the rows. With z the line and p its sigmoid, the loss is
// log(1 + exp(z)) - label·z, its derivative by z is p - label and then p(1-p).
// Both need one exponential, of a negative number as in model.Sigmoid.
func measure(rows []row, center float64, l line) (s sums) {
	for _, r := range rows {
		x := r.margin - center
		z := float64(l.slope*x) + l.intercept
		e, y := math.Exp(-math.Abs(z)), number(r.positive)
		p := e / (1 + e)
		if z >= 0 {
			p = 1 / (1 + e)
		}
		s.loss += float64(r.weight * (math.Log1p(e) + max(z, 0) - float64(y*z)))
		g, h := float64(r.weight*(p-y)), float64(float64(r.weight*p)*(1-p))
		s.ga, s.gb = s.ga+float64(g*x), s.gb+g
		s.haa, s.hab, s.hbb = s.haa+float64(float64(h*x)*x), s.hab+float64(h*x), s.hbb+h
	}
	return s
}

// step returns Newton's step -H⁻¹g and the decrement gᵀH⁻¹g. H is positive
// definite: the margins differ, since the classes overlap.
func (s sums) step() (line, float64) {
	det := float64(s.haa*s.hbb) - float64(s.hab*s.hab)
	da := -(float64(s.hbb*s.ga) - float64(s.hab*s.gb)) / det
	db := -(float64(s.haa*s.gb) - float64(s.hab*s.ga)) / det
	return line{da, db}, -(float64(da*s.ga) + float64(db*s.gb))
}
