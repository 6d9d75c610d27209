package cli

import (
	"context"
	"path/filepath"

	"churn/internal/atomicfile"
	"churn/internal/monitored"
	"churn/internal/telemetry"
)

// figuresFile is what Prometheus's textfile collector reads, and figuresJob the
// job under which the same is pushed.
const (
	figuresFile = "churn_monitor.prom"
	figuresJob  = "churn_monitor"
)

// tellFigures writes the latest figures of all monitors for Prometheus, and
// pushes them if there is where to. What fails is a warning: the reports, which
// the figures are taken from, are there.
func (s *session) tellFigures(ctx context.Context) {
	figures, err := monitored.Read(s.config.Paths.Metrics, s.stamp())
	if err != nil {
		s.log.Warn("a report cannot be told as figures", "error", err)
	}
	var m telemetry.Batch
	for _, f := range figures {
		m.Add(f.Name, f.Help, f.Value, f.Labels...)
	}
	text, err := m.Text()
	if err == nil {
		_, err = atomicfile.Write(filepath.Join(s.config.Paths.Metrics, figuresFile), text)
	}
	if err != nil {
		s.log.Warn("the figures cannot be written", "error", err)
	}
	if address := s.config.Monitor.Pushgateway; address != "" {
		if err := m.Push(ctx, address, figuresJob); err != nil {
			s.log.Warn("the figures cannot be pushed; they are pushed again by the next run", "error", err)
		}
	}
}
