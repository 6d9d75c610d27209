package calibrate

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// row is one row to fit on.
type row struct {
	margin   float64
	weight   float64
	positive bool
	index    int32 // in the caller's order
}

// rows returns the rows in increasing order of the margin, those of weight 0
// left out; a nil weight is 1 for all. Rows of equal margin keep their order. It
// panics if the lengths differ, and returns an error for margins that are not
// finite and for negative weights.
func sorted(margin []float64, label []bool, weight []float64) ([]row, error) {
	if len(label) != len(margin) || (weight != nil && len(weight) != len(margin)) {
		panic("calibrate: margins, labels and weights differ in length")
	}
	out := make([]row, 0, len(margin))
	for i, m := range margin {
		w := 1.0
		if weight != nil {
			w = weight[i]
		}
		if !finite(m) || !finite(w) || w < 0 {
			return nil, fmt.Errorf("calibrate: row %d has margin %v and weight %v; want finite ones, the weight not negative", i, m, w)
		}
		if w > 0 {
			out = append(out, row{margin: m, weight: w, positive: label[i], index: int32(i)})
		}
	}
	slices.SortFunc(out, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.margin, b.margin), cmp.Compare(a.index, b.index))
	})
	return out, nil
}

// positives counts the positive rows.
func positives(rows []row) int {
	var n int
	for _, r := range rows {
		if r.positive {
			n++
		}
	}
	return n
}

// rarer counts the rows of the rarer class.
func rarer(rows []row) int {
	n := positives(rows)
	return min(n, len(rows)-n)
}

// checkClasses returns an error if a class is absent.
func checkClasses(rows []row) error {
	if rarer(rows) == 0 {
		return errors.New("calibrate: one class only; fit on more rows")
	}
	return nil
}

// totalWeight returns the sum of the weights.
func totalWeight(rows []row) float64 {
	var sum float64
	for _, r := range rows {
		sum += r.weight
	}
	return sum
}

// number returns 1 for a positive and 0 for a negative label.
func number(positive bool) float64 {
	if positive {
		return 1
	}
	return 0
}
