package gbdt

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// stored is a Model as JSON.
type stored struct {
	Base     float64      `json:"base"`
	Features []Feature    `json:"features"`
	Trees    []storedTree `json:"trees"`
}

// storedTree is a Tree as one list for each field of its nodes, in pre-order,
// which says where the right children are. The lists are text, separated by
// spaces, so that an indented document has one line for each and not one for
// each number. Floats are the shortest text that reads back to the same bits.
type storedTree struct {
	Feature     string `json:"feature"`        // of each node; -1 is a leaf
	Value       string `json:"value"`          // of each leaf and numeric split
	Cover       string `json:"cover"`          // of each leaf and split
	Gain        string `json:"gain"`           // of each split
	MissingLeft string `json:"missing_left"`   // of each split: 0 or 1, not separated
	Sets        string `json:"sets,omitempty"` // of each categorical split: levels 0 … 255 as bits of hexadecimal bytes, the lowest first
}

// MarshalJSON implements json.Marshaler. Equal models give equal bytes. A model
// that Check refuses is an error.
func (m *Model) MarshalJSON() ([]byte, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	out := stored{Base: m.Base, Features: m.Features, Trees: make([]storedTree, len(m.Trees))}
	for t := range m.Trees {
		out.Trees[t] = encodeTree(&m.Trees[t])
	}
	return json.Marshal(out)
}

// UnmarshalJSON implements json.Unmarshaler. What it accepts passes Check.
func (m *Model) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var in stored
	if err := d.Decode(&in); err != nil {
		return fmt.Errorf("boosted trees: %w", err)
	}
	out := Model{Base: in.Base, Features: in.Features}
	for t := range in.Trees {
		tree, err := out.decodeTree(&in.Trees[t])
		if err != nil {
			return fmt.Errorf("boosted trees: tree %d: %w", t, err)
		}
		out.Trees = append(out.Trees, tree)
	}
	if err := out.Check(); err != nil {
		return err
	}
	*m = out
	return nil
}

// encodeTree writes the lists of t.
func encodeTree(t *Tree) storedTree {
	var feature, value, cover, gain, missing, sets []byte
	for i := range t.Nodes {
		n := &t.Nodes[i]
		feature = strconv.AppendInt(space(feature), int64(n.Feature), 10)
		cover = appendFloat(cover, n.Cover)
		if n.Set < 0 {
			value = appendFloat(value, n.Value)
		} else {
			sets = appendSet(sets, t.Sets[n.Set])
		}
		if n.Feature != Leaf {
			gain = appendFloat(gain, n.Gain)
			missing = append(missing, '0'+byte(index(n.MissingLeft)))
		}
	}
	return storedTree{string(feature), string(value), string(cover), string(gain), string(missing), string(sets)}
}

// space separates what follows from what is there.
func space(b []byte) []byte {
	if len(b) > 0 {
		b = append(b, ' ')
	}
	return b
}

func appendFloat(b []byte, x float64) []byte { return strconv.AppendFloat(space(b), x, 'g', -1, 64) }

func appendSet(b []byte, s Set) []byte {
	var raw [32]byte
	for i := range raw {
		raw[i] = byte(s[i/8] >> (i % 8 * 8))
	}
	return hex.AppendEncode(space(b), raw[:])
}

// decodeTree is the inverse of encodeTree.
func (m *Model) decodeTree(in *storedTree) (Tree, error) {
	r := reader{value: strings.Fields(in.Value), cover: strings.Fields(in.Cover), gain: strings.Fields(in.Gain), missing: in.MissingLeft, sets: strings.Fields(in.Sets)}
	var t Tree
	for i, text := range strings.Fields(in.Feature) {
		feature, err := strconv.ParseInt(text, 10, 32)
		if err != nil || feature < Leaf || feature >= int64(len(m.Features)) {
			return t, fmt.Errorf("node %d: there is no feature %q", i, text)
		}
		n := Node{Feature: int32(feature), Set: -1, Cover: r.float(&r.cover)}
		if feature == Leaf || m.Features[feature].Levels == 0 {
			n.Value = r.float(&r.value)
		} else {
			n.Set = int32(len(t.Sets))
			t.Sets = append(t.Sets, r.set())
		}
		if feature != Leaf {
			n.Gain, n.MissingLeft = r.float(&r.gain), r.flag()
		}
		if r.err != nil {
			return t, fmt.Errorf("node %d: %w", i, r.err)
		}
		t.Nodes = append(t.Nodes, n)
	}
	if len(r.value)+len(r.cover)+len(r.gain)+len(r.missing)+len(r.sets) > 0 {
		return t, errors.New("a list is longer than the nodes need")
	}
	t.connect()
	return t, nil
}

// connect fills in the right children; Check finds out whether there are any.
func (t *Tree) connect() {
	var open []int32 // splits whose right child is to come
	for i := range t.Nodes {
		if t.Nodes[i].Feature != Leaf {
			open = append(open, int32(i))
			continue
		}
		if last := len(open) - 1; last >= 0 {
			t.Nodes[open[last]].Right = int32(i + 1)
			open = open[:last]
		}
	}
}

// reader takes values from the lists of a tree, until the first error.
type reader struct {
	value, cover, gain []string
	missing            string
	sets               []string
	err                error
}

// next takes the first of a list.
func (r *reader) next(list *[]string) string {
	if len(*list) == 0 {
		r.err = errors.New("a list is shorter than the nodes need")
		return ""
	}
	text := (*list)[0]
	*list = (*list)[1:]
	return text
}

func (r *reader) float(list *[]string) float64 {
	text := r.next(list)
	if r.err != nil {
		return 0
	}
	x, err := strconv.ParseFloat(text, 64)
	r.err = err
	return x
}

func (r *reader) flag() bool {
	if r.err == nil && (r.missing == "" || r.missing[0] != '0' && r.missing[0] != '1') {
		r.err = errors.New("missing_left is neither 0 nor 1")
	}
	if r.err != nil {
		return false
	}
	left := r.missing[0] == '1'
	r.missing = r.missing[1:]
	return left
}

func (r *reader) set() (s Set) {
	raw, err := hex.DecodeString(r.next(&r.sets))
	if r.err == nil && (err != nil || len(raw) != 32) {
		r.err = errors.New("a set is not 32 hexadecimal bytes")
	}
	if r.err != nil {
		return s
	}
	for i, b := range raw {
		s[i/8] |= uint64(b) << (i % 8 * 8)
	}
	return s
}
