package promote

import (
	"errors"
	"fmt"
	"slices"

	"churn/model/metric"
	"churn/pipeline/train"
)

// Params are the settings of the stage. Each has its reason in config.yaml.
type Params struct {
	PrimaryMetric string  `mapstructure:"primary_metric" json:"primary_metric"` // chooses among models, and must be proven better
	Confidence    float64 `mapstructure:"confidence" json:"confidence"`         // of the intervals; what lies wholly on one side of a limit is proven
	Bootstrap     int     `mapstructure:"bootstrap" json:"bootstrap"`           // resamples of users
	MinUsers      int     `mapstructure:"min_users" json:"min_users"`           // fewer judged users prove nothing
	Metrics       Metrics `mapstructure:"metrics" json:"metrics"`
	SliceLoss     float64 `mapstructure:"max_slice_loss" json:"max_slice_loss"`               // relative loss of the primary metric that a slice may show
	Calibration   float64 `mapstructure:"max_calibration_error" json:"max_calibration_error"` // expected calibration error beyond its noise
	Drift         float64 `mapstructure:"max_drift" json:"max_drift"`                         // share of the features that moved between training and the judged rows
	Leap          float64 `mapstructure:"max_leap" json:"max_leap"`                           // share of 1 - ROC-AUC that may be won at once
}

// Metrics are the limits by metric.
type Metrics struct {
	PRAUC   Bound `mapstructure:"pr_auc" json:"pr_auc"`
	ROCAUC  Bound `mapstructure:"roc_auc" json:"roc_auc"`
	LogLoss Bound `mapstructure:"log_loss" json:"log_loss"`
	Brier   Bound `mapstructure:"brier" json:"brier"`
	Profit  Gain  `mapstructure:"profit_at_capacity" json:"profit_at_capacity"`
}

// Bound is what a metric must reach: Limit in itself, the least value of a
// metric that grows with quality and the greatest of a loss; and Gain against
// the champion.
type Bound struct {
	Limit float64 `mapstructure:"limit" json:"limit"`
	Gain  float64 `mapstructure:"gain" json:"gain"`
}

// Gain is the least relative gain over the champion. The primary metric must
// reach it and be proven better; of the others none may be proven to fall
// short, so that a negative gain is the loss that is put up with.
type Gain struct {
	Gain float64 `mapstructure:"gain" json:"gain"`
}

// Defaults returns the built-in settings.
func Defaults() Params {
	return Params{PrimaryMetric: train.PRAUC, Confidence: 0.95, Bootstrap: 1000, MinUsers: 200,
		Metrics:   Metrics{PRAUC: Bound{0, 0.01}, ROCAUC: Bound{0.55, -0.02}, LogLoss: Bound{0.69, -0.02}, Brier: Bound{0.25, -0.02}, Profit: Gain{-0.05}},
		SliceLoss: 0.05, Calibration: 0.03, Drift: 0.25, Leap: 0.2}
}

// bound is a metric with its limits.
type bound struct {
	name    string
	lower   bool // less is better
	floor   bool // has a limit
	limit   float64
	gain    float64
	primary bool
}

// bounds returns all metrics of the gate.
func (p Params) bounds() []bound {
	m := p.Metrics
	all := []bound{
		{name: train.PRAUC, floor: true, limit: m.PRAUC.Limit, gain: m.PRAUC.Gain},
		{name: train.ROCAUC, floor: true, limit: m.ROCAUC.Limit, gain: m.ROCAUC.Gain},
		{name: "log_loss", lower: true, floor: true, limit: m.LogLoss.Limit, gain: m.LogLoss.Gain},
		{name: "brier", lower: true, floor: true, limit: m.Brier.Limit, gain: m.Brier.Gain},
		{name: metric.ProfitAtCapacity, gain: m.Profit.Gain},
	}
	for i := range all {
		all[i].primary = all[i].name == p.PrimaryMetric
	}
	return all
}

// Validate returns all faults, each with its dotted key.
func (p Params) Validate() error {
	var errs []error
	fault := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("promote."+key+": "+format, args...))
	}
	if metrics := []string{train.PRAUC, train.ROCAUC}; !slices.Contains(metrics, p.PrimaryMetric) {
		fault("primary_metric", "%q is unknown; use %s or %s", p.PrimaryMetric, train.PRAUC, train.ROCAUC)
	}
	if !(p.Confidence >= 0.5 && p.Confidence < 1) {
		fault("confidence", "%v is out of range; use 0.5 or more, below 1", p.Confidence)
	}
	if p.Bootstrap < 100 || p.Bootstrap > 100_000 {
		fault("bootstrap", "%d is out of range; use 100 to 100000", p.Bootstrap)
	}
	if p.MinUsers < 2 {
		fault("min_users", "%d is out of range; use 2 or more", p.MinUsers)
	}
	for _, b := range p.bounds() {
		if !(b.limit >= 0 && b.limit <= 10) {
			fault("metrics."+b.name+".limit", "%v is out of range; use 0 to 10", b.limit)
		}
		if !(b.gain > -1 && b.gain < 1) {
			fault("metrics."+b.name+".gain", "%v is not a relative change; use a number between -1 and 1", b.gain)
		}
	}
	share := func(key string, v float64) {
		if !(v >= 0 && v <= 1) {
			fault(key, "%v is not a share; use a number from 0 to 1", v)
		}
	}
	share("max_slice_loss", p.SliceLoss)
	share("max_calibration_error", p.Calibration)
	share("max_drift", p.Drift)
	share("max_leap", p.Leap)
	return errors.Join(errs...)
}
