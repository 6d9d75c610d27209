package validate

import (
	"errors"
	"time"

	"churn/pipeline"
)

// moment is a time of day on a calendar day in the source's zone.
type moment struct {
	day    pipeline.Date
	second int32 // since midnight, 0…86400 (a leap second counts as 86400)
}

var errNotATime = errors.New("not a time; write 2026-04-30T18:05:00, with a space instead of the T, or with a zone as in RFC 3339")

// parseMoment reads an event time. Without a zone it already is in loc.
func parseMoment(b []byte, loc *time.Location) (moment, error) {
	m, rest, ok := civil(b)
	if !ok {
		return moment{}, errNotATime
	}
	if rest, ok = skipFraction(rest); !ok {
		return moment{}, errNotATime
	}
	if len(rest) == 0 || (len(rest) == 1 && rest[0] == 'Z' && loc == time.UTC) {
		return m, nil
	}
	return zoned(m, rest, loc)
}

// civil reads the 19 characters 2006-01-02T15:04:05.
func civil(b []byte) (m moment, rest []byte, ok bool) {
	if len(b) < 19 || b[4] != '-' || b[7] != '-' || (b[10] != 'T' && b[10] != ' ') || b[13] != ':' || b[16] != ':' {
		return m, nil, false
	}
	year := number(b[0:4])
	day, okDay := dateOf(year, number(b[5:7]), number(b[8:10]))
	hour, minute, second := number(b[11:13]), number(b[14:16]), number(b[17:19])
	if !okDay || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 {
		return m, nil, false
	}
	return moment{day: day, second: int32(hour*3600 + minute*60 + second)}, b[19:], true
}

// number reads decimal digits, or returns -1.
func number(b []byte) int {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// dateOf checks and converts a calendar date.
func dateOf(year, month, day int) (pipeline.Date, bool) {
	if year < 0 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return pipeline.NoDate, false
	}
	return pipeline.DateFromCivil(year, month, day), true
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// ParseDay reads a date, or the day of a time as event_time has it: in loc where it
// has no zone.
func ParseDay(b []byte, loc *time.Location) (pipeline.Date, bool) {
	if len(b) > 10 {
		m, err := parseMoment(b, loc)
		return m.day, err == nil
	}
	if len(b) != 10 || b[4] != '-' || b[7] != '-' {
		return pipeline.NoDate, false
	}
	return dateOf(number(b[0:4]), number(b[5:7]), number(b[8:10]))
}

func skipFraction(b []byte) ([]byte, bool) {
	if len(b) == 0 || b[0] != '.' {
		return b, true
	}
	i := 1
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	return b[i:], i > 1
}

// zoned moves a civil time with a zone designator into loc.
func zoned(m moment, zone []byte, loc *time.Location) (moment, error) {
	offset, ok := zoneOffset(zone)
	if !ok {
		return moment{}, errNotATime
	}
	unix := int64(m.day)*86400 + int64(m.second) - int64(offset)
	t := time.Unix(unix, 0).In(loc)
	return moment{day: pipeline.DateOf(t), second: int32(t.Hour()*3600 + t.Minute()*60 + t.Second())}, nil
}

// zoneOffset reads Z, +02:00, -0530 or +01, in seconds east of UTC.
func zoneOffset(b []byte) (int, bool) {
	if len(b) == 1 && (b[0] == 'Z' || b[0] == 'z') {
		return 0, true
	}
	if len(b) < 3 || (b[0] != '+' && b[0] != '-') {
		return 0, false
	}
	digits := b[1:]
	if len(digits) == 5 && digits[2] == ':' {
		digits = []byte{digits[0], digits[1], digits[3], digits[4]}
	}
	hours, minutes := number(digits[:2]), 0
	if len(digits) == 4 {
		minutes = number(digits[2:])
	} else if len(digits) != 2 {
		return 0, false
	}
	if hours < 0 || hours > 18 || minutes < 0 || minutes > 59 {
		return 0, false
	}
	offset := hours*3600 + minutes*60
	if b[0] == '-' {
		offset = -offset
	}
	return offset, true
}
