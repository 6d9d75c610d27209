package pipeline

import (
	"fmt"
	"time"
)

// Date is a calendar day in the time zone of the source, as the number of
// days since 1970-01-01.
type Date int32

// NoDate stands where no date is known. It sorts before every real date.
const NoDate Date = -1 << 31

const secondsPerDay = 24 * 60 * 60

// ParseDate reads a date written as 2006-01-02.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return NoDate, fmt.Errorf("date %q is not of the form 2026-04-30", s)
	}
	return DateOf(t), nil
}

// DateOf returns the calendar day of t in t's own location.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return DateFromCivil(y, int(m), d)
}

// DateFromCivil returns the day number of a proleptic Gregorian date
// (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil).
func DateFromCivil(year, month, day int) Date {
	if month <= 2 {
		year--
	}
	era := floorDiv(year, 400)
	yearOfEra := year - era*400
	dayOfYear := (153*((month+9)%12)+2)/5 + day - 1
	dayOfEra := yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear
	return Date(era*146097 + dayOfEra - 719468)
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Time returns midnight UTC of the day.
func (d Date) Time() time.Time { return time.Unix(int64(d)*secondsPerDay, 0).UTC() }

// String writes the date as 2006-01-02, and NoDate as "".
func (d Date) String() string {
	if d == NoDate {
		return ""
	}
	return string(d.Append(nil))
}

// Append appends the date as 2006-01-02 to b (civil_from_days of the source
// that DateFromCivil names).
func (d Date) Append(b []byte) []byte {
	z := int(d) + 719468
	era := floorDiv(z, 146097)
	dayOfEra := z - era*146097
	yearOfEra := (dayOfEra - dayOfEra/1460 + dayOfEra/36524 - dayOfEra/146096) / 365
	dayOfYear := dayOfEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	mp := (5*dayOfYear + 2) / 153
	day, month, year := dayOfYear-(153*mp+2)/5+1, (mp+2)%12+1, yearOfEra+era*400
	if month <= 2 {
		year++
	}
	if year < 0 || year > 9999 {
		return d.Time().AppendFormat(b, time.DateOnly)
	}
	return append(b, byte('0'+year/1000), byte('0'+year/100%10), byte('0'+year/10%10), byte('0'+year%10), '-',
		byte('0'+month/10), byte('0'+month%10), '-', byte('0'+day/10), byte('0'+day%10))
}

// Weekday returns the day of the week, Sunday = 0 as in package time.
func (d Date) Weekday() time.Weekday {
	w := (int(d) + 4) % 7
	if w < 0 {
		w += 7
	}
	return time.Weekday(w)
}

// Weekend reports whether the day is a Saturday or a Sunday.
func (d Date) Weekend() bool { w := d.Weekday(); return w == time.Saturday || w == time.Sunday }

// MarshalText writes the date as 2006-01-02.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Date) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = NoDate
		return nil
	}
	v, err := ParseDate(string(b))
	*d = v
	return err
}
