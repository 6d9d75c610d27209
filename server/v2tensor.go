package server

import (
	"bytes"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// tensor is one input of a request: its values in JSON or as bytes.
type tensor struct {
	name, datatype string
	shape          []int
	at             string // pointer of its values
	data           []byte // JSON, if not binary
	binary         []byte
	isBinary       bool
	size           int // of the binary values
}

// tensor reads one input.
func (w *work) tensor(t *tensor) error {
	return w.members(func(name []byte) (err error) {
		var text []byte
		switch string(name) {
		case "name":
			text, err = w.text()
			t.name = string(text)
		case "datatype":
			text, err = w.text()
			t.datatype = string(text)
		case "shape":
			t.shape, err = w.integers()
		case "parameters":
			err = w.members(func(name []byte) (err error) {
				if string(name) != "binary_data_size" {
					return w.skip()
				}
				t.isBinary = true
				t.size, err = w.integer()
				return err
			})
		case "data":
			if w.decoder.PeekKind() != jsontext.KindBeginArray {
				return w.wrong("a list")
			}
			t.at = string(w.decoder.StackPointer())
			from := w.decoder.InputOffset()
			err = w.skip()
			t.data = bytes.TrimLeft(w.body[from:w.decoder.InputOffset()], ": \t\r\n")
		default:
			err = w.skip()
		}
		return err
	})
}

// integers reads the list of a shape.
func (w *work) integers() (out []int, err error) {
	err = w.elements(func(i int) error {
		n, err := w.integer()
		if i < 4 { // more dimensions are refused anyway
			out = append(out, n)
		}
		return err
	})
	return out, err
}

// fill lays the tensors out as rows.
func (q *inference) fill(in *inputs, w *work) error {
	if err := q.shape(); err != nil {
		return err
	}
	q.numeric, q.categorical = make([]float64, q.rows*len(in.numeric)), make([]string, q.rows*len(in.categorical))
	for i := range q.numeric {
		q.numeric[i] = math.NaN()
	}
	seen := map[string]bool{}
	for i := range q.tensors {
		t := &q.tensors[i]
		if seen[t.name] {
			return tensorFault(t, clip(t.name), "a name that stands once")
		}
		seen[t.name] = true
		if err := q.column(in, w, t); err != nil {
			return err
		}
	}
	return nil
}

// shape checks that all tensors, those that nobody reads too, have what the
// protocol asks for, and as many rows.
func (q *inference) shape() error {
	if len(q.tensors) == 0 {
		return Faults{{Field: "/inputs", Got: "nothing", Expected: "a tensor for each feature"}}
	}
	for i := range q.tensors {
		t := &q.tensors[i]
		if t.name == "" {
			return tensorFault(t, "no name", "the name of an input of the model")
		}
		if t.datatype != typeBytes && widthOf(t.datatype) == 0 {
			return tensorFault(t, "the datatype "+strconv.Quote(clip(t.datatype)), typeBytes+", or one of numbers such as "+typeFP64)
		}
		if len(t.shape) == 0 || len(t.shape) > 2 || len(t.shape) == 2 && t.shape[1] != 1 {
			return tensorFault(t, "another shape", "the shape [n] or [n, 1]")
		}
		if n := t.shape[0]; i > 0 && n != q.rows {
			return tensorFault(t, strconv.Itoa(n)+" rows", strconv.Itoa(q.rows)+" rows, as the first tensor")
		}
		q.rows = t.shape[0]
		if least := min(q.rows, maxRows); t.isBinary && t.size < least || !t.isBinary && len(t.data) < 2*least {
			return tensorFault(t, "fewer values", strconv.Itoa(q.rows)+" values, by its shape") // before there is room for them
		}
	}
	if q.rows > maxRows {
		return Refuse(TooLarge, "a request may have %d rows", maxRows)
	}
	return nil
}

func tensorFault(t *tensor, got, expected string) error {
	return Faults{{Field: "tensor " + strconv.Quote(clip(t.name)), Got: got, Expected: expected}}
}

// column puts the values of a tensor where the rows have them.
func (q *inference) column(in *inputs, w *work, t *tensor) error {
	place, ok := in.place[t.name]
	switch {
	case t.name == userTensor && !ok:
		q.users = make([]string, q.rows)
		return q.texts(w, t, func(i int, b []byte) { q.users[i] = string(b) })
	case !ok:
		if w.strict {
			return tensorFault(t, "a name that is not known", "an input of the model; GET /v2/models/"+modelName+" lists them")
		}
		q.unknown = append(q.unknown, t.name)
		return nil
	case place < 0:
		odd := false
		err := q.texts(w, t, func(i int, b []byte) {
			value := in.text(b)
			q.categorical[i*len(in.categorical)+^place] = value
			odd = odd || in.categorical[^place].unseen(value)
		})
		q.doubt(t, odd)
		return err
	}
	return q.checked(w, t, &in.numeric[place], func(i int, x float64) { q.numeric[i*len(in.numeric)+place] = x })
}

// checked reads the values of a tensor for a numeric input, and doubts them as
// /predict does.
func (q *inference) checked(w *work, t *tensor, input *Input, put func(i int, x float64)) error {
	odd, wrong := false, Fault{}
	err := q.numbers(w, t, func(i int, x float64) {
		put(i, x)
		expected, impossible := input.doubt(x)
		odd = odd || expected != ""
		if impossible && wrong.Got == "" {
			wrong = Fault{Got: shown(x) + " in row " + strconv.Itoa(i), Expected: expected}
		}
	})
	if err == nil && w.strict && wrong.Got != "" {
		return tensorFault(t, wrong.Got, wrong.Expected)
	}
	q.doubt(t, odd)
	return err
}

// doubt notes a tensor with an odd value.
func (q *inference) doubt(t *tensor, odd bool) {
	if odd {
		q.doubtful = append(q.doubtful, t.name)
	}
}

// texts reads the values of a tensor of texts.
func (q *inference) texts(w *work, t *tensor, put func(i int, b []byte)) error {
	if t.datatype != typeBytes {
		return tensorFault(t, "the datatype "+strconv.Quote(clip(t.datatype)), typeBytes)
	}
	if t.isBinary {
		return binaryTexts(t, q.rows, put)
	}
	return q.values(w, t, func(i int) error {
		b, err := w.text()
		put(i, b)
		return err
	})
}

// numbers reads the values of a tensor of numbers.
func (q *inference) numbers(w *work, t *tensor, put func(i int, x float64)) error {
	width := widthOf(t.datatype)
	if width == 0 {
		return tensorFault(t, "the datatype "+strconv.Quote(clip(t.datatype)), typeFP64+", or another of numbers")
	}
	if t.isBinary {
		return binaryNumbers(t, width, q.rows, put)
	}
	return q.values(w, t, func(i int) error {
		x, err := w.number(t.datatype == typeBool)
		put(i, x)
		return err
	})
}

// values reads the JSON of a tensor: a list, of lists of one where its shape is
// [n, 1].
func (q *inference) values(w *work, t *tensor, read func(i int) error) error {
	if t.data == nil {
		t.data = []byte("[]")
	}
	w.open(t.data, w.strict)
	n := 0
	one := func(int) error {
		if n++; n > q.rows {
			return tensorFault(t, "more values", strconv.Itoa(q.rows)+" values, by its shape")
		}
		return read(n - 1)
	}
	err := w.elements(func(i int) error {
		if w.decoder.PeekKind() == jsontext.KindBeginArray {
			return w.elements(one)
		}
		return one(i)
	})
	switch {
	case err != nil:
		return err
	case len(w.faults) > 0:
		f := w.faults[0]
		return tensorFault(t, f.Got+" at "+t.at+f.Field, f.Expected)
	case n != q.rows:
		return tensorFault(t, strconv.Itoa(n)+" values", strconv.Itoa(q.rows)+", by its shape")
	}
	return nil
}
