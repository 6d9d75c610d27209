// Package train fits the models on the past of the training set, chooses among
// them on later rows of that past, and measures them on its most recent part.
//
//	as-of dates ──────────────────────────────────────────────────────────▶
//	[ fit ............ ] purged [ validate ] purged [ test ................ ]
//	  search: every setting       settings,           one look, by the final
//	                              calibration,        model, floor and rule
//	                              choice of model     alike
//	[ final fit by the chosen setting ..... ]
//
// purged: as-of dates whose label window (asOf, asOf+W] reaches into what
// follows; nothing is fitted on them.
package train

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"churn/model/gbdt"
	"churn/model/logistic"
)

// The models that can be trained, the simpler one first.
const (
	ModelLogistic = "logistic"
	ModelGBDT     = "gbdt"
)

// models lists them.
func models() []string { return []string{ModelLogistic, ModelGBDT} }

// The metrics that models can be compared by; all grow with quality.
const (
	PRAUC  = "pr_auc"
	ROCAUC = "roc_auc"
)

// maxSettings bounds the search over one model.
const maxSettings = 64

// Params are the settings of the stage. The hyperparameters keep
// scikit-learn's names; where they are lists, every combination is tried on the
// validation rows.
type Params struct {
	Models         []string `mapstructure:"models" json:"models"`
	TestSize       float64  `mapstructure:"test_size" json:"test_size"`             // share of the as-of dates, the latest ones
	ValidationSize float64  `mapstructure:"validation_size" json:"validation_size"` // share of the other as-of dates in the validation period of a fold
	Folds          int      `mapstructure:"folds" json:"folds"`                     // most validation periods, one before the other
	Purge          bool     `mapstructure:"purge" json:"purge"`                     // no label window reaches into a later period
	Seed           uint64   `mapstructure:"seed" json:"seed"`
	MaxRows        int      `mapstructure:"max_rows" json:"max_rows"`             // above it users are sampled by a stable hash
	SearchRows     int      `mapstructure:"search_rows" json:"search_rows"`       // the same for the search over settings
	ClassWeight    string   `mapstructure:"class_weight" json:"class_weight"`     // none or balanced
	HalfLifeDays   int      `mapstructure:"half_life_days" json:"half_life_days"` // age at which a row weighs half; 0 = all weigh the same
	WarmStart      bool     `mapstructure:"warm_start" json:"warm_start"`         // start from the production model's coefficients
	Bootstrap      int      `mapstructure:"bootstrap" json:"bootstrap"`           // resamples of users behind each interval
	Logistic       Logistic `mapstructure:"logistic" json:"logistic"`
	GBDT           GBDT     `mapstructure:"gbdt" json:"gbdt"`
}

// Logistic are the settings of the logistic regression.
type Logistic struct {
	L2        []float64 `mapstructure:"l2_regularization" json:"l2_regularization"` // 1/C
	L1Ratio   []float64 `mapstructure:"l1_ratio" json:"l1_ratio"`                   // of the elastic net
	MaxEpochs int       `mapstructure:"max_epochs" json:"max_epochs"`
	Tol       float64   `mapstructure:"tol" json:"tol"`
}

// GBDT are the settings of the boosted trees.
type GBDT struct {
	LearningRate       []float64 `mapstructure:"learning_rate" json:"learning_rate"`
	MaxLeafNodes       []int     `mapstructure:"max_leaf_nodes" json:"max_leaf_nodes"`
	MinSamplesLeaf     []int     `mapstructure:"min_samples_leaf" json:"min_samples_leaf"`
	L2                 []float64 `mapstructure:"l2_regularization" json:"l2_regularization"`
	MaxIter            int       `mapstructure:"max_iter" json:"max_iter"`                 // most trees
	NIterNoChange      int       `mapstructure:"n_iter_no_change" json:"n_iter_no_change"` // trees without a gain on validation rows before the search stops
	MaxBins            int       `mapstructure:"max_bins" json:"max_bins"`
	Subsample          float64   `mapstructure:"subsample" json:"subsample"`       // rows a tree
	MaxFeatures        float64   `mapstructure:"max_features" json:"max_features"` // columns a tree
	MonotoneIncreasing []string  `mapstructure:"monotone_increasing" json:"monotone_increasing"`
	MonotoneDecreasing []string  `mapstructure:"monotone_decreasing" json:"monotone_decreasing"`
}

