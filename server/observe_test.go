package server

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// An id of the client's is kept if it is sane, and is in the answer, the log
// and a problem alike.
func TestRequestID(t *testing.T) {
	f := newFixture(t, nil)
	for id, kept := range map[string]bool{
		"7f3c-a.b_c:1/2+3=": true, strings.Repeat("a", 128): true,
		"": false, strings.Repeat("a", 129): false, "a b": false, "a\nlevel=ERROR": false, `a"b`: false, "ä": false, "<script>": false,
	} {
		w := f.ask("GET", "/nowhere", "", "X-Request-ID", id)
		got := w.Header().Get("X-Request-ID")
		if (got == id) != kept || !sane(got) {
			t.Errorf("%q became %q", id, got)
		}
		if p := problem(t, w.Body, w.Header().Get("Content-Type"), w.Code, 404); p.RequestID != got || !strings.Contains(f.log.String(), got) {
			t.Errorf("id %q, problem %q", got, p.RequestID)
		}
	}
	if a, b := f.ask("GET", "/live", "").Header().Get("X-Request-ID"), f.ask("GET", "/live", "").Header().Get("X-Request-ID"); a == b {
		t.Errorf("two requests have one id, %s", a)
	}
}

func TestHeaders(t *testing.T) {
	f := newFixture(t, nil)
	for _, path := range []string{"/live", "/nowhere", "/model"} {
		h := f.ask("GET", path, "").Header()
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "Content-Security-Policy": "frame-ancestors 'none'"} {
			if !strings.Contains(h.Get(name), want) {
				t.Errorf("%s: %s is %q", path, name, h.Get(name))
			}
		}
		for _, name := range []string{"Server", "X-Powered-By", "Access-Control-Allow-Origin", "Strict-Transport-Security"} {
			if h.Get(name) != "" {
				t.Errorf("%s: %s is %q", path, name, h.Get(name))
			}
		}
		if strings.Contains(h.Get("Content-Security-Policy"), "unsafe") {
			t.Errorf("%s: %s", path, h.Get("Content-Security-Policy"))
		}
	}
}

// The law: no client can make a label or a log line with a user's id.
func TestNoUserInLabelsAndLogs(t *testing.T) {
	f := newFixture(t, nil, ok("/people/:id", ScopeRead))
	f.ask("GET", "/people/first", "")
	f.ask("GET", "/nowhere", "")
	before := testutil.CollectAndCount(f.metrics.requests) + testutil.CollectAndCount(f.metrics.latency)
	for i := range 100 {
		f.ask("GET", fmt.Sprintf("/people/secret%d?token=secret%d", i, i), "")
		f.ask("GET", fmt.Sprintf("/secret%d", i), "")
		r := httptest.NewRequest("GET", "/nowhere", nil)
		r.Method = fmt.Sprintf("SECRET%d", i)
		f.Handler().ServeHTTP(httptest.NewRecorder(), r)
	}
	after := testutil.CollectAndCount(f.metrics.requests) + testutil.CollectAndCount(f.metrics.latency)
	if after != before {
		t.Errorf("%d series became %d", before, after)
	}
	scrape, log := f.ask("GET", "/metrics", "").Body.String(), f.log.String()
	if strings.Contains(strings.ToLower(scrape+log), "secret") {
		t.Error("a user's id is in the metrics or the log")
	}
	if want := `churn_api_requests_total{method="GET",path="/people/:id",status="200"} 101`; !strings.Contains(scrape, want) {
		t.Errorf("lacks %s", want)
	}
	if want := `churn_api_requests_total{method="unknown",path="unknown",status="404"} 201`; !strings.Contains(scrape, want) {
		t.Errorf("lacks %s", want)
	}
	if !strings.Contains(log, "route=/people/:id") {
		t.Error("the log lacks the route")
	}
}

func TestMetricsAreWellNamed(t *testing.T) {
	f := newFixture(t, nil)
	f.models.status.Swaps, f.models.status.Refusals = 3, 2
	problems, err := testutil.GatherAndLint(f.metrics.registry)
	if err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
	scrape := f.ask("GET", "/metrics", "").Body.String()
	for _, want := range []string{`churn_model_info{version="v0001"} 1`, "churn_build_info{version=", "churn_model_as_of_timestamp_seconds ", "churn_model_swaps_total 3", "churn_model_refusals_total 2", "churn_model_last_check_timestamp_seconds 0",
		"churn_registry_errors_total 0", "churn_predictionlog_dropped_total 0", "churn_ready 1", "churn_api_predictions_total 0", "churn_api_in_flight_requests 1",
		"go_goroutines ", "process_resident_memory_bytes ", `churn_api_request_latency_seconds_count{method="GET",path="/ready"} 0`} {
		if !strings.Contains(scrape, "\n"+want) {
			t.Errorf("lacks %s", want)
		}
	}
}

// The server's own work on a request allocates little: it is beside every
// prediction.
func TestFrameAllocatesLittle(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Params.AccessLog = false }, route{method: "GET", path: "/p", handle: func(c echo.Context) error { return c.NoContent(200) }})
	r := httptest.NewRequest("GET", "/p", nil)
	w := discard{header: map[string][]string{}}
	got := testing.AllocsPerRun(200, func() {
		clear(w.header)
		f.Handler().ServeHTTP(w, r)
	})
	if got > 6 {
		t.Errorf("%v allocations a request", got)
	}
}

// discard is an http.ResponseWriter that keeps only its headers.
type discard struct{ header map[string][]string }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}
