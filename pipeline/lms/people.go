package lms

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"churn/internal/table"
	"churn/pipeline"
	"churn/pipeline/validate"
)

// account is what is known of a user beside his events.
type account struct {
	signup                pipeline.Date // NoDate: the day on which he is first known of
	plan, country, source string
	excluded              bool // guest or staff
}

// people are the accounts of a users table by user id. A nil people is of an
// export without one: everybody is let in.
type people struct {
	byID   map[string]*account
	byName map[string]string // id by user name, where the table has both
}

// refuses says why records of a user are left out, "" if they are not.
func (p *people) refuses(user string) string {
	if user == "" {
		return dropNoUser
	}
	if p == nil {
		return ""
	}
	a := p.byID[user]
	switch {
	case a == nil:
		return dropStranger
	case a.excluded:
		return dropStaff
	}
	return ""
}

// idOf returns the id of a user name, "" if it is not known.
func (p *people) idOf(name string) string {
	if p == nil {
		return ""
	}
	return p.byName[name]
}

// columns gives access to the cells of a row by the names that platforms use.
type columns struct {
	at  map[string]int
	rec *table.Record
}

func columnsOf(r *table.Reader) *columns {
	c := &columns{at: map[string]int{}}
	for i, name := range r.Header() {
		c.at[strings.ToLower(name)] = i
	}
	return c
}

// has returns the first of the names that is a column, "" for none.
func (c *columns) has(names ...string) string {
	i := slices.IndexFunc(names, func(n string) bool { _, ok := c.at[n]; return ok })
	if i < 0 {
		return ""
	}
	return names[i]
}

// lacks returns those of the names that are no columns.
func (c *columns) lacks(names ...string) (out []string) {
	for _, n := range names {
		if c.has(n) == "" {
			out = append(out, n)
		}
	}
	return out
}

// text returns a cell, "" where it is null as databases write it.
func (c *columns) text(name string) string {
	i, ok := c.at[name]
	if !ok {
		return ""
	}
	s := strings.TrimSpace(string(c.rec.Field(i)))
	if s == "NULL" || s == "null" || s == `\N` {
		return ""
	}
	return s
}

// yes reports whether a cell is true.
func (c *columns) yes(name string) bool {
	switch strings.ToLower(c.text(name)) {
	case "1", "t", "true", "yes":
		return true
	}
	return false
}

// epoch reads Unix seconds; ok is false for anything else, and for 0, by which
// Moodle says that there is no time.
func epoch(s string) (t time.Time, ok bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 || n > 253402300799 { // the year 9999
		return t, false
	}
	return time.Unix(n, 0).UTC(), true
}

// usersColumns are the names of the id, and of the day of signing up in the order
// of preference: the contract's, Open edX's (auth_user) and Moodle's (mdl_user).
func usersColumns() (id, signup []string) {
	return []string{"user_id", "id"}, []string{"signup_date", "date_joined", "timecreated", "firstaccess"}
}

// broken says what is wrong with the form of a row, "" if nothing is.
func broken(rec *table.Record, columns int) string {
	switch {
	case rec.Bad() != nil:
		return rec.Bad().Error() + "; write a quote inside of quotes twice, not with a backslash"
	case rec.Len() < columns:
		return fmt.Sprintf("has %d of the %d columns of the header", rec.Len(), columns)
	}
	return ""
}

// readPeople reads a users table.
func (j *job) readPeople(path string) (p *people, err error) {
	r, err := j.openTable(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	c := columnsOf(r)
	ids, signups := usersColumns()
	id := c.has(ids...)
	if id == "" {
		return nil, fmt.Errorf("%s: has no column %s", path, strings.Join(ids, " or "))
	}
	p = &people{byID: map[string]*account{}, byName: map[string]string{}}
	err = r.Each(func(rec *table.Record) error {
		c.rec = rec
		user := c.text(id)
		if why := broken(rec, len(r.Header())); why != "" {
			return rec.Errorf("(row)", "%q: %s", rec.Line(), why)
		}
		if user == "" {
			return rec.Errorf(id, "%q is not the id of a user", user)
		}
		if p.byID[user] != nil {
			return rec.Errorf(id, "%q stands here for the second time", user)
		}
		a, err := j.account(c, signups)
		p.byID[user] = a
		if name := c.text("username"); name != "" {
			p.byName[name] = user
		}
		return err
	})
	j.read(r)
	return p, err
}

// account reads one row of a users table.
func (j *job) account(c *columns, signups []string) (*account, error) {
	a := &account{signup: pipeline.NoDate, plan: "free", country: c.text("country"), source: c.text("marketing_source")}
	a.excluded = c.text("username") == "guest" || c.yes("is_staff") || c.yes("is_superuser")
	if c.yes("is_paid") || c.text("plan") == "paid" {
		a.plan = "paid"
	}
	for _, name := range signups {
		text := c.text(name)
		if text == "" || text == "0" {
			continue
		}
		if t, ok := epoch(text); ok {
			a.signup = pipeline.DateOf(t.In(j.Location))
			return a, nil
		}
		day, ok := validate.ParseDay([]byte(text), j.Location)
		if t, zoned := parseTime(text); !ok && zoned {
			day, ok = pipeline.DateOf(t.In(j.Location)), true
		}
		if !ok {
			return a, c.rec.Errorf(name, "%q is not a date; write 2026-04-30, a time, or Unix seconds", text)
		}
		a.signup = day
		return a, nil
	}
	return a, nil
}
