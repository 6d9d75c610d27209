// Package wire reads the small binary records that stages keep for themselves:
// varints, floats and strings, little endian.
package wire

import (
	"encoding/binary"
	"math"
)

// Reader reads values off the front of a byte slice. After the slice ran dry,
// or held what cannot be, every value is zero and Bad is true, so that callers
// check once at the end. The zero Reader is empty.
type Reader struct {
	b   []byte
	bad bool
}

// NewReader returns a reader of b, which it never changes.
func NewReader(b []byte) Reader { return Reader{b: b} }

// Len returns the number of bytes left.
func (r *Reader) Len() int { return len(r.b) }

// Bad reports whether a value could not be read.
func (r *Reader) Bad() bool { return r.bad }

func (r *Reader) fail() { r.bad, r.b = true, nil }

// Bytes returns the next n bytes, which lie in the reader's slice, or nil.
func (r *Reader) Bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

// Byte returns the next byte.
func (r *Reader) Byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	out := r.b[0]
	r.b = r.b[1:]
	return out
}

// Uvarint returns the next unsigned integer.
func (r *Reader) Uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Varint returns the next signed integer.
func (r *Reader) Varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Count returns the length of a list whose elements take at least a byte each:
// a damaged length cannot make the caller allocate more than there is.
func (r *Reader) Count() int {
	n := r.Uvarint()
	if n > uint64(len(r.b)) {
		r.fail()
		return 0
	}
	return int(n)
}

// Float returns the next number.
func (r *Reader) Float() float64 {
	if len(r.b) < 8 {
		r.fail()
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(r.b))
	r.b = r.b[8:]
	return v
}

// String returns the next string, which AppendString wrote.
func (r *Reader) String() string { return string(r.Bytes(r.Uvarint())) }

// AppendString appends a string with its length.
func AppendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// AppendFloat appends a number.
func AppendFloat(b []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
}
