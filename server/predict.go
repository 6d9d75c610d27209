package server

import (
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
)

// predictRoutes answer with risks.
func (s *Server) predictRoutes() []route {
	return []route{
		{method: http.MethodPost, path: "/predict", scope: ScopePredict, query: []string{"reasons"}, handle: s.predict},
		{method: http.MethodPost, path: "/predict/batch", scope: ScopePredict, query: []string{"reasons"}, handle: s.predictBatch},
		{method: http.MethodPost, path: "/predict/events", scope: ScopePredict, query: []string{"reasons"}, handle: s.predictEvents},
	}
}

// work is the memory of one request, used again by the next.
type work struct {
	reader
	instance
	model    Predictor
	info     *ModelInfo
	request  string // its id
	route    string
	reasons  int
	body     []byte
	out      []byte
	missing  []string
	accepted int // rows scored
}

// keptBuffer is the largest buffer that the next request finds; a rare large
// request must not hold its memory for ever.
const keptBuffer = 1 << 18

// borrow reads the body of a request into memory for it, and opens it.
func (s *Server) borrow(c echo.Context, in *inputs, mediaType string) (w *work, err error) {
	w, ok := s.work.Get().(*work)
	if !ok {
		w = &work{}
	}
	w.model, w.info, w.request, w.route, w.out, w.accepted = in.of, &in.info, RequestID(c), c.Path(), w.out[:0], 0
	if w.reasons, err = reasonsOf(c); err == nil {
		w.body, err = readBody(c, w.body[:0], mediaType)
	}
	if err != nil {
		s.giveBack(w)
		return nil, err
	}
	w.open(w.body, s.params.Strict)
	w.latest = s.options.Now().AddDate(0, 0, 1).Format(time.DateOnly) // somewhere it is tomorrow already
	return w, nil
}

// giveBack keeps the memory for the next request, without what it held.
func (s *Server) giveBack(w *work) {
	if cap(w.body) > keptBuffer {
		w.body = nil
	}
	if cap(w.out) > keptBuffer {
		w.out = nil
	}
	w.model, w.info, w.faults, w.warnings = nil, nil, nil, nil
	s.work.Put(w)
}

