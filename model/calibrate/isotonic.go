package calibrate

// FitIsotonic returns the map that never falls and has the least weighted squared
// error (Zadrozny & Elkan, 2002), found by pooling adjacent violators (Ayer et
// al., 1955). Equal margins are one block. The map is flat within a pooled block
// and linear from the end of one to the start of the next, as scikit-learn's
// IsotonicRegression. A nil weight is 1 for all.
//
// Half a row of each class, of mean weight, is added at the lowest and at the
// highest margin: Jeffreys' prior on the two ends, the only places where a block
// can be all of one class. So every probability is inside (0, 1) and one surprise
// does not cost an infinite log-loss; the sum of the probabilities stays within
// one row of the number of positives. It panics if the lengths differ.
func FitIsotonic(margin []float64, label []bool, weight []float64) (Map, error) {
	rows, err := sorted(margin, label, weight)
	if err != nil {
		return Map{}, err
	}
	return fitIsotonic(rows)
}

// fitIsotonic is FitIsotonic of rows in increasing order of the margin.
func fitIsotonic(rows []row) (Map, error) {
	if err := checkClasses(rows); err != nil {
		return Map{}, err
	}
	b := tied(rows)
	prior := totalWeight(rows) / float64(len(rows))
	for _, end := range []*block{&b[0], &b[len(b)-1]} {
		end.weight += prior
		end.positive += prior / 2
	}
	return knots(pool(b)), nil
}

// block is a run of neighbouring margins with one probability.
type block struct {
	low, high        float64 // its margins
	weight, positive float64 // of all rows, of the positive ones
}

func (b block) mean() float64 { return b.positive / b.weight }

// tied returns a block for every distinct margin.
func tied(rows []row) []block {
	var out []block
	for _, r := range rows {
		if n := len(out); n == 0 || out[n-1].high != r.margin {
			out = append(out, block{low: r.margin, high: r.margin})
		}
		b := &out[len(out)-1]
		b.weight += r.weight
		b.positive += float64(r.weight * number(r.positive))
	}
	return out
}

// pool merges neighbours until the means rise strictly. It reuses blocks.
func pool(blocks []block) []block {
	out := blocks[:0]
	for _, b := range blocks {
		for n := len(out); n > 0 && out[n-1].mean() >= b.mean(); n = len(out) {
			last := out[n-1]
			b = block{last.low, b.high, last.weight + b.weight, last.positive + b.positive}
			out = out[:n-1]
		}
		out = append(out, b)
	}
	return out
}

// knots returns the map through the ends of the blocks.
func knots(blocks []block) Map {
	m := Map{Kind: Isotonic}
	for _, b := range blocks {
		m.Margins, m.Probs = append(m.Margins, b.low), append(m.Probs, b.mean())
		if b.high > b.low {
			m.Margins, m.Probs = append(m.Margins, b.high), append(m.Probs, b.mean())
		}
	}
	return m
}
