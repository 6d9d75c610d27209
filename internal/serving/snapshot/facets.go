package snapshot

import (
	"maps"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
	"go.etcd.io/bbolt"

	"churn/server"
)

// The orders in which users are listed.
const (
	byUser    = "user"
	byRank    = "rank"
	bySilence = "silence" // longest silent first
)

// The fields that users are selected by.
const (
	fieldTier    = "tier"
	fieldPlan    = "plan"
	fieldCountry = "country"
	fieldSource  = "marketing_source"
)

// maxValues bounds the values of a field, and so the memory of a build: a field
// with more is no field to select by.
const maxValues = 4096

// facets collects the users with each value of each field.
type facets struct {
	fields []string
	sets   []map[string]*roaring.Bitmap // of positions; nil = too many values
}

func newFacets() *facets {
	f := &facets{fields: []string{fieldTier, fieldPlan, fieldCountry, fieldSource}}
	for range f.fields {
		f.sets = append(f.sets, map[string]*roaring.Bitmap{})
	}
	return f
}

func (f *facets) add(position uint32, u *server.User) {
	for i, value := range [...]string{u.Tier, u.Plan, u.Country, u.Source} {
		sets := f.sets[i]
		if sets == nil {
			continue
		}
		if sets[value] == nil {
			sets[value] = roaring.New()
		}
		sets[value].Add(position)
		if len(sets) > maxValues {
			f.sets[i] = nil
		}
	}
}

func (f *facets) of(field string) map[string]*roaring.Bitmap {
	return f.sets[slices.Index(f.fields, field)]
}

// values returns the values of a field in order.
func (f *facets) values(field string) []string { return slices.Sorted(maps.Keys(f.of(field))) }

func (f *facets) wide() (out []string) {
	for i, sets := range f.sets {
		if sets == nil {
			out = append(out, f.fields[i])
		}
	}
	return out
}

// write stores every set in all orders. places holds those of all positions in
// each, but of byUser, in which they are the same.
func (f *facets) write(b *bbolt.Bucket, places map[string][]byte) error {
	for _, order := range []string{byRank, bySilence, byUser} {
		for _, i := range []int{2, 3, 1, 0} { // in the order of keys
			for _, value := range slices.Sorted(maps.Keys(f.sets[i])) {
				set := f.sets[i][value]
				if of := places[order]; of != nil {
					set = reorder(set, of)
				}
				set.RunOptimize()
				text, err := set.ToBytes()
				if err != nil {
					return err
				}
				if err := b.Put(facetKey(order, f.fields[i], value), text); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// reorder returns the places that the members of a set have in another order.
func reorder(set *roaring.Bitmap, order []byte) *roaring.Bitmap {
	dense := make([]uint64, (len(order)/4+63)/64)
	for it := set.Iterator(); it.HasNext(); {
		at := place(order, it.Next())
		dense[at/64] |= 1 << (at % 64)
	}
	return roaring.FromDense(dense, false)
}

func facetKey(order, field, value string) []byte {
	return []byte(order + "\x00" + field + "\x00" + value)
}

// facet returns the places in an order of the users with a value; none where
// nobody has it. It is valid while the transaction is.
func facet(tx *bbolt.Tx, order, field, value string) (*roaring.Bitmap, error) {
	out := roaring.New()
	text := tx.Bucket(bucketFacets).Get(facetKey(order, field, value))
	if text == nil {
		return out, nil
	}
	_, err := out.FromBuffer(text)
	return out, err
}
