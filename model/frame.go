package model

import "fmt"

// Frame holds the raw features of n snapshots, row-major. The zero Frame has
// no rows and no columns.
type Frame struct {
	NumericNames     []string  // names of the numeric columns
	Numeric          []float64 // n × len(NumericNames), row-major; NaN is null
	CategoricalNames []string  // names of the categorical columns
	Categorical      []string  // n × len(CategoricalNames), row-major; "" is null
}

// Rows returns n. A frame without columns has no rows.
func (f *Frame) Rows() int {
	switch {
	case len(f.NumericNames) > 0:
		return len(f.Numeric) / len(f.NumericNames)
	case len(f.CategoricalNames) > 0:
		return len(f.Categorical) / len(f.CategoricalNames)
	}
	return 0
}

// Row returns row i as views into the frame, not copies.
func (f *Frame) Row(i int) (num []float64, cat []string) {
	p, q := len(f.NumericNames), len(f.CategoricalNames)
	return f.Numeric[i*p : (i+1)*p : (i+1)*p], f.Categorical[i*q : (i+1)*q : (i+1)*q]
}

// Check returns an error unless both blocks hold the same whole number of rows.
func (f *Frame) Check() error {
	n, p, q := f.Rows(), len(f.NumericNames), len(f.CategoricalNames)
	if len(f.Numeric) != n*p {
		return fmt.Errorf("numeric block has %d values, want %d rows × %d columns", len(f.Numeric), n, p)
	}
	if len(f.Categorical) != n*q {
		return fmt.Errorf("categorical block has %d values, want %d rows × %d columns", len(f.Categorical), n, q)
	}
	return nil
}
