package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"churn/model"
	"churn/model/encode"
)

// rows are encoded rows as both sides get them.
type rows struct {
	name   string // by which the script knows them
	x      *model.Matrix
	label  []bool
	weight []float64 // nil = 1
	// first is the code of each categorical's first level where categoricals are
	// columns of level numbers, as trees take them; nil = one-hot columns.
	first []int32
}

// sample is raw rows before any encoding.
type sample struct {
	frame  model.Frame
	label  []bool
	weight []float64 // nil = 1
}

// minLevelRows is that of `churn train`.
const minLevelRows = 50

// encoded returns the samples encoded by what the first one tells: raw for
// trees, standardised and one-hot for the logistic regression.
func encoded(name string, o encode.Options, samples ...*sample) ([]*rows, error) {
	o.MinLevelCount = minLevelRows
	encoder, err := encode.Fit(&samples[0].frame, o)
	if err != nil {
		return nil, err
	}
	var first []int32
	for _, c := range encoder.Categorical {
		if o.Raw && c.First >= 0 {
			first = append(first, int32(c.First))
		}
	}
	var out []*rows
	for k, s := range samples {
		out = append(out, &rows{name: fmt.Sprint(name, " ", k), x: encoder.Matrix(&s.frame), label: s.label, weight: s.weight, first: first})
	}
	return out, nil
}

// width returns the number of columns that the peers get.
func (r *rows) width() int {
	if r.first != nil {
		return r.x.Width + r.x.Groups
	}
	return r.x.Cols()
}

// dense writes row i as the peers get it.
func (r *rows) dense(i int, out []float64) {
	row := r.x.Row(i)
	clear(out[copy(out, row.Dense):])
	for g, code := range row.Codes {
		if r.first != nil {
			out[r.x.Width+g] = float64(code - r.first[g])
		} else {
			out[code] = 1
		}
	}
}

// hand gives rows to the peers, through files in dir that are gone afterwards.
func (r *rows) hand(p *peer, dir string) error {
	path := func(name string) string { return filepath.Join(dir, name+".npy") }
	ask := request{Command: "load", Name: r.name, X: path("x"), Y: path("y")}
	for g := range r.first {
		ask.Categorical = append(ask.Categorical, r.x.Width+g)
	}
	err := errors.Join(
		writeNpy(ask.X, len(r.label), r.width(), r.dense),
		writeNpy(ask.Y, len(r.label), 0, func(i int, out []float64) { out[0] = number(r.label[i]) }),
	)
	if r.weight != nil {
		ask.W = path("w")
		err = errors.Join(err, writeNpy(ask.W, len(r.label), 0, func(i int, out []float64) { out[0] = r.weight[i] }))
	}
	if err != nil {
		return err
	}
	_, err = p.call(ask)
	for _, file := range []string{ask.X, ask.Y, ask.W} {
		if file != "" {
			err = errors.Join(err, os.Remove(file))
		}
	}
	return err
}

func number(positive bool) float64 {
	if positive {
		return 1
	}
	return 0
}
