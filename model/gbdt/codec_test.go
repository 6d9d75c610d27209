package gbdt

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"churn/model"
)

// Law: a model reads back to the same bits, and is written as the same bytes,
// indented or not.
func TestCodecRoundTrip(t *testing.T) {
	for _, p := range []Params{with(func(p *Params) {}), with(func(p *Params) { p.MaxIter, p.MaxLeafNodes, p.MinSamplesLeaf = 30, 100, 1 })} {
		m, _ := fit(t, random(1500, 5, 50), p)
		indented, err := json.MarshalIndent(m, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		for _, data := range [][]byte{encoded(t, m), indented} {
			var back Model
			if err := json.Unmarshal(data, &back); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(&back, m) || !same(t, &back, m) {
				t.Error("not the same model")
			}
		}
	}
}

// The mutants: each is a model that would loop, panic or compute nonsense.
func TestCheckRefuses(t *testing.T) {
	for name, spoil := range map[string]func(m *Model){
		"base":             func(m *Model) { m.Base = math.NaN() },
		"no nodes":         func(m *Model) { m.Trees[0].Nodes = nil },
		"loop":             func(m *Model) { m.Trees[0].Nodes[0].Right = 0 },
		"right":            func(m *Model) { m.Trees[0].Nodes[0].Right++ },
		"cut short":        func(m *Model) { m.Trees[0].Nodes = m.Trees[0].Nodes[:2] },
		"feature":          func(m *Model) { m.Trees[0].Nodes[0].Feature = 99 },
		"negative feature": func(m *Model) { m.Trees[0].Nodes[0].Feature = -2 },
		"value":            func(m *Model) { m.Trees[0].Nodes[0].Value = math.Inf(1) },
		"cover":            func(m *Model) { m.Trees[0].Nodes[0].Cover = -1 },
		"gain":             func(m *Model) { m.Trees[0].Nodes[0].Gain = math.NaN() },
		"extra set":        func(m *Model) { m.Trees[0].Sets = append(m.Trees[0].Sets, Set{}) },
		"set":              func(m *Model) { m.Trees[0].Nodes[0].Set = 7 },
		"extra node":       func(m *Model) { m.Trees[0].Nodes = append(m.Trees[0].Nodes, Node{Feature: Leaf, Set: -1}) },
		"levels":           func(m *Model) { m.Features[4].Levels = 300 },
		"order":            func(m *Model) { m.Features[0].Levels = 3 },
	} {
		m, _ := fit(t, random(600, 4, 51), with(func(p *Params) {}))
		if err := m.Check(); err != nil {
			t.Fatal(err)
		}
		spoil(m)
		if m.Check() == nil {
			t.Errorf("%s: Check accepted it", name)
		}
		if _, err := json.Marshal(m); err == nil {
			t.Errorf("%s: it was written", name)
		}
	}
}

// What is not a model is an error that names the place.
func TestUnmarshalRefuses(t *testing.T) {
	const good = `{"base":0,"features":[{"name":"a"}],"trees":[{"feature":"0 -1 -1","value":"1 2 3","cover":"2 1 1","gain":"1","missing_left":"0"}]}`
	if err := json.Unmarshal([]byte(good), &Model{}); err != nil {
		t.Fatal(err)
	}
	for old, bad := range map[string]string{
		`"0 -1 -1"`: `"0 -1 -1 -1"`, `"1 2 3"`: `"1 2 3 4"`, `"2 1 1"`: `"2 1"`, `"gain":"1"`: `"gain":"NaN"`, `left":"0"`: `left":"2"`,
		`"base":0`: `"bass":0`, `-1 -1`: `0 -1`, `[{"name":"a"}]`: `[{"name":"a","levels":3}]`,
	} {
		if err := json.Unmarshal([]byte(strings.Replace(good, old, bad, 1)), &Model{}); err == nil || !strings.Contains(err.Error(), "boosted trees: ") {
			t.Errorf("%s instead of %s: %v", bad, old, err)
		}
	}
}

// Law: whatever is read can be scored and is written as the same bytes again
// and again.
func FuzzCodec(f *testing.F) {
	m, _ := fit(f, random(300, 3, 52), with(func(p *Params) { p.MaxIter = 2 }))
	f.Add(encoded(f, m))
	f.Add([]byte(`{"base":-0.5,"features":[{"name":"a"}],"trees":[{"feature":"-1","value":"1e-300","cover":"3","gain":"","missing_left":""}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m, back Model
		if json.Unmarshal(data, &m) != nil {
			return
		}
		first := encoded(t, &m)
		if err := json.Unmarshal(first, &back); err != nil || !bytes.Equal(encoded(t, &back), first) {
			t.Fatalf("%s reads back differently: %v", first, err)
		}
		if rows, ok := zeros(&m); ok {
			out := make([]float64, rows.Rows())
			if m.Margins(rows, out); out[0] != m.Margin(rows.Row(0)) && out[0] == out[0] {
				t.Fatalf("%s: margins %v and %v", first, out[0], m.Margin(rows.Row(0)))
			}
		}
	})
}

// zeros returns rows of zeros and first levels; not for models of many features.
func zeros(m *Model) (*model.Matrix, bool) {
	x := &model.Matrix{}
	for _, f := range m.Features {
		x.Width += index(f.Levels == 0)
		x.Groups += index(f.Levels > 0)
	}
	for range walkRows + 1 {
		x.Dense = append(x.Dense, make([]float64, x.Width)...)
		for _, f := range m.Features[x.Width:] {
			x.Codes = append(x.Codes, f.First)
		}
	}
	return x, len(m.Features) > 0 && len(m.Features) < 50
}
