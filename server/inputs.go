package server

import (
	"math"
	"slices"
	"strconv"
)

// inputs finds the inputs of a model by name. It is read-only once made.
type inputs struct {
	of                   Predictor
	info                 ModelInfo
	numeric, categorical []Input
	place                map[string]int    // i of numeric, ^j of categorical
	levels               map[string]string // so that usual values need no memory of their own
}

func newInputs(p Predictor) *inputs {
	in := &inputs{of: p, info: p.Info(), place: map[string]int{}, levels: map[string]string{}}
	in.numeric, in.categorical = p.Inputs()
	for i, x := range in.numeric {
		in.place[x.Name] = i
	}
	for j, x := range in.categorical {
		in.place[x.Name] = ^j
		for _, level := range x.Levels {
			in.levels[level] = level
		}
	}
	return in
}

// current returns the model in use with its inputs. A request asks once.
func (s *Server) current() (*inputs, error) {
	model := s.options.Models.Current()
	if model == nil {
		return nil, ErrNoModel
	}
	in := s.inputs.Load()
	if in == nil || in.of != model {
		in = newInputs(model)
		s.inputs.Store(in)
	}
	return in, nil
}

// reset gives the row the shape of the inputs, all values missing.
func (in *inputs) reset(row *Row) {
	if len(row.Numeric) != len(in.numeric) || len(row.Categorical) != len(in.categorical) {
		row.Numeric, row.Categorical = make([]float64, len(in.numeric)), make([]string, len(in.categorical))
	}
	for i := range row.Numeric {
		row.Numeric[i] = math.NaN()
	}
	clear(row.Categorical)
}

// missing appends the names of the inputs without a value: for them the null
// rule of the model holds.
func (in *inputs) missing(row *Row, names []string) []string {
	for i, x := range row.Numeric {
		if math.IsNaN(x) {
			names = append(names, in.numeric[i].Name)
		}
	}
	for j, x := range row.Categorical {
		if x == "" {
			names = append(names, in.categorical[j].Name)
		}
	}
	return names
}

// text returns a categorical value without new memory where training saw it.
func (in *inputs) text(b []byte) string {
	if known, ok := in.levels[string(b)]; ok {
		return known
	}
	return string(b)
}

// instance is a row of a request with whom it is of.
type instance struct {
	user, asOf string
	row        Row
}

// instance reads {"user_id", "snapshot_date", "features"} into to.
func (r *reader) instance(in *inputs, to *instance) error {
	in.reset(&to.row)
	to.user, to.asOf = "", ""
	var hasUser, hasDate, hasFeatures, isObject bool
	err := r.members(func(name []byte) (err error) {
		isObject = true
		switch string(name) {
		case "user_id":
			r.suspicious(hasUser)
			hasUser = true
			to.user, err = r.id()
		case "snapshot_date":
			r.suspicious(hasDate)
			hasDate = true
			if to.asOf, err = r.date(); to.asOf > r.latest {
				r.impossible(strconv.Quote(to.asOf), "a date that is not after today")
			}
		case "features":
			r.suspicious(hasFeatures)
			hasFeatures = true
			err = r.features(in, &to.row)
		default:
			err = r.unknown("user_id, snapshot_date or features")
		}
		return err
	})
	if err != nil || !isObject && len(r.faults) > 0 {
		return err
	}
	at := string(r.decoder.StackPointer())
	if !hasUser {
		r.add(Fault{Field: at + "/user_id", Got: "nothing", Expected: "a text that is not empty, or an integer"})
	}
	if !hasFeatures {
		r.add(Fault{Field: at + "/features", Got: "nothing", Expected: "an object of features by name"})
	}
	return nil
}

// features reads the values of a row by name.
func (r *reader) features(in *inputs, row *Row) error {
	r.seen = append(r.seen[:0], make([]bool, len(in.place))...)
	return r.members(func(name []byte) (err error) {
		k, ok := in.place[string(name)]
		if ok {
			i := (k + len(in.place)) % len(in.place) // categoricals, ^j, from the end
			r.suspicious(r.seen[i])
			r.seen[i] = true
		}
		switch {
		case !ok:
			err = r.unknown("a feature that the model reads; GET /model lists them")
		case k >= 0:
			row.Numeric[k], err = r.number(in.numeric[k].Binary)
			r.check(&in.numeric[k], row.Numeric[k])
		default:
			var text []byte
			text, err = r.text()
			row.Categorical[^k] = in.text(text)
			if in.categorical[^k].unseen(row.Categorical[^k]) {
				r.warn(strconv.Quote(clip(row.Categorical[^k])), unseenExpected)
			}
		}
		return err
	})
}

// doubt returns what a number should be that the feature's definition does not
// allow (impossible), or that lies so far from those of training that the model
// can only guess: more than their whole range away. What grows from week to
// week, such as the days since signup, may leave that range by itself. "" means
// that nothing is odd.
func (x *Input) doubt(v float64) (expected string, impossible bool) {
	switch {
	case math.IsNaN(v):
	case x.Least != nil && v < *x.Least, x.Most != nil && v > *x.Most, x.Binary && v != 0 && v != 1:
		return x.possible(), true
	case x.Min == nil || x.Max == nil:
	case v < *x.Min-(*x.Max-*x.Min), v > *x.Max+(*x.Max-*x.Min):
		return "a value as in training, from " + shown(*x.Min) + " to " + shown(*x.Max), false
	}
	return "", false
}

// possible says which numbers a feature can have.
func (x *Input) possible() string {
	switch {
	case x.Binary:
		return "0 or 1"
	case x.Most == nil:
		return shown(*x.Least) + " or more"
	case x.Least == nil:
		return shown(*x.Most) + " or less"
	}
	return "a number from " + shown(*x.Least) + " to " + shown(*x.Most)
}

func shown(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }

// unseen reports whether training has not seen a categorical value, as far as
// its values are known.
func (x *Input) unseen(value string) bool {
	return value != "" && len(x.Levels) > 0 && !x.More && !slices.Contains(x.Levels, value)
}

// unseenExpected is what stands beside a value that training has not seen.
const unseenExpected = "a value as in training; GET /model lists them"

// check notes what is odd with a number.
func (r *reader) check(x *Input, v float64) {
	switch expected, impossible := x.doubt(v); {
	case impossible:
		r.impossible(shown(v), expected)
	case expected != "":
		r.warn(shown(v), expected)
	}
}
