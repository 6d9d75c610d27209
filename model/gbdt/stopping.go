package gbdt

// watch follows the validation loss.
type watch struct {
	*sample
	patience  int
	tol       float64
	margin    []float64
	trees     int     // in margin
	best      float64 // loss
	bestRound int
	mark      float64 // the loss to fall below by tol
	markRound int
	last      float64
}

func newWatch(p *problem, b *binned, m *Model) *watch {
	w := &watch{sample: p.valid, patience: p.params.NIterNoChange, tol: p.params.Tol, margin: p.valid.margins(m), trees: len(m.Trees)}
	w.last = w.sample.loss(w.margin)
	w.best, w.mark, w.bestRound, w.markRound = w.last, w.last, w.trees, w.trees
	return w
}

// stop adds the trees that are new and reports whether patience is at an end.
// A nil watch never stops.
func (w *watch) stop(m *Model) bool {
	if w == nil {
		return false
	}
	eachChunk(len(w.margin), func(_, from, to int) {
		for i := from; i < to; i++ {
			r := w.x.Row(int(w.rows[i]))
			for t := w.trees; t < len(m.Trees); t++ {
				w.margin[i] += m.leaf(&m.Trees[t], r)
			}
		}
	})
	w.trees = len(m.Trees)
	w.last = w.sample.loss(w.margin)
	if w.last < w.best {
		w.best, w.bestRound = w.last, w.trees
	}
	if w.last < w.mark-w.tol {
		w.mark, w.markRound = w.last, w.trees
	}
	return w.patience > 0 && w.trees-w.markRound >= w.patience
}

// rounds returns how many trees to keep.
func (w *watch) rounds() int {
	if w.patience == 0 {
		return w.trees
	}
	return w.bestRound
}

// loss returns the loss of the kept trees.
func (w *watch) loss() float64 {
	if w.patience == 0 {
		return w.last
	}
	return w.best
}
