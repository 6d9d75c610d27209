package generate

import (
	"math"
	"strings"

	"churn/internal/table"
	"churn/pipeline"
)

func usersSchema() table.Schema {
	return table.Schema{
		{Name: "user_id", Kind: table.Int}, {Name: "signup_date", Kind: table.Date}, {Name: "plan", Kind: table.Text},
		{Name: "is_paid", Kind: table.Int}, {Name: "country", Kind: table.Text}, {Name: "marketing_source", Kind: table.Text},
	}
}

func eventsSchema() table.Schema {
	return table.Schema{
		{Name: "event_id", Kind: table.Int}, {Name: "user_id", Kind: table.Int}, {Name: "event_time", Kind: table.Text},
		{Name: "event_type", Kind: table.Text}, {Name: "course_id", Kind: table.Text}, {Name: "watch_minutes", Kind: table.Float},
		{Name: "quiz_score", Kind: table.Float}, {Name: "amount", Kind: table.Float},
	}
}

func truthSchema() table.Schema {
	return table.Schema{
		{Name: "user_id", Kind: table.Int}, {Name: "as_of_date", Kind: table.Date}, {Name: "hazard", Kind: table.Float},
		{Name: "state", Kind: table.Text}, {Name: "churn_date", Kind: table.Text}, {Name: "churn_probability_30d", Kind: table.Float},
	}
}

// userID is the user_id of user number u: ids begin with 1.
func userID(u int) int64 { return int64(u) + 1 }

func planOf(l *learner) (name string, isPaid int64) {
	if l.paid {
		return "paid", 1
	}
	return "free", 0
}

func (r *run) appendUser(b *table.Batch, u int) {
	l := &r.learners[u]
	plan, isPaid := planOf(l)
	b.Int(userID(u))
	b.Date(l.signup)
	b.Text(plan)
	b.Int(isPaid)
	b.Text(r.countries[l.country].code)
	b.Text(r.sources[l.source].name)
	b.EndRow()
}

func (r *run) appendTruth(b *table.Batch, u int, d *day) {
	t := r.truthOf(&r.learners[u], d)
	b.Int(userID(u))
	b.Date(d.date)
	b.Float(rounded(t.hazard))
	b.Text(t.state)
	b.Text(t.churn.String())
	b.Float(rounded(t.silent))
	b.EndRow()
}

// rounded keeps six decimals: finer differences mean nothing, and the file is
// half the size.
func rounded(p float64) float64 { return math.Round(p*1e6) / 1e6 }

// appendEvents appends the rows of a batch.
func (r *run) appendEvents(out *table.Batch, b batch) {
	types := pipeline.EventTypes() // in the order of eventKind
	times := timesOf(b)
	for i := range b.events {
		e := &b.events[i]
		out.Int(b.firstID + int64(i))
		out.Int(userID(int(e.user)))
		out.Text(times[i*timeWidth : (i+1)*timeWidth])
		out.Text(types[e.kind])
		course := ""
		if e.course != noCourse {
			course = r.catalogue.courses[e.course].id
		}
		out.Text(course)
		appendValue(out, e)
		out.EndRow()
	}
}

// appendValue appends watch_minutes, quiz_score and amount.
func appendValue(out *table.Batch, e *event) {
	minutes, score, amount := math.NaN(), math.NaN(), math.NaN()
	switch e.kind { // dividing integers gives the double nearest to the decimal
	case videoWatch:
		minutes = float64(e.value) / 100
	case quizAttempt:
		score = float64(e.value) / 10
	case paymentSuccess, paymentFailed:
		amount = float64(e.value) / 100
	}
	out.Float(minutes)
	out.Float(score)
	out.Float(amount)
}

const timeWidth = len("2006-01-02T15:04:05")

// timesOf returns the times of all events in one string: one allocation for
// the batch rather than one for each row.
func timesOf(b batch) string {
	var s strings.Builder
	s.Grow(timeWidth * len(b.events))
	for i := range b.events {
		t := b.events[i].second
		h, m, sec := byte(t/3600), byte(t/60%60), byte(t%60)
		s.WriteString(b.day.prefix)
		s.Write([]byte{'0' + h/10, '0' + h%10, ':', '0' + m/10, '0' + m%10, ':', '0' + sec/10, '0' + sec%10})
	}
	return s.String()
}
