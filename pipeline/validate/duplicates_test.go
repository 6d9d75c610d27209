package validate

import (
	"math/rand/v2"
	"slices"
	"testing"

	"churn/internal/spill"
	"churn/pipeline"
)

// naiveRepeated is the slow twin of repeated: of each key the row known first
// stays, and of those the one that stands first.
func naiveRepeated(all []entry) (positions []uint64) {
	for i, e := range all {
		for k, other := range all {
			if k != i && other.key == e.key && (other.known < e.known || other.known == e.known && other.position < e.position) {
				positions = append(positions, e.position)
				break
			}
		}
	}
	slices.Sort(positions)
	return positions
}

func TestRepeatedEqualsItsTwin(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		keys := spill.New(t.TempDir(), "keys", keyBuckets, 1<<(4+seed))
		var all []entry
		for _, i := range rng.Perm(600) { // files are read side by side
			e := entry{key: rng.Uint64N(400), position: uint64(i + 1), known: pipeline.Date(rng.IntN(5))}
			all = append(all, e)
			if err := keys.Append(keyBucket(e.key), appendKey(nil, e.key, e.position, e.known)); err != nil {
				t.Fatal(err)
			}
		}
		got, err := repeated(keys)
		if want := naiveRepeated(all); err != nil || !slices.Equal(got, want) {
			t.Fatalf("seed %d: %d repeats (%v), want %d", seed, len(got), err, len(want))
		}
	}
}
