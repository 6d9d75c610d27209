package generate

import (
	"math"
	"strconv"

	"churn/internal/table"
	"churn/pipeline"
)

func usersSchema() table.Schema {
	return table.Schema{{Name: "user_id", Kind: table.Int}, {Name: "signup_date", Kind: table.Date}, {Name: "plan", Kind: table.Text},
		{Name: "is_paid", Kind: table.Int}, {Name: "country", Kind: table.Text}, {Name: "marketing_source", Kind: table.Text}}
}

func appendUser(b *table.Batch, p *person) {
	plan, paid := "free", int64(0)
	if p.paid {
		plan, paid = "paid", 1
	}
	b.Int(int64(p.number))
	b.Date(p.signup)
	b.Text(plan)
	b.Int(paid)
	b.Text(p.country)
	b.Text(p.source)
	b.EndRow()
}

func eventsSchema() table.Schema {
	return table.Schema{{Name: "event_id", Kind: table.Int}, {Name: "user_id", Kind: table.Int}, {Name: "event_time", Kind: table.Text}, {Name: "event_type", Kind: table.Text},
		{Name: "course_id", Kind: table.Text}, {Name: "watch_minutes", Kind: table.Float}, {Name: "quiz_score", Kind: table.Float}, {Name: "amount", Kind: table.Float}}
}

// appendEvents appends events of one day, numbered from id.
func appendEvents(b *table.Batch, events []event, day pipeline.Date, id int64) {
	names := pipeline.EventTypes()
	var courses [2*courseCount + 1]string
	for n := range 2 * courseCount {
		courses[n+1] = courseName(uint16(n))
	}
	stamp := append(day.Append(nil), "T00:00:00"...)
	for i, e := range events {
		setClock(stamp, e.second)
		b.Int(id + int64(i))
		b.Int(int64(e.user))
		b.Text(string(stamp))
		b.Text(names[e.kind])
		b.Text(courses[e.course])
		b.Float(only(e.kind == video, e.value, 100))
		b.Float(only(e.kind == quiz, e.value, 10))
		b.Float(only(e.kind == paymentOK || e.kind == paymentFailed, e.value, 100))
		b.EndRow()
	}
}

// only returns value/unit where it applies, else null.
func only(applies bool, value int32, unit float64) float64 {
	if !applies {
		return math.NaN()
	}
	return float64(value) / unit
}

// setClock writes the time of day into a stamp 2006-01-02T15:04:05.
func setClock(stamp []byte, second int32) {
	put := func(at int, v int32) { stamp[at], stamp[at+1] = byte('0'+v/10), byte('0'+v%10) }
	put(11, second/3600)
	put(14, second/60%60)
	put(17, second%60)
}

// truthSchema is the columns of the truth file, which only evaluation may read:
// hazard is the daily probability that the user decides to leave (1 once he
// has), silence_30d the probability of no activity in the next 30 days given
// all that the simulation knows of him, churn_date the day on which he
// stopped for good.
func truthSchema() table.Schema {
	return table.Schema{{Name: "user_id", Kind: table.Int}, {Name: "as_of_date", Kind: table.Date}, {Name: "hazard", Kind: table.Float},
		{Name: "silence_" + strconv.Itoa(horizon) + "d", Kind: table.Float}, {Name: "phase", Kind: table.Text}, {Name: "churn_date", Kind: table.Text}}
}

func (s *simulation) appendTruth(b *table.Batch, p *person) {
	for i, date := range s.truth.dates {
		r := s.truth.records[i][p.number-1]
		if r.phase == absent {
			continue
		}
		b.Int(int64(p.number))
		b.Date(date)
		b.Float(float64(r.hazard))
		b.Float(float64(r.silence))
		b.Text(r.phase.String())
		b.Text(p.churned.String())
		b.EndRow()
	}
}
