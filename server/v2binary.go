package server

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
	"unicode/utf8"
)

// binaryHeader gives the length of the JSON in front of binary tensors
// (Triton's extension binary_tensor_data).
const binaryHeader = "Inference-Header-Content-Length"

// numberTypes are the datatypes of numbers.
func numberTypes() []string {
	return []string{typeBool, "INT8", "UINT8", "INT16", "UINT16", "INT32", "UINT32", "INT64", "UINT64", "FP32", typeFP64}
}

// widthOf returns the bytes of a number; 0 for what is no datatype of numbers.
func widthOf(datatype string) int {
	switch datatype {
	case typeBool, "INT8", "UINT8":
		return 1
	case "INT16", "UINT16":
		return 2
	case "INT32", "UINT32", "FP32":
		return 4
	case "INT64", "UINT64", typeFP64:
		return 8
	}
	return 0
}

// split hands the bytes behind the document to the binary tensors, in their
// order.
func (q *inference) split(rest []byte) error {
	for i := range q.tensors {
		t := &q.tensors[i]
		if !t.isBinary {
			continue
		}
		if t.size > len(rest) {
			return tensorFault(t, "a binary_data_size beyond the body", "bytes behind the JSON document")
		}
		t.binary, rest = rest[:t.size], rest[t.size:]
	}
	if len(rest) > 0 {
		return &MalformedError{What: strconv.Itoa(len(rest)) + " bytes follow the last binary tensor"}
	}
	return nil
}

// binaryNumbers reads numbers, little endian.
func binaryNumbers(t *tensor, width, rows int, put func(i int, x float64)) error {
	if len(t.binary) != rows*width {
		return tensorFault(t, strconv.Itoa(len(t.binary))+" bytes", strconv.Itoa(rows*width)+", by its shape and datatype")
	}
	for i := range rows {
		x := numberAt(t.binary[i*width:], t.datatype)
		if math.IsInf(x, 0) {
			return tensorFault(t, "an infinity", "a finite number, or NaN for missing")
		}
		put(i, x)
	}
	return nil
}

// numberAt reads one number.
func numberAt(b []byte, datatype string) float64 {
	switch datatype {
	case typeBool, "UINT8":
		return float64(b[0])
	case "INT8":
		return float64(int8(b[0]))
	case "INT16":
		return float64(int16(binary.LittleEndian.Uint16(b)))
	case "UINT16":
		return float64(binary.LittleEndian.Uint16(b))
	case "INT32":
		return float64(int32(binary.LittleEndian.Uint32(b)))
	case "UINT32":
		return float64(binary.LittleEndian.Uint32(b))
	case "INT64":
		return float64(int64(binary.LittleEndian.Uint64(b)))
	case "UINT64":
		return float64(binary.LittleEndian.Uint64(b))
	case "FP32":
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b))
}

// binaryTexts reads texts, each behind its length.
func binaryTexts(t *tensor, rows int, put func(i int, b []byte)) error {
	rest := t.binary
	for i := range rows {
		if len(rest) < 4 || uint64(binary.LittleEndian.Uint32(rest)) > uint64(len(rest)-4) {
			return tensorFault(t, "bytes that end early", strconv.Itoa(rows)+" texts, each behind its length")
		}
		n := int(binary.LittleEndian.Uint32(rest))
		text := rest[4 : 4+n]
		if !utf8.Valid(text) || utf8.RuneCount(text) > maxText {
			return tensorFault(t, strconv.Itoa(len(text))+" bytes", "a text in UTF-8 of at most "+strconv.Itoa(maxText)+" characters")
		}
		put(i, bytes.TrimSpace(text))
		rest = rest[4+n:]
	}
	if len(rest) > 0 {
		return tensorFault(t, "more bytes", strconv.Itoa(rows)+" texts, by its shape")
	}
	return nil
}

// appendBinary writes the values of an output.
func appendBinary(b []byte, name string, scores []Score) []byte {
	if b == nil {
		b = []byte{} // no rows are an answer, too
	}
	for i := range scores {
		switch name {
		case outputRisk:
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(scores[i].Risk))
		case outputMargin:
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(scores[i].Margin))
		case outputTier:
			b = binary.LittleEndian.AppendUint32(b, uint32(len(scores[i].Tier)))
			b = append(b, scores[i].Tier...)
		}
	}
	return b
}
