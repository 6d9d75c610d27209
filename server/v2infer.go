package server

import (
	"bytes"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"
)

// The datatypes that have a meaning of their own here; the other numbers of the
// protocol are read, too.
const (
	typeFP64  = "FP64"
	typeBytes = "BYTES"
	typeBool  = "BOOL"
)

// userTensor is the name of an optional tensor with the ids of the users, for
// the log.
const userTensor = "user_id"

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

// wanted is one output that a request asks for.
type wanted struct {
	name, datatype string
	binary         bool
}

// inference is a request of the protocol.
type inference struct {
	id           string
	tensors      []tensor
	outputs      []wanted
	asked        bool // outputs are named
	binaryOutput bool // all that are not named otherwise are binary
	rows         int
	numeric      []float64 // rows × inputs
	categorical  []string
	users        []string
	asOf         string   // date that the rows are of
	unknown      []string // names of tensors that no input has
	doubtful     []string // of those with a value that is impossible or far from training
}

// v2Infer scores the rows of a request.
func (s *Server) v2Infer(c echo.Context) error {
	in, err := s.v2Model(c)
	if err != nil {
		return err
	}
	w, rest, err := s.borrowV2(c, in)
	if err != nil {
		return err
	}
	defer s.giveBack(w)
	var q inference
	if err := w.inference(&q); err != nil {
		return err
	}
	if err := q.split(rest); err != nil {
		return err
	}
	if err := q.fill(in, w); err != nil {
		return err
	}
	scores := s.infer(w, in, &q)
	return s.sendV2(c, w, in, &q, scores)
}

// infer scores all rows by one model.
func (s *Server) infer(w *work, in *inputs, q *inference) []Score {
	scores, n, m := make([]Score, q.rows), len(in.numeric), len(in.categorical)
	q.asOf = s.today()
	for i := range scores {
		row := Row{Numeric: q.numeric[i*n : (i+1)*n], Categorical: q.categorical[i*m : (i+1)*m]}
		scores[i] = in.of.Predict(row, 0)
		user := ""
		if q.users != nil {
			user = q.users[i]
		}
		s.tell(w, user, q.asOf, row, scores[i])
	}
	return scores
}

// inference reads the document of a request.
func (w *work) inference(q *inference) error {
	err := w.members(func(name []byte) (err error) {
		var text []byte
		switch string(name) {
		case "id":
			text, err = w.text()
			q.id = string(text)
		case "inputs":
			err = w.elements(func(i int) error {
				if i == maxTensors {
					return Refuse(TooLarge, "a request may have %d tensors", maxTensors)
				}
				q.tensors = append(q.tensors, tensor{})
				return w.tensor(&q.tensors[i])
			})
		case "outputs":
			q.asked = true
			err = w.elements(func(i int) error {
				if i == maxTensors {
					return Refuse(TooLarge, "a request may have %d tensors", maxTensors)
				}
				q.outputs = append(q.outputs, wanted{})
				return w.wanted(&q.outputs[i])
			})
		case "parameters":
			err = w.flag("binary_data_output", &q.binaryOutput)
		default:
			err = w.skip()
		}
		return err
	})
	if err == nil {
		err = w.close()
	}
	switch {
	case err != nil:
		return err
	case len(w.faults) > 0:
		return w.faults
	}
	return q.choose()
}

// choose completes the list of outputs: all, unless some are asked for.
func (q *inference) choose() error {
	known := v2Outputs()
	if !q.asked {
		for _, o := range known {
			q.outputs = append(q.outputs, wanted{name: o.Name, binary: q.binaryOutput})
		}
	}
	for i := range q.outputs {
		o := &q.outputs[i]
		k := slices.IndexFunc(known, func(t V2Tensor) bool { return t.Name == o.name })
		if k < 0 {
			return Faults{{Field: "/outputs/" + strconv.Itoa(i) + "/name", Got: strconv.Quote(clip(o.name)), Expected: "churn_risk, risk_tier or margin"}}
		}
		o.datatype = known[k].Datatype
	}
	return nil
}

// maxTensors is how many inputs and how many outputs a request may name.
const maxTensors = 1024

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

// wanted reads one output that is asked for.
func (w *work) wanted(o *wanted) error {
	return w.members(func(name []byte) (err error) {
		switch string(name) {
		case "name":
			var text []byte
			text, err = w.text()
			o.name = string(text)
		case "parameters":
			err = w.flag("binary_data", &o.binary)
		default:
			err = w.skip()
		}
		return err
	})
}

// flag reads one boolean among parameters.
func (w *work) flag(want string, into *bool) error {
	return w.members(func(name []byte) error {
		kind := w.decoder.PeekKind()
		if string(name) == want && (kind == jsontext.KindTrue || kind == jsontext.KindFalse) {
			*into = kind == jsontext.KindTrue
		}
		return w.skip()
	})
}

