package profile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Encode returns the bytes of a reference. The same reference gives the same
// bytes.
func (r *Reference) Encode() ([]byte, error) {
	data, err := json.MarshalIndent(r, "", " ")
	return append(data, '\n'), err
}

// Decode reads a reference and checks that its numbers fit together.
func Decode(data []byte) (*Reference, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	r := &Reference{}
	if err := d.Decode(r); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	if d.More() {
		return nil, errors.New("profile: something follows its end")
	}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	return r, nil
}

func (r *Reference) check() error {
	switch {
	case r.Format != Format:
		return fmt.Errorf("format %d is not known to this version of churn, which reads %d; train again", r.Format, Format)
	case r.Rows < 1 || r.Users < 1 || r.Users > r.Rows || !(r.RowsPerUser >= 1):
		return fmt.Errorf("%d rows of %d users cannot be", r.Rows, r.Users)
	}
	seen := map[string]bool{}
	var errs []error
	name := func(n string, err error) {
		if n == "" || seen[n] {
			err = errors.Join(err, errors.New("the name is empty or there twice"))
		}
		seen[n] = true
		if err != nil {
			errs = append(errs, fmt.Errorf("%q: %w", n, err))
		}
	}
	for i := range r.Numeric {
		name(r.Numeric[i].Name, r.Numeric[i].check(r.Rows))
	}
	for i := range r.Categorical {
		name(r.Categorical[i].Name, r.Categorical[i].check(r.Rows))
	}
	if s := r.Score; s != nil {
		if s.Users < 1 || s.Users > s.Rows || !(s.RowsPerUser >= 1) || !within01(s.High) || !within01(s.Share) {
			errs = append(errs, errors.New("the scores are not those of rows"))
		}
		name(s.Name, s.check(s.Rows))
	}
	return errors.Join(errs...)
}

func within01(x float64) bool { return x >= 0 && x <= 1 }

func (n *Numeric) check(rows int) error {
	switch {
	case n.Nulls < 0 || len(n.UpTo) != len(n.Points) || n.values()+n.Nulls != rows:
		return errors.New("the counts do not add up to the rows")
	case len(n.Points) > percentiles+1 || len(n.Edges) > bins+1:
		return errors.New("there are more points or edges than percentiles or bins")
	case !ascending(n.Points) || !ascending(n.UpTo) || !ascending(n.Edges):
		return errors.New("points, counts and edges must ascend")
	case len(n.UpTo) > 0 && n.UpTo[0] < 1:
		return errors.New("no row has the least value")
	case !within01(n.Alike) || !within01(n.Apart) || n.SD < 0:
		return errors.New("the correlation or the standard deviation is out of range")
	}
	for _, e := range n.Edges {
		_, found := slices.BinarySearch(n.Points, e)
		if single := len(n.Points) == 1 && math.Nextafter(e, math.Inf(1)) == n.Points[0]; !found && !single {
			return fmt.Errorf("the edge %v is no point", e)
		}
	}
	return nil
}

func (c *Categorical) check(rows int) error {
	sum, seen := c.Nulls+c.RareRows, map[string]bool{"": true}
	last := rows
	for _, l := range c.Levels {
		if seen[l.Value] || l.Rows < 1 || l.Rows > last {
			return fmt.Errorf("the level %q is there twice, or not in its place", l.Value)
		}
		seen[l.Value], last = true, l.Rows
		sum += l.Rows
	}
	for _, v := range c.Rare {
		if seen[v] {
			return fmt.Errorf("the value %q is there twice", v)
		}
		seen[v] = true
	}
	switch {
	case c.Nulls < 0 || c.RareRows < len(c.Rare) || sum != rows:
		return errors.New("the counts do not add up to the rows")
	case len(c.Levels) > maxLevels || len(c.Rare) > maxRare || !slices.IsSorted(c.Rare) || !c.Listed && len(c.Rare) > 0:
		return errors.New("there are too many levels, or they are not sorted")
	case !within01(c.Alike):
		return errors.New("the correlation is out of range")
	}
	return nil
}

func ascending[T int | float64](v []T) bool {
	for i := 1; i < len(v); i++ {
		if v[i-1] >= v[i] {
			return false
		}
	}
	return true
}
