package metric

import (
	"math"
	"testing"
)

// The missing are all positive, the others say nothing: of 2·2 pairs with the
// missing all are won, of the 1·2 with the other positive half: (4+1)/6 if they
// come first, whatever the direction of the values.
func TestSingleFeatureAUC(t *testing.T) {
	nan := math.NaN()
	label := []bool{true, true, true, false, false}
	for name, c := range map[string]struct {
		values []float64
		want   float64
	}{
		"rising":       {[]float64{5, 4, 3, 2, 1}, 1},
		"falling":      {[]float64{1, 2, 3, 4, 5}, 1},
		"missing":      {[]float64{nan, nan, 1, 1, 1}, 5.0 / 6},
		"middle":       {[]float64{nan, nan, 2, 1, 3}, 5.0 / 6},
		"rising, last": {[]float64{5, 4, 3, nan, nan}, 1},
		"low, last":    {[]float64{1, 2, 2, 3, nan}, 1},
		"high, after":  {[]float64{5, nan, 4, 3, 2}, 1},
		"constant":     {[]float64{7, 7, 7, 7, 7}, 0.5},
	} {
		if got := SingleFeatureAUC(c.values, label); !same(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if !math.IsNaN(SingleFeatureAUC([]float64{1}, []bool{true})) {
		t.Error("one class has an area")
	}
}
