package server

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
)

// models is a server.Models of the tests.
type models struct {
	current atomic.Pointer[Predictor]
	status  ModelStatus
	reload  error
}

func (m *models) Current() Predictor {
	if p := m.current.Load(); p != nil {
		return *p
	}
	return nil
}
func (m *models) Status() ModelStatus          { return m.status }
func (m *models) Reload(context.Context) error { return m.reload }

// set takes a model into use.
func (m *models) set(p Predictor) { m.current.Store(&p) }

// constant answers the same for all.
type constant struct{}

func (constant) Info() ModelInfo {
	return ModelInfo{Version: "v0001", Path: "registry/v0001", Kind: "constant", AsOf: "2026-04-30"}
}
func (constant) Inputs() (numeric, categorical []Input) {
	return []Input{{Name: "events_7d"}}, []Input{{Name: "plan", Categorical: true}}
}
func (constant) Predict(Row, int) Score                        { return Score{Risk: 0.5, Tier: "high"} }
func (constant) PredictEvents(Events, int) (EventScore, error) { return EventScore{}, nil }

// output collects the log.
type output struct {
	sync.Mutex
	strings.Builder
}

func (o *output) Write(b []byte) (int, error) {
	o.Lock()
	defer o.Unlock()
	return o.Builder.Write(b)
}

func (o *output) String() string {
	o.Lock()
	defer o.Unlock()
	return o.Builder.String()
}

// fixture is a server of the tests with what it is made of.
type fixture struct {
	*Server
	models *models
	log    *output
}

// newFixture returns a server with a model; change may alter its options, and
// extra adds routes.
func newFixture(t testing.TB, change func(*Options), extra ...route) *fixture {
	t.Helper()
	f := &fixture{models: &models{}, log: &output{}}
	f.models.set(constant{})
	f.models.status.Version = "v0001"
	o := Options{Params: Defaults(), Models: f.models, Now: time.Now, Logger: slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	o.Params.Address, o.Params.DrainDelay = "127.0.0.1:0", 0
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	f.Server = s
	for _, r := range extra {
		s.add(r)
	}
	return f
}

// ask sends one request to the handler itself.
func (f *fixture) ask(method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	f.Handler().ServeHTTP(w, r)
	return w
}

// problem reads the problem that an answer must be, of a status.
func problem(t *testing.T, body io.Reader, contentType string, got, want int) Problem {
	t.Helper()
	var p Problem
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &p); err != nil || got != want || p.Status != want || contentType != "application/problem+json" || p.RequestID == "" || p.Type == "" || p.Title == "" {
		t.Fatalf("status %d, %s, want a problem with %d: %s (%v)", got, contentType, want, text, err)
	}
	return p
}

func (f *fixture) wantProblem(t *testing.T, want int, method, path, body string, header ...string) Problem {
	t.Helper()
	w := f.ask(method, path, body, header...)
	return problem(t, w.Body, w.Header().Get("Content-Type"), w.Code, want)
}

// start runs the server on a real listener and returns its address; stop ends
// it and returns what Run returned.
func (f *fixture) start(t testing.TB) (address string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context())) // cleanups still talk to it
	listening, done := make(chan net.Addr, 1), make(chan error, 1)
	f.options.Listening = func(address, _ net.Addr) { listening <- address }
	go func() { done <- f.Run(ctx) }()
	select {
	case a := <-listening:
		address = a.String()
	case err := <-done:
		t.Fatal(err)
	}
	stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() { stop() }) //nolint:errcheck // a test that cares has asked
	return address, stop
}

func TestProbes(t *testing.T) {
	f := newFixture(t, nil)
	for path, want := range map[string]string{
		"/live":   `{"status":"alive"}`,
		"/ready":  `{"status":"ready","model_version":"v0001"}`,
		"/health": `{"status":"ok","model_loaded":true,"model_version":"v0001","model_path":"registry/v0001"}`,
	} {
		if w := f.ask("GET", path, ""); w.Code != 200 || strings.TrimSpace(w.Body.String()) != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	f.models.current.Store(nil)
	if p := f.wantProblem(t, 503, "GET", "/ready", ""); !strings.Contains(p.Detail, "churn train") {
		t.Errorf("/ready does not say what to do: %+v", p)
	}
	if w := f.ask("GET", "/live", ""); w.Code != 200 {
		t.Errorf("/live: %d", w.Code)
	}
	if w := f.ask("GET", "/health", ""); w.Code != 200 || !strings.Contains(w.Body.String(), `"degraded"`) {
		t.Errorf("/health: %d %s", w.Code, w.Body)
	}
}

// A panic is a problem without a word of it, and the service goes on.
func TestPanic(t *testing.T) {
	f := newFixture(t, nil, route{method: "GET", path: "/panic", handle: func(echo.Context) error { panic("secret") }})
	w := f.ask("GET", "/panic", "")
	body := w.Body.String()
	problem(t, strings.NewReader(body), w.Header().Get("Content-Type"), w.Code, 500)
	if strings.Contains(body, "secret") || strings.Contains(body, "goroutine") || strings.Contains(body, ".go") {
		t.Errorf("the answer tells too much: %s", body)
	}
	if log := f.log.String(); !strings.Contains(log, "secret") || !strings.Contains(log, "server_test.go") {
		t.Errorf("the log tells too little: %s", log)
	}
	if w := f.ask("GET", "/live", ""); w.Code != 200 {
		t.Errorf("/live after a panic: %d", w.Code)
	}
}

func TestUnrouted(t *testing.T) {
	f := newFixture(t, nil)
	f.wantProblem(t, http.StatusNotFound, "GET", "/nothing/../secret-of-u1", "")
	f.wantProblem(t, http.StatusMethodNotAllowed, "DELETE", "/live", "")
	if w := f.ask("DELETE", "/live", ""); w.Header().Get("Allow") == "" {
		t.Error("405 without Allow")
	}
	if log := f.log.String(); strings.Contains(log, "secret-of-u1") || !strings.Contains(log, "route=unknown") {
		t.Errorf("the log has the raw path: %s", log)
	}
}
