package pipeline

import (
	"math"
	"slices"
)

// Quantities are added up as whole numbers of a small unit, so that a sum does
// not depend on the order of its parts: a database adds in the order that it
// likes (docs/adr/0018). A value is a multiple of its unit after rounding half
// up, which is exact for decimals that are no finer than the unit, and the same
// for binary fractions on every engine, since it is one multiplication, one
// addition and one floor.
const (
	// TimeUnits is how many units a minute, and a point of a quiz score, have.
	TimeUnits = 1_000_000_000
	// MoneyUnits is how many units of money a unit of currency has.
	MoneyUnits = 1_000_000
	// MaxMinutes bounds the watch_minutes of one event, and MaxAmount its amount.
	// Up to them the product with the unit has room for the half in a float64,
	// and nine thousand such events for their sum in an int64.
	MaxMinutes = 1_000_000
	MaxAmount  = 1_000_000_000
)

// Fixed returns v ≥ 0 as a whole number of units.
func Fixed(v, units float64) int64 {
	return int64(math.Floor(float64(v*units) + 0.5)) // the conversion forbids a fused multiply-add
}

// DayTotals is what one user did on one day, as far as it became known on one
// day, as an engine adds it up: whole numbers only.
type DayTotals struct {
	Day, Known Date
	Counts     []int32 // events by type, in the order of the vocabulary
	Minutes    int64   // in TimeUnits
	Score      int64   // sum of quiz scores, in TimeUnits
	Scores     int32
	Amount     int64   // of successful payments, in MoneyUnits
	Touched    []Touch // each once, in any order
}

// Touch says that there was an event of a type that names a course, or none.
type Touch struct {
	Type   uint8
	Course uint32 // 0 = none was named
}

// Facts returns the totals as facts: the same that NewTimeline makes of the
// events one by one.
func (v Vocabulary) Facts(t *DayTotals) DayFacts {
	f := DayFacts{Day: t.Day, Known: t.Known, Scores: t.Scores}
	for i, n := range t.Counts {
		f.Events += n
		*v.counter[i](&f) += n
		if v.activity[i] {
			f.Active += n
		}
	}
	for _, x := range t.Touched {
		if at, found := slices.BinarySearch(f.Courses, x.Course); x.Course != 0 && !found {
			f.Courses = slices.Insert(f.Courses, at, x.Course)
		}
		if v.steps != nil {
			f.step(&v, x.Type, x.Course)
		}
	}
	s := sums{t.Minutes, t.Score, t.Amount}
	s.store(&f)
	return f
}

// sums holds the quantities of one day.
type sums struct{ minutes, score, amount int64 }

func (s *sums) add(e *Event, v *Vocabulary) {
	if !math.IsNaN(e.Minutes) {
		s.minutes += Fixed(e.Minutes, TimeUnits)
	}
	if !math.IsNaN(e.Score) {
		s.score += Fixed(e.Score, TimeUnits)
	}
	if !math.IsNaN(e.Amount) && v.types[e.Type] == PaymentSuccess {
		s.amount += Fixed(e.Amount, MoneyUnits)
	}
}

func (s *sums) store(f *DayFacts) {
	f.Minutes, f.ScoreSum, f.Amount = float64(s.minutes)/TimeUnits, float64(s.score)/TimeUnits, float64(s.amount)/MoneyUnits
}
