package score

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	"churn/internal/table"
	"churn/pipeline"
	"churn/pipeline/features"
	"churn/pipeline/validate"
)

// Shard is one of Of parts of the users, counted from 0.
type Shard struct{ Index, Of int }

// Whole is the one shard that owns everybody.
func Whole() Shard { return Shard{0, 1} }

// maxShards bounds what a typing error can ask for.
const maxShards = 10000

// ParseShard reads "2/4", the third of four.
func ParseShard(text string) (s Shard, err error) {
	index, of, ok := strings.Cut(text, "/")
	s.Index, err = strconv.Atoi(index)
	n, bad := strconv.Atoi(of)
	if s.Of = n; !ok || err != nil || bad != nil || !s.valid() {
		return s, fmt.Errorf("%q is not a shard; use INDEX/COUNT with an index from 0, such as 0/4 for the first of 4 (at most %d)", text, maxShards)
	}
	return s, nil
}

func (s Shard) valid() bool { return s.Of <= maxShards && s.Index >= 0 && s.Index < s.Of }

// String returns the form that ParseShard reads.
func (s Shard) String() string { return fmt.Sprintf("%d/%d", s.Index, s.Of) }

// Owns reports whether a user belongs to the shard, by the id alone.
func (s Shard) Owns(user string) bool {
	return s.Of == 1 || xxhash.Sum64String(user)%uint64(s.Of) == uint64(s.Index)
}

// maxReasons is how many reasons a table has room for.
const maxReasons = 3

// partSchema returns the columns of a part: all of a Result but for the rank.
func partSchema() table.Schema {
	schema := table.Schema{{Name: "user_id", Kind: table.Text}, {Name: "signup_date", Kind: table.Date}, {Name: "plan", Kind: table.Text}, {Name: "is_paid", Kind: table.Int},
		{Name: "country", Kind: table.Text}, {Name: "marketing_source", Kind: table.Text}, {Name: "days_since_last_activity", Kind: table.Float},
		{Name: "margin", Kind: table.Float}, {Name: "churn_risk", Kind: table.Float}, {Name: "risk_tier", Kind: table.Text}}
	for i := 1; i <= maxReasons; i++ {
		schema = append(schema, table.Column{Name: fmt.Sprintf("reason_%d", i), Kind: table.Text}, table.Column{Name: fmt.Sprintf("theme_%d", i), Kind: table.Text},
			table.Column{Name: fmt.Sprintf("contribution_%d", i), Kind: table.Float})
	}
	return schema
}

// Write writes the results of a part to path, for ReadPart.
func (p *Part) Write(path string, format table.Format) (table.Info, error) {
	return write(p.Results, path, format, partSchema(), appendPart)
}

func appendPart(b *table.Batch, r *Result) {
	paid := int64(0)
	if r.User.Paid {
		paid = 1
	}
	b.Text(r.User.ID)
	b.Date(r.User.Signup)
	b.Text(r.User.Plan)
	b.Int(paid)
	b.Text(r.User.Country)
	b.Text(r.User.Source)
	b.Float(r.LastActivity)
	b.Float(r.Margin)
	b.Float(r.Risk)
	b.Text(r.Tier)
	for i := range maxReasons {
		x := Reason{Contribution: math.NaN()}
		if i < len(r.Reasons) {
			x = r.Reasons[i]
		}
		b.Text(x.Text)
		b.Text(string(x.Theme))
		b.Float(x.Contribution)
	}
}

// ReadPart reads what Write wrote. The number of users who are not at risk does
// not stand in it.
func ReadPart(ctx context.Context, path string, asOf pipeline.Date) (p Part, err error) {
	r, err := table.Open(path)
	if err != nil {
		return p, err
	}
	defer r.Close()
	schema := partSchema()
	if !slices.EqualFunc(r.Header(), schema, func(name string, c table.Column) bool { return name == c.Name }) {
		return p, fmt.Errorf("%s: is not a part of a scoring of this version of churn", path)
	}
	err = r.Each(func(rec *table.Record) error {
		c := cells{rec: rec, schema: schema, err: rec.Bad()}
		p.Results = append(p.Results, c.result(asOf))
		return errors.Join(c.err, ctx.Err())
	})
	return p, err
}

// cells reads the fields of a record from left to right, and keeps the first fault.
type cells struct {
	rec    *table.Record
	schema table.Schema
	next   int
	err    error
}

func (c *cells) text() string {
	c.next++
	return string(c.rec.Field(c.next - 1))
}

func (c *cells) float() float64 {
	text := c.text()
	if text == "" {
		return math.NaN()
	}
	x, err := table.ParseFloat([]byte(text))
	c.keep(err)
	return x
}

func (c *cells) date() pipeline.Date {
	d, err := pipeline.ParseDate(c.text())
	c.keep(err)
	return d
}

func (c *cells) keep(err error) {
	if err != nil && c.err == nil {
		c.err = c.rec.Errorf(c.schema[c.next-1].Name, "%v", err)
	}
}

func (c *cells) result(asOf pipeline.Date) (r Result) {
	r.AsOf = asOf
	r.User.ID, r.User.Signup, r.User.Plan, r.User.Paid = c.text(), c.date(), c.text(), c.text() == "1"
	r.User.Country, r.User.Source, r.LastActivity = c.text(), c.text(), c.float()
	r.Margin, r.Risk, r.Tier = c.float(), c.float(), c.text()
	for range maxReasons {
		x := Reason{Text: c.text(), Theme: features.Theme(c.text()), Contribution: c.float()}
		if x.Text != "" {
			r.Reasons = append(r.Reasons, x)
		}
	}
	r.SinceSignup = int64(asOf - r.User.Signup)
	return r
}

// Join puts the parts of all shards together, in user order.
func Join(parts []Part) (all Part, err error) {
	for _, p := range parts {
		all.Results = append(all.Results, p.Results...)
		all.NotAtRisk += p.NotAtRisk
	}
	slices.SortFunc(all.Results, func(a, b Result) int { return validate.CompareIDs(a.User.ID, b.User.ID) })
	for i := 1; i < len(all.Results); i++ {
		if all.Results[i-1].User.ID == all.Results[i].User.ID {
			return all, fmt.Errorf("user %q is in two parts", all.Results[i].User.ID)
		}
	}
	return all, nil
}