// Defaults returns the built-in settings.
func Defaults() Params {
	l := logistic.Defaults()
	return Params{Models: models(), TestSize: 0.2, ValidationSize: 0.2, Folds: 3, Purge: true, Seed: 42, MaxRows: 500_000, SearchRows: 100_000,
		ClassWeight: "none", Bootstrap: 200,
		Logistic: Logistic{L2: []float64{1000, 100, 10}, L1Ratio: []float64{0}, MaxEpochs: l.MaxEpochs, Tol: l.Tol},
		GBDT: GBDT{LearningRate: []float64{0.05}, MaxLeafNodes: []int{8, 32}, MinSamplesLeaf: []int{50, 500}, L2: []float64{10}, MaxIter: 500, NIterNoChange: 25, MaxBins: 255,
			Subsample: 1, MaxFeatures: 0.5, MonotoneIncreasing: []string{}, MonotoneDecreasing: []string{}}}
}

// logistics returns the combinations to try, the most regularised first.
func (p Params) logistics() []logistic.Params {
	var out []logistic.Params
	for _, ratio := range p.Logistic.L1Ratio {
		for _, l2 := range p.Logistic.L2 {
			l := logistic.Defaults()
			l.L2, l.L1Ratio, l.MaxEpochs, l.Tol, l.Seed, l.ClassWeight = l2, ratio, p.Logistic.MaxEpochs, p.Logistic.Tol, p.Seed, p.ClassWeight
			out = append(out, l)
		}
	}
	slices.SortStableFunc(out, func(a, b logistic.Params) int { return cmp.Compare(b.L2, a.L2) })
	return out
}

// gbdts returns the combinations to try, the smallest trees first.
func (p Params) gbdts() []gbdt.Params {
	g := p.GBDT
	var out []gbdt.Params
	for _, leaves := range slices.Sorted(slices.Values(g.MaxLeafNodes)) {
		for _, samples := range g.MinSamplesLeaf {
			for _, l2 := range g.L2 {
				for _, rate := range g.LearningRate {
					x := gbdt.Defaults()
					x.MaxLeafNodes, x.MinSamplesLeaf, x.L2, x.LearningRate = leaves, samples, l2, rate
					x.MaxIter, x.NIterNoChange, x.MaxBins, x.Subsample, x.Colsample = g.MaxIter, g.NIterNoChange, g.MaxBins, g.Subsample, g.MaxFeatures
					x.MonotoneIncreasing, x.MonotoneDecreasing = g.MonotoneIncreasing, g.MonotoneDecreasing
					x.Seed, x.ClassWeight = p.Seed, p.ClassWeight
					out = append(out, x)
				}
			}
		}
	}
	return out
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
	for i, m := range p.Models {
		if !slices.Contains(models(), m) {
			fault("models", "%q is unknown; use %s or %s", m, ModelLogistic, ModelGBDT)
		}
		if slices.Contains(p.Models[:i], m) {
			fault("models", "%s is named twice", m)
		}
	}
	share := func(key string, v float64) {
		if !(v > 0 && v < 1) {
			fault(key, "%v is not a share; use a number between 0 and 1", v)
		}
	}
	share("test_size", p.TestSize)
	share("validation_size", p.ValidationSize)
	between := func(key string, v, low, high int) {
		if v < low || v > high {
			fault(key, "%d is out of range; use %d to %d", v, low, high)
		}
	}
	between("folds", p.Folds, 1, 20)
	if p.MaxRows < 1000 {
		fault("max_rows", "%d is too few; use at least 1000", p.MaxRows)
	}
	if p.SearchRows < 1000 {
		fault("search_rows", "%d is too few; use at least 1000", p.SearchRows)
	}
	between("half_life_days", p.HalfLifeDays, 0, 36500)
	between("bootstrap", p.Bootstrap, 20, 100_000)
	if p.ClassWeight != "none" && p.ClassWeight != "balanced" {
		fault("class_weight", "%q is unknown; use none or balanced", p.ClassWeight)
	}
	errs = append(errs, p.Logistic.validate(), p.GBDT.validate())
	for key, n := range map[string]int{"logistic": len(p.logistics()), "gbdt": len(p.gbdts())} {
		if n > maxSettings {
			fault(key, "%d combinations of settings are too many to try; use at most %d", n, maxSettings)
		}
	}
	return errors.Join(errs...)
}

