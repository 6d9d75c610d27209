// Package promote is the gate: it decides, by rows that neither model has
// learned from, whether a challenger replaces the champion.
package promote

import (
	"errors"
	"fmt"
	"slices"

	"churn/pipeline/train"
)

// Params are the settings of the stage.
type Params struct {
	PrimaryMetric string `mapstructure:"primary_metric"` // chooses among models, and must be proven better
}

// Defaults returns the built-in settings.
func Defaults() Params { return Params{PrimaryMetric: train.PRAUC} }

// Validate returns all faults, each with its dotted key.
func (p Params) Validate() error {
	var errs []error
	if metrics := []string{train.PRAUC, train.ROCAUC}; !slices.Contains(metrics, p.PrimaryMetric) {
		errs = append(errs, fmt.Errorf("promote.primary_metric: %q is unknown; use %s or %s", p.PrimaryMetric, train.PRAUC, train.ROCAUC))
	}
	return errors.Join(errs...)
}
