package pipeline

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func vocabulary() Vocabulary {
	return NewVocabulary(append(EventTypes(), "chat"), []string{Login, VideoWatch, "chat"})
}

// randomEvents returns events of about forty days; a third of them is late.
// Quantities are whole numbers, so that sums are exact in any order.
func randomEvents(rng *rand.Rand) []Event {
	v, nan := vocabulary(), math.NaN()
	events := make([]Event, rng.IntN(120))
	for i := range events {
		e := Event{Day: Date(20000 + rng.IntN(40)), Type: uint8(rng.IntN(v.Len())), Course: uint32(rng.IntN(4)), Minutes: nan, Score: nan, Amount: nan}
		for _, x := range []*float64{&e.Minutes, &e.Score, &e.Amount} {
			if rng.IntN(2) == 0 {
				*x = float64(rng.IntN(100))
			}
		}
		e.Known = e.Day
		if rng.IntN(3) == 0 {
			e.Known += Date(rng.IntN(20))
		}
		events[i] = e
	}
	return events
}

// each runs a law on many random sets of events and as-of dates in, before and
// after them.
func each(t *testing.T, law func(events []Event, asOf Date) (fault string)) {
	t.Helper()
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		events, asOf := randomEvents(rng), Date(19995+rng.IntN(70))
		if fault := law(events, asOf); fault != "" {
			t.Fatalf("seed %d, as of %s: %s", seed, asOf, fault)
		}
	}
}

// split is the slow twin of Cut: one event at a time, straight from the
// definition.
func split(events []Event, asOf Date) (history, future, late []Event) {
	for _, e := range events {
		switch {
		case e.Day > asOf:
			future = append(future, e)
		case e.Known <= asOf:
			history = append(history, e)
		default:
			late = append(late, e)
		}
	}
	return history, future, late
}

// byDay aggregates events by calendar day in the simplest way.
func byDay(events []Event) []DayFacts {
	v := vocabulary()
	days := map[Date]*DayFacts{}
	for i := range events {
		e := &events[i]
		if days[e.Day] == nil {
			days[e.Day] = &DayFacts{Day: e.Day}
		}
		f := days[e.Day]
		f.add(e, &v)
		f.Minutes, f.ScoreSum = f.Minutes+orZero(e.Minutes), f.ScoreSum+orZero(e.Score)
		if v.Name(int(e.Type)) == PaymentSuccess {
			f.Amount += orZero(e.Amount)
		}
		if e.Course != 0 && !slices.Contains(days[e.Day].Courses, e.Course) {
			days[e.Day].Courses = append(days[e.Day].Courses, e.Course)
		}
		days[e.Day].Known = max(days[e.Day].Known, e.Known)
	}
	var out []DayFacts
	for _, f := range days {
		out = append(out, *f)
	}
	slices.SortFunc(out, func(a, b DayFacts) int { return int(a.Day - b.Day) })
	return out
}

func orZero(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return v
}

// differ compares days; courses are a set.
func differ(want, got []DayFacts) string {
	return cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.SortSlices(func(a, b uint32) bool { return a < b }))
}

// cutter is Cut, or a mutant of it: the days of the history and of the future.
type cutter func(t *Timeline, asOf Date) (history, future []DayFacts)

func realCut(t *Timeline, asOf Date) (history, future []DayFacts) {
	h, f := t.Cut(asOf, &Span{})
	return h.days, f.days
}

// cutFault says how a cut differs from the definition. History, future and the
// late past are disjoint and together everything; nothing in the history
// happened or became known after asOf.
func cutFault(events []Event, asOf Date, cut cutter) string {
	whole := NewTimeline(User{}, slices.Clone(events), vocabulary())
	history, future := cut(&whole, asOf)
	past, coming, late := split(events, asOf)
	for _, f := range history {
		if f.Day > asOf || f.Known > asOf {
			return fmt.Sprintf("the history holds a fact of %s that became known on %s", f.Day, f.Known)
		}
	}
	if d := differ(byDay(past), history); d != "" {
		return "history (-definition +cut)\n" + d
	}
	if d := differ(byDay(coming), merged(future)); d != "" {
		return "future (-definition +cut)\n" + d
	}
	var all int32
	for _, f := range append(slices.Clone(history), future...) {
		all += f.Events
	}
	if int(all)+len(late) != len(events) {
		return fmt.Sprintf("history and future have %d events, the late past %d, all together %d", all, len(late), len(events))
	}
	return ""
}

func TestCutLaw(t *testing.T) {
	each(t, func(events []Event, asOf Date) string { return cutFault(events, asOf, realCut) })
}

// The law of TestCutLaw catches these cuts.
func TestCutMutants(t *testing.T) {
	mutants := map[string]cutter{
		"late facts count at once": func(t *Timeline, asOf Date) (history, future []DayFacts) {
			_, future = realCut(t, asOf)
			i := slices.IndexFunc(t.Merged(), func(f DayFacts) bool { return f.Day > asOf })
			if i < 0 {
				return t.Merged(), future
			}
			return t.Merged()[:i], future
		},
		"a day late": func(t *Timeline, asOf Date) (history, future []DayFacts) { return realCut(t, asOf+1) },
		"the future lacks its first day": func(t *Timeline, asOf Date) (history, future []DayFacts) {
			history, _ = realCut(t, asOf)
			_, future = realCut(t, asOf+1)
			return history, future
		},
	}
	for name, cut := range mutants {
		caught := false
		for seed := range uint64(20) {
			caught = caught || cutFault(randomEvents(rand.New(rand.NewPCG(seed, 2))), 20020, cut) != ""
		}
		if !caught {
			t.Errorf("mutant %q passes", name)
		}
	}
}

