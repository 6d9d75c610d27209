// Package train fits the models on the past of the training set and measures
// them on its most recent part.
package train

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"churn/model/logistic"
)

// The models that can be trained.
const (
	ModelLogistic = "logistic"
)

// The metrics that models can be compared by; all grow with quality.
const (
	PRAUC  = "pr_auc"
	ROCAUC = "roc_auc"
)

// Params are the settings of the stage. The hyperparameters keep
// scikit-learn's names.
type Params struct {
	Models      []string `mapstructure:"models"`
	TestSize    float64  `mapstructure:"test_size"` // share of the as-of dates, the latest ones
	Purge       bool     `mapstructure:"purge"`     // no training label window reaches into the test period
	Seed        uint64   `mapstructure:"seed"`
	MaxRows     int      `mapstructure:"max_rows"`     // above it users are sampled by a stable hash
	ClassWeight string   `mapstructure:"class_weight"` // none or balanced
	L2          float64  `mapstructure:"l2_regularization"`
	MaxEpochs   int      `mapstructure:"max_epochs"`
	Tol         float64  `mapstructure:"tol"`
	Bootstrap   int      `mapstructure:"bootstrap"` // resamples of users behind each interval
}

// Defaults returns the built-in settings.
func Defaults() Params {
	l := logistic.Defaults()
	return Params{Models: []string{ModelLogistic}, TestSize: 0.2, Purge: true, Seed: 42, MaxRows: 500_000,
		ClassWeight: "none", L2: 50, MaxEpochs: l.MaxEpochs, Tol: l.Tol, Bootstrap: 200}
}

// Logistic returns the settings of the logistic regression.
func (p Params) Logistic() logistic.Params {
	l := logistic.Defaults()
	l.L2, l.MaxEpochs, l.Tol, l.Seed, l.ClassWeight = p.L2, p.MaxEpochs, p.Tol, p.Seed, p.ClassWeight
	return l
}

// Validate returns all faults, each with its key.
func (p Params) Validate() error {
	var errs []error
	fault := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("train."+key+": "+format, args...))
	}
	if len(p.Models) == 0 {
		fault("models", "the list is empty; name at least %s", ModelLogistic)
	}
	for _, m := range p.Models {
		if !slices.Contains([]string{ModelLogistic}, m) {
			fault("models", "%q is unknown; use %s", m, ModelLogistic)
		}
	}
	if !(p.TestSize > 0 && p.TestSize < 1) {
		fault("test_size", "%v is not a share; use a number between 0 and 1", p.TestSize)
	}
	if p.MaxRows < 1000 {
		fault("max_rows", "%d is too few; use at least 1000", p.MaxRows)
	}
	if p.ClassWeight != "none" && p.ClassWeight != "balanced" {
		fault("class_weight", "%q is unknown; use none or balanced", p.ClassWeight)
	}
	if !(p.L2 >= 0) || math.IsInf(p.L2, 0) {
		fault("l2_regularization", "%v is out of range; use 0 or more", p.L2)
	}
	if p.MaxEpochs < 1 {
		fault("max_epochs", "%d is out of range; use 1 or more", p.MaxEpochs)
	}
	if !(p.Tol > 0 && p.Tol < 1) {
		fault("tol", "%v is out of range; use a small number above 0, such as 1e-9", p.Tol)
	}
	if p.Bootstrap < 20 || p.Bootstrap > 100_000 {
		fault("bootstrap", "%d is out of range; use 20 to 100000", p.Bootstrap)
	}
	return errors.Join(errs...)
}
