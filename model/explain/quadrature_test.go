package explain

import (
	"math"
	"testing"
)

// Law: n points integrate t^k over [0, 1] to 1/(k+1) for every k < 2n, and,
// as a planted mutant, not the next.
func TestGaussLegendre(t *testing.T) {
	for n := 1; n <= 128; n++ {
		q := gaussLegendre(n)
		power := func(k int) (sum float64) {
			for i, x := range q.point {
				sum += q.weight[i] * math.Pow(x, float64(k))
			}
			return sum
		}
		for k := range 2 * n {
			if want := 1 / float64(k+1); math.Abs(power(k)-want) > 1e-14 {
				t.Errorf("%d points, t^%d: %v, want %v", n, k, power(k), want)
			}
		}
		if n <= 8 && math.Abs(power(2*n)-1/float64(2*n+1)) < 1e-12 {
			t.Errorf("%d points are exact for t^%d: the law is too weak", n, 2*n)
		}
		for _, x := range q.point {
			if x <= 0 || x >= 1 {
				t.Errorf("%d points: %v is outside (0, 1)", n, x)
			}
		}
	}
}
