package monitor

import (
	"strings"
	"testing"

	"churn/pipeline"
	"churn/pipeline/features"
)

// A season at the beginning of the data is no reference; one in which habits were
// not yet known is a reference with a note.
func TestYoungSeason(t *testing.T) {
	const first = pipeline.Date(20_000)
	p := features.Params{WindowsDays: []int{7, 30}, UsualDays: 90}
	for day, want := range map[pipeline.Date]string{1: "day 1 of the data", 29: "of up to 30 days, were not full yet", 30: "note", 89: "note", 90: ""} {
		var r Reference
		switch err := r.Young(first+day-1, first, p); {
		case day < 30 && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("day %d: %v, want %q", day, err, want)
		case day >= 30 && (err != nil || (len(r.Notes) > 0) != (want == "note")):
			t.Errorf("day %d: %v, %q", day, err, r.Notes)
		}
	}
	w := &Watch{params: Defaults(), length: 1}
	if from := w.SeasonFrom(first); from != first-364-7 {
		t.Errorf("a season begins on day %d", from-first)
	}
	w.length = 10
	if from := w.SeasonFrom(first); from != first-364-14-9 {
		t.Errorf("a season of windows begins on day %d", from-first)
	}
}
