package server

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// The law: promtool's linter accepts all that /metrics shows.
func TestMetricsLint(t *testing.T) {
	f := newFixture(t, nil)
	f.ask("GET", "/live", "")
	problems, err := promlint.New(f.ask("GET", "/metrics", "").Body).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}
