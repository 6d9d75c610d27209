package predictionlog

import (
	"context"
	"math"
	"slices"
	"time"

	"churn/model"
)

// Rows are entries in columns, as monitors compare them: row i of each is of
// entry i.
type Rows struct {
	Frame   *model.Frame // the inputs by name
	User    []int32      // number of the user in Users; rows without a user have one each
	Users   []string     // ids; "" = nobody's
	AsOf    []string
	Time    []time.Time
	Margin  []float64
	Risk    []float64
	Tier    []string
	Version []string // of the model
	Other   int64    // entries that lack an input, of models with other features: left out
}

// Collect reads the selected entries into columns with the given inputs. It
// holds all of them in memory.
func Collect(ctx context.Context, folder string, q Query, numeric, categorical []string) (*Rows, Summary, error) {
	c := collector{rows: &Rows{Frame: &model.Frame{NumericNames: numeric, CategoricalNames: categorical}}, users: map[string]int32{}}
	s, err := Each(ctx, folder, q, c.take)
	return c.rows, s, err
}

// collector fills rows.
type collector struct {
	rows                 *Rows
	users                map[string]int32
	of                   *Model // that the places are of
	lacks                bool   // an input that is wanted
	numeric, categorical []int  // places of the wanted inputs in the model's rows
}

func (c *collector) take(e *Entry) error {
	if c.of != e.Model {
		c.find(e.Model)
	}
	r := c.rows
	if c.lacks {
		r.Other++
		return nil
	}
	for _, at := range c.numeric {
		r.Frame.Numeric = append(r.Frame.Numeric, e.Row.Numeric[at])
	}
	for _, at := range c.categorical {
		r.Frame.Categorical = append(r.Frame.Categorical, e.Row.Categorical[at])
	}
	r.User, r.AsOf, r.Time = append(r.User, c.user(e.UserID)), append(r.AsOf, e.AsOf), append(r.Time, e.Time)
	r.Margin, r.Risk, r.Tier, r.Version = append(r.Margin, e.Margin), append(r.Risk, e.Risk), append(r.Tier, e.Tier), append(r.Version, e.Model.Version)
	return nil
}

// find looks up where a model has the wanted inputs.
func (c *collector) find(m *Model) {
	c.of, c.lacks = m, false
	places := func(wanted, names []string) (at []int) {
		for _, name := range wanted {
			k := slices.Index(names, name)
			c.lacks = c.lacks || k < 0
			at = append(at, k)
		}
		return at
	}
	c.numeric, c.categorical = places(c.rows.Frame.NumericNames, m.Numeric), places(c.rows.Frame.CategoricalNames, m.Categorical)
}

// user returns the number of a user.
func (c *collector) user(id string) int32 {
	n, ok := c.users[id]
	if !ok || id == "" {
		n = int32(min(len(c.rows.Users), math.MaxInt32))
		c.rows.Users = append(c.rows.Users, id)
		c.users[id] = n
	}
	return n
}
