package features

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"

	"churn/internal/table"
	"churn/pipeline"
	"churn/pipeline/prepare"
)

// ProbeReport is what the search for leaks found.
type ProbeReport struct {
	Date      pipeline.Date `json:"date"`
	Rows      int64         `json:"rows"`    // feature rows up to the date that were compared
	Changed   int64         `json:"changed"` // facts after the date that were changed
	Deleted   int64         `json:"deleted"`
	Added     int64         `json:"added"`
	Differing int64         `json:"differing_rows"`
	First     string        `json:"first_difference,omitempty"`
}

// Rower writes the rows of one user at the as-of dates of grid.
type Rower func(t *pipeline.Timeline, span *pipeline.Span, grid []pipeline.Date) []byte

// NewRower returns the rower of the features stage.
func NewRower(p Params) Rower {
	index := NewIndex(Catalog(p))
	schema := Schema(index)
	rest := index.nonStatic()
	return func(t *pipeline.Timeline, span *pipeline.Span, grid []pipeline.Date) []byte {
		e, v, b := NewExtractor(p, index), index.NewVector(), table.NewBatch(schema)
		for _, d := range grid {
			if h, _ := t.Cut(d, span); h.Exists() {
				e.Extract(&h, v)
				appendRow(b, &h, v, rest)
			}
		}
		return b.Bytes()
	}
}

// Probe looks for leaks: it changes, deletes and adds facts that happened or
// became known after date, and compares the rows up to date byte by byte.
func Probe(ctx context.Context, t *prepare.Timelines, date pipeline.Date, every int, rows Rower) (ProbeReport, error) {
	report := ProbeReport{Date: date}
	span := t.Header.Span
	grid := span.Grid(date, every)
	changedSpan := changeSpan(span, date)
	work := func(users []pipeline.Timeline) (part ProbeReport, err error) {
		for i := range users {
			u := &users[i]
			rng := rand.New(rand.NewPCG(uint64(date), uint64(len(u.Days))<<32|uint64(len(u.User.ID))))
			changed := change(u, date, rng, &part)
			before, after := rows(u, &span, grid), rows(&changed, &changedSpan, grid)
			compare(before, after, &part)
		}
		return part, nil
	}
	take := func(p ProbeReport) error {
		report.Rows += p.Rows
		report.Changed += p.Changed
		report.Deleted += p.Deleted
		report.Added += p.Added
		report.Differing += p.Differing
		if report.First == "" {
			report.First = p.First
		}
		return nil
	}
	_, err := prepare.Each(ctx, t, work, take, nil)
	return report, err
}

// changeSpan moves what is known of the span after date only.
func changeSpan(s pipeline.Span, date pipeline.Date) pipeline.Span {
	out := pipeline.Span{First: s.First, Last: s.Last + 17}
	for _, e := range s.Starts {
		if e.Known <= date {
			out.Starts = append(out.Starts, e)
		}
	}
	out.Starts = append(out.Starts, pipeline.Start{Known: date + 1, First: s.First - 400})
	return out
}

// change returns the timeline with its facts after date altered: each one is
// deleted, altered or kept, and a fact of the past that becomes known only
// after date, and one of the future, are added.
func change(t *pipeline.Timeline, date pipeline.Date, rng *rand.Rand, p *ProbeReport) pipeline.Timeline {
	out := pipeline.Timeline{User: t.User}
	for _, f := range t.Days {
		if f.Day <= date && f.Known <= date {
			out.Days = append(out.Days, f)
			continue
		}
		switch rng.IntN(3) {
		case 0:
			p.Deleted++
		case 1:
			p.Changed++
			f.Events, f.Active, f.Logins, f.Videos, f.Quizzes = 3*f.Events+1, 0, f.Logins+5, f.Videos+2, 0
			f.Minutes, f.Amount, f.Courses = f.Minutes*7+13, f.Amount+99, append([]uint32{1 << 30}, f.Courses...)
			out.Days = append(out.Days, f)
		default:
			out.Days = append(out.Days, f)
		}
	}
	p.Added += 2
	added := pipeline.DayFacts{Events: 9, Active: 9, Logins: 4, Videos: 3, Quizzes: 2, PaymentsOK: 1, PaymentsFailed: 1, Tickets: 1, Minutes: 500, ScoreSum: 50, Scores: 1, Amount: 10}
	late, future := added, added
	late.Day, late.Known = date-pipeline.Date(rng.IntN(40)), date+1+pipeline.Date(rng.IntN(9))
	future.Day = date + 1 + pipeline.Date(rng.IntN(40))
	future.Known = future.Day
	out.Insert(late)
	out.Insert(future)
	return out
}

// compare counts the rows of two texts that differ.
func compare(before, after []byte, p *ProbeReport) {
	a, b := bytes.Split(before, []byte{'\n'}), bytes.Split(after, []byte{'\n'})
	for i := range max(len(a), len(b)) {
		if i == len(a)-1 && i == len(b)-1 {
			return // what follows the last line end
		}
		p.Rows++
		switch {
		case i >= len(a) || i >= len(b):
			p.difference("a row appears or vanishes")
		case !bytes.Equal(a[i], b[i]):
			p.difference(fmt.Sprintf("%s\n      became %s", a[i], b[i]))
		}
	}
}

func (p *ProbeReport) difference(what string) {
	p.Differing++
	if p.First == "" {
		p.First = what
	}
}
