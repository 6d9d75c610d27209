package prepare

import (
	"encoding/binary"
	"errors"
	"math"

	"churn/pipeline"
)

// encodeTimeline appends one timeline. Days are written as differences,
// counts as varints, and sums only where they are not zero.
func encodeTimeline(b []byte, t *pipeline.Timeline) []byte {
	u := &t.User
	b = appendString(b, u.ID)
	b = binary.AppendVarint(b, int64(u.Signup))
	paid := byte(0)
	if u.Paid {
		paid = 1
	}
	b = append(b, paid)
	b = appendString(appendString(appendString(b, u.Plan), u.Country), u.Source)
	b = binary.AppendUvarint(b, uint64(len(t.Days)))
	previous := pipeline.Date(0)
	for i := range t.Days {
		b = encodeDay(b, &t.Days[i], previous)
		previous = t.Days[i].Day
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// counts lists the integer fields of a day in file order.
func counts(f *pipeline.DayFacts) [11]*int32 {
	return [...]*int32{&f.Events, &f.Active, &f.Logins, &f.Enrolls, &f.Videos, &f.Quizzes, &f.PaymentsOK, &f.PaymentsFailed, &f.Tickets, &f.Others, &f.Scores}
}

// sums lists the real fields of a day in file order.
func sums(f *pipeline.DayFacts) [3]*float64 {
	return [...]*float64{&f.Minutes, &f.ScoreSum, &f.Amount}
}

func encodeDay(b []byte, f *pipeline.DayFacts, previous pipeline.Date) []byte {
	b = binary.AppendVarint(b, int64(f.Day-previous))
	b = binary.AppendUvarint(b, uint64(f.Known-f.Day))
	var present uint64
	c, s := counts(f), sums(f)
	for i, n := range c {
		if *n != 0 {
			present |= 1 << i
		}
	}
	for i, v := range s {
		if *v != 0 {
			present |= 1 << (len(c) + i)
		}
	}
	b = binary.AppendUvarint(b, present)
	for _, n := range c {
		if *n != 0 {
			b = binary.AppendUvarint(b, uint64(*n))
		}
	}
	for _, v := range s {
		if *v != 0 {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(*v))
		}
	}
	b = binary.AppendUvarint(b, uint64(len(f.Courses)))
	for _, course := range f.Courses {
		b = binary.AppendUvarint(b, uint64(course))
	}
	return b
}

// DecodeBlock returns the timelines of a block, in user order.
func DecodeBlock(payload []byte) ([]pipeline.Timeline, error) {
	d := decoder{b: payload}
	var out []pipeline.Timeline
	for len(d.b) > 0 && !d.bad {
		out = append(out, d.timeline())
	}
	if d.bad {
		return nil, errors.New("timelines: a block is cut off")
	}
	return out, nil
}

// decoder reads from b and remembers that it ran dry.
type decoder struct {
	b       []byte
	bad     bool
	courses []uint32 // room for the lists of many days: one allocation each would be most of the work
}

// list returns room for n courses, nil for none.
func (d *decoder) list(n int) []uint32 {
	if n == 0 {
		return nil
	}
	if n > len(d.courses) {
		d.courses = make([]uint32, max(n, 4096))
	}
	out := d.courses[:n:n]
	d.courses = d.courses[n:]
	return out
}

func (d *decoder) timeline() (t pipeline.Timeline) {
	t.User.ID = d.string()
	t.User.Signup = pipeline.Date(d.varint())
	t.User.Paid = d.take(1)[0] == 1
	t.User.Plan, t.User.Country, t.User.Source = d.string(), d.string(), d.string()
	n := d.uvarint()
	if n > uint64(len(d.b)) { // a day takes more than a byte
		d.bad = true
		return t
	}
	t.Days = make([]pipeline.DayFacts, n)
	previous := pipeline.Date(0)
	for i := range t.Days {
		d.day(&t.Days[i], previous)
		previous = t.Days[i].Day
	}
	return t
}

func (d *decoder) day(f *pipeline.DayFacts, previous pipeline.Date) {
	f.Day = previous + pipeline.Date(d.varint())
	f.Known = f.Day + pipeline.Date(d.uvarint())
	present := d.uvarint()
	c, s := counts(f), sums(f)
	for i, n := range c {
		if present&(1<<i) != 0 {
			*n = int32(d.uvarint())
		}
	}
	for i, v := range s {
		if present&(1<<(len(c)+i)) != 0 {
			*v = math.Float64frombits(binary.LittleEndian.Uint64(d.take(8)))
		}
	}
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.bad = true
		return
	}
	f.Courses = d.list(int(n))
	for i := range f.Courses {
		f.Courses[i] = uint32(d.uvarint())
	}
}

// take returns the next n ≤ 8 bytes, or zeros where there are none.
func (d *decoder) take(n int) []byte {
	if n > len(d.b) {
		d.bad, d.b = true, nil
		return make([]byte, 8)
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) string() string {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	return d.skip(v, n)
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	return int64(d.skip(uint64(v), n))
}

func (d *decoder) skip(v uint64, n int) uint64 {
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}
