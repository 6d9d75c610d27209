package pipeline

import (
	"testing"
	"time"
)

// The law: a Date is what time.Time says, its slow twin, on every day of eight
// centuries: two full cycles of the Gregorian calendar around 1970.
func TestDateEqualsTime(t *testing.T) {
	day := time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC)
	for ; day.Year() <= 2400; day = day.AddDate(0, 0, 1) {
		d := Date(day.Unix() / secondsPerDay) // exact: midnight
		y, m, dd := day.Date()
		if got := DateFromCivil(y, int(m), dd); got != d {
			t.Fatalf("DateFromCivil(%v) = %d, want %d", day, got, d)
		}
		text := day.Format(time.DateOnly)
		if got := d.String(); got != text {
			t.Fatalf("Date(%d) is written %s, want %s", d, got, text)
		}
		if got, err := ParseDate(text); got != d || err != nil {
			t.Fatalf("ParseDate(%s) = %d, %v, want %d", text, got, err, d)
		}
		if !d.Time().Equal(day) || d.Weekday() != day.Weekday() || d.Weekend() != (day.Weekday() == time.Saturday || day.Weekday() == time.Sunday) {
			t.Fatalf("%s: time %v, weekday %v, weekend %v, want %v", text, d.Time(), d.Weekday(), d.Weekend(), day.Weekday())
		}
	}
}

// A day is the one of the clock on the wall, whatever the offset.
func TestDateOfKeepsTheZone(t *testing.T) {
	east, west := time.FixedZone("east", 14*3600), time.FixedZone("west", -12*3600)
	at := time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC)
	for _, x := range []struct {
		t    time.Time
		want string
	}{{at, "2026-03-01"}, {at.In(east), "2026-03-02"}, {at.In(west), "2026-02-28"}} {
		if got := DateOf(x.t).String(); got != x.want {
			t.Errorf("DateOf(%v) = %s, want %s", x.t, got, x.want)
		}
	}
}

// The law: marshalling and unmarshalling are inverse, NoDate and years of other
// than four digits included; a text that is read is the one that is written.
func TestDateText(t *testing.T) {
	for _, d := range []Date{NoDate, 0, -1, DateFromCivil(0, 1, 1), DateFromCivil(9999, 12, 31)} {
		text, err := d.MarshalText()
		var back Date
		if err == nil {
			err = back.UnmarshalText(text)
		}
		if back != d || err != nil {
			t.Errorf("%d is written %q and read as %d, %v", d, text, back, err)
		}
	}
	for _, d := range []Date{DateFromCivil(10000, 1, 1), DateFromCivil(-1, 12, 31)} {
		if want := d.Time().Format(time.DateOnly); d.String() != want {
			t.Errorf("%d is written %q, want %q", d, d.String(), want)
		}
	}
}

func FuzzParseDate(f *testing.F) {
	for _, s := range []string{"2026-04-30", "2026-02-29", "2026-4-30", "", "0000-01-01", "2026-04-30T00:00:00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := ParseDate(s); err == nil && d.String() != s {
			t.Errorf("ParseDate(%q) = %s", s, d)
		}
	})
}
