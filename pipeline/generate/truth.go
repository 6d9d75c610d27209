package generate

import (
	"math"

	"churn/pipeline"
)

// horizon is how far the true probability looks ahead, in days.
const horizon = 30

// silence returns the probability that a user shows no activity in the
// horizon after the day of today's climate, given everything about him: the
// best that any predictor could know. It walks the phases forward day by day
// and holds the mood at its expected course; a new decision to leave fades over
// the typical time. ahead are the climates of the next days.
func (p *person) silence(w *world, ahead []climate) float64 {
	switch p.phase {
	case gone:
		if p.cancelled() {
			return 1
		}
		return math.Pow(1-returnDaily, horizon)
	case fading:
		return p.silenceFading(ahead)
	}
	stays, leaves, left := 1.0, [fadeTypical]float64{}, 0.0
	q := *p
	for i := range ahead {
		c := &ahead[i]
		q.mood = 1 + 0.965*(q.mood-1)
		active := q.activityOn(c)
		decide := q.decide(w, c)
		left *= 1 - returnDaily
		left += leaves[fadeTypical-1]
		for age := fadeTypical - 1; age > 0; age-- {
			leaves[age] = leaves[age-1] * (1 - active*(1-float64(age)/fadeTypical))
		}
		leaves[0] = stays * decide * (1 - abruptShare) * (1 - active)
		left += stays * decide * abruptShare
		stays *= (1 - decide) * (1 - active)
	}
	for _, share := range leaves {
		left += share
	}
	return stays + left
}

func (p *person) silenceFading(ahead []climate) float64 {
	q, quiet := *p, 1.0
	for i := range ahead {
		if q.fadeDay++; q.fadeDay >= q.fadeDays {
			return quiet * math.Pow(1-returnDaily, float64(len(ahead)-i))
		}
		q.mood = 1 + 0.965*(q.mood-1)
		quiet *= 1 - q.activityOn(&ahead[i])
	}
	return quiet
}

// hazard returns the daily probability of the decision to leave; 1 once it is
// taken.
func (p *person) hazard(w *world, c *climate) float64 {
	if p.phase == engaged {
		return p.decide(w, c)
	}
	return 1
}

// record is the truth of one user on one date.
type record struct {
	hazard, silence float32
	phase           phase
}

// truth holds the records of all users on a weekly grid.
type truth struct {
	dates   []pipeline.Date
	records [][]record // by date, by user
}

func newTruth(p Params) *truth {
	t := &truth{}
	last := p.StartDate + pipeline.Date(p.Days) - 1
	span := pipeline.Span{First: p.StartDate, Last: last}
	t.dates = span.Grid(last, 7)
	t.records = make([][]record, len(t.dates))
	return t
}

// at returns the records to fill on a day, nil on days off the grid.
func (t *truth) at(day pipeline.Date, users int) []record {
	for i, d := range t.dates {
		if d == day {
			t.records[i] = make([]record, users)
			return t.records[i]
		}
	}
	return nil
}
