package warehouse

import (
	"fmt"
	"strconv"
	"strings"

	"churn/pipeline"
)

// Queries begin with common table expressions, each of which sees those before
// it:
//
//	u0 users in the terms of the contract    e0 events likewise
//	u1 + what is wrong with each row         e1 + the signup of its user
//	u2 + whether plan and is_paid agree      e2 + what is wrong with each row
//	u3 + whether its id stood before
//	u  the accepted users                    a  the accepted events
//
// What is wrong with a row stands in two masks of bits, one for each check:
// rejects for those that reject the row, remarks for the others. Once it is known
// which faults there are, a looks for no others.

// fault is a check of one row as SQL that is true where the row fails; "" where
// none can.
type fault struct{ check, when string }

// userFaults are the checks of a row of u0, in the order of their bits.
func (e *Engine) userFaults() []fault {
	return []fault{
		{"user_id_present", e.missing("user_id")},
		{"signup_date_parses", fmt.Sprintf("signup IS NULL OR signup > %d", e.rules.Today)},
		{"plan_known", "plan NOT IN ('free', 'paid')"},
		{"is_paid_binary", "paid NOT IN ('0', '1')"},
		{mismatch, "r1 = 0 AND m1 = 0 AND (CASE WHEN plan = 'paid' THEN 1 ELSE 0 END) <> (CASE WHEN paid = '1' THEN 1 ELSE 0 END)"},
		{repeatedUser, ""},
	}
}

const (
	mismatch      = "is_paid_matches_plan" // of rows that pass the checks before it
	repeatedUser  = "user_id_unique"       // of rows that pass what rejects a row; always rejects
	repeatedEvent = "event_id_unique"
)

// eventFaults are the checks of a row of e0 joined with its user, in the order
// of their bits.
func (e *Engine) eventFaults() []fault {
	pays := e.isPayment()
	return []fault{
		{"event_id_present", e.missing("event_id")},
		{"event_user_known", "signup IS NULL"},
		{"event_time_parses", "event_at IS NULL"},
		{"event_time_not_future", fmt.Sprintf("day > %d", e.rules.Today)},
		{"event_after_signup", "day < signup"},
		{"known_at_valid", e.knownInvalid()},
		{"event_type_known", "kind < 0"},
		{"watch_minutes_range", e.outside("watch_minutes", "minutes", pipeline.MaxMinutes)},
		{"quiz_score_range", e.outside("quiz_score", "score", 100)},
		{"payment_amount_positive", fmt.Sprintf("%s AND (amount IS NULL OR NOT (amount > 0 AND amount <= %d))", pays, pipeline.MaxAmount)},
		{"non_payment_amount", fmt.Sprintf("amount IS NOT NULL AND amount <> 0 AND NOT (%s)", pays)},
	}
}

// eventMarks are what else is to be counted; their bits follow those of the
// faults.
func (e *Engine) eventMarks() []fault {
	var out []fault
	for _, q := range e.quantities() {
		out = append(out, fault{q.column, e.inexact(q)})
	}
	return out
}

// outside is true for a number out of its range; "" without the column.
func (e *Engine) outside(column, term string, limit int) string {
	if e.events.column(column).kind == absent {
		return ""
	}
	return fmt.Sprintf("%s IS NOT NULL AND NOT (%s >= 0 AND %s <= %d)", term, term, term, limit)
}

// knownInvalid is true where an event became known before it happened, or
// after today; "" where there is no known_at, which is then the event's time. A
// known_at that is only a date means in the course of that day.
func (e *Engine) knownInvalid() string {
	c := e.events.column("known_at")
	if c.kind == absent {
		return ""
	}
	before := e.dialect.second("known_at") + " < " + e.dialect.second("event_at")
	if c.kind == date {
		before = "known_day < day"
	}
	return fmt.Sprintf("event_at IS NOT NULL AND known_given = 1 AND (known_at IS NULL OR %s OR known_day > %d)", before, e.rules.Today)
}

// pays reports whether events of a type have an amount.
func (e *Engine) pays(kind int) bool {
	return e.rules.Types[kind] == pipeline.PaymentSuccess || e.rules.Types[kind] == pipeline.PaymentFailed
}

func (e *Engine) isPayment() string {
	out := "kind IN (-2" // no kind at all
	for i := range e.rules.Types {
		if e.pays(i) {
			out += ", " + strconv.Itoa(i)
		}
	}
	return out + ")"
}

// mask adds up the bits, from bit first on, of the faults that reject a row or
// of the others.
func (e *Engine) mask(all []fault, first int, rejects bool) string {
	out := "0"
	for i, f := range all {
		if f.when != "" && e.rejects(f) == rejects {
			out += fmt.Sprintf(" + CASE WHEN %s THEN %d ELSE 0 END", f.when, 1<<(first+i))
		}
	}
	return out
}

func (e *Engine) rejects(f fault) bool { return f.check == repeatedUser || e.rules.Critical[f.check] }

