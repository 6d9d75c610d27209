package server

import (
	"math"
	"slices"
	"strconv"

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
