package serving

import (
	"bytes"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"churn/internal/serving/predictionlog"
	"churn/internal/serving/shadow"
	"churn/server"
)

// kept opens a log of everything.
func kept(t testing.TB) *predictionlog.Writer {
	t.Helper()
	p := predictionlog.Defaults()
	p.Sample = 1
	w, err := predictionlog.NewWriter(predictionlog.Options{Params: p, Folder: t.TempDir(), Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() }) //nolint:errcheck // a test that cares has closed it
	return w
}

// The law: a request takes no more memory for the log and the second model.
func TestLogAndShadowCostNoMemory(t *testing.T) {
	w := newWorld(t, 150)
	models := w.models(t)
	body := w.features(t, 0)
	take := func(change func(*server.Options)) float64 {
		p := server.Defaults()
		p.AccessLog = false
		o := server.Options{Params: p, Models: fixed{NewPredictor(models["v0001"], server.ModelInfo{Version: "v0001", Digest: "d1"}, w.settings)}, Now: time.Now, Logger: slog.New(slog.DiscardHandler)}
		change(&o)
		s, err := server.New(o)
		if err != nil {
			t.Fatal(err)
		}
		source := bytes.NewReader(body)
		r := httptest.NewRequest(http.MethodPost, "/predict?reasons=0", source)
		r.Header.Set("Content-Type", "application/json")
		out := &answer{header: http.Header{}}
		ask := func() {
			source.Reset(body)
			clear(out.header)
			s.Handler().ServeHTTP(out, r)
		}
		for range 6000 { // until blocks and queues have their memory
			ask()
		}
		if out.status != http.StatusOK {
			t.Fatal(out.status)
		}
		least := math.Inf(1)
		for range 8 { // what others do meanwhile, and pools that the collector empties, count too
			least = min(least, testing.AllocsPerRun(200, ask))
		}
		return least
	}
	alone := take(func(*server.Options) {})
	logged := take(func(o *server.Options) { o.Log = kept(t) })
	second := NewPredictor(models["v0002"], server.ModelInfo{Version: "v0002", Digest: "d2"}, w.settings)
	both := take(func(o *server.Options) {
		runner := shadow.New(shadow.Options{Models: fixed{second}, Folder: t.TempDir(), Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
		t.Cleanup(runner.Close)
		o.Log, o.Shadow = kept(t), runner
	})
	if !raceEnabled && (logged > alone || both > alone) { // with the race detector pools forget
		t.Errorf("%v allocations alone, %v with a log, %v with a second model too", alone, logged, both)
	}
}
