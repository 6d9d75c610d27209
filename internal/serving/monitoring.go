package serving

import (
	"log/slog"
	"sync"
	"time"

	"churn/internal/monitored"
	"churn/server"
)

// Monitoring reads the latest findings of the monitors from their folder. It
// looks at each call, and reads what has changed.
type Monitoring struct {
	reader monitored.Reader
	log    *slog.Logger

	mu    sync.Mutex
	fault string // as it was last told
}

var _ server.Monitoring = (*Monitoring)(nil)

// NewMonitoring returns the findings in a folder of metrics.
func NewMonitoring(dir string, now func() time.Time, log *slog.Logger) *Monitoring {
	return &Monitoring{reader: monitored.Reader{Dir: dir, Now: now}, log: log}
}

// Gauges returns the figures. A report that cannot be read is told once in the
// log, and by a gauge.
func (m *Monitoring) Gauges() []server.Gauge {
	figures, err := m.reader.Figures()
	m.tell(err)
	out := make([]server.Gauge, 0, len(figures))
	for _, f := range figures {
		out = append(out, server.Gauge(f))
	}
	return out
}

// tell logs a fault that is another than the last.
func (m *Monitoring) tell(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != m.fault && err != nil {
		m.log.Warn("a report of the monitors cannot be read", "error", err)
	}
	m.fault = text
}
