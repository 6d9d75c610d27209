package metric

import "slices"

// measure is a few metrics that share a pass over the rows.
type measure struct {
	names  []string
	values func(weight []float64) []float64 // of names, with weight[u] for the rows of user u
}

// evaluator holds a sample sorted and summed up once, so that metrics under any
// weights of the users cost a pass over the rows each.
type evaluator struct {
	users, groups int
	measures      []measure
}

// newEvaluator prepares s. It panics if s or p is invalid.
func newEvaluator(s Sample, p EvalParams) *evaluator {
	s.check()
	if p.Validate() != nil {
		panic("metric: invalid EvalParams")
	}
	user, count := s.clusters()
	scores, groups := rank(s, user), rankGroups(s, user)
	e := &evaluator{users: count, groups: len(groups)}
	e.add(curves(scores), means(s, user, count))
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

// one returns the function of a single metric, and whether there is one.
func (e *evaluator) one(name string) (metric func(weight []float64) float64, ok bool) {
	for _, m := range e.measures {
		if i := slices.Index(m.names, name); i >= 0 {
			return func(weight []float64) float64 { return m.values(weight)[i] }, true
		}
	}
	return nil, false
}

// curves measures the areas under the curves.
func curves(scores ranking) measure {
	return measure{
		names: []string{PRAUC, "roc_auc"},
		values: func(weight []float64) []float64 {
			precision, auc := scores.curves(weight)
			return []float64{precision, auc}
		},
	}
}

// tops measures the lists of the highest scored.
func tops(groups []ranking, cuts []cut) measure {
	var names []string
	for _, c := range cuts {
		names = append(names, "precision_at_"+c.name(), "lift_at_"+c.name())
	}
	return measure{names: names, values: func(weight []float64) (out []float64) {
		for _, t := range take(groups, cuts, weight) {
			out = append(out, t.Precision(), t.Lift())
		}
		return out
	}}
}
