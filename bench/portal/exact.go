package portal

import "gonum.org/v1/gonum/mathext"

// Exact returns the 95% interval of a share, k of n, by Clopper & Pearson
// (1934): the shares under which so few, or so many, have a chance of 2.5%.
func Exact(k, n int) (low, high float64) {
	const tail = 0.025
	low, high = 0, 1
	if k > 0 {
		low = mathext.InvRegIncBeta(float64(k), float64(n-k+1), tail)
	}
	if k < n {
		high = mathext.InvRegIncBeta(float64(k+1), float64(n-k), 1-tail)
	}
	return low, high
}
