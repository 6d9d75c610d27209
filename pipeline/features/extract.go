package features

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"churn/internal/table"
	"churn/pipeline"
	"churn/pipeline/prepare"
)

// Vector is the features of one snapshot; NaN is null.
type Vector struct {
	Numeric     []float64
	Categorical []string
}

// Index finds features by name. It is read-only after NewIndex.
type Index struct {
	Catalog     []Feature
	numeric     map[string]int
	categorical map[string]int
}

// NewIndex indexes a catalog.
func NewIndex(catalog []Feature) *Index {
	x := &Index{Catalog: catalog, numeric: map[string]int{}, categorical: map[string]int{}}
	for i := range catalog {
		f := &catalog[i]
		if f.Categorical() {
			x.categorical[f.Name] = len(x.categorical)
		} else {
			x.numeric[f.Name] = len(x.numeric)
		}
	}
	return x
}

// Names returns the names of the numeric and of the categorical features.
func (x *Index) Names() (numeric, categorical []string) {
	for i := range x.Catalog {
		if f := &x.Catalog[i]; f.Categorical() {
			categorical = append(categorical, f.Name)
		} else {
			numeric = append(numeric, f.Name)
		}
	}
	return numeric, categorical
}

// Position returns where a numeric feature stands in a vector. It panics if
// the catalog does not have it.
func (x *Index) Position(name string) int {
	i, ok := x.numeric[name]
	if !ok {
		panic("features: no numeric feature " + name)
	}
	return i
}

// Feature returns the declaration of a feature. It panics if the catalog does
// not have it.
func (x *Index) Feature(name string) *Feature {
	for i := range x.Catalog {
		if x.Catalog[i].Name == name {
			return &x.Catalog[i]
		}
	}
	panic("features: no feature " + name)
}

// NewVector returns an empty vector for the catalog.
func (x *Index) NewVector() *Vector {
	return &Vector{Numeric: make([]float64, len(x.numeric)), Categorical: make([]string, len(x.categorical))}
}

// Fingerprint identifies a feature set: everything that its values depend on.
func Fingerprint(p Params) string {
	text, err := json.Marshal(struct {
		Params  Params
		Catalog []Feature
	}{p, Catalog(p)})
	if err != nil {
		panic("features: " + err.Error()) // plain data always encodes
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// Extractor computes vectors. It holds scratch space: one for each goroutine.
type Extractor struct {
	index    *Index
	windows  []int
	usual    int
	snapshot snapshot
}

// NewExtractor returns an extractor for the catalog of p.
func NewExtractor(p Params, index *Index) *Extractor {
	return &Extractor{index: index, windows: measured(p), usual: p.UsualDays}
}

// Extract fills v with the features of one history. It depends on nothing else.
func (e *Extractor) Extract(h *pipeline.History, v *Vector) {
	e.snapshot.measure(h, e.windows, e.usual)
	n, c := 0, 0
	for i := range e.index.Catalog {
		f := &e.index.Catalog[i]
		if f.text != nil {
			v.Categorical[c] = f.text(&e.snapshot)
			c++
			continue
		}
		v.Numeric[n] = f.number(&e.snapshot)
		n++
	}
}

// Schema returns the columns of user_features_daily: the key and static
// columns, then every other feature of the catalog.
func Schema(index *Index) table.Schema {
	s := prepare.StaticSchema()
	for i := range index.Catalog {
		if f := &index.Catalog[i]; !isStatic(f.Name) {
			s = append(s, table.Column{Name: f.Name, Kind: table.Float})
		}
	}
	return s
}

func isStatic(name string) bool {
	for _, c := range prepare.StaticSchema() {
		if c.Name == name {
			return true
		}
	}
	return false
}

// appendRow appends the row of one snapshot.
func appendRow(b *table.Batch, h *pipeline.History, v *Vector, rest []int) {
	prepare.AppendStatic(b, h.User(), h.AsOf())
	for _, i := range rest {
		b.Float(v.Numeric[i])
	}
	b.EndRow()
}

// nonStatic returns the numeric positions of the features beyond the static
// columns, in catalog order.
func (x *Index) nonStatic() (rest []int) {
	for i := range x.Catalog {
		if f := &x.Catalog[i]; !f.Categorical() && !isStatic(f.Name) {
			rest = append(rest, x.numeric[f.Name])
		}
	}
	return rest
}
