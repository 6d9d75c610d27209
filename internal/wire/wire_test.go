package wire

import (
	"encoding/binary"
	"math"
	"testing"
)

// The law: what was appended is read back, and one byte less is noticed.
func TestRoundTripAndTruncation(t *testing.T) {
	var b []byte
	b = binary.AppendUvarint(b, math.MaxUint64)
	b = binary.AppendVarint(b, math.MinInt64)
	b = append(b, 7)
	b = AppendFloat(b, -0.1)
	b = AppendString(b, "é漢")
	read := func(b []byte) (u uint64, i int64, c byte, f float64, s string, bad bool) {
		r := NewReader(b)
		u, i, c, f, s = r.Uvarint(), r.Varint(), r.Byte(), r.Float(), r.String()
		return u, i, c, f, s, r.Bad() || r.Len() > 0
	}
	if u, i, c, f, s, bad := read(b); u != math.MaxUint64 || i != math.MinInt64 || c != 7 || f != -0.1 || s != "é漢" || bad {
		t.Error(u, i, c, f, s, bad)
	}
	for n := range b {
		if _, _, _, _, _, bad := read(b[:n]); !bad {
			t.Errorf("%d of %d bytes pass", n, len(b))
		}
	}
}

func TestCountIsBounded(t *testing.T) {
	r := NewReader(binary.AppendUvarint(nil, 1<<40))
	if n := r.Count(); n != 0 || !r.Bad() {
		t.Errorf("a length beyond the data gives %d, bad %v", n, r.Bad())
	}
}
