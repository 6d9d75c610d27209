package logistic

import (
	"errors"
	"fmt"
	"math"
)

// Values of Params.ClassWeight.
const (
	ClassWeightNone     = "none"     // rows weigh what the caller says
	ClassWeightBalanced = "balanced" // both classes are scaled to half of the total weight
)

// Params are the hyperparameters of Fit. Start from Defaults.
type Params struct {
	L2           float64 `json:"l2"`            // λ·W of the package comment: total strength of the penalty, 1/C in scikit-learn; ≥ 0
	L1Ratio      float64 `json:"l1_ratio"`      // ρ: the share of the penalty that is ‖β‖₁ and not ½‖β‖²; in [0, 1]
	LearningRate float64 `json:"learning_rate"` // first step of an epoch, in Newton steps; in (0, 1]
	BatchSize    int     `json:"batch_size"`    // rows of a mini-batch; ≥ 1
	MaxEpochs    int     `json:"max_epochs"`    // outer loops; ≥ 1
	Tol          float64 `json:"tol"`           // stop at gap ≤ tol·objective; > 0
	Seed         uint64  `json:"seed"`          // of the samples and of their order
	ClassWeight  string  `json:"class_weight"`  // "none" or "balanced"
}

// Defaults returns the parameters that suit standardised columns. L2 is
// scikit-learn's. A learning rate of 0.25 tolerates a curvature eight times that
// at the snapshot; 0.5 and 1 need more retries on nearly separable data. A batch
// costs more than its solve with P (cols² operations) up to about a thousand
// columns. At a Tol of 1e-9 the coefficients of nearly collinear columns can still
// be off by 3e-3 of the largest (measured on histories of purchases); 1e-11 brings
// that to 3e-4 for a few epochs more.
func Defaults() Params {
	return Params{
		L2: 1, LearningRate: 0.25, BatchSize: 1024, MaxEpochs: 100, Tol: 1e-11, Seed: 1,
		ClassWeight: ClassWeightNone,
	}
}

// Validate returns all faults of p, each led by its key.
func (p Params) Validate() error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	fault(!(p.L2 >= 0) || math.IsInf(p.L2, 0), "l2: %v is not a finite number ≥ 0", p.L2)
	fault(!(p.L1Ratio >= 0 && p.L1Ratio <= 1), "l1_ratio: %v is not in [0, 1]", p.L1Ratio)
	fault(!(p.LearningRate > 0 && p.LearningRate <= 1), "learning_rate: %v is not in (0, 1]", p.LearningRate)
	fault(p.BatchSize < 1, "batch_size: %d is not ≥ 1", p.BatchSize)
	fault(p.MaxEpochs < 1, "max_epochs: %d is not ≥ 1", p.MaxEpochs)
	fault(!(p.Tol > 0) || math.IsInf(p.Tol, 0), "tol: %v is not a finite number > 0", p.Tol)
	fault(p.ClassWeight != ClassWeightNone && p.ClassWeight != ClassWeightBalanced,
		"class_weight: %q is neither %q nor %q", p.ClassWeight, ClassWeightNone, ClassWeightBalanced)
	return errors.Join(errs...)
}
