package warehouse

import (
	"fmt"
	"strconv"
	"strings"

	"churn/pipeline"
)

// usersFound counts users by what is wrong with them, and all.
func (e *Engine) usersFound() string {
	return query(e.checkedUsers()) + "SELECT grouping(rejects), rejects, remarks, count(*) FROM u3 GROUP BY GROUPING SETS ((rejects, remarks), ())"
}

// eventsFound counts events in one look at them, in ways that grouping() tells
// apart: by what is wrong with them; the accepted ones by day and type, by known
// day, with their first day, and by course; and all.
func (e *Engine) eventsFound() string {
	accepted := func(x string) string { return "CASE WHEN rejects = 0 THEN " + x + " END" }
	const keys = "rejects, remarks, on_day, of_kind, on_known, of_course"
	return query(e.checkedEvents(),
		fmt.Sprintf("g0 AS (SELECT rejects, remarks, %s AS on_day, %s AS of_kind, %s AS on_known, %s AS of_course FROM e2)", accepted("day"), accepted("kind"), accepted("known"), accepted("course")),
		fmt.Sprintf("g AS (SELECT %s, count(*) AS n FROM g0 GROUP BY %s)", keys, keys)) +
		"SELECT grouping(rejects), grouping(on_day), grouping(on_known), grouping(of_course), " + keys + ", min(on_day), " + total("n") +
		" FROM g GROUP BY GROUPING SETS ((rejects, remarks), (on_day, of_kind), (on_known), (of_course), ()) ORDER BY 1, 2, 3, 4"
}

// samples finds rows that are in some groups, each given by a condition: the
// first few by id of each group, with the columns of the contract as texts, and
// whether the row is among the few of each group.
func (e *Engine) samples(t *Tally, groups []string) string {
	steps, from, id, columns := e.checkedUsers(), "u3", "user_id", []string{e.idText("user_id", "user_id"), e.dialect.numeral("signup_at"), "plan", "paid", "country", "source"}
	if t.events {
		n := e.dialect.numeral
		steps, from, id, columns = e.checkedEvents(), "e2", "event_id", []string{e.idText("event_id", "event_id"), e.idText("user_id", "user_id"), n("event_at"), "type", "course", n("minutes"), n("score"), n("amount"), n("known_at")}
	}
	var inner, outer, first []string
	for i, c := range columns {
		inner, outer = append(inner, fmt.Sprintf("%s AS c%d", c, i)), append(outer, fmt.Sprintf("c%d", i))
	}
	order := e.dialect.bytewise(e.idText(id, id))
	for i, g := range groups {
		inner = append(inner, fmt.Sprintf("CASE WHEN %s THEN row_number() OVER (PARTITION BY CASE WHEN %s THEN 1 ELSE 0 END ORDER BY %s) END AS p%d", g, g, order, i))
		first = append(first, fmt.Sprintf("p%d <= %d", i, e.rules.Examples))
		outer = append(outer, fmt.Sprintf("CASE WHEN p%d <= %d THEN 1 ELSE 0 END", i, e.rules.Examples))
	}
	return query(steps) + fmt.Sprintf("SELECT %s FROM (SELECT %s FROM %s WHERE %s) AS f WHERE %s ORDER BY %s",
		strings.Join(outer, ", "), strings.Join(inner, ", "), from, strings.Join(groups, " OR "), strings.Join(first, " OR "), e.dialect.bytewise("c0"))
}

// repeatedIDs finds the first few ids of accepted events that stand more than
// once.
func (e *Engine) repeatedIDs() string {
	id := e.idText("event_id", "event_id")
	return query(e.acceptedEvents()) + fmt.Sprintf("SELECT %s FROM a GROUP BY event_id HAVING count(*) > 1 ORDER BY %s LIMIT %d", id, e.dialect.bytewise(id), e.rules.Examples)
}

// twins are the columns that are equal in events that are alike but for their
// id.
func twins() []string {
	return []string{"user_id", "event_at", "known", "kind", "course", "minutes", "score", "amount"}
}

// hashed counts the hashes of the ids of accepted events, and of the rest of
// them. Where all are different, so are the values.
func (e *Engine) hashed() string {
	id := "event_id"
	if !e.whole(id) {
		id = e.dialect.hash([]string{id})
	}
	return query(e.acceptedEvents()) + fmt.Sprintf("SELECT count(DISTINCT %s), count(DISTINCT %s) FROM a", id, e.dialect.hash(twins()))
}

// equal counts the accepted events that have columns in common with one that
// was counted before them.
func (e *Engine) equal(columns ...string) string {
	return query(e.acceptedEvents()) + "SELECT " + total("n - 1") + " FROM (SELECT count(*) AS n FROM a GROUP BY " + strings.Join(columns, ", ") + ") AS same"
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
		return ""
	}
	return fmt.Sprintf("%s AND %s <> round(%s, %d)", q.when, q.term, q.term, len(strconv.FormatInt(q.units, 10))-1)
}

// facts adds up accepted events by user, day, known day, type and course, and
// lists that beside the user, in the order of users.
func (e *Engine) facts(repeats bool) string {
	steps, events := e.acceptedEvents(), "a"
	if repeats { // the one known first counts, as in files; among those the one that happened first
		order := "known, event_at, user_id, kind, course, minutes, score, amount"
		steps, events = append(steps, "r AS (SELECT a.*, row_number() OVER (PARTITION BY event_id ORDER BY "+order+") AS place FROM a)"), "r WHERE place = 1"
	}
	const keys = "user_id, day, known, kind, course"
	sums, entry := []string{"count(*) AS n", "count(CASE WHEN score >= 0 AND score <= 100 THEN 1 END) AS scores"}, []string{"day", "known - day", "kind", "n", "scores"}
	for _, q := range e.quantities() {
		sums = append(sums, total("CASE WHEN "+q.when+" THEN "+e.dialect.fixed(q.term, q.units, e.events.column(q.column).kind)+" END")+" AS s_"+q.term)
		entry = append(entry, "s_"+q.term)
	}
	for i, x := range entry {
		entry[i] = e.dialect.numeral(x)
	}
	return query(steps, fmt.Sprintf("b AS (SELECT %s, %s FROM %s GROUP BY %s)", keys, strings.Join(sums, ", "), events, keys),
		fmt.Sprintf("d AS (SELECT user_id, %s AS days FROM b GROUP BY user_id)", e.dialect.list(strings.Join(append(entry, "course"), " || ':' || ")))) +
		fmt.Sprintf("SELECT %s, u.signup, u.plan, u.paid, u.country, u.source, d.days FROM u LEFT JOIN d ON d.user_id = u.user_id ORDER BY %s", e.idText("user_id", "u.user_id"), e.userRank("u.user_id")) + e.dialect.stream
}
