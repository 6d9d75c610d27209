package serving_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"churn/internal/monitored"
	"churn/internal/serving"
	"churn/pipeline/monitor/health"
	"churn/server"
)

// scrape returns what /metrics of a server with the findings of a folder says.
func scrape(t *testing.T, m server.Monitoring) string {
	t.Helper()
	s, err := server.New(server.Options{Params: server.Defaults(), Models: noModels{}, Monitoring: m, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// noModels is a registry without a model.
type noModels struct{ server.Models }

func (noModels) Current() server.Predictor  { return nil }
func (noModels) Status() server.ModelStatus { return server.ModelStatus{} }

// The law: /metrics shows the present findings, and a damaged report is a gauge
// and one line in the log, never a broken scrape.
func TestMonitoring(t *testing.T) {
	dir, log := t.TempDir(), new(bytes.Buffer)
	m := serving.NewMonitoring(dir, time.Now, slog.New(slog.NewTextHandler(log, nil)))
	if text := scrape(t, m); strings.Contains(text, "churn_monitor_") || !strings.Contains(text, "churn_ready") {
		t.Errorf("an empty folder gives\n%s", text)
	}
	path := filepath.Join(dir, monitored.HealthLatest+".json")
	put := func(data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, status := range []health.Status{health.Fail, health.OK} {
		data, _ := json.Marshal(health.Report{Status: status, AsOf: 20000})
		put(data)
		if text := scrape(t, m); !strings.Contains(text, `churn_monitor_status{monitor="health",status="`+string(status)+`"} 1`) {
			t.Errorf("%s is not told in\n%s", status, text)
		}
	}
	put([]byte("{"))
	for range 2 {
		if text := scrape(t, m); !strings.Contains(text, `churn_monitor_report_readable{monitor="health"} 0`) || strings.Contains(text, "churn_monitor_status") {
			t.Errorf("a damaged report gives\n%s", text)
		}
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), path) {
		t.Errorf("%d warnings: %s", n, log)
	}
}

// tampered gives figures that are no metrics.
type tampered struct{}

func (tampered) Gauges() []server.Gauge {
	return []server.Gauge{{Name: "churn_x", Help: "X.", Labels: []string{"a b\xff", "1"}, Value: 1}, {Name: "churn_y", Help: "Y.", Labels: []string{"a", "\xff"}, Value: 1}, {Name: "churn_z", Help: "Z.", Value: 1}}
}

// The law: a figure that is no metric takes no other with it.
func TestTamperedFigures(t *testing.T) {
	if text := scrape(t, tampered{}); !strings.Contains(text, "churn_z 1\n") || strings.Contains(text, "churn_x") {
		t.Error(text)
	}
}
