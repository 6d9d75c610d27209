package gbdt

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Values of Params.ClassWeight.
const (
	ClassWeightNone     = "none"     // rows weigh what the caller says
	ClassWeightBalanced = "balanced" // both classes are scaled to half of the total weight, which stays
)

// maxBins is the largest number of bins of a numeric and of levels of a
// categorical: a bin is a byte, and one value of it means missing.
const maxBins = 255

// maxLeaves bounds MaxLeafNodes: every leaf that can still be split keeps a
// histogram, 0.3 MB for 50 columns.
const maxLeaves = 4096

// Params are the hyperparameters of Fit. Start from Defaults.
type Params struct {
	MaxIter         int     `json:"max_iter"`          // trees, those of the start included; ≥ 1
	LearningRate    float64 `json:"learning_rate"`     // shrinkage of every leaf; in (0, 1]
	MaxLeafNodes    int     `json:"max_leaf_nodes"`    // most leaves of a tree; in [2, 4096]
	MaxDepth        int     `json:"max_depth"`         // most splits above a leaf; 0 = no limit
	MinSamplesLeaf  int     `json:"min_samples_leaf"`  // fewest rows of a leaf; ≥ 1
	MinChildWeight  float64 `json:"min_child_weight"`  // least sum of hessians of a leaf; ≥ 0
	L2              float64 `json:"l2_regularization"` // λ, added to the sum of hessians of a leaf; ≥ 0
	MaxBins         int     `json:"max_bins"`          // most bins of a numeric, the one for missing not counted; in [2, 255]
	CatSmooth       float64 `json:"cat_smooth"`        // levels are sorted by G/(H + cat_smooth); ≥ 0
	MinSamplesLevel int     `json:"min_samples_level"` // rows in a node below which a level cannot be chosen to go left; ≥ 1
	Subsample       float64 `json:"subsample"`         // probability of a row to be drawn for a tree; in (0, 1]
	Colsample       float64 `json:"colsample"`         // share of the columns that a tree may split on; in (0, 1]
	NIterNoChange   int     `json:"n_iter_no_change"`  // rounds without a better validation loss before the end; 0 = keep all rounds
	Tol             float64 `json:"tol"`               // fall of the validation loss that counts as better; ≥ 0
	Seed            uint64  `json:"seed"`              // of the sampling, and of the rounding of gradients
	ClassWeight     string  `json:"class_weight"`      // "none" or "balanced"

	MonotoneIncreasing []string `json:"monotone_increasing"` // numeric features whose growth never lowers the margin
	MonotoneDecreasing []string `json:"monotone_decreasing"` // and never raises it
}

// Defaults returns the parameters of scikit-learn's
// HistGradientBoostingClassifier, without early stopping.
func Defaults() Params {
	return Params{
		MaxIter: 100, LearningRate: 0.1, MaxLeafNodes: 31, MinSamplesLeaf: 20, MinChildWeight: 1e-3,
		MaxBins: maxBins, CatSmooth: 10, MinSamplesLevel: 10, Subsample: 1, Colsample: 1, Tol: 0, Seed: 1,
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
	notNegative := func(key string, v float64) {
		fault(!(v >= 0) || math.IsInf(v, 0), "%s: %v is not a finite number ≥ 0", key, v)
	}
	share := func(key string, v float64) { fault(!(v > 0 && v <= 1), "%s: %v is not in (0, 1]", key, v) }
	fault(p.MaxIter < 1, "max_iter: %d is not ≥ 1", p.MaxIter)
	share("learning_rate", p.LearningRate)
	fault(p.MaxLeafNodes < 2 || p.MaxLeafNodes > maxLeaves, "max_leaf_nodes: %d is not in [2, %d]", p.MaxLeafNodes, maxLeaves)
	fault(p.MaxDepth < 0, "max_depth: %d is not ≥ 0", p.MaxDepth)
	fault(p.MinSamplesLeaf < 1, "min_samples_leaf: %d is not ≥ 1", p.MinSamplesLeaf)
	notNegative("min_child_weight", p.MinChildWeight)
	notNegative("l2_regularization", p.L2)
	fault(p.MaxBins < 2 || p.MaxBins > maxBins, "max_bins: %d is not in [2, %d]", p.MaxBins, maxBins)
	notNegative("cat_smooth", p.CatSmooth)
	fault(p.MinSamplesLevel < 1, "min_samples_level: %d is not ≥ 1", p.MinSamplesLevel)
	share("subsample", p.Subsample)
	share("colsample", p.Colsample)
	fault(p.NIterNoChange < 0, "n_iter_no_change: %d is not ≥ 0", p.NIterNoChange)
	notNegative("tol", p.Tol)
	fault(p.ClassWeight != ClassWeightNone && p.ClassWeight != ClassWeightBalanced,
		"class_weight: %q is neither %q nor %q", p.ClassWeight, ClassWeightNone, ClassWeightBalanced)
	for _, name := range p.MonotoneIncreasing {
		fault(slices.Contains(p.MonotoneDecreasing, name), "monotone_increasing: %q is in monotone_decreasing too", name)
	}
	return errors.Join(errs...)
}
