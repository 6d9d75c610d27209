package validate

import (
	"fmt"
	"slices"

	"churn/pipeline"
)

// volumes counts accepted events by day and event type.
type volumes map[pipeline.Date]*[256]int32

func (v volumes) add(day pipeline.Date, kind uint8) {
	c := v[day]
	if c == nil {
		c = new([256]int32)
		v[day] = c
	}
	c[kind]++
}

func (v volumes) merge(w volumes) {
	for day, counts := range w {
		c := v[day]
		if c == nil {
			v[day] = counts
			continue
		}
		for i, n := range counts {
			c[i] += n
		}
	}
}

// days returns the total of every calendar day from the first to the last.
func (v volumes) days() (first pipeline.Date, totals []int64) {
	if len(v) == 0 {
		return pipeline.NoDate, nil
	}
	first, last := pipeline.Date(1<<30), pipeline.NoDate
	for d := range v {
		first, last = min(first, d), max(last, d)
	}
	totals = make([]int64, last-first+1)
	for d, c := range v {
		for _, n := range c {
			totals[d-first] += int64(n)
		}
	}
	return first, totals
}

// usualWeeks is how many earlier days of the same weekday say what is usual.
const usualWeeks = 8

// checkDailyVolume compares every day with the median of the same weekday in
// the eight weeks before. Fewer than four such weeks, or a median below 20
// events, say too little: a Poisson count of 20 rarely leaves [5, 80].
func checkDailyVolume(v volumes, c *Check, examples int) error {
	first, totals := v.days()
	for i := range totals {
		var before []int64
		for k := i - 7; k >= 0 && len(before) < usualWeeks; k -= 7 {
			before = append(before, totals[k])
		}
		if len(before) < 4 {
			continue
		}
		slices.Sort(before)
		usual := before[len(before)/2]
		if usual < 20 {
			continue
		}
		c.Checked++
		if n := totals[i]; 4*n < usual || n > 4*usual {
			c.fail(Failure{Field: "events", Value: fmt.Sprint(n), What: fmt.Sprintf("on %s; usual for its weekday: %d", first+pipeline.Date(i), usual)}, examples)
		}
	}
	return nil
}

// checkTypeVolume compares each event type's share of all events in the last
// seven days with its share before.
func checkTypeVolume(v volumes, names pipeline.Vocabulary, c *Check, examples int) error {
	first, totals := v.days()
	last := first + pipeline.Date(len(totals)) - 1
	if len(totals) < 28 {
		return nil // three weeks of history are the least to compare a week with
	}
	var recent, before [256]int64
	var allRecent, allBefore int64
	for day, counts := range v {
		for i, n := range counts {
			if day > last-7 {
				recent[i], allRecent = recent[i]+int64(n), allRecent+int64(n)
			} else {
				before[i], allBefore = before[i]+int64(n), allBefore+int64(n)
			}
		}
	}
	for i := range names.Len() {
		expected := float64(before[i]) / float64(max(allBefore, 1)) * float64(allRecent)
		if expected < 20 && recent[i] < 20 {
			continue
		}
		c.Checked++
		if n := float64(recent[i]); n > 10*max(expected, 1) || 10*n < expected {
			c.fail(Failure{Field: "event_type", Value: names.Name(i), What: fmt.Sprintf("%d in the last 7 days, %.0f expected from its share before", recent[i], expected)}, examples)
		}
	}
	return nil
}

// checkFreshness looks for event types that stopped before the data did.
func checkFreshness(v volumes, names pipeline.Vocabulary, c *Check, examples int) error {
	first, totals := v.days()
	end := first + pipeline.Date(len(totals))
	for i := range names.Len() {
		longest, previous, seen := pipeline.Date(0), pipeline.NoDate, 0
		for d := first; d < end; d++ {
			if counts := v[d]; counts == nil || counts[i] == 0 {
				continue
			}
			if seen++; previous != pipeline.NoDate {
				longest = max(longest, d-previous)
			}
			previous = d
		}
		if seen < 10 {
			continue // too rare to say what silence is usual
		}
		c.Checked++
		if silent := end - 1 - previous; silent > 2*longest {
			c.fail(Failure{Field: "event_type", Value: names.Name(i), What: fmt.Sprintf("last seen on %s, %d days before the data ends; longest silence before: %d days", previous, silent, longest-1)}, examples)
		}
	}
	return nil
}

// fail counts a failure and keeps it as an example while there is room.
func (c *Check) fail(f Failure, examples int) {
	c.Failures++
	if len(c.Examples) < examples {
		c.Examples = append(c.Examples, f)
	}
}
