package telemetry

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The law: what arrives is what Text shows, under the job, with the password as
// basic authentication; no fault tells the password.
func TestPush(t *testing.T) {
	var path, user, secret, method, got string
	status := http.StatusOK
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method, path = r.Method, r.URL.Path
		user, secret, _ = r.BasicAuth()
		body, _ := io.ReadAll(r.Body)
		got = string(body)
		w.WriteHeader(status)
		io.WriteString(w, "no room") //nolint:errcheck // of a test
	}))
	defer gateway.Close()
	var b Batch
	b.Add("churn_a", "First.", 1, "k", "x")
	b.Add("churn_b", "Second.", 2)
	address := strings.Replace(gateway.URL, "http://", "http://robot:hush@", 1) + "/"
	if err := b.Push(t.Context(), address, "churn_monitor"); err != nil {
		t.Fatal(err)
	}
	want, _ := b.Text()
	if method != http.MethodPut || path != "/metrics/job/churn_monitor" || user != "robot" || secret != "hush" || got != string(want) {
		t.Errorf("%s %s by %s:%s with\n%s", method, path, user, secret, got)
	}
	status = http.StatusInsufficientStorage
	if err := b.Push(t.Context(), address, "churn_monitor"); err == nil || strings.Contains(err.Error(), "hush") || !strings.Contains(err.Error(), "no room") {
		t.Errorf("a gateway without room: %v", err)
	}
	gateway.Close()
	if err := b.Push(t.Context(), address, "churn_monitor"); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("no gateway: %v", err)
	}
}
