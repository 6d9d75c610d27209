package gbdt

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"churn/model"
)

// Data is rows with their labels. X comes from a raw encoder: its dense values
// are finite, or NaN for null.
type Data struct {
	X      *model.Matrix
	Label  []bool    // one per row
	Weight []float64 // one per row, ≥ 0; nil: all weigh 1
}

// Input is the data of a fit.
type Input struct {
	Train      Data
	Validation *Data  // rows that decide when to stop; nil: never before MaxIter
	Start      *Model // the model to continue, over the same features; nil: none
}

// problem is a checked input: the rows that weigh something.
type problem struct {
	params   Params
	features []Feature
	sign     []int8 // by feature: 1 increasing, -1 decreasing, 0 free
	train    sample
	valid    *sample // nil: none
	start    *Model  // nil: none
}

// sample is the rows of a Data with a weight above 0.
type sample struct {
	x      *model.Matrix
	rows   []int32   // of x
	label  []bool    // by index into rows
	weight []float64 // the same, class weights included; nil: all weigh 1
	total  float64   // Σ weight
}

// newProblem checks everything that Fit is given.
func newProblem(in Input, p Params) (*problem, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	scale := [2]float64{1, 1}
	train, err := newSample(in.Train, scale)
	if err != nil {
		return nil, fmt.Errorf("training rows: %w", err)
	}
	if scale, err = train.classScale(p.ClassWeight); err != nil {
		return nil, fmt.Errorf("training rows: %w", err)
	}
	if scale != [2]float64{1, 1} {
		train, _ = newSample(in.Train, scale)
	}
	out := &problem{params: p, train: train, start: in.Start}
	if out.features, err = featuresOf(in.Train.X); err != nil {
		return nil, err
	}
	if out.sign, err = p.signs(out.features); err != nil {
		return nil, err
	}
	if in.Validation != nil {
		valid, err := newSample(*in.Validation, scale)
		if err != nil {
			return nil, fmt.Errorf("validation rows: %w", err)
		}
		if !slices.Equal(in.Train.X.Names, in.Validation.X.Names) {
			return nil, errors.New("validation rows: their columns are not those of the training rows; encode both with one encoder")
		}
		out.valid = &valid
	}
	return out, out.checkStart()
}

// newSample checks d, leaves out the rows that weigh nothing and scales the
// weights of the negatives and positives.
func newSample(d Data, scale [2]float64) (sample, error) {
	if err := d.check(); err != nil {
		return sample{}, err
	}
	n := len(d.Label)
	s := sample{x: d.X, rows: make([]int32, 0, n), label: make([]bool, 0, n)}
	plain := d.Weight == nil && scale == [2]float64{1, 1}
	for i, y := range d.Label {
		w := scale[index(y)]
		if d.Weight != nil {
			w = float64(w * d.Weight[i])
		}
		if w == 0 {
			continue
		}
		s.rows, s.label, s.total = append(s.rows, int32(i)), append(s.label, y), s.total+w
		if !plain {
			s.weight = append(s.weight, w)
		}
	}
	if len(s.rows) == 0 {
		return sample{}, errors.New("no rows with a weight")
	}
	return s, nil
}

// check returns what is wrong with the shapes and the values.
func (d Data) check() error {
	n := d.X.Rows()
	if len(d.Label) != n || d.Weight != nil && len(d.Weight) != n {
		return fmt.Errorf("%d rows, %d labels and %d weights", n, len(d.Label), len(d.Weight))
	}
	if n > math.MaxInt32 {
		return fmt.Errorf("%d rows; at most %d can be fitted", n, math.MaxInt32)
	}
	if i := slices.IndexFunc(d.Weight, func(w float64) bool { return !(w >= 0) || math.IsInf(w, 0) }); i >= 0 {
		return fmt.Errorf("weight of row %d: %v is not a finite number ≥ 0", i, d.Weight[i])
	}
	if i := firstInf(d.X.Dense); i >= 0 {
		return fmt.Errorf("column %s of row %d is infinite; encode it as NaN", d.X.Names[i%d.X.Width], i/d.X.Width)
	}
	return nil
}