// integer reads a whole number that is not negative.
func (w *work) integer() (int, error) {
	if w.decoder.PeekKind() != jsontext.KindNumber {
		return 0, w.wrong("a whole number")
	}
	v, err := w.value()
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(string(v))
	if err != nil || n < 0 || n > math.MaxInt32 {
		w.fault(clip(string(v)), "a whole number from 0 on")
	}
	return n, nil
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

// sendV2 answers with the outputs that are asked for, or all.
func (s *Server) sendV2(c echo.Context, w *work, in *inputs, q *inference, scores []Score) error {
	b, tail := append(w.out, `{"model_name":"`+modelName+`","model_version":`...), []byte(nil)
	b = appendText(b, w.info.Version)
	if q.id != "" {
		b = appendText(append(b, `,"id":`...), q.id)
	}
	b = appendText(append(b, `,"parameters":{"feature_set":`...), w.info.FeatureSet)
	b = appendText(append(b, `,"as_of_date":`...), q.asOf)
	b = appendText(append(b, `,"request_id":`...), w.request)
	b = q.appendNotes(b, in)
	b = append(b, `},"outputs":[`...)
	for i, o := range q.outputs {
		b, tail = appendOutput(comma(b, i), tail, o, scores)
	}
	w.out = append(b, "]}"...)
	if tail != nil {
		return sendBinary(c, w, tail)
	}
	return s.send(c, w.out)
}

// appendNotes adds what a client should know of its inputs: tensors that are no
// input, inputs without a tensor, for which the model's null rule holds, and
// tensors with a value that is impossible or far from those of training. The
// protocol knows parameters that are text, and no lists.
func (q *inference) appendNotes(b []byte, in *inputs) []byte {
	var missing []string
	for _, list := range [][]Input{in.numeric, in.categorical} {
		for i := range list {
			if !slices.ContainsFunc(q.tensors, func(t tensor) bool { return t.name == list[i].Name }) {
				missing = append(missing, list[i].Name)
			}
		}
	}
	for _, note := range []struct {
		name  string
		names []string
	}{{"unknown", q.unknown}, {"missing", missing}, {"doubtful", q.doubtful}} {
		if len(note.names) > 0 {
			b = appendText(append(b, `,"`+note.name+`":`...), strings.Join(note.names, ","))
		}
	}
	return b
}

// appendOutput writes one output: its values into the document, or into the
// tail behind it.
func appendOutput(b, tail []byte, o wanted, scores []Score) (document, behind []byte) {
	b = append(b, `{"name":"`+o.name+`","datatype":"`+o.datatype+`","shape":[`...)
	b = append(strconv.AppendInt(b, int64(len(scores)), 10), ']')
	if o.binary {
		before := len(tail)
		tail = appendBinary(tail, o.name, scores)
		b = strconv.AppendInt(append(b, `,"parameters":{"binary_data_size":`...), int64(len(tail)-before), 10)
		return append(b, "}}"...), tail
	}
	b = append(b, `,"data":[`...)
	for i := range scores {
		b = comma(b, i)
		switch o.name {
		case outputRisk:
			b = appendNumber(b, scores[i].Risk)
		case outputMargin:
			b = appendNumber(b, scores[i].Margin)
		case outputTier:
			b = appendText(b, scores[i].Tier)
		}
	}
	return append(b, "]}"...), tail
}

// borrowV2 reads a request of the protocol: the document, and what follows it.
func (s *Server) borrowV2(c echo.Context, in *inputs) (w *work, rest []byte, err error) {
	header := c.Request().Header
	size := header.Get(binaryHeader)
	mediaType := echo.MIMEApplicationJSON
	if got := header.Get(echo.HeaderContentType); got == "" || got == echo.MIMEOctetStream || got == "application/x-www-form-urlencoded" {
		mediaType = got // clients of Triton say nothing, or what their library says
	}
	w, err = s.borrow(c, in, mediaType)
	if err != nil || size == "" {
		return w, nil, err
	}
	n, err := strconv.Atoi(size)
	if err != nil || n < 0 || n > len(w.body) {
		s.giveBack(w)
		return nil, nil, &MalformedError{What: binaryHeader + " is not a length within the body"}
	}
	w.open(w.body[:n], s.params.Strict)
	return w, w.body[n:], nil
}

// sendBinary answers with a document and binary values behind it.
func sendBinary(c echo.Context, w *work, tail []byte) error {
	header := c.Response().Header()
	header.Set(echo.HeaderContentType, echo.MIMEOctetStream)
	header.Set(binaryHeader, strconv.Itoa(len(w.out)))
	w.out = append(w.out, tail...)
	header.Set(echo.HeaderContentLength, strconv.Itoa(len(w.out)))
	c.Response().WriteHeader(http.StatusOK)
	_, err := c.Response().Write(w.out)
	return err
}
