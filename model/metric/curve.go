package metric

import "math"

// CurvePoint is a point of a curve for drawing.
type CurvePoint struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
}

// ROCCurve returns (share of negatives, share of positives) scored no lower than
// each distinct score, from (0, 0) to (1, 1), thinned to at most so many points.
// It is nil with one class. most is at least 2.
func ROCCurve(score []float64, label []bool, most int) []CurvePoint {
	return thin(rocPoints(gainsCurve(score, label)), most)
}

// PRCurve returns (recall, precision) of the rows scored no lower than each
// distinct score, by rising recall, thinned to at most so many points. It is nil
// without positives. most is at least 2.
func PRCurve(score []float64, label []bool, most int) []CurvePoint {
	return thin(prPoints(gainsCurve(score, label)), most)
}

// rocPoints turns every point of a gains curve into one of the ROC curve.
func rocPoints(gains []point) []CurvePoint {
	all := gains[len(gains)-1]
	if all.hits == 0 || all.hits == all.rows {
		return nil
	}
	curve := make([]CurvePoint, len(gains))
	for i, g := range gains {
		curve[i] = CurvePoint{X: (g.rows - g.hits) / (all.rows - all.hits), Y: g.hits / all.hits}
	}
	return curve
}

// prPoints turns every point of a gains curve but (0, 0), which has no precision,
// into one of the PR curve.
func prPoints(gains []point) []CurvePoint {
	all := gains[len(gains)-1]
	if all.hits == 0 {
		return nil
	}
	curve := make([]CurvePoint, len(gains)-1)
	for i, g := range gains[1:] {
		curve[i] = CurvePoint{X: g.hits / all.hits, Y: g.hits / g.rows}
	}
	return curve
}

// gainsCurve returns (0, 0) and the rows and positives down to every block.
func gainsCurve(score []float64, label []bool) []point {
	out := []point{{}}
	var at point
	for _, e := range rank(Sample{Score: score, Label: label}, singles(len(label))) {
		at.rows++
		at.hits += number(e.positive)
		if e.last {
			out = append(out, at)
		}
	}
	return out
}

// chord is a stretch of a curve drawn as one line: its ends and the point that is
// farthest from it.
type chord struct {
	from, to, farthest int
	distance           float64
}

// thin returns the ends of a curve and the points that shape it most, in order:
// again and again the point farthest from the line drawn so far (Douglas &
// Peucker, 1973), up to most points in all or until nothing is off the line.
func thin(curve []CurvePoint, most int) []CurvePoint {
	if most < 2 {
		panic("metric: a curve has two points at least")
	}
	if len(curve) <= 2 {
		return curve
	}
	chords := []chord{newChord(curve, 0, len(curve)-1)}
	for len(chords) < most-1 {
		worst := 0
		for i, c := range chords {
			if c.distance > chords[worst].distance {
				worst = i
			}
		}
		c := chords[worst]
		if c.distance == 0 {
			break
		}
		chords[worst] = newChord(curve, c.from, c.farthest)
		chords = append(chords, newChord(curve, c.farthest, c.to))
	}
	return corners(curve, chords)
}

// newChord finds the farthest point between two.
func newChord(curve []CurvePoint, from, to int) chord {
	c := chord{from: from, to: to}
	a, b := curve[from], curve[to]
	dx, dy := b.X-a.X, b.Y-a.Y
	length := math.Hypot(dx, dy)
	for i := from + 1; i < to; i++ {
		distance := math.Abs(float64(dx*(curve[i].Y-a.Y))-float64(dy*(curve[i].X-a.X))) / length
		if distance > c.distance {
			c.farthest, c.distance = i, distance
		}
	}
	return c
}

// corners returns the ends of the chords in the order of the curve.
func corners(curve []CurvePoint, chords []chord) []CurvePoint {
	kept := make([]bool, len(curve))
	kept[0] = true
	for _, c := range chords {
		kept[c.to] = true
	}
	var out []CurvePoint
	for i, p := range curve {
		if kept[i] {
			out = append(out, p)
		}
	}
	return out
}
