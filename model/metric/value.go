package metric

import (
	"errors"
	"fmt"
)

// Value says what contacting customers costs and brings, in one currency.
type Value struct {
	KeptCustomer float64 `json:"kept_customer"` // worth of a positive who stays because of the contact; > 0
	ContactCost  float64 `json:"contact_cost"`  // of every contact; ≥ 0
	SuccessRate  float64 `json:"success_rate"`  // mean share of contacted positives who stay because of it; in (0, 1)
	Capacity     int     `json:"capacity"`      // contacts per group, that is per as-of date; ≥ 1
}

// Validate returns all faults of v, each led by its key.
func (v Value) Validate() error {
	var errs []error
	if !(v.KeptCustomer > 0) {
		errs = append(errs, fmt.Errorf("kept_customer: %v is not > 0", v.KeptCustomer))
	}
	if !(v.ContactCost >= 0) {
		errs = append(errs, fmt.Errorf("contact_cost: %v is not ≥ 0", v.ContactCost))
	}
	if !(v.SuccessRate > 0 && v.SuccessRate < 1) {
		errs = append(errs, fmt.Errorf("success_rate: %v is not in (0, 1)", v.SuccessRate))
	}
	if v.Capacity < 1 {
		errs = append(errs, fmt.Errorf("capacity: %d is not ≥ 1", v.Capacity))
	}
	return errors.Join(errs...)
}

// Threshold returns the probability from which a contact pays for itself:
// ContactCost / (SuccessRate·KeptCustomer). It may exceed 1: then none does.
func (v Value) Threshold() float64 { return v.ContactCost / (v.SuccessRate * v.KeptCustomer) }

// Profit returns the expected profit of contacting so many rows, hits of them
// positive: hits·SuccessRate·KeptCustomer - contacts·ContactCost. Contacting a
// customer who would have stayed costs the contact and nothing else.
func (v Value) Profit(contacts, hits float64) float64 {
	return float64(hits*(v.SuccessRate*v.KeptCustomer)) - float64(contacts*v.ContactCost)
}
