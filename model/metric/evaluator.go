package metric

// evaluator holds a sample sorted and summed up once, so that all metrics under
// any weights of the users cost two passes over the rows.
type evaluator struct {
	names  []string
	users  int
	scores ranking   // all rows by falling score
	groups []ranking // the rows of every group by falling score
	cuts   []cut
	total  []sums // of every user
	losses bool   // whether there are probabilities
}

// sums are those of one user's rows.
type sums struct {
	rows, positives, logLoss, brier float64
}

// newEvaluator prepares s. It panics if s or p is invalid.
func newEvaluator(s Sample, p EvalParams) *evaluator {
	s.check()
	if p.Validate() != nil {
		panic("metric: invalid EvalParams")
	}
	user, count := s.clusters()
	e := &evaluator{
		users: count, scores: rank(s, user), groups: rankGroups(s, user),
		cuts: p.cuts(), losses: s.Prob != nil, total: make([]sums, count),
	}
	for i, u := range user {
		t := &e.total[u]
		t.rows++
		t.positives += number(s.Label[i])
		if e.losses {
			t.logLoss += RowLogLoss(s.Prob[i], s.Label[i])
			t.brier += squaredError(s.Prob[i], s.Label[i])
		}
	}
	e.names = []string{"pr_auc", "roc_auc", "base_rate"}
	if e.losses {
		e.names = append(e.names, "log_loss", "brier")
	}
	for _, c := range e.cuts {
		e.names = append(e.names, "precision_at_"+c.name(), "lift_at_"+c.name())
	}
	return e
}

// metrics returns the values of names, with weight[u] for the rows of user u.
func (e *evaluator) metrics(weight []float64) []float64 {
	out := make([]float64, 0, len(e.names))
	precision, auc := e.scores.curves(weight)
	t := e.weighted(weight)
	out = append(out, precision, auc, ratio(t.positives, t.rows))
	if e.losses {
		out = append(out, ratio(t.logLoss, t.rows), ratio(t.brier, t.rows))
	}
	tops := make([]Top, len(e.cuts))
	for _, g := range e.groups {
		g.cut(e.cuts, weight, tops)
	}
	for _, t := range tops {
		out = append(out, t.Precision(), t.Lift())
	}
	return out
}

// weighted returns the weighted sums over all users.
func (e *evaluator) weighted(weight []float64) sums {
	var t sums
	for u, w := range weight {
		s := &e.total[u]
		t.rows += float64(w * s.rows)
		t.positives += float64(w * s.positives)
		t.logLoss += float64(w * s.logLoss)
		t.brier += float64(w * s.brier)
	}
	return t
}
