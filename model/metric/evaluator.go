package metric

import (
	"fmt"
	"slices"
	"sync"
)

// measure is a few metrics that share a pass over the rows.
type measure struct {
	names  []string
	values func(weight []float64) []float64 // of names, with weight[u] for the rows of user u
}

// evaluator holds a sample sorted and summed up once, when first a metric needs
// it, so that metrics under any weights of the users cost a pass over the rows
// each.
type evaluator struct {
	users, groups int
	measures      []measure
}

// newEvaluator prepares s. It panics if s or p is invalid.
func newEvaluator(s Sample, p EvalParams) *evaluator {
	user, count := s.checked(p).clusters()
	return s.evaluator(user, count, p)
}

// evaluator prepares s, whose rows are of the given of so many users, of whom some
// may have no row.
func (s Sample) evaluator(user []int32, count int, p EvalParams) *evaluator {
	scores := sync.OnceValue(func() ranking { return rank(s, user) })
	groups := sync.OnceValue(func() []ranking { return rankGroups(s, user) })
	e := &evaluator{users: count, groups: s.groups()}
	e.add(curves(scores), means(s, user, count))
	if p.BaseRate > 0 {
		e.add(atRate(scores, p.BaseRate))
	}
	if s.Prob != nil {
		e.add(equalMass(s, user, count), recalibration(s, user, count))
	}
	e.add(tops(groups, p.cuts()))
	if p.Value != nil {
		e.add(p.Value.atCapacity(groups), p.Value.best(scores))
	}
	if p.Value != nil && s.Prob != nil {
		e.add(p.Value.atThreshold(s, user))
	}
	return e
}

func (e *evaluator) add(m ...measure) { e.measures = append(e.measures, m...) }

// names returns the names of all metrics.
func (e *evaluator) names() (out []string) {
	for _, m := range e.measures {
		out = append(out, m.names...)
	}
	return out
}

// metrics returns the values of all metrics.
func (e *evaluator) metrics(weight []float64) (out []float64) {
	for _, m := range e.measures {
		out = append(out, m.values(weight)...)
	}
	return out
}

// only drops all measures but those of the given metrics, and returns a function
// of the values of these. It returns an error if there is no metric of a name.
func (e *evaluator) only(names []string) (metrics func(weight []float64) []float64, err error) {
	for _, name := range names {
		if !slices.Contains(e.names(), name) {
			return nil, fmt.Errorf("no metric %q", name)
		}
	}
	wanted := func(name string) bool { return slices.Contains(names, name) }
	e.measures = slices.DeleteFunc(e.measures, func(m measure) bool { return !slices.ContainsFunc(m.names, wanted) })
	there := e.names()
	return func(weight []float64) []float64 {
		all, out := e.metrics(weight), make([]float64, len(names))
		for k, name := range names {
			out[k] = all[slices.Index(there, name)]
		}
		return out
	}, nil
}

// curves measures the areas under the curves.
func curves(scores func() ranking) measure {
	return measure{
		names: []string{PRAUC, "roc_auc"},
		values: func(weight []float64) []float64 {
			precision, auc := scores().curves(weight)
			return []float64{precision, auc}
		},
	}
}

// atRate measures the average precision at another share of positives.
func atRate(scores func() ranking, rate float64) measure {
	return measure{names: []string{PRAUCAtRate}, values: func(weight []float64) []float64 {
		return []float64{scores().precisionAt(rate, weight)}
	}}
}

// tops measures the lists of the highest scored.
func tops(groups func() []ranking, cuts []cut) measure {
	var names []string
	for _, c := range cuts {
		names = append(names, "precision_at_"+c.name(), "lift_at_"+c.name())
	}
	return measure{names: names, values: func(weight []float64) (out []float64) {
		for _, t := range take(groups(), cuts, weight) {
			out = append(out, t.Precision(), t.Lift())
		}
		return out
	}}
}
