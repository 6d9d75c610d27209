package monitor

import (
	"slices"
	"testing"
	"time"
)

// The law: a list holds every user once, with his last answer, ranked by margin, and
// lists do not depend on the order of the answers nor on later ones.
func TestAnswersMakeLists(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 4, 1, 0, minute, 0, 0, time.UTC) }
	all := []Answer{
		{at(1), "a", 70, "v1", -1, 0.2}, {at(5), "b", 70, "v1", 2, 0.9}, {at(2), "c", 71, "v1", -1, 0.2},
		{at(3), "a", 72, "v1", 0.5, 0.6}, // a later date
		{at(4), "b", 70, "v1", 3, 0.95},  // an earlier answer about the same date
		{at(6), "a", 72, "v2", 1, 0.7},   // another version
		{at(7), "d", 77, "v1", 1, 0.7},   // another period: 70 to 76 have ended
	}
	for range 2 {
		answers := Answers{Every: 7, Source: "log"}
		for _, x := range all {
			answers.Add(x)
		}
		lists := answers.Lists()
		if len(lists) != 3 || lists[0].Version != "v1" || lists[1].Version != "v2" || lists[2].Users[0] != "d" {
			t.Fatalf("%+v", lists)
		}
		l := lists[0]
		if !slices.Equal(l.Users, []string{"b", "a", "c"}) || !slices.Equal(l.Risks, []float64{0.9, 0.6, 0.2}) || !slices.Equal(l.Ranks, []int32{1, 2, 3}) || l.AsOf != 72 || l.day(0) != 70 || l.day(2) != 71 {
			t.Errorf("%+v", l)
		}
		slices.Reverse(all)
	}
	ties := Answers{Every: 7}
	for _, user := range []string{"x", "y", "z"} {
		ties.Add(Answer{User: user, AsOf: 3, Margin: 1})
	}
	if l := ties.Lists(); !slices.Equal(l[0].Ranks, []int32{1, 1, 1}) {
		t.Errorf("equal margins are ranked %v", l[0].Ranks)
	}
	if l := (&Answers{Every: 7}).Lists(); len(l) != 0 {
		t.Errorf("%v", l)
	}
}