// query writes what stands before the SELECT of a query.
func query(steps []string, more ...string) string {
	return "WITH " + strings.Join(append(steps, more...), ",\n") + "\n"
}

const userColumns = "user_id, signup, plan, paid, country, source"

// checkedUsers are the expressions u0 to u3.
func (e *Engine) checkedUsers() []string {
	if e.staged.users != "" {
		return []string{from("u3", e.staged.users)}
	}
	all := e.userFaults()
	n := len(all) - 2 // then those that look at what the others found
	again := ""
	if !e.unique {
		again = " + CASE WHEN r2 = 0 AND row_number() OVER (PARTITION BY user_id, CASE WHEN r2 = 0 THEN 1 ELSE 0 END ORDER BY signup, plan, paid, country, source) > 1" +
			fmt.Sprintf(" THEN %d ELSE 0 END", 1<<(n+1))
	}
	return []string{
		fmt.Sprintf("u0 AS (SELECT %s FROM %s%s)", e.userTerms(), e.users.from, e.dialect.fence),
		fmt.Sprintf("u1 AS (SELECT u0.*, %s AS r1, %s AS m1 FROM u0%s)", e.mask(all[:n], 0, true), e.mask(all[:n], 0, false), e.dialect.fence),
		fmt.Sprintf("u2 AS (SELECT %s, signup_at, r1 + %s AS r2, m1 + %s AS remarks FROM u1%s)", userColumns, e.mask(all[n:], n, true), e.mask(all[n:], n, false), e.dialect.fence),
		fmt.Sprintf("u3 AS (SELECT %s, signup_at, r2%s AS rejects, remarks FROM u2)", userColumns, again),
	}
}

// acceptedUsers are the expressions u0 to u.
func (e *Engine) acceptedUsers() []string {
	return append(e.checkedUsers(), fmt.Sprintf("u AS (SELECT %s FROM u3 WHERE rejects = 0)", userColumns))
}

const eventColumns = "event_id, user_id, event_at, day, kind, course, minutes, score, amount"

func (e *Engine) events0() string {
	return fmt.Sprintf("e0 AS (SELECT %s FROM %s%s)", e.eventTerms(), e.events.from, e.dialect.fence)
}

// events1 needs the accepted users.
const events1 = "e1 AS (SELECT e0.*, u.signup AS signup FROM e0 LEFT JOIN u ON u.user_id = e0.user_id)"

// checkedEvents are the expressions u0 to e2.
func (e *Engine) checkedEvents() []string {
	if e.staged.events != "" {
		return []string{from("e2", e.staged.events)}
	}
	all := append(e.eventFaults(), e.eventMarks()...)
	return append(e.acceptedUsers(), e.events0(), events1,
		fmt.Sprintf("e2 AS (SELECT %s, %s, known_at, type, %s AS rejects, %s AS remarks FROM e1%s)", eventColumns, e.known(), e.mask(all, 0, true), e.mask(all, 0, false), e.dialect.fence))
}

// acceptedEvents are the expressions u0 to a, without e1 where no fault that
// there is looks at users.
func (e *Engine) acceptedEvents() []string {
	if e.staged.events != "" {
		return append(e.acceptedUsers(), from("e2", e.staged.events), fmt.Sprintf("a AS (SELECT %s, known FROM e2 WHERE rejects = 0)", eventColumns))
	}
	steps, source, sound := append(e.acceptedUsers(), e.events0()), "e0", "1 = 1"
	for _, f := range e.eventFaults() {
		if !e.rejects(f) || !e.occurs[f.check] {
			continue
		}
		sound += " AND NOT (" + f.when + ")" // where this is NULL, another check rejects the row
		if strings.Contains(f.when, "signup") {
			source = "e1"
		}
	}
	if source == "e1" {
		steps = append(steps, events1)
	}
	return append(steps, fmt.Sprintf("a AS (SELECT %s, %s FROM %s WHERE %s)", eventColumns, e.known(), source, sound))
}

// known is the day on which an event became known.
func (e *Engine) known() string {
	invalid := e.knownInvalid()
	if invalid == "" {
		return "day AS known"
	}
	return "CASE WHEN known_given = 0 OR (" + invalid + ") THEN day ELSE known_day END AS known"
}

// userTerms writes users in the terms of the contract.
func (e *Engine) userTerms() string {
	r := &e.users
	return strings.Join([]string{
		e.idOf(r, "user_id") + " AS user_id",
		e.dialect.day(e.wallOf(r.column("signup_date"))) + " AS signup",
		e.textOf(r.column("plan")) + " AS plan",
		e.truthOf(r.column("is_paid")) + " AS paid",
		e.textOf(r.column("country")) + " AS country",
		e.textOf(r.column("marketing_source")) + " AS source",
		e.wallOf(r.column("signup_date")) + " AS signup_at",
	}, ", ")
}

