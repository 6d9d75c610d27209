package explain

import (
	"math"

	"churn/internal/parallel"
	"churn/model"
)

// Importance is what a raw feature means for a model over many rows.
type Importance struct {
	Mean   float64 // mean |contribution|, in log-odds
	StdErr float64 // of Mean over users; NaN for fewer than two
}

// chunkRows is the number of rows of one task, up to the end of its last user.
// It is a constant because the order of summation follows it.
const chunkRows = 4096

// Global returns the importance of each of the raw features over the rows of x.
// user[i] tells the user of row i; the rows of a user are neighbours, and count
// as one draw in the standard error. nil means that every row is another user.
// Without rows all is NaN.
// explainer makes an explainer for one goroutine. It panics if the length of
// user is not the number of rows.
//
// The mean is a ratio of totals over users, rows being one of them; its
// variance is U/(U−1)·Σ(T_u − mean·n_u)²/n² (Cochran 1977, section 9A).
func Global(x *model.Matrix, features int, user []int32, explainer func() Explainer) []Importance {
	if user != nil && len(user) != x.Rows() {
		panic("explain: user does not have one entry per row")
	}
	ends := chunkEnds(x.Rows(), user)
	parts := make([]totals, len(ends))
	parallel.Each(len(ends), func(k int) {
		from := 0
		if k > 0 {
			from = ends[k-1]
		}
		parts[k] = newTotals(features)
		parts[k].addRows(x, from, ends[k], user, explainer())
	})
	sum := newTotals(features)
	for i := range parts {
		sum.merge(&parts[i])
	}
	return sum.importance()
}

// chunkEnds returns the end of each chunk of n rows; no user is in two.
func chunkEnds(n int, user []int32) []int {
	var ends []int
	for end := 0; end < n; {
		end = min(end+chunkRows, n)
		for user != nil && end < n && user[end] == user[end-1] {
			end++
		}
		ends = append(ends, end)
	}
	return ends
}

// totals are sums over users of n_u rows whose |contributions| sum to T_u.
type totals struct {
	users, rows, rowsSquared float64
	sum, squared, byRows     []float64 // by feature: of T_u, T_u², T_u·n_u
}

func newTotals(features int) totals {
	return totals{sum: make([]float64, features), squared: make([]float64, features), byRows: make([]float64, features)}
}

// addRows adds the rows from…to−1 of x, which hold whole users.
func (t *totals) addRows(x *model.Matrix, from, to int, user []int32, e Explainer) {
	p := len(t.sum)
	out, own := make([]float64, (to-from)*p), make([]float64, p)
	e.Block(&model.Matrix{
		Names: x.Names,
		Width: x.Width, Dense: x.Dense[from*x.Width : to*x.Width],
		Groups: x.Groups, Codes: x.Codes[from*x.Groups : to*x.Groups],
	}, out)
	rows := 0.0
	for i := from; i < to; i++ {
		for j, v := range out[(i-from)*p:][:p] {
			own[j] += math.Abs(v)
		}
		rows++
		if user == nil || i+1 == to || user[i+1] != user[i] {
			t.addUser(own, rows)
			clear(own)
			rows = 0
		}
	}
}

// addUser adds a user of rows rows.
func (t *totals) addUser(own []float64, rows float64) {
	t.users++
	t.rows += rows
	t.rowsSquared += float64(rows * rows)
	for j, v := range own {
		t.sum[j] += v
		t.squared[j] += float64(v * v)
		t.byRows[j] += float64(v * rows)
	}
}

// merge adds other users.
func (t *totals) merge(o *totals) {
	t.users += o.users
	t.rows += o.rows
	t.rowsSquared += o.rowsSquared
	for j := range t.sum {
		t.sum[j] += o.sum[j]
		t.squared[j] += o.squared[j]
		t.byRows[j] += o.byRows[j]
	}
}

// importance returns the means and their standard errors.
func (t *totals) importance() []Importance {
	out := make([]Importance, len(t.sum))
	for j := range out {
		mean := t.sum[j] / t.rows
		squares := t.squared[j] - float64(2*mean*t.byRows[j]) + float64(mean*mean*t.rowsSquared)
		variance := t.users / (t.users - 1) * max(squares, 0) / (t.rows * t.rows)
		out[j] = Importance{Mean: mean, StdErr: math.Sqrt(variance)}
	}
	return out
}
