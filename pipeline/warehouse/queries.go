package warehouse

import (
	"fmt"
	"strconv"
	"strings"

	"churn/pipeline"
)

// samples finds rows that fail a check c: the columns of the contract, as texts
// for people; only the id where it stands more than once.
func (e *Engine) samples(c string) string {
	user := c == mismatch || c == "user_id_unique"
	for _, f := range e.userFaults() {
		user = user || f.check == c
	}
	if c == "event_id_unique" {
		return e.with() + fmt.Sprintf("SELECT event_id FROM a GROUP BY event_id HAVING count(*) > 1 ORDER BY %s LIMIT %d", e.dialect.bytewise("event_id"), e.rules.Examples)
	}
	t := e.dialect.numeral
	if user {
		return e.with() + fmt.Sprintf("SELECT user_id, %s, plan, paid, country, source FROM u3 WHERE f_%s = 1 ORDER BY %s LIMIT %d", t("signup_at"), c, e.dialect.bytewise("user_id"), e.rules.Examples)
	}
	return e.with() + fmt.Sprintf("SELECT event_id, user_id, %s, type, course, %s, %s, %s, %s FROM e2 WHERE f_%s = 1 ORDER BY %s LIMIT %d",
		t("event_at"), t("minutes"), t("score"), t("amount"), t("known_at"), c, e.dialect.bytewise("event_id"), e.rules.Examples)
}

// usersTally counts users, those accepted, and those that fail each check.
func (e *Engine) usersTally() (query string, checks []string) {
	columns := []string{"count(*)", count("usable = 1 AND f_user_id_unique = 0")}
	for _, f := range append(e.userFaults(), fault{check: mismatch}, fault{check: "user_id_unique"}) {
		checks = append(checks, f.check)
		columns = append(columns, total("f_"+f.check))
	}
	return e.with() + "SELECT " + strings.Join(columns, ", ") + " FROM u3", checks
}

// eventsTally counts events, and those that fail each check.
func (e *Engine) eventsTally() (query string, checks []string) {
	columns := []string{"count(*)"}
	for _, f := range e.eventFaults() {
		checks = append(checks, f.check)
		columns = append(columns, total("f_"+f.check))
	}
	return e.with() + "SELECT " + strings.Join(columns, ", ") + " FROM e2", checks
}

// acceptedTally counts the accepted events, those that are no payments,
// distinct ids, and the values that cannot be had exactly.
func (e *Engine) acceptedTally() string {
	columns := []string{"count(*)", count("NOT (" + e.isPayment() + ")"), "count(DISTINCT " + e.dialect.bytewise("event_id") + ")"}
	for _, q := range e.quantities() {
		columns = append(columns, count(e.inexact(q)))
	}
	columns = append(columns, count("course LIKE '%"+separator+"%'"))
	return e.with() + "SELECT " + strings.Join(columns, ", ") + " FROM a"
}

// quantity is a number of an event that is added up.
type quantity struct {
	column, term, when string
	units              int64
}

func (e *Engine) quantities() []quantity {
	paid := "kind = -2"
	for i, t := range e.rules.Types {
		if t == pipeline.PaymentSuccess {
			paid = fmt.Sprintf("kind = %d", i)
		}
	}
	return []quantity{
		{"watch_minutes", "minutes", fmt.Sprintf("minutes >= 0 AND minutes <= %d", pipeline.MaxMinutes), pipeline.TimeUnits},
		{"quiz_score", "score", "score >= 0 AND score <= 100", pipeline.TimeUnits},
		{"amount", "amount", fmt.Sprintf("%s AND amount > 0 AND amount <= %d", paid, pipeline.MaxAmount), pipeline.MoneyUnits},
	}
}

// inexact is true for decimals that are finer than the unit: rounded here and
// read as a binary fraction there they could differ. Binary fractions are
// rounded alike everywhere.
func (e *Engine) inexact(q quantity) string {
	if e.events.column(q.column).kind != decimal {
		return "1 = 0"
	}
	return fmt.Sprintf("%s AND %s <> round(%s, %d)", q.when, q.term, q.term, len(strconv.FormatInt(q.units, 10))-1)
}

// alike counts the accepted events that are equal to another but for their id.
func (e *Engine) alike() string {
	return e.with() + "SELECT " + total("n - 1") + " FROM (SELECT count(*) AS n FROM a GROUP BY user_id, event_at, known, kind, course, minutes, score, amount) AS same"
}

// volumes counts accepted events by day and type.
func (e *Engine) volumes() string {
	return e.with() + "SELECT day, kind, count(*) FROM a GROUP BY day, kind ORDER BY day, kind"
}

// starts finds the first day of the data by known day, and counts.
func (e *Engine) starts() string {
	return e.with() + "SELECT known, min(day), max(day), count(*) FROM a GROUP BY known ORDER BY known"
}

// courses lists the courses of accepted events.
func (e *Engine) courses() string {
	return e.with() + "SELECT DISTINCT course FROM a WHERE course <> ''"
}

// facts adds up events by user, day and known day, beside the user, in the
// order of users and days. Users without events have one row without a day.
func (e *Engine) facts(repeats bool) string {
	events, b := "a", strings.Builder{}
	b.WriteString(e.with())
	if repeats { // the one known first counts, as in files; among those the one that happened first
		b.WriteString(", r AS (SELECT a.*, row_number() OVER (PARTITION BY event_id ORDER BY known, event_at, user_id, kind, course, minutes, score, amount) AS place FROM a)\n")
		events = "r WHERE place = 1"
	}
	columns, names := []string{"user_id", "day", "known"}, []string{}
	add := func(expression, name string) {
		columns, names = append(columns, expression+" AS "+name), append(names, "d."+name)
	}
	for i := range e.rules.Types {
		add(count(fmt.Sprintf("kind = %d", i)), fmt.Sprintf("n%d", i))
	}
	for _, q := range e.quantities() {
		k := e.events.column(q.column).kind
		add(total("CASE WHEN "+q.when+" THEN "+e.dialect.fixed(q.term, q.units, k)+" ELSE 0 END"), "s_"+q.term)
	}
	add(count("score >= 0 AND score <= 100"), "scores")
	add(e.dialect.list(e.dialect.numeral("kind")+" || ':' || course"), "touched")
	fmt.Fprintf(&b, ", d AS (SELECT %s FROM %s GROUP BY user_id, day, known)\n", strings.Join(columns, ", "), events)
	fmt.Fprintf(&b, "SELECT u.user_id, u.signup, u.plan, u.paid, u.country, u.source, d.day, d.known, %s FROM u LEFT JOIN d ON d.user_id = u.user_id ORDER BY %s, d.day, d.known", strings.Join(names, ", "), e.userRank("u.user_id"))
	return b.String()
}
