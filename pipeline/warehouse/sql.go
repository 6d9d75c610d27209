package warehouse

import (
	"fmt"
	"strconv"
	"strings"

	"churn/pipeline"
)

// Every query begins with the same common table expressions, each of which
// sees those before it:
//
//	u0 users in the terms of the contract    e0 events likewise
//	u1 + what is wrong with each row         e1 + what is wrong with each row
//	u2 + whether it can be used at all       e2 + whether it can be used at all
//	u3 + whether its id stood before
//	u  the accepted users                    a  the accepted events
//
// Each fault is a column f_<check> of 0 or 1, so that counting them is a sum.

// fault is a check of one row as SQL that is true where the row fails.
type fault struct{ check, when string }

// userFaults are the checks of a row of u0, in the order of their report.
func (e *Engine) userFaults() []fault {
	return []fault{
		{"user_id_present", "user_id = ''"},
		{"signup_date_parses", fmt.Sprintf("signup IS NULL OR signup > %d", e.rules.Today)},
		{"plan_known", "plan NOT IN ('free', 'paid')"},
		{"is_paid_binary", "paid NOT IN ('0', '1')"},
	}
}

// mismatch is a check of rows that pass the others.
const mismatch = "is_paid_matches_plan"

// eventFaults are the checks of a row of e0 joined with its user.
func (e *Engine) eventFaults() []fault {
	payment := e.isPayment()
	known := "event_at IS NOT NULL AND known_given = 1 AND "
	return []fault{
		{"event_id_present", "event_id = ''"},
		{"event_user_known", "signup IS NULL"},
		{"event_time_parses", "event_at IS NULL"},
		{"event_time_not_future", fmt.Sprintf("day > %d", e.rules.Today)},
		{"event_after_signup", "day < signup"},
		{"known_at_valid", fmt.Sprintf(known+"(known_at IS NULL OR %s OR known_day > %d)", e.knownBefore(), e.rules.Today)},
		{"event_type_known", "kind < 0"},
		{"watch_minutes_range", fmt.Sprintf("minutes IS NOT NULL AND NOT (minutes >= 0 AND minutes <= %d)", pipeline.MaxMinutes)},
		{"quiz_score_range", "score IS NOT NULL AND NOT (score >= 0 AND score <= 100)"},
		{"payment_amount_positive", fmt.Sprintf("%s AND (amount IS NULL OR NOT (amount > 0 AND amount <= %d))", payment, pipeline.MaxAmount)},
		{"non_payment_amount", fmt.Sprintf("NOT (%s) AND amount IS NOT NULL AND amount <> 0", payment)},
	}
}

// knownBefore is true where an event became known before it happened. A
// known_at that is only a date means in the course of that day.
func (e *Engine) knownBefore() string {
	if e.events.column("known_at").kind == date {
		return "known_day < day"
	}
	return e.dialect.second("known_at") + " < " + e.dialect.second("event_at")
}

func (e *Engine) isPayment() string {
	out := "kind IN (-2" // no kind at all
	for i, t := range e.rules.Types {
		if t == pipeline.PaymentSuccess || t == pipeline.PaymentFailed {
			out += ", " + strconv.Itoa(i)
		}
	}
	return out + ")"
}

