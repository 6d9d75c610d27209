package server

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// unknown is the path of all requests that fit no route, and the method of
// those with a method that no route has: a client cannot make labels.
const unknown = "unknown"

// metrics counts what the server does, in a registry of its own.
type metrics struct {
	registry     *prometheus.Registry
	requests     *prometheus.CounterVec
	latency      *prometheus.HistogramVec
	inFlight     prometheus.Gauge
	predictions  prometheus.Counter
	reloadErrors *prometheus.CounterVec
	routes       map[routeKey]*routeStats
	other        *routeStats
}

type routeKey struct{ method, path string }

// routeStats are the series of one route, looked up once.
type routeStats struct {
	method, path string
	probe        bool
	ok           prometheus.Counter // of status 200
	latency      prometheus.Observer
}

// newMetrics returns the metrics of a server. Names of the course's API keep
// their meaning.
func newMetrics(s *Server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "churn_api_requests_total", Help: "Requests answered, by method, route pattern and status."}, []string{"method", "path", "status"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "churn_api_request_latency_seconds", Help: "Time from a request's header to the end of its answer.",
			Buckets: []float64{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}}, []string{"method", "path"}),
		inFlight:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "churn_api_in_flight_requests", Help: "Requests being answered now."}),
		predictions:  prometheus.NewCounter(prometheus.CounterOpts{Name: "churn_api_predictions_total", Help: "Rows scored."}),
		reloadErrors: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "churn_reload_errors_total", Help: "Times that changed files of keys or certificates were not sound, so that those from before stayed in force."}, []string{"files"}),
		routes:       map[routeKey]*routeStats{},
	}
	m.registry.MustRegister(m.requests, m.latency, m.inFlight, m.predictions, m.reloadErrors, modelCollector{s}, usersCollector{s}, monitoringCollector{s},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.other = m.stats(unknown, unknown)
	for _, f := range s.followed {
		m.reloadErrors.WithLabelValues(f.name)
	}
	return m
}

func (m *metrics) stats(method, path string) *routeStats {
	return &routeStats{method: method, path: path, ok: m.requests.WithLabelValues(method, path, "200"), latency: m.latency.WithLabelValues(method, path)}
}

// add makes the series of a route, so that they are there from the start.
func (m *metrics) add(r route, methods []string) {
	stats := m.stats(r.method, r.path)
	stats.probe = r.probe
	for _, method := range methods {
		m.routes[routeKey{method, r.path}] = stats
	}
}

// of returns the series that a request belongs to.
func (m *metrics) of(k *call) *routeStats {
	if r, ok := m.routes[routeKey{k.Request().Method, k.Path()}]; ok {
		return r
	}
	return m.other
}

// pattern returns the route pattern of a request.
func (m *metrics) pattern(k *call) string { return m.of(k).path }

// observe counts a request that has been answered.
func (m *metrics) observe(k *call, took time.Duration) *routeStats {
	r := m.of(k)
	if status := k.Response().Status; status == http.StatusOK {
		r.ok.Inc()
	} else {
		m.requests.WithLabelValues(r.method, r.path, strconv.Itoa(status)).Inc()
	}
	r.latency.Observe(took.Seconds())
	return r
}

// handler answers /metrics.
func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// modelCollector reads what the followers know at each scrape.
type modelCollector struct{ s *Server }

// Describe sends the series that Collect may send.
func (c modelCollector) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, out) }

