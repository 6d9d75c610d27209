package logistic

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"churn/model"
)

// Input is the data of a fit. X must be finite: rows of a raw encoder are not
// for this model.
type Input struct {
	X      *model.Matrix
	Label  []bool    // one per row
	Weight []float64 // one per row, ≥ 0; nil: all weigh 1
	Start  *Start    // where to begin; nil: without features
}

// Start is a model to begin with, such as the one in production. Its columns
// need not be those of the input: they are matched by name, columns that it
// lacks begin at 0, and those that the input lacks are left out.
type Start struct {
	Names []string // of Model.Coef
	Model *Model
}

// newProblem checks the data and normalises the weights.
func newProblem(in Input, p Params) (*problem, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	weight := func(i int) float64 { return 1 }
	if in.Weight != nil {
		weight = func(i int) float64 { return in.Weight[i] }
	}
	var class [2]float64 // total weight of the negatives and the positives
	for i, y := range in.Label {
		class[index(y)] += weight(i)
	}
	scale, err := classScale(class, p.ClassWeight)
	if err != nil {
		return nil, err
	}
	normal := make([]float64, len(in.Label))
	for i, y := range in.Label {
		normal[i] = weight(i) * scale[index(y)]
	}
	total := class[0] + class[1]
	strength := p.L2 / total
	return &problem{
		x: in.X, y: in.Label, weight: normal, total: total,
		l1: strength * p.L1Ratio, l2: strength * (1 - p.L1Ratio),
		base: class[1] * scale[1] / (class[0]*scale[0] + class[1]*scale[1]),
	}, nil
}

// check returns what is wrong with the shapes, the weights or the start.
func (in Input) check() error {
	n := in.X.Rows()
	if len(in.Label) != n || in.Weight != nil && len(in.Weight) != n {
		return fmt.Errorf("%d rows, %d labels and %d weights", n, len(in.Label), len(in.Weight))
	}
	if i := slices.IndexFunc(in.Weight, func(w float64) bool { return !(w >= 0) || math.IsInf(w, 0) }); i >= 0 {
		return fmt.Errorf("weight of row %d: %v is not a finite number ≥ 0", i, in.Weight[i])
	}
	if s := in.Start; s != nil {
		return s.check()
	}
	return nil
}

// check returns what is wrong with a start.
func (s *Start) check() error {
	if len(s.Names) != len(s.Model.Coef) {
		return fmt.Errorf("the start has %d names for %d coefficients", len(s.Names), len(s.Model.Coef))
	}
	for j, b := range append(slices.Clone(s.Model.Coef), s.Model.Intercept) {
		if math.IsNaN(b) || math.IsInf(b, 0) {
			return fmt.Errorf("coefficient %d of the start is not finite; fit without it", j)
		}
	}
	return nil
}

// classScale returns what the weights of both classes are multiplied with.
func classScale(class [2]float64, mode string) ([2]float64, error) {
	total := class[0] + class[1]
	switch {
	case total == 0:
		return class, errors.New("no rows with a weight")
	case class[0] == 0:
		return class, errors.New("every label is positive: nothing to tell apart")
	case class[1] == 0:
		return class, errors.New("every label is negative: nothing to tell apart")
	case mode == ClassWeightBalanced:
		return [2]float64{0.5 / class[0], 0.5 / class[1]}, nil
	}
	return [2]float64{1 / total, 1 / total}, nil
}

// index returns 1 for a positive and 0 for a negative label.
func index(positive bool) int {
	if positive {
		return 1
	}
	return 0
}

// point returns the start in the columns of the problem.
func (s *Start) point(p *problem) []float64 {
	coef := make(map[string]float64, len(s.Names))
	for j, name := range s.Names {
		coef[name] = s.Model.Coef[j]
	}
	theta := make([]float64, p.dim())
	for j, name := range p.x.Names {
		theta[j] = coef[name]
	}
	theta[p.x.Cols()] = s.Model.Intercept
	return theta
}

// first returns the state to begin with: that of the start, unless there is
// none or it is worse than base, the optimum without features.
func (p *problem) first(s *Start, base *state) *state {
	if s != nil {
		if begin := p.at(s.point(p)); begin.objective <= base.objective {
			return begin
		}
	}
	return base
}
