package portal

import (
	"math"
	"testing"
)

// Clopper and Pearson's intervals as published: of 0 and of 10 in 10 they are
// 1 - 0.025^(1/10) wide, and of 5 in 10 [0.1871, 0.8129] (Brown, Cai & DasGupta,
// Statistical Science 2001).
func TestExact(t *testing.T) {
	near := func(a, b float64) bool { return math.Abs(a-b) < 5e-5 }
	edge := 1 - math.Pow(0.025, 0.1)
	for _, c := range []struct {
		k         int
		low, high float64
	}{{0, 0, edge}, {10, 1 - edge, 1}, {5, 0.1871, 0.8129}} {
		if low, high := Exact(c.k, 10); !near(low, c.low) || !near(high, c.high) {
			t.Errorf("%d of 10: %v to %v", c.k, low, high)
		}
	}
}
