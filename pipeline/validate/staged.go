package validate

import (
	"encoding/binary"
	"errors"
	"math"

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
func (s *Staged) append(b []byte) []byte {
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
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(s.Minutes))
	}
	if flags&hasScore != 0 {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(s.Score))
	}
	if flags&hasAmount != 0 {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(s.Amount))
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
	return b
}

// DecodeStaged calls yield for every event in data, in order. The event is
// valid during the call only; its ID lies in data.
func DecodeStaged(data []byte, yield func(*Staged)) error {
	d := decoder{b: data}
	var s Staged // one for all, so that none is allocated
	for len(d.b) > 0 && !d.bad {
		s = Staged{}
		flags := d.byte()
		s.Type = d.byte()
		s.User = uint32(d.uvarint())
		s.Position = d.uvarint()
		s.Day = pipeline.Date(d.varint())
		s.Minutes = d.float(flags&hasMinutes != 0)
		s.Score = d.float(flags&hasScore != 0)
		s.Amount = d.float(flags&hasAmount != 0)
		s.Known = s.Day
		if flags&hasLate != 0 {
			s.Known += pipeline.Date(d.uvarint())
		}
		if flags&hasCourse != 0 {
			s.Course = uint32(d.uvarint())
		}
		if flags&hasText != 0 {
			s.Second = int32(d.uvarint())
			s.ID = d.bytes(int(d.uvarint()))
		}
		if !d.bad {
			yield(&s)
		}
	}
	if d.bad {
		return errors.New("staged events are cut off")
	}
	return nil
}

// decoder reads from b and remembers that it ran dry.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) bytes(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.bad = true
		return nil
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) byte() byte {
	if b := d.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	d.bytes(max(n, 0))
	d.bad = d.bad || n <= 0
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	d.bytes(max(n, 0))
	d.bad = d.bad || n <= 0
	return v
}

func (d *decoder) float(present bool) float64 {
	if !present {
		return math.NaN()
	}
	if b := d.bytes(8); b != nil {
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	return math.NaN()
}