// with returns the common table expressions.
func (e *Engine) with() string {
	usable, order := "1 = 1", "signup, plan, paid, country, source"
	all := e.userFaults()
	for _, f := range all {
		if e.rules.Critical[f.check] {
			usable += " AND f_" + f.check + " = 0"
		}
	}
	sound := "1 = 1"
	for _, f := range all {
		sound += " AND f_" + f.check + " = 0"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "WITH u0 AS (SELECT %s FROM %s%s),\n", e.userTerms(), e.users.from, e.dialect.fence)
	fmt.Fprintf(&b, "u1 AS (SELECT u0.*, %s FROM u0),\n", flags(all))
	match := fmt.Sprintf("CASE WHEN %s AND (CASE WHEN plan = 'paid' THEN 1 ELSE 0 END) <> (CASE WHEN paid = '1' THEN 1 ELSE 0 END) THEN 1 ELSE 0 END AS f_%s", sound, mismatch)
	fmt.Fprintf(&b, "u2 AS (SELECT u1.*, %s, CASE WHEN %s THEN 1 ELSE 0 END AS usable FROM u1),\n", match, usable+e.andMatch(sound))
	fmt.Fprintf(&b, "u3 AS (SELECT u2.*, CASE WHEN usable = 1 AND row_number() OVER (PARTITION BY user_id, usable ORDER BY %s) > 1 THEN 1 ELSE 0 END AS f_user_id_unique FROM u2),\n", order)
	fmt.Fprintf(&b, "u AS (SELECT user_id, signup, plan, paid, country, source FROM u3 WHERE usable = 1 AND f_user_id_unique = 0),\n")
	fmt.Fprintf(&b, "e0 AS (SELECT %s FROM %s%s),\n", e.eventTerms(), e.events.from, e.dialect.fence)
	fmt.Fprintf(&b, "e1 AS (SELECT e0.*, u.signup AS signup FROM e0 LEFT JOIN u ON u.user_id = e0.user_id),\n")
	b.WriteString(e.acceptance())
	return b.String()
}

// andMatch makes users unusable whose plan and is_paid disagree, where the
// settings make that a critical fault.
func (e *Engine) andMatch(sound string) string {
	if !e.rules.Critical[mismatch] {
		return ""
	}
	return fmt.Sprintf(" AND NOT (%s AND (CASE WHEN plan = 'paid' THEN 1 ELSE 0 END) <> (CASE WHEN paid = '1' THEN 1 ELSE 0 END))", sound)
}

// acceptance returns the expressions e2 and a.
func (e *Engine) acceptance() string {
	all, usable := e.eventFaults(), "1 = 1"
	for _, f := range all {
		if e.rules.Critical[f.check] {
			usable += " AND f_" + f.check + " = 0"
		}
	}
	known := "CASE WHEN known_given = 1 AND f_known_at_valid = 0 THEN known_day ELSE day END AS known"
	return fmt.Sprintf("e2 AS (SELECT e1.*, %s FROM e1%s),\n", flags(all), e.dialect.fence) +
		fmt.Sprintf("a AS (SELECT event_id, user_id, event_at, day, %s, kind, course, minutes, score, amount FROM e2 WHERE %s)\n", known, usable)
}

func flags(all []fault) string {
	var out []string
	for _, f := range all {
		out = append(out, "CASE WHEN "+f.when+" THEN 1 ELSE 0 END AS f_"+f.check)
	}
	return strings.Join(out, ", ")
}

// userTerms writes users in the terms of the contract.
func (e *Engine) userTerms() string {
	r := &e.users
	return strings.Join([]string{
		e.textOf(r.column("user_id")) + " AS user_id",
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
		e.textOf(r.column("event_id")) + " AS event_id",
		e.textOf(r.column("user_id")) + " AS user_id",
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
	if c.kind == absent {
		return "''"
	}
	return "coalesce(" + e.dialect.text(c.from) + ", '')"
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
// that is not accepted.
func (e *Engine) kindOf(c Column) string {
	var b strings.Builder
	b.WriteString("CASE " + e.textOf(c))
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
	b.WriteString(" ELSE -1 END")
	return b.String()
}

// userRank orders users as validate.CompareIDs does: numbers by size and
// first, others bytewise.
func (e *Engine) userRank(id string) string {
	digits, bare := e.dialect.digits(id), "trim(LEADING '0' FROM "+id+")"
	return strings.Join([]string{
		"CASE WHEN " + digits + " THEN 0 ELSE 1 END",
		"CASE WHEN " + digits + " THEN length(" + bare + ") ELSE 0 END",
		e.dialect.bytewise("(CASE WHEN " + digits + " THEN " + bare + " ELSE '' END)"),
		e.dialect.bytewise(id),
	}, ", ")
}

// count writes how many rows meet a condition.
func count(when string) string {
	return "CAST(coalesce(sum(CASE WHEN " + when + " THEN 1 ELSE 0 END), 0) AS bigint)"
}

// total writes the sum of whole numbers.
func total(x string) string { return "CAST(coalesce(sum(" + x + "), 0) AS bigint)" }
