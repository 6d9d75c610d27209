package monitor

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// design is what the errors of a line follow from.
type design struct {
	days      []float64 // rising
	residuals []float64
}

// errors returns the covariance of level and slope, and its degrees of freedom,
// for values that share so many days of data.
func (d design) errors(shared float64) (covariance [2][2]float64, freedom float64) {
	windows, freedom := d.overlapping(shared)
	residual := d.neweyWest(d.lags(shared))
	if residual[1][1] > windows[1][1] {
		return residual, freedom
	}
	return windows, freedom
}

// lags returns how many values before one count as being like it.
func (d design) lags(shared float64) int {
	n := len(d.days)
	gaps := make([]float64, n-1)
	for i := range gaps {
		gaps[i] = d.days[i+1] - d.days[i]
	}
	slices.Sort(gaps)
	lags := int(math.Ceil(shared/gaps[len(gaps)/2])) - 1 // the last that shares a day
	return min(max(lags, int(4*math.Pow(float64(n)/100, 2.0/9))), n-1)
}

// columns returns the inverse of X'X and the rows of X, which are (1, days).
func (d design) columns() (inverse, x *mat.Dense) {
	x = mat.NewDense(len(d.days), 2, nil)
	for i, t := range d.days {
		x.SetRow(i, []float64{1, t})
	}
	var square mat.Dense
	square.Mul(x.T(), x)
	inverse = new(mat.Dense)
	if err := inverse.Inverse(&square); err != nil {
		panic("monitor: a line through one date: " + err.Error())
	}
	return inverse, x
}

// neweyWest returns the covariance with Bartlett weights up to a lag, times
// n/(n-2) for the two coefficients.
func (d design) neweyWest(lags int) [2][2]float64 {
	n := len(d.days)
	inverse, x := d.columns()
	likeness := mat.NewDense(n, n, nil)
	for i := range n {
		for j := max(0, i-lags); j <= min(n-1, i+lags); j++ {
			weight := 1 - math.Abs(float64(i-j))/float64(lags+1)
			likeness.Set(i, j, weight*d.residuals[i]*d.residuals[j])
		}
	}
	return sandwich(inverse, x, likeness, float64(n)/float64(n-2))
}

// overlapping returns the covariance if values are correlated by the share of days
// that they have in common: with R the matrix of these correlations and M = I -
// X(X'X)⁻¹X', the residuals have the expected square σ²·tr(MR), and Satterthwaite's
// degrees of freedom tr(MR)²/tr(MRMR), which are n-2 where nothing is shared.
func (d design) overlapping(shared float64) (covariance [2][2]float64, freedom float64) {
	n := len(d.days)
	inverse, x := d.columns()
	likeness := mat.NewDense(n, n, nil)
	var squares float64
	for i, t := range d.days {
		squares += d.residuals[i] * d.residuals[i]
		for j, u := range d.days {
			likeness.Set(i, j, max(0, 1-math.Abs(t-u)/max(shared, 0.5))) // days are whole: below one, only a value itself
		}
	}
	var hat, left mat.Dense
	hat.Product(x, inverse, x.T())
	left.Mul(&hat, likeness)
	left.Sub(likeness, &left) // MR
	var twice mat.Dense
	twice.Mul(&left, &left)
	trace := mat.Trace(&left)
	return sandwich(inverse, x, likeness, squares/trace), trace * trace / mat.Trace(&twice)
}

// sandwich returns scale·(X'X)⁻¹X'·likeness·X(X'X)⁻¹.
func sandwich(inverse, x, likeness *mat.Dense, scale float64) (out [2][2]float64) {
	var v mat.Dense
	v.Product(inverse, x.T(), likeness, x, inverse)
	for i := range 2 {
		for j := range 2 {
			out[i][j] = scale * v.At(i, j)
		}
	}
	return out
}
