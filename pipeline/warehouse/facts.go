package warehouse

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"churn/pipeline"
)

// Facts is the stream of users with their days.
type Facts struct {
	engine     *Engine
	ctx        context.Context
	rows       *sql.Rows
	courses    map[string]uint32
	vocabulary pipeline.Vocabulary
	compare    func(a, b string) int
	previous   string // id of the user before
	begun      bool
	entries    []entry // of one user
}

// entry is the sums of a user's events of a day, known day, type and course.
type entry struct {
	day, known pipeline.Date
	touch      pipeline.Touch
	n, scores  int32
	sums       [3]int64 // of quantities
}

// Features streams all users in the order of compare, each with the sums of
// his days, from which features are cut. repeats says that some ids of events
// stand more than once; courses are numbered from 1 in the given order. The
// stream is whole only when Next has returned false without an error.
func (e *Engine) Features(ctx context.Context, v pipeline.Vocabulary, courses []string, repeats bool, compare func(a, b string) int) (*Facts, error) {
	rows, err := e.tx.QueryContext(ctx, e.facts(repeats))
	if err != nil {
		return nil, e.fault("add up events", err)
	}
	f := &Facts{engine: e, ctx: ctx, rows: rows, vocabulary: v, compare: compare, courses: make(map[string]uint32, len(courses))}
	for i, c := range courses {
		f.courses[c] = uint32(i + 1)
	}
	return f, nil
}

// Close ends the stream, at its end or before.
func (f *Facts) Close() error { return f.rows.Close() }

// Next returns the next user; ok is false after the last.
func (f *Facts) Next() (t pipeline.Timeline, ok bool, err error) {
	if !f.rows.Next() {
		if err := errors.Join(f.rows.Err(), f.ctx.Err()); err != nil {
			return t, false, f.engine.fault("add up events", err)
		}
		return t, false, nil
	}
	var paid string
	var days sql.NullString // NULL for a user without events
	u := &t.User
	if err := f.rows.Scan(&u.ID, &u.Signup, &u.Plan, &paid, &u.Country, &u.Source, &days); err != nil {
		return t, false, f.engine.fault("add up events", err)
	}
	u.Paid = paid == "1"
	if f.begun && f.compare(f.previous, u.ID) >= 0 {
		return t, false, fmt.Errorf("user %q follows user %q: the database orders users in another way, or the tables change while they are read; run again, and if it stays report it with its version and locale", u.ID, f.previous)
	}
	f.previous, f.begun = u.ID, true
	t.Days, err = f.days(days.String)
	return t, err == nil, err
}

// days reads a list of entries, which is in no order.
func (f *Facts) days(list string) (out []pipeline.DayFacts, err error) {
	if list == "" {
		return nil, nil
	}
	f.entries = f.entries[:0]
	for text := range strings.SplitSeq(list, separator) {
		x, err := f.entry(text)
		if err != nil {
			return nil, err
		}
		f.entries = append(f.entries, x)
	}
	slices.SortFunc(f.entries, func(a, b entry) int { return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.known, b.known)) })
	for i := 0; i < len(f.entries); {
		n := 1
		for i+n < len(f.entries) && f.entries[i+n].day == f.entries[i].day && f.entries[i+n].known == f.entries[i].known {
			n++
		}
		out = append(out, f.facts(f.entries[i:i+n]))
		i += n
	}
	return out, nil
}

// facts adds up the entries of one day and known day.
func (f *Facts) facts(entries []entry) pipeline.DayFacts {
	d := pipeline.DayTotals{Day: entries[0].day, Known: entries[0].known, Counts: make([]int32, f.vocabulary.Len())}
	for _, x := range entries {
		d.Counts[x.touch.Type] += x.n
		d.Scores += x.scores
		d.Minutes, d.Score, d.Amount = d.Minutes+x.sums[0], d.Score+x.sums[1], d.Amount+x.sums[2]
		d.Touched = append(d.Touched, x.touch)
	}
	return f.vocabulary.Facts(&d)
}

// entry reads DAY:DAYS UNTIL KNOWN:TYPE:EVENTS:SCORES:MINUTES:SCORE:AMOUNT:COURSE.
func (f *Facts) entry(text string) (x entry, err error) {
	var numbers [8]int64
	course := text
	for i := range numbers {
		var number string
		number, course, _ = strings.Cut(course, ":")
		if numbers[i], err = strconv.ParseInt(number, 10, 64); err != nil {
			return x, fmt.Errorf("%q is no entry of a day, as the database should list them: %w", text, err)
		}
	}
	if numbers[2] < 0 || numbers[2] >= int64(f.vocabulary.Len()) {
		return x, fmt.Errorf("%q is of event type %d, which there is not", text, numbers[2])
	}
	number, ok := f.courses[course]
	if !ok && course != "" {
		return x, fmt.Errorf("course %q was not there a moment ago: the tables change while they are read; run again", course)
	}
	return entry{day: pipeline.Date(numbers[0]), known: pipeline.Date(numbers[0] + numbers[1]), touch: pipeline.Touch{Type: uint8(numbers[2]), Course: number},
		n: int32(numbers[3]), scores: int32(numbers[4]), sums: [3]int64(numbers[5:])}, nil
}
