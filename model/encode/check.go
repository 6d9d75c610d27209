package encode

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// maxColumns bounds what a decoded encoder can make its caller allocate.
const maxColumns = 1 << 20

// Check returns what is inconsistent in an encoder that was read from
// elsewhere: every column must be made by exactly one feature, and every scale
// must be finite and positive.
func (e *Encoder) Check() error {
	if e.Width < 0 || e.Groups < 0 || e.Cols < e.Width || e.Cols > maxColumns {
		return fmt.Errorf("encoder: %d columns, of which %d dense, in %d groups", e.Cols, e.Width, e.Groups)
	}
	made := make([]int, e.Cols)
	for i, n := range e.Numeric {
		if e.Raw && (n.Value.Col != i || n.Missing.Col >= 0) {
			return fmt.Errorf("encoder: the raw numeric %s is out of place", n.Name)
		}
		if err := errors.Join(n.Value.check(n.Name, made[:e.Width]), n.Missing.check(n.Name, made[:e.Width])); err != nil {
			return err
		}
	}
	groups := 0
	for _, c := range e.Categorical {
		if c.First < 0 {
			continue
		}
		groups++
		if c.First < e.Width || c.First+len(c.Levels) >= e.Cols || !slices.IsSorted(c.Levels) {
			return fmt.Errorf("encoder: the columns or levels of %s are out of order", c.Name)
		}
		for k := range len(c.Levels) + 1 {
			made[c.First+k]++
		}
	}
	if groups != e.Groups || slices.ContainsFunc(made, func(n int) bool { return n != 1 }) {
		return errors.New("encoder: a column is made by no feature or by several")
	}
	return nil
}

// check notes the column that s makes.
func (s Scaled) check(name string, made []int) error {
	if s.Col < 0 {
		return nil
	}
	if s.Col >= len(made) || !(s.Std > 0) || math.IsInf(s.Std, 0) || math.IsNaN(s.Mean) || math.IsInf(s.Mean, 0) {
		return fmt.Errorf("encoder: column %d of %s does not exist or has no scale", s.Col, name)
	}
	made[s.Col]++
	return nil
}
