// Package telemetry writes the figures of batch jobs as Prometheus reads them.
package telemetry

import (
	"bytes"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// Batch collects gauges. Its zero value is ready for use.
type Batch struct {
	families map[string]*prometheus.GaugeVec
	registry *prometheus.Registry
}

// Add sets a gauge; labels are names and values in turns, of the same names
// for every gauge of one name.
func (b *Batch) Add(name, help string, value float64, labels ...string) {
	if b.registry == nil {
		b.registry, b.families = prometheus.NewRegistry(), map[string]*prometheus.GaugeVec{}
	}
	with, names := prometheus.Labels{}, []string{}
	for i := 0; i < len(labels); i += 2 {
		with[labels[i]], names = labels[i+1], append(names, labels[i])
	}
	family := b.families[name]
	if family == nil {
		family = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, names)
		b.registry.MustRegister(family)
		b.families[name] = family
	}
	family.With(with).Set(value)
}

// Text returns the gauges in the text format, by name.
func (b *Batch) Text() ([]byte, error) {
	if b.registry == nil {
		return nil, nil
	}
	all, err := b.registry.Gather()
	if err != nil {
		return nil, fmt.Errorf("collect the figures: %w", err)
	}
	var out bytes.Buffer
	for _, family := range all {
		if _, err := expfmt.MetricFamilyToText(&out, family); err != nil {
			return nil, fmt.Errorf("write the figures: %w", err)
		}
	}
	return out.Bytes(), nil
}
