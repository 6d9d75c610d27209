package server

import "github.com/prometheus/client_golang/prometheus"

// Gauge is one figure of the latest monitoring.
type Gauge struct {
	Name, Help string
	Labels     []string // names and values in turns
	Value      float64
}

// Monitoring tells the latest figures of the monitors, which run elsewhere and
// end before anybody could scrape them. Every series stands once; names begin with
// none of the server's own.
type Monitoring interface{ Gauges() []Gauge }

// monitoringCollector passes them on at each scrape.
type monitoringCollector struct{ s *Server }

// Describe sends nothing: which series there are changes with the reports.
func (c monitoringCollector) Describe(chan<- *prometheus.Desc) {}

// Collect sends the figures. One that is no metric is left out, so that it cannot
// take the others with it.
func (c monitoringCollector) Collect(out chan<- prometheus.Metric) {
	for _, g := range c.s.options.Monitoring.Gauges() {
		var names, values []string
		for i := 0; i+1 < len(g.Labels); i += 2 {
			names, values = append(names, g.Labels[i]), append(values, g.Labels[i+1])
		}
		if m, err := prometheus.NewConstMetric(prometheus.NewDesc(g.Name, g.Help, names, nil), prometheus.GaugeValue, g.Value, values...); err == nil {
			out <- m
		}
	}
}

// noMonitoring is that of a server without a workspace.
type noMonitoring struct{}

// Gauges returns none.
func (noMonitoring) Gauges() []Gauge { return nil }
