// Package encode turns raw features into the encoded columns that classifiers
// read: numerics are imputed and standardised, categoricals become one-hot
// codes.
//
//	numeric      x → log? → impute mean → standardise     one dense column
//	  with nulls 1 if null → standardise                  one more dense column
//	categorical  level → code, "other" if unknown         one one-hot group
//
// A raw encoder (Options.Raw), for trees, leaves numerics as they are, with NaN
// for null, and codes categoricals alike.
//
// An Encoder is fitted on training rows only and then frozen: the same raw row
// gives the same bits one at a time (Encode), in bulk (Matrix), on any number
// of cores, and after a round trip through JSON.
package encode

import (
	"math"
	"slices"

	"churn/internal/parallel"
	"churn/model"
)

// OtherLevel is the level of rare, unseen and null categorical values. A raw
// level of this very name means the same and shares its column.
const OtherLevel = "other"

// limit bounds a standardised value, so that a value far outside the training
// range can never become infinite; no finite datum of practice comes near it.
const limit = 1e30

// chunkRows is the number of rows one task reads. It is a constant because the
// order of summation follows it.
const chunkRows = 4096

// Encoder is a fitted encoding. All fields are plain data for JSON; treat them
// as read-only. It is safe for concurrent use.
type Encoder struct {
	Raw         bool          `json:"raw,omitempty"` // numerics are neither scaled nor imputed
	Numeric     []Numeric     `json:"numeric"`       // one per raw numeric, in the frame's order
	Categorical []Categorical `json:"categorical"`   // one per raw categorical, in the frame's order
	Width       int           `json:"width"`         // dense columns
	Groups      int           `json:"groups"`        // one-hot groups
	Cols        int           `json:"cols"`          // all encoded columns
}

// Numeric says how one raw numeric is encoded.
type Numeric struct {
	Name    string `json:"name"`
	Log     bool   `json:"log"`     // signed log1p first: sign(x)·log(1+|x|)
	Value   Scaled `json:"value"`   // the value; null is imputed with Mean, hence 0
	Missing Scaled `json:"missing"` // 1 if null, else 0
}

// Scaled is one standardised dense column: (x - Mean) / Std.
type Scaled struct {
	Col  int     `json:"col"`  // the dense column, or -1 if dropped
	Mean float64 `json:"mean"` // over the training rows
	Std  float64 `json:"std"`  // population standard deviation, > 0
}

// Categorical says how one raw categorical is encoded: level Levels[k] is
// column First+k, and anything else is column First+len(Levels).
type Categorical struct {
	Name   string   `json:"name"`
	Levels []string `json:"levels"` // sorted bytewise, without OtherLevel
	First  int      `json:"first"`  // first one-hot column, or -1 if dropped
}

// Names returns the names of the encoded columns: the raw name for a value,
// "name:missing" for its null indicator, "name=level" for a one-hot column.
func (e *Encoder) Names() []string {
	names := make([]string, e.Cols)
	for _, c := range e.Numeric {
		if c.Value.Col >= 0 {
			names[c.Value.Col] = c.Name
		}
		if c.Missing.Col >= 0 {
			names[c.Missing.Col] = c.Name + ":missing"
		}
	}
	for _, c := range e.Categorical {
		if c.First < 0 {
			continue
		}
		for k, level := range c.Levels {
			names[c.First+k] = c.Name + "=" + level
		}
		names[c.First+len(c.Levels)] = c.Name + "=" + OtherLevel
	}
	return names
}

// Source returns the raw feature that encoded column col comes from: i for
// numeric i, len(Numeric)+j for categorical j. It panics if there is no such
// column.
func (e *Encoder) Source(col int) int {
	for i, c := range e.Numeric {
		if col >= 0 && (c.Value.Col == col || c.Missing.Col == col) {
			return i
		}
	}
	for j, c := range e.Categorical {
		if c.First >= 0 && c.First <= col && col <= c.First+len(c.Levels) {
			return len(e.Numeric) + j
		}
	}
	panic("encode: no such encoded column")
}

// NewRow returns a row of the shape that Encode fills.
func (e *Encoder) NewRow() model.Row {
	return model.Row{Dense: make([]float64, e.Width), Codes: make([]int32, e.Groups)}
}

// Encode writes the encoding of one raw row to dst, which has the shape of
// NewRow. NaN and ±Inf are null. It does not allocate and panics if a length
// is wrong.
func (e *Encoder) Encode(num []float64, cat []string, dst model.Row) {
	if len(num) != len(e.Numeric) || len(cat) != len(e.Categorical) {
		panic("encode: raw row does not have the encoder's columns")
	}
	if len(dst.Dense) != e.Width || len(dst.Codes) != e.Groups {
		panic("encode: destination does not have the encoder's shape")
	}
	for i := range e.Numeric {
		if e.Raw {
			dst.Dense[i] = finiteOrNaN(num[i])
		} else {
			e.Numeric[i].encode(num[i], dst.Dense)
		}
	}
	group := 0
	for j := range e.Categorical {
		if c := &e.Categorical[j]; c.First >= 0 {
			dst.Codes[group] = c.code(cat[j])
			group++
		}
	}
}

// Matrix encodes every row of f, whose columns are those of the training
// frame in the same order; it panics if their number differs.
func (e *Encoder) Matrix(f *model.Frame) *model.Matrix {
	n := f.Rows()
	m := &model.Matrix{
		Names: e.Names(),
		Width: e.Width, Dense: make([]float64, n*e.Width),
		Groups: e.Groups, Codes: make([]int32, n*e.Groups),
	}
	eachChunk(n, func(_, from, to int) {
		for i := from; i < to; i++ {
			num, cat := f.Row(i)
			e.Encode(num, cat, m.Row(i))
		}
	})
	return m
}

// finiteOrNaN returns x, or NaN in place of an infinity.
func finiteOrNaN(x float64) float64 {
	if math.IsInf(x, 0) {
		return math.NaN()
	}
	return x
}

// encode writes the value and the null indicator of raw value x.
func (c *Numeric) encode(x float64, dense []float64) {
	x, missing := c.transform(x)
	if c.Missing.Col >= 0 {
		flag := 0.0
		if missing {
			flag = 1
		}
		dense[c.Missing.Col] = c.Missing.scale(flag)
	}
	if c.Value.Col < 0 {
		return
	}
	if missing {
		dense[c.Value.Col] = 0 // the mean, standardised
		return
	}
	dense[c.Value.Col] = c.Value.scale(x)
}

// transform returns x after the optional signed log1p, and whether it is null.
func (c *Numeric) transform(x float64) (value float64, missing bool) {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0, true
	}
	if c.Log {
		return math.Copysign(math.Log1p(math.Abs(x)), x), false
	}
	return x, false
}

// scale standardises a finite x.
func (s Scaled) scale(x float64) float64 {
	return max(-limit, min(limit, (x-s.Mean)/s.Std))
}

// code returns the encoded column of a level.
func (c *Categorical) code(level string) int32 {
	k, ok := slices.BinarySearch(c.Levels, level)
	if !ok {
		k = len(c.Levels)
	}
	return int32(c.First + k)
}

// eachChunk calls work for every chunk of n rows, on several cores.
func eachChunk(n int, work func(chunk, from, to int)) {
	parallel.Each(chunks(n), func(k int) {
		work(k, k*chunkRows, min((k+1)*chunkRows, n))
	})
}

// chunks returns the number of chunks of n rows.
func chunks(n int) int { return (n + chunkRows - 1) / chunkRows }