// Collect sends them.
func (c modelCollector) Collect(out chan<- prometheus.Metric) {
	send := func(kind prometheus.ValueType, name, help string, value float64) {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, nil, nil), kind, value)
	}
	status := c.s.options.Models.Status()
	info := prometheus.NewDesc("churn_model_info", "The model in use; an empty version is none yet.", []string{"version"}, nil)
	out <- prometheus.MustNewConstMetric(info, prometheus.GaugeValue, 1, status.Version)
	build := prometheus.NewDesc("churn_build_info", "The program that answers.", []string{"version"}, nil)
	out <- prometheus.MustNewConstMetric(build, prometheus.GaugeValue, 1, c.s.options.Version)
	send(prometheus.GaugeValue, "churn_ready", "1 if the server answers predictions, 0 before it has a model and while it drains.", boolean(c.s.notReady() == nil))
	send(prometheus.CounterValue, "churn_model_swaps_total", "Times that a model has been taken into use.", float64(status.Swaps))
	send(prometheus.CounterValue, "churn_model_refusals_total", "Versions that were not taken because they are not sound.", float64(status.Refusals))
	send(prometheus.CounterValue, "churn_registry_errors_total", "Times that the registry could not be read.", float64(status.Errors))
	send(prometheus.GaugeValue, "churn_model_stale", "1 while the registry cannot be read, or names a model that is not taken.", boolean(status.Error != ""))
	send(prometheus.GaugeValue, "churn_model_last_check_timestamp_seconds", "When the registry was last read well, in seconds since 1970; 0 is never.", seconds(status.Checked))
	c.model(out)
	c.kept(send)
	if c.s.options.Shadow != nil {
		c.shadow(send)
	}
}

// model tells how old the model in use is, and what it promised.
func (c modelCollector) model(out chan<- prometheus.Metric) {
	var info ModelInfo
	if model := c.s.options.Models.Current(); model != nil {
		info = model.Info()
	}
	asOf := prometheus.NewDesc("churn_model_as_of_timestamp_seconds", "Last day of the data that the model in use was made from, in seconds since 1970; 0 is no model yet.", nil, nil)
	out <- prometheus.MustNewConstMetric(asOf, prometheus.GaugeValue, daySeconds(info.AsOf))
	test := prometheus.NewDesc("churn_model_test_figure", "Figure of the model in use on its test period, by the names of the model card.", []string{"metric"}, nil)
	for name, value := range info.Metrics {
		out <- prometheus.MustNewConstMetric(test, prometheus.GaugeValue, value, name)
	}
}

// kept tells of the prediction log.
func (c modelCollector) kept(send func(kind prometheus.ValueType, name, help string, value float64)) {
	log := c.s.options.Log.Status()
	send(prometheus.CounterValue, "churn_predictionlog_kept_total", "Predictions that the log has written.", float64(log.Kept))
	send(prometheus.CounterValue, "churn_predictionlog_dropped_total", "Predictions that the log had no room for, or could not write.", float64(log.Dropped))
	send(prometheus.CounterValue, "churn_predictionlog_faults_total", "Times that files of the prediction log could not be written.", float64(log.Faults))
}

// shadow tells of the second model.
func (c modelCollector) shadow(send func(kind prometheus.ValueType, name, help string, value float64)) {
	status := c.s.options.Shadow.Status()
	send(prometheus.GaugeValue, "churn_shadow_ready", "1 if there is a second model to compare with.", boolean(status.Model.Version != ""))
	send(prometheus.CounterValue, "churn_shadow_rows_total", "Rows that the second model has scored, too.", float64(status.Rows))
	send(prometheus.CounterValue, "churn_shadow_failed_total", "Rows to which the second model gave no risk.", float64(status.Failed))
	send(prometheus.CounterValue, "churn_shadow_skipped_total", "Rows that do not have the features of the second model.", float64(status.Skipped))
	send(prometheus.CounterValue, "churn_shadow_dropped_total", "Rows that the second model had no time for.", float64(status.Dropped))
	send(prometheus.CounterValue, "churn_shadow_refusals_total", "Versions that were not taken as the second model because they are not sound.", float64(status.Model.Refusals))
	if d := status.Comparison; d != nil {
		send(prometheus.GaugeValue, "churn_shadow_mean_difference", "Mean risk by the second model less that by the model in use.", d.MeanDifference)
		send(prometheus.GaugeValue, "churn_shadow_mean_absolute_difference", "Mean size of the difference of risks.", d.MeanAbsolute)
		send(prometheus.GaugeValue, "churn_shadow_same_tier_ratio", "Share of rows to which both models give the same tier.", d.SameTier)
		send(prometheus.GaugeValue, "churn_shadow_rank_correlation", "Spearman's correlation of the risks of both models.", d.RankCorrelation)
	}
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// daySeconds is the beginning of a day of a report, 0 if there is none.
func daySeconds(day string) float64 {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return 0
	}
	return seconds(t)
}
