package snapshot

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"churn/internal/table"
	"churn/internal/wire"
	"churn/server"
)

// columns are the positions of what a store keeps in a table of predictions.
type columns struct {
	id, asOf, plan, paid, country, source, signup, activity, risk, rank, tier, version int
	reasons                                                                            [3]int
}

func findColumns(r *table.Reader) (c columns, err error) {
	for _, x := range []struct {
		at   *int
		name string
	}{{&c.id, "user_id"}, {&c.asOf, "as_of_date"}, {&c.plan, "plan"}, {&c.paid, "is_paid"}, {&c.country, "country"}, {&c.source, "marketing_source"},
		{&c.signup, "days_since_signup"}, {&c.activity, "days_since_last_activity"}, {&c.risk, "churn_risk"}, {&c.rank, "risk_rank"}, {&c.tier, "risk_tier"},
		{&c.reasons[0], "reason_1"}, {&c.reasons[1], "reason_2"}, {&c.reasons[2], "reason_3"}, {&c.version, "model_version"}} {
		if *x.at = r.Column(x.name); *x.at < 0 {
			return c, fmt.Errorf("%s has no column %s; run `churn score` again", r.Path(), x.name)
		}
	}
	return c, nil
}

// read fills u from a record.
func (c *columns) read(r *table.Record, u *server.User) error {
	if r.Bad() != nil {
		return r.Errorf("record", "%v; run `churn score` again", r.Bad())
	}
	text := func(i int) string { return string(r.Field(i)) }
	*u = server.User{ID: text(c.id), AsOf: text(c.asOf), Plan: text(c.plan), Paid: text(c.paid) == "1", Country: text(c.country), Source: text(c.source),
		Tier: text(c.tier), Version: text(c.version), Reasons: u.Reasons[:0]}
	for _, i := range c.reasons {
		if reason := text(i); reason != "" {
			u.Reasons = append(u.Reasons, reason)
		}
	}
	return c.readNumbers(r, u)
}

func (c *columns) readNumbers(r *table.Record, u *server.User) (err error) {
	if u.SinceSignup, err = strconv.ParseInt(string(r.Field(c.signup)), 10, 64); err != nil {
		return r.Errorf("days_since_signup", "%q is not a whole number; run `churn score` again", r.Field(c.signup))
	}
	if u.Rank, err = strconv.Atoi(string(r.Field(c.rank))); err != nil {
		return r.Errorf("risk_rank", "%q is not a whole number; run `churn score` again", r.Field(c.rank))
	}
	if u.Risk, err = table.ParseFloat(r.Field(c.risk)); err != nil || !(u.Risk >= 0 && u.Risk <= 1) {
		return r.Errorf("churn_risk", "%q is not a probability; run `churn score` again", r.Field(c.risk))
	}
	if field := r.Field(c.activity); len(field) > 0 {
		v, err := table.ParseFloat(field)
		if err != nil {
			return r.Errorf("days_since_last_activity", "%q is not a number; run `churn score` again", field)
		}
		u.LastActivity = &v
	}
	return nil
}

// encodeUser appends a user to b. As-of date and version are the snapshot's.
func encodeUser(b []byte, u *server.User) []byte {
	paid, activity := byte(0), math.NaN()
	if u.Paid {
		paid = 1
	}
	if u.LastActivity != nil {
		activity = *u.LastActivity
	}
	b = wire.AppendFloat(wire.AppendFloat(append(b, paid), u.Risk), activity)
	b = binary.AppendVarint(binary.AppendUvarint(b, uint64(u.Rank)), u.SinceSignup)
	for _, text := range []string{u.ID, u.Tier, u.Plan, u.Country, u.Source} {
		b = wire.AppendString(b, text)
	}
	b = binary.AppendUvarint(b, uint64(len(u.Reasons)))
	for _, reason := range u.Reasons {
		b = wire.AppendString(b, reason)
	}
	return b
}

// decodeUser reads what encodeUser wrote; ok is false where it cannot be.
func decodeUser(b []byte) (u server.User, ok bool) {
	r := wire.NewReader(b)
	u.Paid = r.Byte() == 1
	u.Risk = r.Float()
	if activity := r.Float(); !math.IsNaN(activity) {
		u.LastActivity = &activity
	}
	u.Rank, u.SinceSignup = int(r.Uvarint()), r.Varint()
	u.ID, u.Tier, u.Plan, u.Country, u.Source = r.String(), r.String(), r.String(), r.String(), r.String()
	u.Reasons = make([]string, r.Count())
	for i := range u.Reasons {
		u.Reasons[i] = r.String()
	}
	return u, !r.Bad() && r.Len() == 0
}
