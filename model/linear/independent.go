package linear

import (
	"errors"
	"math"
	"slices"

	"churn/model"
)

// tolerance is the least norm of a column's residual, relative to the norm of
// the centred column, at which it still counts as independent of the columns
// chosen before it. Gram–Schmidt leaves rounding of about 1e-16 times the
// condition number; at 1e-6 the coefficients keep some ten digits, and a
// baseline loses nothing with a column that repeats the others to six.
const tolerance = 1e-6

// independent returns, in increasing order, columns of the design that are
// linearly independent of each other and of the intercept, by modified
// Gram–Schmidt with pivoting (Golub & Van Loan, Matrix Computations, §5.2.8 and
// §5.4.2): the column with the largest relative residual is taken next, the
// first among equals, and its direction is removed from all others. At most
// len(design)-2 columns are taken, so that a degree of freedom is left.
func independent(design [][]float64, cols int) ([]int, error) {
	residual, norm := make([][]float64, cols), make([]float64, cols)
	for j := range cols {
		residual[j] = centred(design, j)
		norm[j] = length(residual[j])
		if math.IsNaN(norm[j]) || math.IsInf(norm[j], 0) {
			return nil, errors.New("a feature is not finite or too large to square")
		}
	}
	var chosen []int
	for len(chosen) < len(design)-2 {
		j := pivot(residual, norm)
		if j < 0 {
			break
		}
		chosen = append(chosen, j)
		direction := residual[j]
		residual[j] = nil
		eliminate(residual, direction)
	}
	slices.Sort(chosen)
	return chosen, nil
}

// centred returns column j minus its mean, or nil if it is constant.
func centred(design [][]float64, j int) []float64 {
	var sum float64
	constant := true
	for _, row := range design {
		sum += row[j]
		constant = constant && row[j] == design[0][j]
	}
	if constant {
		return nil
	}
	out, mean := make([]float64, len(design)), sum/float64(len(design))
	for i, row := range design {
		out[i] = row[j] - mean
	}
	return out
}

// pivot returns the column with the largest residual relative to norm, or -1
// if none exceeds the tolerance. nil columns are out.
func pivot(residual [][]float64, norm []float64) int {
	best, largest := -1, tolerance
	for j, v := range residual {
		if v == nil {
			continue
		}
		if share := length(v) / norm[j]; share > largest {
			best, largest = j, share
		}
	}
	return best
}

// eliminate removes the component along direction from every column.
func eliminate(columns [][]float64, direction []float64) {
	d := model.Row{Dense: direction}
	squared := d.Dot(direction)
	for _, v := range columns {
		if v != nil {
			d.AddScaled(-d.Dot(v)/squared, v)
		}
	}
}

// length returns the Euclidean norm; 0 for nil.
func length(v []float64) float64 {
	return math.Sqrt(model.Row{Dense: v}.Dot(v))
}