// known returns an error if a constrained feature is not among those there are.
func (p Params) known(features []string) error {
	for _, x := range []struct {
		key   string
		names []string
	}{{"monotone_increasing", p.GBDT.MonotoneIncreasing}, {"monotone_decreasing", p.GBDT.MonotoneDecreasing}} {
		for _, name := range x.names {
			if !slices.Contains(features, name) {
				return fmt.Errorf("train.gbdt.%s: there is no numeric feature %q; `churn features --list` shows them", x.key, name)
			}
		}
	}
	return nil
}

// each checks the values of a list, which must have one.
func each[T any](key string, list []T, ok func(T) bool, want string) error {
	var errs []error
	if len(list) == 0 {
		errs = append(errs, fmt.Errorf("train.%s: the list is empty; give at least one value", key))
	}
	for _, v := range list {
		if !ok(v) {
			errs = append(errs, fmt.Errorf("train.%s: %v is out of range; use %s", key, v, want))
		}
	}
	return errors.Join(errs...)
}

func notNegative(v float64) bool { return v >= 0 && !math.IsInf(v, 0) }

func (l Logistic) validate() error {
	errs := []error{
		each("logistic.l2_regularization", l.L2, notNegative, "0 or more"),
		each("logistic.l1_ratio", l.L1Ratio, func(v float64) bool { return v >= 0 && v <= 1 }, "0 to 1"),
	}
	if l.MaxEpochs < 1 {
		errs = append(errs, fmt.Errorf("train.logistic.max_epochs: %d is out of range; use 1 or more", l.MaxEpochs))
	}
	if !(l.Tol > 0 && l.Tol < 1) {
		errs = append(errs, fmt.Errorf("train.logistic.tol: %v is out of range; use a small number above 0, such as 1e-9", l.Tol))
	}
	return errors.Join(errs...)
}

func (g GBDT) validate() error {
	atLeast := func(n int) func(int) bool { return func(v int) bool { return v >= n } }
	share := func(v float64) bool { return v > 0 && v <= 1 }
	return errors.Join(
		each("gbdt.learning_rate", g.LearningRate, share, "a number above 0, at most 1"),
		each("gbdt.max_leaf_nodes", g.MaxLeafNodes, func(v int) bool { return v >= 2 && v <= 1024 }, "2 to 1024"),
		each("gbdt.min_samples_leaf", g.MinSamplesLeaf, atLeast(1), "1 or more"),
		each("gbdt.l2_regularization", g.L2, notNegative, "0 or more"),
		each("gbdt.max_iter", []int{g.MaxIter}, func(v int) bool { return v >= 1 && v <= 10_000 }, "1 to 10000"),
		each("gbdt.n_iter_no_change", []int{g.NIterNoChange}, atLeast(1), "1 or more"),
		each("gbdt.max_bins", []int{g.MaxBins}, func(v int) bool { return v >= 2 && v <= 255 }, "2 to 255"),
		each("gbdt.subsample", []float64{g.Subsample}, share, "a number above 0, at most 1"),
		each("gbdt.max_features", []float64{g.MaxFeatures}, share, "a number above 0, at most 1"),
	)
}
