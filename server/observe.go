package server

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"
)

// requestIDHeader carries the id of a request, both ways.
const requestIDHeader = "X-Request-Id"

// statusClientGone is what the log and the metrics say of a request whose
// client did not wait; nobody reads an answer.
const statusClientGone = 499

// call is a request on its way: echo's context, and what the log will say.
type call struct {
	echo.Context
	id      string
	client  string // name of its key, else its address
	key     *Key   // nil = none was asked for, or it was refused
	page    bool   // a person asked: problems are pages too
	started time.Time
}

// RequestID returns the id of a request.
func RequestID(c echo.Context) string {
	if k, ok := c.(*call); ok {
		return k.id
	}
	return ""
}

// observe is around every request: it gives it an id, turns errors and panics
// into problems, and tells the metrics and the log how it ended.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		k := s.begin(c)
		defer s.end(k) // an answer that is cut off counts too
		s.answer(next, k)
		return nil
	}
}

func (s *Server) begin(c echo.Context) *call {
	k := s.calls.Get().(*call)
	*k = call{Context: c, id: requestID(c.Request().Header), started: s.options.Now()}
	header := c.Response().Header()
	for name, values := range s.headers {
		header[name] = values
	}
	header[requestIDHeader] = []string{k.id}
	if s.draining.Load() {
		header.Set("Connection", "close") // the client finds another server for its next request
	}
	s.metrics.inFlight.Inc()
	return k
}

// answer runs the handler, and answers with a problem where it could not.
func (s *Server) answer(next echo.HandlerFunc, k *call) {
	defer func() {
		fault := recover()
		switch {
		case fault == nil:
		case fault == http.ErrAbortHandler: //nolint:errorlint // the very value, by net/http's contract
			panic(fault)
		default:
			s.log.Error("panic", "request_id", k.id, "route", s.metrics.pattern(k), "panic", fault, "stack", string(debug.Stack()))
			s.fail(k, errPanic)
		}
	}()
	if err := next(k); err != nil {
		s.fail(k, err)
	}
}

// errPanic stands for a panic, which the log has.
var errPanic = errors.New("panic")

// fail answers with the problem that an error is.
func (s *Server) fail(k *call, err error) {
	response := k.Response()
	if errors.Is(err, context.Canceled) && k.Request().Context().Err() != nil {
		response.Status = statusClientGone
		return
	}
	problem := problemOf(err)
	if problem.Status == http.StatusInternalServerError && err != errPanic { //nolint:errorlint // never wrapped
		s.log.Error("request failed", "request_id", k.id, "route", s.metrics.pattern(k), "error", err)
	}
	if response.Committed {
		response.Status = problem.Status // for the log
		panic(http.ErrAbortHandler)      // half an answer must not pass for a whole one
	}
	if problem.Status == http.StatusRequestEntityTooLarge || problem.Status == http.StatusRequestTimeout {
		response.Header().Set("Connection", "close") // the rest of the body is not worth reading
	}
	write := writeProblem
	if k.page {
		write = s.showProblem
	}
	if err := write(k, *problem); err != nil {
		response.Status = statusClientGone
	}
}

// end tells the metrics and the log how a request ended.
func (s *Server) end(k *call) {
	took := s.options.Now().Sub(k.started)
	s.metrics.inFlight.Dec()
	stats := s.metrics.observe(k, took)
	level := slog.LevelInfo
	if stats.probe {
		level = slog.LevelDebug
	}
	ctx := k.Request().Context()
	if s.params.AccessLog && s.log.Enabled(ctx, level) {
		s.log.LogAttrs(ctx, level, "request",
			slog.String("method", stats.method), slog.String("route", stats.path), slog.Int("status", k.Response().Status),
			slog.Int64("bytes", k.Response().Size), slog.Float64("ms", float64(took.Microseconds())/1000),
			slog.String("request_id", k.id), slog.String("client", clientName(k)))
	}
	*k = call{}
	s.calls.Put(k)
}

// clientName names who asked: its key, or else its address.
func clientName(k *call) string {
	if k.client != "" {
		return k.client
	}
	return remoteHost(k.Request())
}

func remoteHost(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// requestID returns the client's id of a request if it is sane, so that it
// cannot write lines of its own into a log, else a new one.
func requestID(h http.Header) string {
	if id := h.Get(requestIDHeader); sane(id) {
		return id
	}
	return rand.Text()
}

func sane(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == ':', c == '/', c == '+', c == '=':
		default:
			return false
		}
	}
	return true
}

// securityHeaders are on every answer. The policy fits an embedded dashboard
// without inline scripts and styles.
func securityHeaders(tls bool) http.Header {
	h := http.Header{
		"X-Content-Type-Options":       {"nosniff"},
		"Referrer-Policy":              {"no-referrer"},
		"Content-Security-Policy":      {"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
		"Cross-Origin-Resource-Policy": {"same-origin"},
		"Cache-Control":                {"no-store"}, // risks of people; a page's files say otherwise
	}
	if tls {
		h["Strict-Transport-Security"] = []string{"max-age=31536000"}
	}
	return h
}
