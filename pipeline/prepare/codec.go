package prepare

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"churn/internal/wire"
	"churn/pipeline"
)

// encodeTimeline appends one timeline. Days are written as differences,
// counts as varints, and sums only where they are not zero.
func encodeTimeline(b []byte, t *pipeline.Timeline) []byte {
	u := &t.User
	b = wire.AppendString(b, u.ID)
	b = binary.AppendVarint(b, int64(u.Signup))
	paid := byte(0)
	if u.Paid {
		paid = 1
	}
	b = append(b, paid)
	b = wire.AppendString(wire.AppendString(wire.AppendString(b, u.Plan), u.Country), u.Source)
	b = binary.AppendUvarint(b, uint64(len(t.Days)))
	previous := pipeline.Date(0)
	for i := range t.Days {
		b = encodeDay(b, &t.Days[i], previous)
		previous = t.Days[i].Day
	}
	return b
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
	if len(f.Steps) > 0 {
		present |= 1 << (len(c) + len(s))
	}
	b = binary.AppendUvarint(b, present)
	for _, n := range c {
		if *n != 0 {
			b = binary.AppendUvarint(b, uint64(*n))
		}
	}
	for _, v := range s {
		if *v != 0 {
			b = wire.AppendFloat(b, *v)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(f.Courses)))
	for _, course := range f.Courses {
		b = binary.AppendUvarint(b, uint64(course))
	}
	if len(f.Steps) > 0 {
		b = appendSteps(b, f.Steps)
	}
	return b
}

// appendSteps writes each step as twice its course, plus 1 for a completion.
func appendSteps(b []byte, steps []pipeline.Step) []byte {
	b = binary.AppendUvarint(b, uint64(len(steps)))
	for _, s := range steps {
		code := uint64(s.Course) << 1
		if s.Completed {
			code |= 1
		}
		b = binary.AppendUvarint(b, code)
	}
	return b
}

func (d *decoder) steps() (out []pipeline.Step) {
	for n := d.Count(); n > 0 && !d.Bad(); n-- {
		code := d.Uvarint()
		out = append(out, pipeline.Step{Course: uint32(code >> 1), Completed: code&1 == 1})
	}
	return out
}

// DecodeBlock returns the timelines of a block, in user order.
func DecodeBlock(payload []byte) ([]pipeline.Timeline, error) {
	d := decoder{Reader: wire.NewReader(payload)}
	var out []pipeline.Timeline
	for d.Len() > 0 && !d.Bad() {
		out = append(out, d.timeline())
	}
	if d.Bad() {
		return nil, errors.New("timelines: a block is cut off")
	}
	return out, nil
}

// decoder reads timelines.
type decoder struct {
	wire.Reader
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
	t.User.ID = d.String()
	t.User.Signup = pipeline.Date(d.Varint())
	t.User.Paid = d.Byte() == 1
	t.User.Plan, t.User.Country, t.User.Source = d.String(), d.String(), d.String()
	t.Days = make([]pipeline.DayFacts, d.Count())
	previous := pipeline.Date(0)
	for i := range t.Days {
		d.day(&t.Days[i], previous)
		previous = t.Days[i].Day
	}
	return t
}

// pass goes on to the end of a timeline whose id has been read, and decodes
// nothing.
func (d *decoder) pass() {
	d.Varint()
	d.Byte()
	for range 3 {
		d.Bytes(d.Uvarint())
	}
	for days := d.Count(); days > 0 && !d.Bad(); days-- {
		d.passDay()
	}
}

func (d *decoder) passDay() {
	d.Varint()
	d.Uvarint()
	var f pipeline.DayFacts
	present, numbers, reals := d.Uvarint(), len(counts(&f)), len(sums(&f))
	for n := bits.OnesCount64(present & (1<<numbers - 1)); n > 0; n-- {
		d.Uvarint()
	}
	d.Bytes(8 * uint64(bits.OnesCount64(present>>numbers&(1<<reals-1))))
	for n := d.Count(); n > 0; n-- {
		d.Uvarint()
	}
	if present>>(numbers+reals)&1 == 1 {
		d.steps()
	}
}

func (d *decoder) day(f *pipeline.DayFacts, previous pipeline.Date) {
	f.Day = previous + pipeline.Date(d.Varint())
	f.Known = f.Day + pipeline.Date(d.Uvarint())
	present := d.Uvarint()
	c, s := counts(f), sums(f)
	for i, n := range c {
		if present&(1<<i) != 0 {
			*n = int32(d.Uvarint())
		}
	}
	for i, v := range s {
		if present&(1<<(len(c)+i)) != 0 {
			*v = d.Float()
		}
	}
	f.Courses = d.list(d.Count())
	for i := range f.Courses {
		f.Courses[i] = uint32(d.Uvarint())
	}
	if present>>(len(c)+len(s))&1 == 1 {
		f.Steps = d.steps()
	}
}
