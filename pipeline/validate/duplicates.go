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
func repeatedIn(data []byte) (found []uint64) {
	n := len(data) / keySize
	if n < 2 {
		return nil
	}
	bits := 4
	for 1<<bits < 2*n {
		bits++
	}
	slots := make([]uint32, 1<<bits) // index of the key + 1
	keyAt := func(i int) uint64 { return binary.LittleEndian.Uint64(data[i*keySize:]) }
	for i := range n {
		key := keyAt(i)
		// The bucket took the top byte of the same product; use the bits below.
		h := int(key * 0x9E3779B97F4A7C15 << 8 >> (64 - bits))
		for slots[h] != 0 && keyAt(int(slots[h]-1)) != key {
			h = (h + 1) & (1<<bits - 1)
		}
		if slots[h] != 0 {
			found = append(found, binary.LittleEndian.Uint64(data[i*keySize+8:]))
			continue
		}
		slots[h] = uint32(i + 1)
	}
	return found
}
