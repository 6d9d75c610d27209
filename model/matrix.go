package model

// Matrix is an encoded design matrix: a dense row-major block of numeric
// columns, then one-hot columns, which are held as codes and never densified.
//
//	column  0 … Width-1        Width … Cols()-1
//	row i   Dense[i*Width:]    1 at each of the Groups codes Codes[i*Groups:], else 0
type Matrix struct {
	Names  []string  // Width dense names, then the one-hot names; len is Cols()
	Width  int       // number of dense columns
	Dense  []float64 // rows × Width, row-major, finite; NaN is null where the encoder is raw
	Groups int       // number of one-hot groups
	Codes  []int32   // rows × Groups, row-major: the encoded column in [Width, Cols())
}

// Rows returns the number of rows. A matrix without columns has none.
func (m *Matrix) Rows() int {
	switch {
	case m.Width > 0:
		return len(m.Dense) / m.Width
	case m.Groups > 0:
		return len(m.Codes) / m.Groups
	}
	return 0
}

// Cols returns the number of encoded columns, dense and one-hot.
func (m *Matrix) Cols() int { return len(m.Names) }

// Row returns row i as a view into the matrix, not a copy.
func (m *Matrix) Row(i int) Row {
	d, c := i*m.Width, i*m.Groups
	return Row{
		Dense: m.Dense[d : d+m.Width : d+m.Width],
		Codes: m.Codes[c : c+m.Groups : c+m.Groups],
	}
}

// Row is one row of a Matrix: its dense values, and the encoded columns that
// are 1 among the one-hot columns.
type Row struct {
	Dense []float64
	Codes []int32
}

// Dot returns Σ_j x_j w_j over all encoded columns; len(w) is Cols(). The dense
// part is summed in four interleaved lanes, (s0+s1)+(s2+s3), then the rest of
// the dense values in order, then the codes in order: always the same bits.
func (r Row) Dot(w []float64) float64 {
	x, v := r.Dense, w[:len(r.Dense)]
	var s0, s1, s2, s3 float64
	for len(x) >= 4 && len(v) >= 4 {
		s0 += float64(x[0] * v[0])
		s1 += float64(x[1] * v[1])
		s2 += float64(x[2] * v[2])
		s3 += float64(x[3] * v[3])
		x, v = x[4:], v[4:]
	}
	sum := (s0 + s1) + (s2 + s3)
	for j, a := range x {
		sum += float64(a * v[j])
	}
	for _, c := range r.Codes {
		sum += w[c]
	}
	return sum
}

// AddScaled adds s·x to g over all encoded columns; len(g) is at least Cols().
func (r Row) AddScaled(s float64, g []float64) {
	x, d := r.Dense, g[:len(r.Dense)]
	for len(x) >= 4 && len(d) >= 4 {
		d[0] += float64(s * x[0])
		d[1] += float64(s * x[1])
		d[2] += float64(s * x[2])
		d[3] += float64(s * x[3])
		x, d = x[4:], d[4:]
	}
	for j, a := range x {
		d[j] += float64(s * a)
	}
	for _, c := range r.Codes {
		g[c] += s
	}
}
