package validate

import (
	"encoding/binary"
	"errors"
	"math"

	"churn/internal/wire"
	"churn/pipeline"
)

// Staged is an accepted event on its way to prepare.
type Staged struct {
	pipeline.Event
	User     uint32 // rank of the user in the order of users
	Position uint64 // file number << 40 | line
	ID       []byte // with Input.KeepText
	Second   int32  // of the day, with Input.KeepText
}

const (
	hasMinutes = 1 << iota
	hasScore
	hasAmount
	hasLate
	hasCourse
	hasText
)

// append encodes the event: small integers as varints, absent numbers not at
// all, since most events carry one number at most.
func (s *Staged) append(to []byte) []byte {
	var room [96]byte // one copy takes less time than to grow by each number
	b := room[:0]
	flags := byte(0)
	for i, absent := range [...]bool{math.IsNaN(s.Minutes), math.IsNaN(s.Score), math.IsNaN(s.Amount), s.Known == s.Day, s.Course == 0, s.ID == nil} {
		if !absent {
			flags |= 1 << i
		}
	}
	b = append(b, flags, s.Type)
	b = binary.AppendUvarint(b, uint64(s.User))
	b = binary.AppendUvarint(b, s.Position)
	b = binary.AppendVarint(b, int64(s.Day))
	if flags&hasMinutes != 0 {
		b = wire.AppendFloat(b, s.Minutes)
	}
	if flags&hasScore != 0 {
		b = wire.AppendFloat(b, s.Score)
	}
	if flags&hasAmount != 0 {
		b = wire.AppendFloat(b, s.Amount)
	}
	if flags&hasLate != 0 {
		b = binary.AppendUvarint(b, uint64(s.Known-s.Day))
	}
	if flags&hasCourse != 0 {
		b = binary.AppendUvarint(b, uint64(s.Course))
	}
	if flags&hasText != 0 {
		b = binary.AppendUvarint(b, uint64(s.Second))
		b = binary.AppendUvarint(b, uint64(len(s.ID)))
		b = append(b, s.ID...)
	}
	return append(to, b...)
}

// DecodeStaged calls yield for every event in data, in order. The event is
// valid during the call only; its ID lies in data.
func DecodeStaged(data []byte, yield func(*Staged)) error {
	d := wire.NewReader(data)
	var s Staged // one for all, so that none is allocated
	for d.Len() > 0 && !d.Bad() {
		s = Staged{}
		flags := d.Byte()
		s.Type = d.Byte()
		s.User = uint32(d.Uvarint())
		s.Position = d.Uvarint()
		s.Day = pipeline.Date(d.Varint())
		s.Minutes = optional(&d, flags&hasMinutes != 0)
		s.Score = optional(&d, flags&hasScore != 0)
		s.Amount = optional(&d, flags&hasAmount != 0)
		s.Known = s.Day
		if flags&hasLate != 0 {
			s.Known += pipeline.Date(d.Uvarint())
		}
		if flags&hasCourse != 0 {
			s.Course = uint32(d.Uvarint())
		}
		if flags&hasText != 0 {
			s.Second = int32(d.Uvarint())
			s.ID = d.Bytes(d.Uvarint())
		}
		if !d.Bad() {
			yield(&s)
		}
	}
	if d.Bad() {
		return errors.New("staged events are cut off")
	}
	return nil
}

// optional reads a number that was written only where it is not null.
func optional(d *wire.Reader, present bool) float64 {
	if !present {
		return math.NaN()
	}
	return d.Float()
}
