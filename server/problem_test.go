package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// The table from errors to problems, through a handler; nothing of an error
// that is ours reaches a client.
func TestProblems(t *testing.T) {
	timeout := &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}
	for _, c := range []struct {
		err           error
		status        int
		detail, retry string
	}{
		{&MalformedError{Offset: 17, What: "a comma is missing"}, 400, "a comma is missing, at byte 17", ""},
		{io.ErrUnexpectedEOF, 400, "ended early", ""},
		{Refuse(Unauthorised, "no"), 401, "no", ""},
		{ErrNoUser, 404, "no such user", ""},
		{echo.ErrNotFound, 404, "no such path", ""},
		{echo.ErrMethodNotAllowed, 405, "Allow", ""},
		{timeout, 408, "in time", ""},
		{ErrCursorExpired, 410, "earlier snapshot", ""},
		{&http.MaxBytesError{Limit: 7}, 413, "7 bytes", ""},
		{Refuse(MediaType, "x"), 415, "x", ""},
		{Faults{{Field: "/features/a", Got: `"x"`, Expected: "a number"}, {Field: "/user_id"}}, 422, "2 of its fields", ""},
		{errors.New("open /secret/path: secret"), 500, "request id", ""},
		{echo.NewHTTPError(418, "secret"), 500, "request id", ""},
		{ErrNoModel, 503, "churn train", "5"},
		{ErrNoSnapshot, 503, "churn score", "60"},
	} {
		f := newFixture(t, nil, route{method: "GET", path: "/fail", handle: func(echo.Context) error { return fmt.Errorf("secret: %w", c.err) }})
		w := f.ask("GET", "/fail", "")
		text := w.Body.String()
		p := problem(t, strings.NewReader(text), w.Header().Get("Content-Type"), w.Code, c.status)
		if !strings.Contains(p.Detail, c.detail) || w.Header().Get("Retry-After") != c.retry || strings.Contains(text, "secret") {
			t.Errorf("%v: %s, Retry-After %q", c.err, text, w.Header().Get("Retry-After"))
		}
		if told := strings.Contains(f.log.String(), "level=ERROR"); told != (c.status == 500) {
			t.Errorf("%v: an error in the log: %v", c.err, told)
		}
		if c.status == 422 && (len(p.Errors) != 2 || p.Errors[0].Field != "/features/a") {
			t.Errorf("errors: %+v", p.Errors)
		}
	}
}

// Every kind has a row, with a name and a status of its own.
func TestKinds(t *testing.T) {
	names, statuses := map[string]bool{}, map[int]bool{}
	for k := Malformed; k <= Unavailable; k++ {
		row := k.row()
		if row.name == "" || row.title == "" || row.status < 400 || names[row.name] || statuses[row.status] {
			t.Errorf("kind %d: %+v", k, row)
		}
		names[row.name], statuses[row.status] = true, true
	}
	if table := kinds(); len(names) != len(table) {
		t.Errorf("%d kinds, %d rows", len(names), len(table))
	}
}

// Half an answer must not pass for a whole one.
func TestFailureInTheMiddle(t *testing.T) {
	f := newFixture(t, nil, route{method: "GET", path: "/half", handle: func(c echo.Context) error {
		if _, err := c.Response().Write([]byte("half")); err != nil {
			return err
		}
		c.Response().Flush() // in chunks, whose end would look like a whole answer
		return errors.New("the other half is lost")
	}})
	address, stop := f.start(t)
	if _, body, err := get("http://" + address + "/half"); err == nil {
		t.Errorf("an answer of %q", body)
	}
	if status, _, err := get("http://" + address + "/live"); status != 200 {
		t.Errorf("/live afterwards: %d %v", status, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if n := testutil.ToFloat64(f.metrics.inFlight); n != 0 || !strings.Contains(f.log.String(), "route=/half status=500") {
		t.Errorf("%v requests still in flight; %s", n, f.log)
	}
}

func TestModelAndReload(t *testing.T) {
	secret, line := newKey(t, "ops", "", ScopeAdmin, ScopeRead)
	f := newFixture(t, func(o *Options) { o.Keys = line })
	for _, c := range []struct{ method, path string }{{"GET", "/model"}, {"POST", "/admin/reload"}} {
		w := f.ask(c.method, c.path, "", "X-API-Key", secret)
		for _, want := range []string{`"model_version":"v0001"`, `"status":{`, `"name":"events_7d"`, `"name":"plan"`, `"request_id":"`} {
			if w.Code != 200 || !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s: %d %s lacks %s", c.path, w.Code, w.Body, want)
			}
		}
	}
	f.models.reload = errors.New("open /secret/registry")
	if p := f.wantProblem(t, 503, "POST", "/admin/reload", "", "X-API-Key", secret); strings.Contains(p.Detail, "secret") {
		t.Errorf("%+v", p)
	}
	f.models.current.Store(nil)
	if w := f.ask("GET", "/model", "", "X-API-Key", secret); w.Code != 200 || !strings.Contains(w.Body.String(), `"inputs":[]`) {
		t.Errorf("without a model: %d %s", w.Code, w.Body)
	}
}