// firstInf returns the index of the first infinite value, -1 if there is none.
func firstInf(values []float64) int {
	found := make([]int, chunks(len(values)))
	eachChunk(len(values), func(k, from, to int) {
		found[k] = -1
		for i, x := range values[from:to] {
			if math.Abs(x) > math.MaxFloat64 {
				found[k] = from + i
				return
			}
		}
	})
	for _, i := range found {
		if i >= 0 {
			return i
		}
	}
	return -1
}

// weightOf returns the weight of row i.
func (s *sample) weightOf(i int) float64 {
	if s.weight == nil {
		return 1
	}
	return s.weight[i]
}

// classTotals returns the weight of the negatives and of the positives.
func (s *sample) classTotals() (class [2]float64) {
	for i, y := range s.label {
		class[index(y)] += s.weightOf(i)
	}
	return class
}

// classScale returns what the weights of both classes are multiplied with.
func (s *sample) classScale(mode string) ([2]float64, error) {
	class := s.classTotals()
	switch {
	case class[0] == 0:
		return class, errors.New("every label is positive: nothing to tell apart")
	case class[1] == 0:
		return class, errors.New("every label is negative: nothing to tell apart")
	case mode == ClassWeightBalanced:
		return [2]float64{s.total / (2 * class[0]), s.total / (2 * class[1])}, nil
	}
	return [2]float64{1, 1}, nil
}

// index returns 1 for a positive and 0 for a negative label.
func index(positive bool) int {
	if positive {
		return 1
	}
	return 0
}

// featuresOf returns the features of a raw matrix: its dense columns, then its
// groups, which are told from one another by the text before "=" in the names
// of their columns.
func featuresOf(x *model.Matrix) ([]Feature, error) {
	var out []Feature
	for _, name := range x.Names[:x.Width] {
		out = append(out, Feature{Name: name})
	}
	for c := x.Width; c < len(x.Names); c++ {
		name, _, _ := strings.Cut(x.Names[c], "=")
		if last := len(out) - 1; c > x.Width && out[last].Name == name {
			out[last].Levels++
		} else {
			out = append(out, Feature{Name: name, Levels: 1, First: int32(c)})
		}
	}
	if len(out) != x.Width+x.Groups {
		return nil, fmt.Errorf("%d groups of codes, but the names of their columns begin with %d different names before \"=\"", x.Groups, len(out)-x.Width)
	}
	return out, checkCodes(x, out[x.Width:])
}

// checkCodes returns an error if a group has too many levels or a code outside
// its levels.
func checkCodes(x *model.Matrix, groups []Feature) error {
	for g, f := range groups {
		if f.Levels > maxBins {
			return fmt.Errorf("feature %s has %d levels; at most %d can be split, let the encoder merge the rare ones", f.Name, f.Levels, maxBins)
		}
		for i := g; i < len(x.Codes); i += x.Groups {
			if level := x.Codes[i] - f.First; uint32(level) >= uint32(f.Levels) {
				return fmt.Errorf("feature %s of row %d has code %d, outside its levels", f.Name, i/x.Groups, x.Codes[i])
			}
		}
	}
	return nil
}

// signs returns the monotone constraint of every feature.
func (p Params) signs(features []Feature) ([]int8, error) {
	sign := make([]int8, len(features))
	set := func(key string, names []string, s int8) error {
		for _, name := range names {
			f := slices.IndexFunc(features, func(f Feature) bool { return f.Name == name && f.Levels == 0 })
			if f < 0 {
				return fmt.Errorf("%s: %q is not a numeric feature", key, name)
			}
			sign[f] = s
		}
		return nil
	}
	return sign, errors.Join(set("monotone_increasing", p.MonotoneIncreasing, 1), set("monotone_decreasing", p.MonotoneDecreasing, -1))
}

// checkStart returns why the start cannot be continued.
func (p *problem) checkStart() error {
	switch {
	case p.start == nil:
		return nil
	case !slices.Equal(p.start.Features, p.features):
		return errors.New("start: its features are not those of the training rows; fit without it")
	case len(p.start.Trees) >= p.params.MaxIter:
		return fmt.Errorf("max_iter: %d leaves nothing to add to the %d trees of the start", p.params.MaxIter, len(p.start.Trees))
	}
	if err := p.start.Check(); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	return nil
}
