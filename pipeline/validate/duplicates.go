package validate

import (
	"encoding/binary"
	"slices"
	"sync"

	"churn/internal/parallel"
	"churn/internal/spill"
)

// keyBuckets is how many buckets keys are spread over: with 100 million events
// a bucket holds 400,000 keys, which a cache-sized table can tell apart.
const keyBuckets = 256

const keySize = 16 // key and position

// keyBucket spreads keys evenly (Fibonacci hashing), since ids often are
// consecutive integers.
func keyBucket(key uint64) int { return int(key * 0x9E3779B97F4A7C15 >> 56) }

func appendKey(b []byte, key, position uint64) []byte {
	b = binary.LittleEndian.AppendUint64(b, key)
	return binary.LittleEndian.AppendUint64(b, position)
}

// repeated returns, in ascending order, the positions of all keys that stand
// at an earlier position too.
func repeated(keys *spill.Buckets) ([]uint64, error) {
	var mu sync.Mutex
	var all []uint64
	var failed error
	parallel.Each(keys.Len(), func(i int) {
		data, err := keys.Read(i)
		found := repeatedIn(data)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, found...)
		if err != nil {
			failed = err
		}
	})
	slices.Sort(all)
	return all, failed
}

// repeatedIn finds the repeats of one bucket with an open-addressing table.
// Keys are appended in order of position, so the first one seen is the one to
// keep.
func repeatedIn(pages [][]byte) (found []uint64) {
	n := 0
	for _, page := range pages {
		n += len(page) / keySize
	}
	bits := 4
	for 1<<bits < 2*n {
		bits++
	}
	slots := make([]uint64, 1<<bits)
	zero := false // whether the key 0, which marks a free slot, was seen
	for _, page := range pages {
		for ; len(page) >= keySize; page = page[keySize:] {
			key := binary.LittleEndian.Uint64(page)
			again := key == 0 && zero
			if key == 0 {
				zero = true
			} else {
				again = insert(slots, key, bits)
			}
			if again {
				found = append(found, binary.LittleEndian.Uint64(page[8:]))
			}
		}
	}
	return found
}

// insert adds a key and reports whether it was there. The bucket was chosen by
// the top of one product, so the slot takes another multiplier (of SplitMix64).
func insert(slots []uint64, key uint64, bits int) bool {
	mask := 1<<bits - 1
	h := int((key ^ key>>29) * 0xBF58476D1CE4E5B9 >> (64 - bits))
	for slots[h] != 0 {
		if slots[h] == key {
			return true
		}
		h = (h + 1) & mask
	}
	slots[h] = key
	return false
}
