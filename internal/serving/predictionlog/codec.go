package predictionlog

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"math/bits"
	"time"

	"github.com/klauspost/compress/zstd"

	"churn/internal/wire"
	"churn/server"
)

// A file is magic and then frames:
//
//	length of the body   4 bytes, little endian
//	CRC-32C of the body  4 bytes
//	body                 kind (1 byte), rows, first and last time (varints), payload by zstd
//
// A frame of kind kindModel describes a model under a number, and comes before
// the first of its rows; one of kindRows holds rows:
//
//	model's number · time (ns since 1970) · flags · request id · route · user · as-of date · tier ·
//	margin · risk · a number for each numeric input · a text for each categorical one
//
// Numbers are varints of their bits from the end (small whole numbers take
// three bytes, 0 one); texts stand behind their length.
const magic = "churnpl1"

const (
	kindModel = 'M'
	kindRows  = 'R'
)

const (
	frameHead = 8        // length and checksum
	bodyHead  = 1 + 3*10 // at most: kind and three varints
	blockSize = 256 << 10
	maxFrame  = 16 << 20 // no writer makes a longer one
)

const flagShadow = 1

// errDamaged is a frame that cannot be what a writer wrote.
var errDamaged = errors.New("damaged")

// Model says what made predictions, and what it read.
type Model struct {
	Version     string   `json:"model_version"`
	Digest      string   `json:"digest"`
	Kind        string   `json:"model_kind"`
	FeatureSet  string   `json:"feature_set"` // fingerprint
	AsOf        string   `json:"as_of_date"`  // last day of the data that it was made from
	Numeric     []string `json:"numeric"`     // names of its inputs, in the order of Entry.Row
	Categorical []string `json:"categorical"`
}

// modelOf describes a predictor.
func modelOf(p server.Predictor) *Model {
	info := p.Info()
	m := &Model{Version: info.Version, Digest: info.Digest, Kind: info.Kind, FeatureSet: info.FeatureSet, AsOf: info.AsOf}
	numeric, categorical := p.Inputs()
	for _, x := range numeric {
		m.Numeric = append(m.Numeric, x.Name)
	}
	for _, x := range categorical {
		m.Categorical = append(m.Categorical, x.Name)
	}
	return m
}

// appendModel writes the payload of kindModel.
func appendModel(b []byte, number uint64, m *Model) []byte {
	b = binary.AppendUvarint(b, number)
	for _, text := range []string{m.Version, m.Digest, m.Kind, m.FeatureSet, m.AsOf} {
		b = wire.AppendString(b, text)
	}
	for _, names := range [][]string{m.Numeric, m.Categorical} {
		b = binary.AppendUvarint(b, uint64(len(names)))
		for _, name := range names {
			b = wire.AppendString(b, name)
		}
	}
	return b
}

// readModel reads what appendModel writes.
func readModel(payload []byte) (number uint64, m *Model, err error) {
	r := wire.NewReader(payload)
	number, m = r.Uvarint(), &Model{}
	for _, text := range []*string{&m.Version, &m.Digest, &m.Kind, &m.FeatureSet, &m.AsOf} {
		*text = r.String()
	}
	for _, names := range []*[]string{&m.Numeric, &m.Categorical} {
		for range r.Count() {
			*names = append(*names, r.String())
		}
	}
	if r.Bad() || r.Len() > 0 {
		return 0, nil, errDamaged
	}
	return number, m, nil
}

// appendNumber writes a number; every NaN is the same one.
func appendNumber(b []byte, x float64) []byte {
	v := math.Float64bits(x)
	if x != x {
		v = 0x7ff8 << 48 // a NaN that is short from the end
	}
	return binary.AppendUvarint(b, bits.ReverseBytes64(v))
}

func readNumber(r *wire.Reader) float64 {
	return math.Float64frombits(bits.ReverseBytes64(r.Uvarint()))
}

// appendRow writes a row without the number of its model.
func appendRow(b []byte, l *server.Logged) []byte {
	b = binary.AppendVarint(b, l.Time.UnixNano())
	flags := byte(0)
	if l.Shadow {
		flags = flagShadow
	}
	b = append(b, flags)
	b = wire.AppendString(b, l.RequestID)
	b = wire.AppendString(b, l.Route)
	b = wire.AppendString(b, l.UserID)
	b = wire.AppendString(b, l.AsOf)
	b = wire.AppendString(b, l.Score.Tier)
	b = appendNumber(appendNumber(b, l.Score.Margin), l.Score.Risk)
	for _, x := range l.Row.Numeric {
		b = appendNumber(b, x)
	}
	for _, x := range l.Row.Categorical {
		b = wire.AppendString(b, x)
	}
	return b
}

// read reads a row into e, whose model has the inputs; its rows are used again.
func (e *Entry) read(r *wire.Reader, m *Model) {
	e.Model, e.Time, e.Shadow = m, time.Unix(0, r.Varint()).UTC(), r.Byte()&flagShadow != 0
	e.RequestID, e.Route, e.UserID, e.AsOf, e.Tier = r.String(), r.String(), r.String(), r.String(), r.String()
	e.Margin, e.Risk = readNumber(r), readNumber(r)
	e.Row.Numeric, e.Row.Categorical = e.Row.Numeric[:0], e.Row.Categorical[:0]
	for range m.Numeric {
		e.Row.Numeric = append(e.Row.Numeric, readNumber(r))
	}
	for range m.Categorical {
		e.Row.Categorical = append(e.Row.Categorical, r.String())
	}
}

// head is what a frame says of its rows.
type head struct {
	kind        byte
	rows        uint64
	first, last int64 // ns since 1970
}

// appendFrame writes a frame around a payload.
func appendFrame(b []byte, h head, payload []byte, z *zstd.Encoder) []byte {
	start := len(b)
	b = append(b, make([]byte, frameHead)...)
	b = append(b, h.kind)
	b = binary.AppendUvarint(b, h.rows)
	b = binary.AppendVarint(binary.AppendVarint(b, h.first), h.last)
	b = z.EncodeAll(payload, b)
	body := b[start+frameHead:]
	binary.LittleEndian.PutUint32(b[start:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[start+4:], checksum(body))
	return b
}

// readHead reads the beginning of a body, and returns how long it was.
func readHead(body []byte) (h head, n int, err error) {
	r := wire.NewReader(body)
	h = head{kind: r.Byte(), rows: r.Uvarint(), first: r.Varint(), last: r.Varint()}
	if r.Bad() || h.kind != kindModel && h.kind != kindRows {
		return h, 0, errDamaged
	}
	return h, len(body) - r.Len(), nil
}

func checksum(body []byte) uint32 { return crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) }
