package server

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of what is decoded; the interface's description states them.
const (
	maxDepth  = 32    // levels of nesting
	maxText   = 256   // characters of an id or of a categorical value
	maxRows   = 10000 // of a batch
	maxEvents = 50000 // of a user
	maxFaults = 100   // listed in one answer
)

// reader reads one JSON document token by token: without reflection, and
// strictly. A name that stands twice and text that is not UTF-8 are malformed.
// What is well-formed but wrong is noted as a fault, and reading goes on.
type reader struct {
	decoder  *jsontext.Decoder
	source   bytes.Buffer
	body     []byte
	scratch  []byte // of names and texts with escapes
	seen     []bool // which inputs an object has named
	strict   bool   // what is not known is a fault
	lax      bool   // the decoder lets names stand twice
	suspect  bool   // one may
	latest   string // date that a snapshot can be of
	faults   Faults
	warnings Faults
}

// open begins a document.
func (r *reader) open(body []byte, strict bool) {
	r.begin(body, strict, false)
}

// openLax begins a document whose names the decoder does not compare with each
// other: that takes a tenth of the time of a request, since an object of more
// than 64 names gets a map of its own. Who visits the names calls suspicious
// where one may stand twice, and close then compares them all.
func (r *reader) openLax(body []byte, strict bool) {
	r.begin(body, strict, true)
}

func (r *reader) begin(body []byte, strict, lax bool) {
	r.body, r.strict, r.lax, r.suspect = body, strict, lax, false
	r.source = *bytes.NewBuffer(body)
	if r.decoder == nil {
		r.decoder = new(jsontext.Decoder)
	}
	r.decoder.Reset(&r.source, jsontext.AllowDuplicateNames(lax))
	r.faults, r.warnings = nil, nil
}

// suspicious notes that a name may stand twice if is.
func (r *reader) suspicious(is bool) { r.suspect = r.suspect || is }

// close checks that nothing follows the document, and that no name stands
// twice.
func (r *reader) close() error {
	switch _, err := r.decoder.ReadToken(); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return r.malformed(err)
	default:
		return &MalformedError{Offset: r.decoder.InputOffset(), What: "something follows the JSON document"}
	}
	if r.lax && r.suspect {
		if err := jsontext.NewDecoder(bytes.NewReader(r.body)).SkipValue(); err != nil {
			return r.malformed(err)
		}
	}
	return nil
}

// malformed tells where and why a document cannot be read. The text of the
// decoder's errors shows one character of the body at most.
func (r *reader) malformed(err error) error {
	var syntax *jsontext.SyntacticError
	switch {
	case len(bytes.TrimSpace(r.body)) == 0:
		return &MalformedError{What: "the body is empty; send a JSON document"}
	case errors.As(err, &syntax):
		what := "not JSON"
		if syntax.Err != nil {
			what = strings.TrimPrefix(syntax.Err.Error(), "jsontext: ")
		}
		if syntax.JSONPointer != "" {
			what += " in " + clip(string(syntax.JSONPointer))
		}
		return &MalformedError{Offset: syntax.ByteOffset, What: what}
	}
	return &MalformedError{Offset: r.decoder.InputOffset(), What: "the JSON document ends early"}
}

// value reads the next value; it is valid until the next one is read.
func (r *reader) value() (jsontext.Value, error) {
	v, err := r.decoder.ReadValue()
	if err != nil {
		return nil, r.malformed(err)
	}
	return v, nil
}

// token reads a bracket.
func (r *reader) token() error {
	if _, err := r.decoder.ReadToken(); err != nil {
		return r.malformed(err)
	}
	return nil
}

// skip passes over the next value, if it is not nested too deeply.
func (r *reader) skip() error {
	r.suspicious(true) // nobody visits its names
	level := r.decoder.StackDepth()
	for {
		if err := r.token(); err != nil {
			return err
		}
		switch depth := r.decoder.StackDepth(); {
		case depth > maxDepth:
			return &MalformedError{Offset: r.decoder.InputOffset(), What: "nested deeper than " + strconv.Itoa(maxDepth) + " levels"}
		case depth <= level:
			return nil
		}
	}
}

// members calls visit for each member of an object, whose value visit reads.
// Anything else in its place is a fault.
func (r *reader) members(visit func(name []byte) error) error {
	if r.decoder.PeekKind() != jsontext.KindBeginObject {
		return r.wrong("an object")
	}
	if err := r.token(); err != nil {
		return err
	}
	for r.decoder.PeekKind() != jsontext.KindEndObject {
		name, err := r.value()
		if err != nil {
			return err
		}
		if err := visit(r.unquote(name)); err != nil {
			return err
		}
	}
	return r.token()
}

// elements calls visit for each element of a list, which visit reads. Anything
// else in its place is a fault.
func (r *reader) elements(visit func(i int) error) error {
	if r.decoder.PeekKind() != jsontext.KindBeginArray {
		return r.wrong("a list")
	}
	if err := r.token(); err != nil {
		return err
	}
	for i := 0; r.decoder.PeekKind() != jsontext.KindEndArray; i++ {
		if err := visit(i); err != nil {
			return err
		}
	}
	return r.token()
}

