package generate

import (
	"cmp"
	"slices"
	"testing"

	"churn/pipeline"
)

// snapshot is one user at one as-of date, as the evaluation would see it.
type snapshot struct {
	user    int
	silent  float64 // true churn probability
	recency int     // days since the last activity
	churned bool    // no active day in the next 30
}

// observed is a simulation with what came of it.
type observed struct {
	*simulation
	events [][]event // by day
	active [][]bool  // by user and day
	truths map[pipeline.Date][]truth
}

// observe simulates a world in memory and keeps everything.
func observe(t testing.TB, p Params) *observed {
	t.Helper()
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	o := &observed{simulation: newSimulation(t.Context(), newWorld(p)), truths: map[pipeline.Date][]truth{}}
	o.active = make([][]bool, p.Users)
	for u := range o.active {
		o.active[u] = make([]bool, p.Days)
	}
	for i := range p.Days {
		d, events := o.liveDay()
		o.events = append(o.events, events)
		for _, e := range events {
			if e.kind != paymentSuccess && e.kind != paymentFailed {
				o.active[e.user][i] = true
			}
		}
		if (p.Days-1-i)%7 == 0 {
			for u := range o.signups.joined(d.date) {
				o.truths[d.date] = append(o.truths[d.date], o.truthOf(&o.learners[u], d))
			}
		}
	}
	return o
}

// cohort returns the snapshots of users active in the 30 days up to an as-of
// date whose label window has closed.
func (o *observed) cohort() []snapshot {
	var all []snapshot
	for i := 59; i+30 < o.params.Days; i++ {
		truths := o.truths[o.params.StartDate+pipeline.Date(i)]
		for u, t := range truths {
			days := o.active[u]
			last := lastTrue(days[:i+1])
			if last < 0 || i-last >= 30 {
				continue
			}
			all = append(all, snapshot{user: u, silent: t.silent, recency: i - last,
				churned: !slices.Contains(days[i+1:i+31], true)})
		}
	}
	return all
}

func lastTrue(b []bool) int {
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] {
			return i
		}
	}
	return -1
}

// baseRate is the share of churned snapshots.
func baseRate(all []snapshot) float64 {
	n := 0
	for _, s := range all {
		if s.churned {
			n++
		}
	}
	return float64(n) / float64(len(all))
}

// aucs returns ROC-AUC (rank formula of Mann and Whitney, ties count half) and
// PR-AUC (average precision, ties taken together) of a score.
func aucs(all []snapshot, score func(*snapshot) float64) (roc, pr float64) {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b snapshot) int { return cmp.Compare(score(&b), score(&a)) })
	positives := baseRate(all) * float64(len(all))
	negatives := float64(len(all)) - positives
	tp, fp := 0.0, 0.0
	for i := 0; i < len(all); {
		j, p, n := i, 0.0, 0.0
		for ; j < len(all) && score(&all[j]) == score(&all[i]); j++ {
			if all[j].churned {
				p++
			} else {
				n++
			}
		}
		roc += n * (tp + p/2)
		tp, fp, i = tp+p, fp+n, j
		pr += p / positives * tp / (tp + fp)
	}
	return roc / positives / negatives, pr
}