// eventTerms writes events in the terms of the contract.
func (e *Engine) eventTerms() string {
	r := &e.events
	at, known := e.wallOf(r.column("event_time")), e.wallOf(r.column("known_at"))
	given := "0"
	if c := r.column("known_at"); c.kind != absent {
		given = "CASE WHEN " + c.from + " IS NULL THEN 0 ELSE 1 END"
	}
	return strings.Join([]string{
		e.idOf(r, "event_id") + " AS event_id",
		e.idOf(r, "user_id") + " AS user_id",
		at + " AS event_at", e.dialect.day(at) + " AS day",
		known + " AS known_at", e.dialect.day(known) + " AS known_day", given + " AS known_given",
		e.textOf(r.column("event_type")) + " AS type", e.kindOf(r.column("event_type")) + " AS kind",
		e.textOf(r.column("course_id")) + " AS course",
		e.numberOf(r.column("watch_minutes")) + " AS minutes",
		e.numberOf(r.column("quiz_score")) + " AS score",
		e.numberOf(r.column("amount")) + " AS amount",
	}, ", ")
}

// textOf writes a column as trimmed text, empty where it is NULL.
func (e *Engine) textOf(c Column) string {
	switch c.kind {
	case absent:
		return "''"
	case integer, bare:
		return "coalesce(" + e.dialect.numeral(c.from) + ", '')"
	}
	return "coalesce(" + e.dialect.text(c.from) + ", '')"
}

// whole reports whether ids are compared as whole numbers, which is quicker and
// means the same: those of users where they are of one type in both tables.
func (e *Engine) whole(id string) bool {
	c := e.events.column(id)
	return c.kind == integer && (id != "user_id" || e.users.column(id).Type == c.Type)
}

// idOf writes an id, as text if it is not whole.
func (e *Engine) idOf(r *relation, id string) string {
	if e.whole(id) {
		return r.column(id).from
	}
	return e.textOf(r.column(id))
}

// missing is true where there is no id.
func (e *Engine) missing(id string) string {
	if e.whole(id) {
		return id + " IS NULL"
	}
	return id + " = ''"
}

// idText writes an id as text.
func (e *Engine) idText(id, x string) string {
	if e.whole(id) {
		return e.dialect.numeral(x)
	}
	return x
}

// wallOf writes a column as the time that a clock in source.timezone shows.
func (e *Engine) wallOf(c Column) string {
	if c.kind == absent {
		return e.dialect.wall("CAST(NULL AS timestamp)", "", wallTime)
	}
	return e.dialect.wall(c.from, e.rules.Zone, c.kind)
}

func (e *Engine) truthOf(c Column) string {
	if c.kind == boolean {
		return "CASE WHEN " + c.from + " THEN '1' WHEN NOT " + c.from + " THEN '0' ELSE '' END"
	}
	return e.textOf(c)
}

func (e *Engine) numberOf(c Column) string {
	if e.dialect.number != nil {
		return e.dialect.number(c.from, c.kind)
	}
	if c.kind == absent {
		return "CAST(NULL AS integer)"
	}
	return c.from
}

// kindOf writes the event type as its number in the vocabulary, -1 for one
// that is not accepted. Few texts have blanks around them: they are trimmed only
// where they are no type as they stand.
func (e *Engine) kindOf(c Column) string {
	trimmed := "CASE " + e.textOf(c) + e.kindCases() + " ELSE -1 END"
	if c.kind != text {
		return trimmed
	}
	return "CASE " + e.dialect.numeral(c.from) + e.kindCases() + " ELSE " + trimmed + " END"
}

func (e *Engine) kindCases() string {
	var b strings.Builder
	when := func(theirs, ours string) {
		for i, t := range e.rules.Types {
			if t == ours {
				fmt.Fprintf(&b, " WHEN %s THEN %d", e.dialect.literal(theirs), i)
			}
		}
	}
	for _, t := range e.types { // first, so that a type can be given another meaning
		when(t.Theirs, t.Ours)
	}
	for _, t := range e.rules.Types {
		when(t, t)
	}
	return b.String()
}

// userRank orders users as validate.CompareIDs does: numbers by size and
// first, others, such as -1, bytewise.
func (e *Engine) userRank(id string) string {
	if e.whole("user_id") {
		return fmt.Sprintf("CASE WHEN %s >= 0 THEN 0 ELSE 1 END, CASE WHEN %s >= 0 THEN %s END, CASE WHEN %s < 0 THEN %s END", id, id, id, id, e.dialect.bytewise(e.dialect.numeral(id)))
	}
	digits, bare := e.dialect.digits(id), "trim(LEADING '0' FROM "+id+")"
	return strings.Join([]string{
		"CASE WHEN " + digits + " THEN 0 ELSE 1 END",
		"CASE WHEN " + digits + " THEN length(" + bare + ") ELSE 0 END",
		e.dialect.bytewise("(CASE WHEN " + digits + " THEN " + bare + " ELSE '' END)"),
		e.dialect.bytewise(id),
	}, ", ")
}

// total writes the sum of whole numbers.
func total(x string) string { return "CAST(coalesce(sum(" + x + "), 0) AS bigint)" }
