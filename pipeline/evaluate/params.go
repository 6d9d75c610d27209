// Package evaluate measures a model on labelled snapshots of any period, as a
// sceptic would: against a one-line rule, by segment, in money, with an
// interval over users for every figure, and with an eye on leaks.
package evaluate

import (
	"errors"
	"fmt"
	"slices"

	"churn/model/metric"
)

// The segments that figures can be given by.
const (
	ByPlan    = "plan"
	ByCountry = "country"
	BySource  = "marketing_source"
	ByTenure  = "tenure"
)

func segments() []string { return []string{ByPlan, ByCountry, ByTenure, BySource} }

// Params are the settings of the stage.
type Params struct {
	Segments   []string `mapstructure:"segments"`
	LeakROCAUC float64  `mapstructure:"leak_roc_auc"` // a higher ROC-AUC on the cohort is too good to be true
	LeakShare  float64  `mapstructure:"leak_share"`   // so is one feature that alone gives more than this share of the model's ROC-AUC above ½
}

// Defaults returns the built-in settings.
func Defaults() Params {
	return Params{Segments: segments(), LeakROCAUC: 0.97, LeakShare: 0.98}
}

// Validate returns all faults, each with its key.
func (p Params) Validate() error {
	var errs []error
	for _, s := range p.Segments {
		if !slices.Contains(segments(), s) {
			errs = append(errs, fmt.Errorf("evaluate.segments: %q is unknown; use some of %v", s, segments()))
		}
	}
	if !(p.LeakROCAUC > 0.5 && p.LeakROCAUC <= 1) {
		errs = append(errs, fmt.Errorf("evaluate.leak_roc_auc: %v is out of range; use a number above 0.5, at most 1 (1 = never)", p.LeakROCAUC))
	}
	if !(p.LeakShare > 0 && p.LeakShare <= 2) {
		errs = append(errs, fmt.Errorf("evaluate.leak_share: %v is out of range; use a number above 0, at most 2 (2 = never)", p.LeakShare))
	}
	return errors.Join(errs...)
}

// Value is what users and contacts are worth, in any one currency.
type Value struct {
	KeptCustomer float64 `mapstructure:"kept_customer"` // of a customer who would have left and stays
	ContactCost  float64 `mapstructure:"contact_cost"`
	SuccessRate  float64 `mapstructure:"success_rate"` // share of contacted leavers who stay
	Capacity     int     `mapstructure:"capacity"`     // contacts a day of scoring
}

// DefaultValue returns the built-in settings: those of a course subscription.
func DefaultValue() Value {
	return Value{KeptCustomer: 100, ContactCost: 5, SuccessRate: 0.3, Capacity: 50}
}

// Validate returns all faults, each with its key.
func (v Value) Validate() error {
	var errs []error
	if !(v.KeptCustomer > 0) || v.KeptCustomer > 1e12 {
		errs = append(errs, fmt.Errorf("value.kept_customer: %v is out of range; use an amount above 0", v.KeptCustomer))
	}
	if !(v.ContactCost > 0) || v.ContactCost > 1e12 {
		errs = append(errs, fmt.Errorf("value.contact_cost: %v is out of range; use an amount above 0", v.ContactCost))
	}
	if !(v.SuccessRate > 0 && v.SuccessRate < 1) {
		errs = append(errs, fmt.Errorf("value.success_rate: %v is not a share; use a number between 0 and 1", v.SuccessRate))
	}
	if len(errs) == 0 && v.ContactCost >= v.KeptCustomer*v.SuccessRate {
		errs = append(errs, fmt.Errorf("value.contact_cost: %v is not below kept_customer × success_rate = %v; no contact could ever pay", v.ContactCost, v.KeptCustomer*v.SuccessRate))
	}
	if v.Capacity < 1 {
		errs = append(errs, fmt.Errorf("value.capacity: %d is out of range; use 1 or more", v.Capacity))
	}
	return errors.Join(errs...)
}

// Metric returns v in the terms of package metric.
func (v Value) Metric() *metric.Value {
	return &metric.Value{KeptCustomer: v.KeptCustomer, ContactCost: v.ContactCost, SuccessRate: v.SuccessRate, Capacity: v.Capacity}
}
