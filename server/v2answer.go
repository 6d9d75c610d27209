package server

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
)

// wanted is one output that a request asks for.
type wanted struct {
	name, datatype string
	binary         bool
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
