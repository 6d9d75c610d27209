package calibrate

import (
	"errors"
	"fmt"
	"slices"
)

// Params are the parameters of Choose. Start from Defaults.
type Params struct {
	Folds       int `json:"folds"`         // of users; ≥ 2
	MinPerClass int `json:"min_per_class"` // rows of the rarer class that every fit of isotonic needs
}

// Defaults returns five folds, scikit-learn's number, and 200 rows of the rarer
// class for isotonic: Niculescu-Mizil & Caruana (ICML 2005) find it behind Platt
// below about 1,000 rows in all, and its steps cost about a row of each class.
func Defaults() Params { return Params{Folds: 5, MinPerClass: 200} }

// Validate returns all faults of p, each led by its key.
func (p Params) Validate() error {
	var errs []error
	if p.Folds < 2 {
		errs = append(errs, fmt.Errorf("folds: %d is not ≥ 2", p.Folds))
	}
	if p.MinPerClass < 1 {
		errs = append(errs, fmt.Errorf("min_per_class: %d is not ≥ 1", p.MinPerClass))
	}
	return errors.Join(errs...)
}

// Choice says what Choose measured.
type Choice struct {
	Kind       string      `json:"kind"`
	Rows       int         `json:"rows"`
	Positives  int         `json:"positives"`
	Folds      int         `json:"folds"`
	Candidates []Candidate `json:"candidates"` // from the simplest
}

// Candidate is one kind of map, measured by cross-fitting.
type Candidate struct {
	Kind    string  `json:"kind"`
	LogLoss float64 `json:"log_loss"`          // mean over rows, each under a map fitted on other users
	Excess  float64 `json:"excess"`            // LogLoss above the best
	StdErr  float64 `json:"std_err"`           // of Excess, over users
	Refused string  `json:"refused,omitempty"` // why it could not be fitted; the figures are then 0
}

// Choose returns the map, fitted on all rows, of the kind with the least log-loss
// on users whose rows were not fitted on: isotonic would always win on its own
// rows. All rows of a user lie in one fold, which depends on the user's number
// alone; a nil user makes every row its own.
//
// The simplest kind within one standard error (paired, over users) of the best
// wins. To second order a map that is off by z standard errors loses z²/2 where
// the error of that loss is z, so this leaves alone what is within about two
// standard errors: noise at the usual 5 %. Where no other kind can be fitted, as
// with one class, it is None. It panics if the lengths differ or p is invalid,
// and returns an error for margins that are not finite.
func Choose(margin []float64, label []bool, user []int32, p Params) (Map, Choice, error) {
	if p.Validate() != nil || (user != nil && len(user) != len(margin)) {
		panic("calibrate: invalid Params, or users and margins differ in length")
	}
	rows, err := sorted(margin, label, nil)
	if err != nil {
		return Map{}, Choice{}, err
	}
	if user == nil {
		user = singles(len(margin))
	}
	choice := Choice{Rows: len(rows), Positives: positives(rows), Folds: p.Folds}
	c := crossFit{rows: rows, user: user, folds: p.Folds}
	maps, losses := make([]Map, 0, 3), make([][]float64, 0, 3)
	for _, f := range p.fitters() {
		m, loss, err := c.measure(f.fit)
		candidate := Candidate{Kind: f.kind}
		if err != nil {
			candidate.Refused = err.Error()
		}
		choice.Candidates = append(choice.Candidates, candidate)
		maps, losses = append(maps, m), append(losses, loss)
	}
	won := compare(choice.Candidates, losses, user)
	choice.Kind = choice.Candidates[won].Kind
	return maps[won], choice, nil
}

// fitter fits one kind of map to rows in increasing order of the margin.
type fitter struct {
	kind string
	fit  func([]row) (Map, error)
}

// fitters returns those of all kinds, from the simplest.
func (p Params) fitters() []fitter {
	return []fitter{
		{None, func([]row) (Map, error) { return Map{Kind: None}, nil }},
		{Platt, fitPlatt},
		{Isotonic, p.isotonic},
	}
}

// isotonic fits if there are rows enough.
func (p Params) isotonic(rows []row) (Map, error) {
	if n := rarer(rows); n < p.MinPerClass {
		return Map{}, fmt.Errorf("calibrate: %d rows of the rarer class; isotonic needs %d", n, p.MinPerClass)
	}
	return fitIsotonic(rows)
}

// compare fills in the figures and returns the index of the winner.
func compare(candidates []Candidate, losses [][]float64, user []int32) int {
	best := 0
	for k := range candidates {
		if losses[k] == nil {
			continue
		}
		candidates[k].LogLoss = mean(losses[k])
		if candidates[k].LogLoss < candidates[best].LogLoss {
			best = k
		}
	}
	byUser := together(user)
	for k := range candidates {
		if losses[k] != nil {
			candidates[k].Excess, candidates[k].StdErr = difference(losses[k], losses[best], user, byUser)
		}
	}
	return slices.IndexFunc(candidates, func(c Candidate) bool { return c.Refused == "" && c.Excess <= c.StdErr })
}