// unquote returns the text of a JSON string; it is valid until the next one.
func (r *reader) unquote(v jsontext.Value) []byte {
	if plain := v[1 : len(v)-1]; bytes.IndexByte(plain, '\\') < 0 {
		return plain
	}
	r.scratch, _ = jsontext.AppendUnquote(r.scratch[:0], v) // the decoder has checked it
	return r.scratch
}

// wrong passes over a value that is not what was expected.
func (r *reader) wrong(expected string) error {
	got := "nothing"
	switch r.decoder.PeekKind() {
	case jsontext.KindBeginObject:
		got = "an object"
	case jsontext.KindBeginArray:
		got = "a list"
	case jsontext.KindInvalid: // the decoder says why when it is asked for more
	default:
		v, err := r.value()
		if err != nil {
			return err
		}
		r.fault(clip(string(v)), expected)
		return nil
	}
	if err := r.skip(); err != nil {
		return err
	}
	r.fault(got, expected)
	return nil
}

// fault notes what is wrong with the value that was read last.
func (r *reader) fault(got, expected string) {
	r.add(Fault{Field: string(r.decoder.StackPointer()), Got: got, Expected: expected})
}

func (r *reader) add(f Fault) {
	if len(r.faults) < maxFaults {
		r.faults = append(r.faults, f)
	}
}

// unknown passes over a member that nobody reads: a fault where the settings
// are strict, else a warning.
func (r *reader) unknown(expected string) error {
	if err := r.skip(); err != nil {
		return err
	}
	r.impossible("a name that is not known", expected)
	return nil
}

// impossible notes that the value read last cannot be what it should: a fault
// where the settings are strict, else a warning.
func (r *reader) impossible(got, expected string) {
	if r.strict {
		r.fault(got, expected)
		return
	}
	r.warn(got, expected)
}

// warn notes what is odd with the value that was read last.
func (r *reader) warn(got, expected string) {
	if len(r.warnings) < maxFaults {
		r.warnings = append(r.warnings, Fault{Field: string(r.decoder.StackPointer()), Got: got, Expected: expected})
	}
}

// clip shortens what a client has sent, to be shown to it.
func clip(text string) string {
	const most = 60
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// number reads a number; null is NaN. A boolean is a number where the feature
// is one of 0 and 1, and text never is.
func (r *reader) number(binary bool) (float64, error) {
	switch kind := r.decoder.PeekKind(); {
	case kind == jsontext.KindNumber:
		v, err := r.value()
		if err != nil {
			return 0, err
		}
		x, err := strconv.ParseFloat(string(v), 64)
		if err != nil {
			r.fault(clip(string(v)), "a number that 64 bits can hold, up to 1.8e308")
			return math.NaN(), nil
		}
		return x, nil
	case kind == jsontext.KindNull:
		return math.NaN(), r.token()
	case binary && kind == jsontext.KindTrue:
		return 1, r.token()
	case binary && kind == jsontext.KindFalse:
		return 0, r.token()
	case binary:
		return math.NaN(), r.wrong("0, 1, false, true or null")
	}
	return math.NaN(), r.wrong("a number or null")
}

// text reads a text, trimmed as fields of files are; null is empty. The bytes
// are valid until the next read.
func (r *reader) text() ([]byte, error) {
	switch r.decoder.PeekKind() {
	case jsontext.KindNull:
		return nil, r.token()
	case jsontext.KindString:
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		text := r.unquote(v)
		if len(text) > maxText {
			if n := utf8.RuneCount(text); n > maxText {
				r.fault(strconv.Itoa(n)+" characters", "a text of at most "+strconv.Itoa(maxText)+" characters")
			}
		}
		return bytes.TrimSpace(text), nil
	}
	return nil, r.wrong("a text or null")
}

// id reads a user id: a text that is not empty, or an integer.
func (r *reader) id() (string, error) {
	const expected = "a text that is not empty, or an integer"
	switch r.decoder.PeekKind() {
	case jsontext.KindString:
		text, err := r.text()
		if err == nil && len(text) == 0 {
			r.fault("an empty text", expected)
		}
		return string(text), err
	case jsontext.KindNumber:
		v, err := r.value()
		if err != nil {
			return "", err
		}
		if len(v) > maxText || bytes.ContainsAny(v, ".eE") {
			r.fault(clip(string(v)), expected)
		}
		return string(v), nil
	}
	return "", r.wrong(expected)
}

// date reads a date; null is empty.
func (r *reader) date() (string, error) {
	null := r.decoder.PeekKind() == jsontext.KindNull
	text, err := r.text()
	if err != nil || null {
		return "", err
	}
	day := string(text)
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		r.fault(strconv.Quote(clip(day)), "a date such as 2026-04-30, or null")
	}
	return day, nil
}