// The law: a cut leaves the timeline as it was; a later cut sees all of it.
func TestCutChangesNothing(t *testing.T) {
	each(t, func(events []Event, asOf Date) string {
		whole := NewTimeline(User{}, events, vocabulary())
		before := slices.Clone(whole.Days)
		for i := range before {
			before[i].Courses = slices.Clone(before[i].Courses)
		}
		realCut(&whole, asOf)
		return cmp.Diff(before, whole.Days)
	})
}

// The law: the timeline does not depend on the order of the events.
func TestNewTimelineOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	each(t, func(events []Event, _ Date) string {
		want := NewTimeline(User{}, slices.Clone(events), vocabulary())
		rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		got := NewTimeline(User{}, events, vocabulary())
		return differ(want.Days, got.Days)
	})
}

// The law: days inserted in any order make the timeline that they came from.
func TestInsert(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	each(t, func(events []Event, _ Date) string {
		want := NewTimeline(User{}, events, vocabulary())
		var got Timeline
		for _, i := range rng.Perm(len(want.Days)) {
			got.Insert(want.Days[i])
		}
		return differ(want.Days, got.Days)
	})
}

// The edges of the label window (asOf, asOf+W]: one active day each.
func TestLabelWindowEdges(t *testing.T) {
	const asOf, w = Date(20000), 30
	for _, x := range []struct {
		day    Date
		active int
	}{{asOf, 0}, {asOf + 1, 1}, {asOf + w, 1}, {asOf + w + 1, 0}} {
		timeline := Timeline{Days: []DayFacts{{Day: x.day, Known: x.day, Events: 1, Active: 1}}}
		_, f := timeline.Cut(asOf, &Span{})
		if got := f.ActiveDays(w); got != x.active {
			t.Errorf("active on as-of date %+d: %d active days in a window of %d, want %d", x.day-asOf, got, w, x.active)
		}
	}
	// A fact of the window counts by its event day, however late it became
	// known, and a day counts once.
	timeline := Timeline{Days: []DayFacts{{Day: asOf + 1, Known: asOf + 1, Active: 1}, {Day: asOf + 1, Known: asOf + 500, Active: 2}, {Day: asOf + 2, Known: asOf + 2, Events: 1}}}
	if _, f := timeline.Cut(asOf, &Span{}); f.ActiveDays(w) != 1 {
		t.Errorf("%d active days, want 1", f.ActiveDays(w))
	}
}

// The edges of the cohort: the last d days end on the as-of date.
func TestActiveWithinEdges(t *testing.T) {
	const asOf = Date(20000)
	for _, x := range []struct {
		day  Date
		want bool
	}{{asOf, true}, {asOf - 29, true}, {asOf - 30, false}, {asOf + 1, false}} {
		timeline := Timeline{Days: []DayFacts{{Day: x.day, Known: x.day, Active: 1}}}
		if h, _ := timeline.Cut(asOf, &Span{}); h.ActiveWithin(30) != x.want {
			t.Errorf("active on as-of date %+d: within 30 days %v, want %v", x.day-asOf, !x.want, x.want)
		}
	}
}

// The law: the start of the data as known on a date is the first day of the
// facts known by then, and what becomes known later does not move it.
func TestSpanLaw(t *testing.T) {
	each(t, func(events []Event, asOf Date) string {
		firstByKnown, want, last := map[Date]Date{}, NoDate, NoDate
		for _, e := range events {
			if first, ok := firstByKnown[e.Known]; !ok || e.Day < first {
				firstByKnown[e.Known] = e.Day
			}
			if e.Known <= asOf && (want == NoDate || e.Day < want) {
				want = e.Day
			}
			last = max(last, e.Day)
		}
		span := NewSpan(last, firstByKnown)
		if got := span.StartKnownAt(asOf); got != want {
			return fmt.Sprintf("start known %q, want %q", got, want)
		}
		return ""
	})
}

// The law: the grid ends on its last date, goes back in even steps, and stops
// before the data begins.
func TestGrid(t *testing.T) {
	span := Span{First: 100, Last: 200}
	for every := 1; every <= 120; every++ {
		grid := span.Grid(190, every)
		if grid[len(grid)-1] != 190 || grid[0] < 100 || grid[0]-Date(every) >= 100 {
			t.Fatalf("every %d days: %d … %d", every, grid[0], grid[len(grid)-1])
		}
		for i := range grid[1:] {
			if grid[i+1]-grid[i] != Date(every) {
				t.Fatalf("every %d days: %v", every, grid)
			}
		}
	}
	if empty := (&Span{First: NoDate, Last: NoDate}).Grid(190, 7); len(empty) != 0 {
		t.Errorf("no data, but %d as-of dates", len(empty))
	}
}
