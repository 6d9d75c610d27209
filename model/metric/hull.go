package metric

// point is one of the gains curve: so many rows selected, so many of them
// positive.
type point struct{ rows, hits float64 }

// hull returns the corners of the least concave curve above the gains curve, from
// (0, 0) to (rows, positives), with weight[u] for the rows of user u. They are the
// corners of the ROC convex hull (Provost & Fawcett, 2001) before its axes are
// scaled: the only thresholds that can be best at some cost.
//
// The curve rises into every corner, so only the ends of blocks with positives,
// and the last, can be one: few, where positives are rare.
func (r ranking) hull(weight []float64) []point {
	corners := []point{{}}
	var at point
	var rises bool
	for _, e := range r {
		w := weight[e.user]
		at.rows += w
		if e.positive && w > 0 {
			at.hits += w
			rises = true
		}
		if e.last && rises {
			corners, rises = extend(corners, at), false
		}
	}
	if at.rows > corners[len(corners)-1].rows {
		corners = extend(corners, at)
	}
	return corners
}

// extend adds a corner to the right of all others and drops those that it leaves
// on or below the curve (Andrew's monotone chain).
func extend(corners []point, next point) []point {
	for n := len(corners); n >= 2; n = len(corners) {
		a, b := corners[n-2], corners[n-1]
		if float64((b.hits-a.hits)*(next.rows-b.rows)) > float64((next.hits-b.hits)*(b.rows-a.rows)) {
			break // the curve bends down at b
		}
		corners = corners[:n-1]
	}
	return append(corners, next)
}
