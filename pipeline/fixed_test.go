package pipeline

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The law: a decimal that is no finer than the unit is counted exactly, up to
// the bound of its column.
func TestFixedIsExactForDecimals(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 1))
	for _, kind := range []struct {
		units, limit float64
		digits       int
	}{{TimeUnits, MaxMinutes, 9}, {MoneyUnits, MaxAmount, 6}} {
		for i := range 20_000 {
			want := rng.Int64N(int64(kind.limit * kind.units))
			if i == 0 {
				want = int64(kind.limit * kind.units)
			}
			whole, part := want/int64(kind.units), want%int64(kind.units)
			text := strconv.FormatInt(whole, 10) + "." + pad(part, kind.digits)
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatal(err)
			}
			if got := Fixed(v, kind.units); got != want {
				t.Fatalf("%s is %d units, want %d", text, got, want)
			}
		}
	}
}

func pad(n int64, digits int) string {
	text := strconv.FormatInt(n, 10)
	for len(text) < digits {
		text = "0" + text
	}
	return text
}

// The law: the quantities of a day are the true decimal sums, rounded once to
// the nearest float64, in whatever order the events come.
func TestSumsAreExactInAnyOrder(t *testing.T) {
	v := NewVocabulary(EventTypes(), nil)
	success := v.Index([]byte(PaymentSuccess))
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 3))
		sum := new(big.Rat)
		var events []Event
		for range 1 + rng.IntN(200) {
			cents := rng.Int64N(100_000)
			sum.Add(sum, big.NewRat(cents, 100))
			x := float64(cents) / 100
			events = append(events, Event{Day: 5, Known: 5, Type: uint8(success), Minutes: x, Score: math.NaN(), Amount: x})
		}
		want, _ := sum.Float64()
		forth := NewTimeline(User{}, slices.Clone(events), v)
		slices.Reverse(events)
		back := NewTimeline(User{}, events, v)
		if f := forth.Days[0]; f.Minutes != want || f.Amount != want {
			t.Fatalf("seed %d: minutes %v and amount %v, want %v", seed, f.Minutes, f.Amount, want)
		}
		if diff := cmp.Diff(forth, back); diff != "" {
			t.Fatalf("seed %d: the order counts: %s", seed, diff)
		}
	}
}

// The law: facts made from totals are those made from the events.
func TestFactsEqualEvents(t *testing.T) {
	v := vocabulary().Completing([]string{VideoWatch})
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 9))
		events := randomEvents(rng)
		timeline := NewTimeline(User{}, slices.Clone(events), v)
		rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		for i := range timeline.Days {
			want := &timeline.Days[i]
			d := DayTotals{Day: want.Day, Known: want.Known, Counts: make([]int32, v.Len())}
			for _, e := range events {
				if e.Day != d.Day || e.Known != d.Known {
					continue
				}
				d.Counts[e.Type]++
				d.Minutes += int64(orZero(e.Minutes)) * TimeUnits
				if !math.IsNaN(e.Score) {
					d.Score, d.Scores = d.Score+int64(e.Score)*TimeUnits, d.Scores+1
				}
				if v.Name(int(e.Type)) == PaymentSuccess {
					d.Amount += int64(orZero(e.Amount)) * MoneyUnits
				}
				if touch := (Touch{e.Type, e.Course}); !slices.Contains(d.Touched, touch) {
					d.Touched = append(d.Touched, touch)
				}
			}
			if diff := cmp.Diff(*want, v.Facts(&d)); diff != "" {
				t.Fatalf("seed %d: %s", seed, diff)
			}
		}
	}
}
