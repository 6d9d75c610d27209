// Package retrain decides whether it is time to train again.
package retrain

import (
	"errors"
	"fmt"
	"time"

	"churn/internal/httpurl"
)

// Params are the settings of the stage.
type Params struct {
	NewLabelsDays int           `mapstructure:"new_labels_days"` // days of newly matured labels that are a reason of their own; 0 = never
	MinNewDays    int           `mapstructure:"min_new_days"`    // days of them that any other reason needs
	MaxAgeDays    int           `mapstructure:"max_age_days"`    // of the data that the model in production was made from; 0 = never by age
	MaxDrop       float64       `mapstructure:"max_drop"`        // relative loss of the primary metric against the promise that is a reason
	LockTTL       time.Duration `mapstructure:"lock_ttl"`        // after it the lock of a retrain that has died is free
	Webhook       string        `mapstructure:"webhook"`         // URL that is sent the report; "" = none
}

// Defaults returns the built-in settings.
func Defaults() Params {
	return Params{NewLabelsDays: 28, MinNewDays: 7, MaxAgeDays: 180, MaxDrop: 0.1, LockTTL: 10 * time.Minute}
}

// Validate returns all faults, each with its dotted key.
func (p Params) Validate() error {
	var errs []error
	if p.MaxAgeDays < 0 {
		errs = append(errs, fmt.Errorf("retrain.max_age_days: %d is out of range; use 0 (never by age) or more", p.MaxAgeDays))
	}
	if p.NewLabelsDays < 0 {
		errs = append(errs, fmt.Errorf("retrain.new_labels_days: %d is out of range; use 0 (never for new labels alone) or more", p.NewLabelsDays))
	}
	if p.MinNewDays < 1 {
		errs = append(errs, fmt.Errorf("retrain.min_new_days: %d is out of range; use 1 or more", p.MinNewDays))
	}
	if !(p.MaxDrop > 0 && p.MaxDrop < 1) {
		errs = append(errs, fmt.Errorf("retrain.max_drop: %v is out of range; use a share above 0 and below 1", p.MaxDrop))
	}
	if p.LockTTL < time.Second {
		errs = append(errs, fmt.Errorf("retrain.lock_ttl: %v is out of range; use 1s or more", p.LockTTL))
	}
	if err := httpurl.Check(p.Webhook); err != nil {
		errs = append(errs, fmt.Errorf("retrain.webhook: %w", err))
	}
	return errors.Join(errs...)
}
