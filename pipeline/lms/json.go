package lms

import (
	"bytes"
	"errors"
	"math"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// unmarshal reads one JSON value. Logs have been through many hands: names that
// stand twice and broken UTF-8 are let pass.
func unmarshal(data []byte, v any) error {
	return json.Unmarshal(data, v, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// malformed counts a record that is no JSON, or has something else in a field
// than it must.
func (s *sink) malformed(text []byte, err error) {
	var semantic *json.SemanticError
	if errors.As(err, &semantic) && semantic.JSONPointer != "" {
		s.fault(string(semantic.JSONPointer), valueAt(text, semantic.JSONPointer), "is of the wrong type; expected "+typeName(semantic))
		return
	}
	if semantic != nil {
		s.fault("(record)", string(text), "is no object")
		return
	}
	s.fault("(record)", string(text), "is not one JSON value in a line: "+reason(err)+"; if the file is one large value, write its elements a line each (jq -c '.[]')")
}

// valueAt returns the text of the value at a place inside an object.
func valueAt(text []byte, at jsontext.Pointer) string {
	for name := range at.Tokens() {
		var fields map[string]jsontext.Value
		if unmarshal(text, &fields) != nil {
			return string(text) // of a list: all of it
		}
		text = fields[name]
	}
	return string(text)
}

// reason is the fault of the syntax, without the prefix of the library.
func reason(err error) string {
	return string(bytes.TrimPrefix([]byte(err.Error()), []byte("jsontext: ")))
}

func typeName(e *json.SemanticError) string {
	if e.GoType == nil {
		return "another type"
	}
	switch e.GoType.Kind().String() {
	case "string":
		return "a text"
	case "float64", "ptr":
		return "a number"
	case "slice":
		return "a list"
	}
	return "an object"
}

// text returns a JSON string or number as text, and anything else as "".
func text(v jsontext.Value) string {
	if len(v) == 0 {
		return ""
	}
	switch v.Kind() {
	case '"':
		s, _ := jsontext.AppendUnquote(nil, v) // what is no UTF-8 it mends, and reports
		return string(s)
	case '0':
		return string(v)
	}
	return ""
}

// real returns a JSON number, or a text that is one, NaN for anything else.
func real(v jsontext.Value) float64 {
	if n, ok := number(text(v)); ok {
		return n
	}
	return math.NaN()
}

// isObject reports whether a value is an object.
func isObject(v jsontext.Value) bool { return len(v) > 0 && v.Kind() == '{' }
