package telemetry

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Each visits the gauges of a text that Batch.Text wrote, by name; labels are
// names and values in turns.
func Each(text []byte, visit func(name, help string, value float64, labels ...string)) error {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("read figures: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(families)) {
		for _, m := range families[name].GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName(), l.GetValue())
			}
			visit(name, families[name].GetHelp(), m.GetGauge().GetValue(), labels...)
		}
	}
	return nil
}
