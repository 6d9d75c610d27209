package server

import "math"

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
			to.asOf, err = r.date()
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
		default:
			var text []byte
			text, err = r.text()
			row.Categorical[^k] = in.text(text)
		}
		return err
	})
}
