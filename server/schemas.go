package server

import (
	"math"
	"reflect"
	"strings"
	"time"
)

// object is a JSON object of the description; encoding/json sorts its names.
type object = map[string]any

// schemas collects JSON Schemas (2020-12) of Go types by name.
type schemas struct {
	named  object
	model  *inputs // nil: no model yet
	strict bool
}

// of returns the schema of a type; a struct's is a reference to the named one.
func (s *schemas) of(t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[time.Duration]():
		return object{"type": "integer"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return nullable(s.of(t.Elem()))
	case reflect.Struct:
		if _, known := s.named[t.Name()]; !known {
			s.named[t.Name()] = nil // so that types may hold each other
			s.named[t.Name()] = s.structOf(t)
		}
		return object{"$ref": "#/components/schemas/" + t.Name()}
	case reflect.Slice:
		return object{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Interface:
		return object{}
	}
	return object{"type": "integer"}
}

// nullable returns a schema that null fits, too.
func nullable(o object) object {
	if t, ok := o["type"].(string); ok {
		o["type"] = []string{t, "null"}
		return o
	}
	return object{"anyOf": []object{o, {"type": "null"}}}
}

func (s *schemas) structOf(t reflect.Type) object {
	properties, required := object{}, []string{}
	s.fields(t, true, properties, &required)
	o := object{"type": "object", "properties": properties}
	if mark, ok := t.FieldByName("_"); ok && mark.Tag.Get("schema") == "closed" {
		o["additionalProperties"] = false
	}
	if len(required) > 0 {
		o["required"] = required
	}
	return o
}

// fields adds the fields of a struct, and those of the structs within it as
// encoding/json does. Behind a pointer, which may be nil, none is required.
func (s *schemas) fields(t reflect.Type, always bool, properties object, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			s.fields(inner, always && inner == f.Type, properties, required)
			continue
		case name == "-" || !f.IsExported():
			continue
		}
		optional := strings.Contains(options, "omit")
		properties[name] = s.field(f, optional)
		if always && !optional {
			*required = append(*required, name)
		}
	}
}

// field returns the schema of a field with what its tags say.
func (s *schemas) field(f reflect.StructField, optional bool) object {
	var o object
	switch name := f.Tag.Get("schema"); {
	case name != "":
		o = s.fragment(name)
	case optional && f.Type.Kind() == reflect.Pointer: // absent, not null
		o = s.of(f.Type.Elem())
	default:
		o = s.of(f.Type)
	}
	if doc := f.Tag.Get("doc"); doc != "" {
		o["description"] = doc
	}
	return o
}

// fragment returns the schemas that a Go type cannot tell: the limits of the
// decoders.
func (s *schemas) fragment(name string) object {
	switch name {
	case "id":
		return object{"type": []string{"string", "integer"}, "minLength": 1, "maxLength": maxText, "pattern": `\S`}
	case "date":
		return object{"type": []string{"string", "null"}, "format": "date", "examples": []string{"2026-04-30"}}
	case "features":
		return s.features()
	case "rows":
		return object{"type": "array", "maxItems": maxRows, "items": s.of(reflect.TypeFor[PredictRequest]())}
	case "events":
		return object{"type": "array", "maxItems": maxEvents, "items": s.of(reflect.TypeFor[EventRecord]())}
	case "field":
		return object{"type": []string{"string", "number", "null"}, "maxLength": maxText}
	case "name":
		return object{"type": []string{"string", "number"}, "minLength": 1, "maxLength": maxText, "pattern": `\S`}
	case "moment":
		return object{"type": "string", "minLength": len("2026-04-30"), "maxLength": maxText, "examples": []string{"2026-01-31T18:05:00"}}
	case "event":
		return object{"type": "string", "minLength": 1, "maxLength": maxText, "pattern": `\S`, "examples": []string{"login"}}
	case "plan":
		return object{"enum": []string{"free", "paid"}}
	case "note":
		return object{"type": []string{"string", "null"}, "maxLength": maxText}
	case "reason":
		return object{"type": "string", "minLength": 1, "maxLength": mostReason, "pattern": `\S`}
	case "tensor":
		return object{"type": "string", "minLength": 1, "maxLength": maxText, "pattern": `\S`}
	case "tensors":
		return object{"type": "array", "minItems": 1, "maxItems": maxTensors, "items": s.of(reflect.TypeFor[V2Input]())}
	case "outputs":
		return object{"type": "array", "maxItems": maxTensors, "items": s.of(reflect.TypeFor[V2Wanted]())}
	case "shape":
		return object{"type": "array", "minItems": 1, "maxItems": 2, "items": object{"type": "integer", "minimum": 0, "maximum": maxRows}}
	case "flag":
		return object{"enum": []any{0, 1, "0", "1", false, true}}
	case "datatype":
		return object{"type": "string", "enum": append([]string{typeBytes}, numberTypes()...)}
	case "output":
		return object{"type": "string", "enum": []string{outputRisk, outputTier, outputMargin}}
	}
	panic("server: no schema " + name)
}

// features returns the schema of a row: of the inputs of the model in use, if
// there is one.
func (s *schemas) features() object {
	o := object{"type": "object", "additionalProperties": !s.strict || s.model == nil}
	if s.model == nil {
		return o
	}
	properties := object{}
	for _, x := range s.model.numeric {
		properties[x.Name] = s.numeric(x)
	}
	for _, x := range s.model.categorical {
		p := object{"type": []string{"string", "null"}, "maxLength": maxText, "description": describe(x)}
		if len(x.Levels) > 0 {
			p["examples"] = x.Levels
		}
		properties[x.Name] = p
	}
	o["properties"] = properties
	return o
}

// numeric returns the schema of a number. What its feature cannot be is refused
// only where the settings are strict.
func (s *schemas) numeric(x Input) object {
	p := object{"type": []string{"number", "null"}, "minimum": -math.MaxFloat64, "maximum": math.MaxFloat64, "description": describe(x)}
	if s.strict && x.Least != nil {
		p["minimum"] = *x.Least
	}
	if s.strict && x.Most != nil {
		p["maximum"] = *x.Most
	}
	switch {
	case x.Binary && s.strict:
		return object{"enum": []any{0, 1, false, true, nil}, "description": describe(x)}
	case x.Binary:
		p["type"] = []string{"number", "boolean", "null"}
	}
	return p
}

// describe says what an input is, in a line.
func describe(x Input) string {
	parts := []string{x.Title}
	if x.Unit != "" {
		parts = append(parts, x.Unit)
	}
	if x.Null != "" {
		parts = append(parts, "null: "+x.Null)
	}
	return strings.Join(parts, "; ")
}
