// Package calibrate turns margins into probabilities that mean what they say: of
// the rows given p, about a share p is positive.
//
//	margin, label ─ Choose ─→ Map ─ Probability ─→ probability
//	                  ├ none      the sigmoid of the margin
//	                  ├ platt     the sigmoid of a line through the margin
//	                  └ isotonic  a rising curve through means of blocks
//
// Fit on rows that the classifier has not seen: on its own it looks too sure.
// Every map rises with the margin, so it never reverses a ranking; isotonic
// makes ties, so rank by the margin.
package calibrate

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"churn/model"
)

// Kinds of maps, from the simplest.
const (
	None     = "none"
	Platt    = "platt"
	Isotonic = "isotonic"
)

// Map gives the probability of a margin. Its JSON decodes to the same bits;
// Check what was decoded.
type Map struct {
	Kind      string    `json:"kind"`                // None, Platt or Isotonic
	Slope     float64   `json:"slope,omitempty"`     // platt: probability = sigmoid(Slope·margin + Intercept); > 0
	Intercept float64   `json:"intercept,omitempty"` // platt
	Margins   []float64 `json:"margins,omitempty"`   // isotonic: knots, strictly increasing
	Probs     []float64 `json:"probs,omitempty"`     // isotonic: probabilities at the knots, not falling, in (0, 1)
}

// Probability returns the probability of the positive class, in (0, 1) up to
// rounding. Between the knots of an isotonic map it is linear, outside them that
// of the nearest. A NaN margin gives NaN. It does not allocate, and it panics if
// Check would not pass for want of a kind or of knots.
func (m *Map) Probability(margin float64) float64 {
	switch m.Kind {
	case None:
		return model.Sigmoid(margin)
	case Platt:
		return model.Sigmoid(float64(m.Slope*margin) + m.Intercept)
	case Isotonic:
		return m.interpolate(margin)
	}
	panic("calibrate: a map without a kind")
}

// interpolate returns the height of the curve through the knots.
func (m *Map) interpolate(margin float64) float64 {
	if math.IsNaN(margin) {
		return margin
	}
	k, found := slices.BinarySearch(m.Margins, margin)
	switch {
	case found:
		return m.Probs[k]
	case k == 0:
		return m.Probs[0]
	case k == len(m.Margins):
		return m.Probs[k-1]
	}
	along := (margin - m.Margins[k-1]) / (m.Margins[k] - m.Margins[k-1])
	low, high := m.Probs[k-1], m.Probs[k]
	return min(low+float64((high-low)*along), high) // rounding may pass the knot, which must not lower the curve
}

// Check returns what is wrong with a decoded map.
func (m *Map) Check() error {
	var err error
	switch m.Kind {
	case None:
		if m.Slope != 0 || m.Intercept != 0 || m.Margins != nil || m.Probs != nil {
			err = errors.New("it has parameters")
		}
	case Platt:
		err = m.checkPlatt()
	case Isotonic:
		err = m.checkIsotonic()
	default:
		err = fmt.Errorf("unknown kind; want %s, %s or %s", None, Platt, Isotonic)
	}
	if err != nil {
		return fmt.Errorf("calibration map %q: %w", m.Kind, err)
	}
	return nil
}

func (m *Map) checkPlatt() error {
	switch {
	case !(m.Slope > 0) || math.IsInf(m.Slope, 0):
		return fmt.Errorf("slope %v is not positive and finite", m.Slope)
	case !finite(m.Intercept):
		return fmt.Errorf("intercept %v is not finite", m.Intercept)
	case m.Margins != nil || m.Probs != nil:
		return errors.New("it has knots")
	}
	return nil
}

func (m *Map) checkIsotonic() error {
	if len(m.Margins) == 0 || len(m.Margins) != len(m.Probs) {
		return fmt.Errorf("%d margins and %d probabilities", len(m.Margins), len(m.Probs))
	}
	if m.Slope != 0 || m.Intercept != 0 {
		return errors.New("it has a line")
	}
	for k, margin := range m.Margins {
		p := m.Probs[k]
		switch {
		case !finite(margin):
			return fmt.Errorf("margin %v of knot %d is not finite", margin, k)
		case !(p > 0 && p < 1):
			return fmt.Errorf("probability %v of knot %d is not in (0, 1)", p, k)
		case k > 0 && (margin <= m.Margins[k-1] || !finite(margin-m.Margins[k-1]) || p < m.Probs[k-1]):
			return fmt.Errorf("knot %d does not rise, or not by a finite step", k)
		}
	}
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