// reasonsOf returns how many reasons a request asks for.
func reasonsOf(c echo.Context) (int, error) {
	if c.Request().URL.RawQuery == "" {
		return MaxReasons, nil
	}
	text := c.QueryParam("reasons")
	if text == "" {
		return MaxReasons, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > MaxReasons {
		return 0, Faults{{Field: "?reasons", Got: strconv.Quote(clip(text)), Expected: "a whole number from 0 to " + strconv.Itoa(MaxReasons)}}
	}
	return n, nil
}

// predict answers for one row of features.
func (s *Server) predict(c echo.Context) error {
	in, err := s.current()
	if err != nil {
		return err
	}
	w, err := s.borrow(c, in, echo.MIMEApplicationJSON)
	if err != nil {
		return err
	}
	defer s.giveBack(w)
	if err := w.read(in); err != nil {
		return err
	}
	score := s.score(w, in)
	w.out = w.appendStamp(w.appendOutcome(append(w.out, '{'), score))
	w.out = append(w.out, '}')
	return s.send(c, w.out)
}

// read reads a document that is one instance.
func (w *work) read(in *inputs) error {
	w.openLax(w.body, w.strict)
	if err := w.reader.instance(in, &w.instance); err != nil {
		return err
	}
	if err := w.close(); err != nil {
		return err
	}
	if len(w.faults) > 0 {
		return w.faults
	}
	return nil
}

// score scores the instance at hand, and tells the log and the second model.
func (s *Server) score(w *work, in *inputs) Score {
	if w.asOf == "" {
		w.asOf = s.today()
	}
	w.missing = in.missing(&w.row, w.missing[:0])
	score := in.of.Predict(w.row, w.reasons)
	s.tell(w, w.user, w.asOf, w.row, score)
	return score
}

// tell counts a prediction, and hands it to the log and to the second model.
func (s *Server) tell(w *work, user, asOf string, row Row, score Score) {
	w.accepted++
	s.metrics.predictions.Inc()
	l := Logged{Time: s.options.Now(), RequestID: w.request, Route: w.route, UserID: user, AsOf: asOf, Model: w.model, Row: row, Score: score}
	s.options.Log.Record(l)
	if s.options.Shadow != nil {
		s.options.Shadow.Offer(l)
	}
}

// today is the date that a row without one is of.
func (s *Server) today() string { return s.options.Now().Format("2006-01-02") }

// predictBatch answers for many rows, each on its own, by one model.
func (s *Server) predictBatch(c echo.Context) error {
	in, err := s.current()
	if err != nil {
		return err
	}
	w, err := s.borrow(c, in, echo.MIMEApplicationJSON)
	if err != nil {
		return err
	}
	defer s.giveBack(w)
	if err := w.check(); err != nil {
		return err
	}
	failed, err := s.batch(c, w, in)
	if err != nil {
		return err
	}
	w.out = w.appendStamp(w.out)
	w.out = append(w.out, `,"scored":`...)
	w.out = strconv.AppendInt(w.out, int64(w.accepted), 10)
	w.out = append(w.out, `,"failed":`...)
	w.out = strconv.AppendInt(w.out, int64(failed), 10)
	return s.send(c, append(w.out, '}'))
}

// check reads the document once before any of its rows is scored: its form, and
// all that is wrong outside of the rows.
func (w *work) check() error {
	found := false
	err := w.members(func(name []byte) error {
		if string(name) != "instances" {
			return w.unknown("instances")
		}
		found = true
		return w.elements(func(i int) error {
			if i == maxRows {
				return Refuse(TooLarge, "a batch may have %d instances", maxRows)
			}
			return w.skip()
		})
	})
	if err == nil {
		err = w.close()
	}
	switch {
	case err != nil:
		return err
	case len(w.faults) > 0:
		return w.faults
	case !found:
		return Faults{{Field: "/instances", Got: "nothing", Expected: "a list of instances"}}
	}
	w.openLax(w.body, w.strict)
	return nil
}

// batch writes the answers for all rows of a checked document and returns how
// many could not be scored. It fails only where the client has left.
func (s *Server) batch(c echo.Context, w *work, in *inputs) (failed int, err error) {
	w.out = append(w.out, `{"predictions":[`...)
	err = w.members(func(name []byte) error {
		if string(name) != "instances" {
			return w.skip()
		}
		return w.elements(func(i int) error {
			if !s.row(w, in, i) {
				failed++
			}
			return c.Request().Context().Err()
		})
	})
	w.out = append(w.out, "],"...)
	return failed, err
}

// row writes the answer for one row of a batch and reports whether it was
// scored. The document has been checked, so that its form holds no surprise.
func (s *Server) row(w *work, in *inputs, i int) bool {
	if i > 0 {
		w.out = append(w.out, ',')
	}
	w.faults, w.warnings = nil, nil
	if err := w.reader.instance(in, &w.instance); err != nil {
		panic("server: a checked document is malformed: " + err.Error())
	}
	w.out = append(w.out, '{')
	if len(w.faults) > 0 {
		w.out = appendText(append(w.out, `"user_id":`...), w.user)
		w.out = appendFaults(append(w.out, `,"errors":`...), w.faults)
	} else {
		score := s.score(w, in)
		w.out = w.appendOutcome(w.out, score)
		w.out = w.out[:len(w.out)-1] // the comma before the stamp
	}
	w.out = append(w.out, '}')
	return len(w.faults) == 0
}

// send answers with a JSON document.
func (s *Server) send(c echo.Context, text []byte) error {
	header := c.Response().Header()
	header[echo.HeaderContentType] = jsonType
	header[echo.HeaderContentLength] = []string{strconv.Itoa(len(text))}
	c.Response().WriteHeader(http.StatusOK)
	_, err := c.Response().Write(text)
	return err
}
