package prepare

import (
	"cmp"
	"fmt"
	"slices"

	"churn/internal/table"
	"churn/pipeline"
)

// StaticSchema returns the columns that describe a user at an as-of date; all
// tables with a row a user and date begin with them.
func StaticSchema() table.Schema {
	return table.Schema{{Name: "user_id", Kind: table.Text}, {Name: "as_of_date", Kind: table.Date}, {Name: "signup_date", Kind: table.Date}, {Name: "days_since_signup", Kind: table.Int},
		{Name: "plan", Kind: table.Text}, {Name: "is_paid", Kind: table.Int}, {Name: "country", Kind: table.Text}, {Name: "marketing_source", Kind: table.Text}}
}

// AppendStatic appends the cells of StaticSchema.
func AppendStatic(b *table.Batch, u *pipeline.User, asOf pipeline.Date) {
	b.Text(u.ID)
	b.Date(asOf)
	b.Date(u.Signup)
	b.Int(int64(asOf - u.Signup))
	b.Text(u.Plan)
	b.Int(paid(u))
	b.Text(u.Country)
	b.Text(u.Source)
}

func paid(u *pipeline.User) int64 {
	if u.Paid {
		return 1
	}
	return 0
}

// DaySchema returns the columns of one day's aggregates.
func DaySchema() table.Schema {
	return table.Schema{{Name: "is_active_day", Kind: table.Int}, {Name: "total_events", Kind: table.Int}, {Name: "logins_count", Kind: table.Int}, {Name: "enroll_count", Kind: table.Int},
		{Name: "watch_minutes_sum", Kind: table.Float}, {Name: "quiz_attempts_count", Kind: table.Int}, {Name: "quiz_avg_score", Kind: table.Float},
		{Name: "payment_success_count", Kind: table.Int}, {Name: "payment_failed_count", Kind: table.Int}, {Name: "support_ticket_count", Kind: table.Int}}
}

// AppendDay appends the cells of DaySchema; a nil day is one without events.
func AppendDay(b *table.Batch, f *pipeline.DayFacts) {
	if f == nil {
		f = &pipeline.DayFacts{}
	}
	active := int64(0)
	if f.IsActive() {
		active = 1
	}
	b.Int(active)
	b.Int(int64(f.Events))
	b.Int(int64(f.Logins))
	b.Int(int64(f.Enrolls))
	b.Float(f.Minutes)
	b.Int(int64(f.Quizzes))
	b.Float(f.MeanScore())
	b.Int(int64(f.PaymentsOK))
	b.Int(int64(f.PaymentsFailed))
	b.Int(int64(f.Tickets))
}

func dailySchema() table.Schema { return append(StaticSchema(), DaySchema()...) }

func usersSchema() table.Schema {
	return table.Schema{{Name: "user_id", Kind: table.Text}, {Name: "signup_date", Kind: table.Date}, {Name: "plan", Kind: table.Text},
		{Name: "is_paid", Kind: table.Int}, {Name: "country", Kind: table.Text}, {Name: "marketing_source", Kind: table.Text}}
}

func appendUser(b *table.Batch, u *pipeline.User) {
	b.Text(u.ID)
	b.Date(u.Signup)
	b.Text(u.Plan)
	b.Int(paid(u))
	b.Text(u.Country)
	b.Text(u.Source)
	b.EndRow()
}

// appendDaily appends the user's rows of user_daily and returns the number of
// active days.
func appendDaily(b *table.Batch, t *pipeline.Timeline, span pipeline.Span, dense bool) (active int64) {
	row := func(day pipeline.Date, f *pipeline.DayFacts) {
		AppendStatic(b, &t.User, day)
		AppendDay(b, f)
		b.EndRow()
	}
	next := max(span.First, t.User.Signup)
	days := t.Merged()
	for i := range days {
		f := &days[i]
		for ; dense && next < f.Day; next++ {
			row(next, nil)
		}
		row(f.Day, f)
		next = max(next, f.Day+1)
		if f.IsActive() {
			active++
		}
	}
	for ; dense && next <= span.Last; next++ {
		row(next, nil)
	}
	return active
}

func eventsSchema() table.Schema {
	return table.Schema{{Name: "event_id", Kind: table.Text}, {Name: "user_id", Kind: table.Text}, {Name: "event_time", Kind: table.Text}, {Name: "event_type", Kind: table.Text},
		{Name: "course_id", Kind: table.Text}, {Name: "watch_minutes", Kind: table.Float}, {Name: "quiz_score", Kind: table.Float}, {Name: "amount", Kind: table.Float}, {Name: "known_at", Kind: table.Text}}
}

// appendEvents appends the user's accepted events in order of time, which is
// written in the source's zone.
func appendEvents(b *table.Batch, u pipeline.User, events []pipeline.Event, texts []text, v pipeline.Vocabulary, courseName func(uint32) string) {
	order := make([]int, len(events))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		return cmp.Or(cmp.Compare(events[i].Day, events[j].Day), cmp.Compare(texts[i].second, texts[j].second), cmp.Compare(texts[i].position, texts[j].position))
	})
	for _, i := range order {
		e, t := &events[i], texts[i].second
		b.Text(string(texts[i].id))
		b.Text(u.ID)
		b.Text(fmt.Sprintf("%sT%02d:%02d:%02d", e.Day, t/3600, t/60%60, t%60))
		b.Text(v.Name(int(e.Type)))
		b.Text(courseName(e.Course))
		b.Float(e.Minutes)
		b.Float(e.Score)
		b.Float(e.Amount)
		b.Text(lateDay(e))
		b.EndRow()
	}
}

// lateDay returns the day on which an event became known, "" if on its own.
func lateDay(e *pipeline.Event) string {
	if e.Known == e.Day {
		return ""
	}
	return e.Known.String()
}
