package gbdt

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// Status says how a fit has ended.
type Status string

const (
	Completed    Status = "completed"     // MaxIter trees
	StoppedEarly Status = "stopped_early" // the validation loss fell no more; the best round was kept
	NoSplit      Status = "no_split"      // no split gains anything; a further tree would be a leaf
)

// Report says how a fit went.
type Report struct {
	Status         Status  `json:"status"`
	Rounds         int     `json:"rounds"`          // trees of the model, those of the start included
	TrainLoss      float64 `json:"train_loss"`      // weighted mean logistic loss of the model on the training rows
	ValidationLoss float64 `json:"validation_loss"` // the same on the validation rows; 0 without
}

// Fit boosts regression trees for the logistic loss. progress, if not nil, is
// called after every round with the number of trees and the training loss. It
// returns an error if the parameters are invalid, if the data cannot be fitted
// (one class only, lengths that differ, a weight below 0, nothing to split on),
// if the start has other features, or with ctx's.
func Fit(ctx context.Context, in Input, p Params, progress func(round int, loss float64)) (*Model, Report, error) {
	prob, err := newProblem(in, p)
	if err != nil {
		return nil, Report{}, fmt.Errorf("fit boosted trees: %w", err)
	}
	b, err := newBooster(prob)
	if err != nil {
		return nil, Report{}, fmt.Errorf("fit boosted trees: %w", err)
	}
	report, err := b.run(ctx, progress)
	if err != nil {
		return nil, Report{}, fmt.Errorf("fit boosted trees: %w", err)
	}
	return b.model, report, nil
}

// booster is a fit under way.
type booster struct {
	*grower
	train  *sample
	model  *Model
	margin []float64     // of the training rows
	exact  []derivatives // of each training row
	leafOf []uint16      // of each training row, in the tree of this round
	rows   []int32       // drawn for this round
	most   float64       // largest weight
	watch  *watch        // nil: no validation rows
}

// newBooster prepares everything before the first round.
func newBooster(p *problem) (*booster, error) {
	columns, slots := p.columns()
	if len(columns) == 0 {
		return nil, errors.New("every column is constant: nothing to split on")
	}
	n := len(p.train.rows)
	b := &booster{train: &p.train, grower: newGrower(newBinned(&p.train, columns, slots), n, &p.params), most: 1}
	b.model = &Model{Base: p.train.base(), Features: p.features}
	if p.start != nil {
		b.model.Base = p.start.Base
		b.model.Trees = append(b.model.Trees, p.start.Trees...)
	}
	b.margin = p.train.margins(b.model)
	b.exact, b.leafOf, b.rows = make([]derivatives, n), make([]uint16, n), make([]int32, n)
	for i, w := range p.train.weight {
		if i == 0 || w > b.most {
			b.most = w
		}
	}
	if p.valid != nil {
		b.watch = newWatch(p, b.binned, b.model)
	}
	return b, nil
}

// base returns the log-odds of the weighted share of positives.
func (s *sample) base() float64 {
	class := s.classTotals()
	return math.Log(class[1] / class[0])
}

// margins returns the margin of every row by m.
func (s *sample) margins(m *Model) []float64 {
	out := make([]float64, len(s.rows))
	eachChunk(len(out), func(_, from, to int) {
		for i := from; i < to; i++ {
			out[i] = m.Margin(s.x.Row(int(s.rows[i])))
		}
	})
	return out
}

// run boosts until one of the ends that Status names.
func (b *booster) run(ctx context.Context, progress func(int, float64)) (Report, error) {
	status := Completed
	for len(b.model.Trees) < b.params.MaxIter {
		if err := context.Cause(ctx); err != nil {
			return Report{}, err
		}
		if !b.round() {
			status = NoSplit
			break
		}
		if progress != nil {
			progress(len(b.model.Trees), b.train.loss(b.margin))
		}
		if b.watch.stop(b.model) {
			status = StoppedEarly
			break
		}
	}
	return b.report(status), nil
}

// report keeps the best round and measures the model.
func (b *booster) report(status Status) Report {
	r := Report{Status: status}
	if b.watch != nil {
		if kept := b.watch.rounds(); kept < len(b.model.Trees) {
			b.model.Trees = b.model.Trees[:kept]
			b.margin = b.train.margins(b.model)
		}
		r.ValidationLoss = b.watch.loss()
	}
	r.Rounds, r.TrainLoss = len(b.model.Trees), b.train.loss(b.margin)
	return r
}

// round adds a tree; it returns false if there is nothing to split.
func (b *booster) round() bool {
	p, round := b.params, uint64(len(b.model.Trees))
	r := newRounding(b.most, p.Seed, round)
	b.unitG, b.unitH = 1/(r.scale*gradOne), 1/(r.scale*hessOne)
	b.gradients(r)
	b.rows = drawRows(len(b.margin), p.Subsample, p.Seed, round, b.rows)
	drawColumns(p.Colsample, p.Seed, round, b.inUse)
	nodes := b.grow(b.rows)
	if len(nodes) == 1 {
		return false
	}
	leaves := b.assign(nodes)
	b.model.Trees = append(b.model.Trees, b.tree(nodes, leaves))
	return true
}

// gradients fills in exact and packed.
func (b *booster) gradients(r rounding) {
	eachChunk(len(b.margin), func(_, from, to int) {
		label, exact, packed := b.train.label[from:to], b.exact[from:to], b.packed[from:to]
		for i, m := range b.margin[from:to] {
			g, h := gradient(m, float64(index(label[i])))
			if b.train.weight != nil {
				w := b.train.weight[from+i]
				g, h = g*w, h*w
			}
			exact[i] = derivatives{float32(g), float32(h)}
			packed[i] = r.pack(from+i, g, h)
		}
	})
}

// derivatives are the gradient and the hessian of a row.
type derivatives struct{ g, h float32 }
