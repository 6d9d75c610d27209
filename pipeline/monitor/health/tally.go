package health

import (
	"context"
	"sync"

	"churn/pipeline"
	"churn/pipeline/prepare"
)

// week is the window that is judged: the weekday pattern cancels out of it.
const week = 7

// all counts every event, whatever its type.
const all = "all"

// kinds names the series that are counted: the types of the data contract, the
// types beyond them together, and all.
func kinds() []string { return append(pipeline.EventTypes(), "other", all) }

// numKinds is their number.
const numKinds = 9

// perKind returns the counts of a day by kind.
func perKind(f *pipeline.DayFacts) [numKinds]int32 {
	return [numKinds]int32{f.Logins, f.Enrolls, f.Videos, f.Quizzes, f.PaymentsOK, f.PaymentsFailed, f.Tickets, f.Others, f.Events}
}

// oneDay counts the events of a day by kind, and by how many days later they
// became known, at most week.
type oneDay [numKinds][week + 1]int64

// arrival counts what became known on one day.
type arrival struct{ all, late int64 }

// tally counts the facts that were known on the as-of date.
type tally struct {
	first, asOf pipeline.Date
	days        []oneDay  // from first on, to the last day of the data or the as-of date
	arrivals    []arrival // by known day, from first to the as-of date
	lags        map[int32]int64
}

func newTally(span pipeline.Span, asOf pipeline.Date) *tally {
	return &tally{first: span.First, asOf: asOf, days: make([]oneDay, min(asOf, span.Last)-span.First+1), arrivals: make([]arrival, asOf-span.First+1), lags: map[int32]int64{}}
}

// collect counts all timelines in one pass.
func collect(ctx context.Context, t *prepare.Timelines, asOf pipeline.Date, progress func(done, total int64)) (*tally, error) {
	span := t.Header.Span
	pool := sync.Pool{New: func() any { return newTally(span, asOf) }}
	total := newTally(span, asOf)
	work := func(block []pipeline.Timeline) (*tally, error) {
		part := pool.Get().(*tally) //nolint:errcheck // the pool holds nothing else
		for i := range block {
			for j := range block[i].Days {
				part.add(&block[i].Days[j])
			}
		}
		return part, nil
	}
	take := func(part *tally) error {
		total.drain(part)
		pool.Put(part)
		return nil
	}
	_, err := prepare.Each(ctx, t, work, take, progress)
	return total, err
}

// add counts the facts of one user's day.
func (t *tally) add(f *pipeline.DayFacts) {
	if f.Known > t.asOf || f.Day > t.asOf {
		return
	}
	lag := f.Known - f.Day
	counts := perKind(f)
	day := &t.days[f.Day-t.first]
	for k, n := range counts {
		day[k][min(lag, week)] += int64(n)
	}
	n := int64(f.Events)
	a := &t.arrivals[f.Known-t.first]
	a.all += n
	if lag > 0 {
		a.late += n
	}
	if f.Known > t.asOf-week {
		t.lags[int32(lag)] += n
	}
}

// drain moves the counts of part to t.
func (t *tally) drain(part *tally) {
	for d := range part.days {
		for k := range part.days[d] {
			for l, n := range part.days[d][k] {
				t.days[d][k][l] += n
			}
		}
	}
	for i, a := range part.arrivals {
		t.arrivals[i].all, t.arrivals[i].late = t.arrivals[i].all+a.all, t.arrivals[i].late+a.late
	}
	for lag, n := range part.lags {
		t.lags[lag] += n
	}
	clear(part.days)
	clear(part.arrivals)
	clear(part.lags)
}

// within returns the events of a day that became known at most lag days later:
// a day of last week is compared with what was known of earlier days as soon.
func (t *tally) within(day, kind, lag int) (n int64) {
	for _, c := range t.days[day][kind][:min(lag, week)+1] {
		n += c
	}
	return n
}
