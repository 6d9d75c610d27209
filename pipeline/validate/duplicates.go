package validate

import (
	"encoding/binary"
	"slices"
	"sync"

	"churn/internal/parallel"
	"churn/internal/spill"
	"churn/pipeline"
)

// keyBuckets is how many buckets keys are spread over: with 100 million events
// a bucket holds 400,000 keys, which a cache-sized table can tell apart.
const keyBuckets = 256

const keySize = 20 // key, position, and the day on which the row became known

// keyBucket spreads keys evenly (Fibonacci hashing), since ids often are
// consecutive integers.
func keyBucket(key uint64) int { return int(key * 0x9E3779B97F4A7C15 >> 56) }

func appendKey(b []byte, key, position uint64, known pipeline.Date) []byte {
	b = binary.LittleEndian.AppendUint64(b, key)
	b = binary.LittleEndian.AppendUint64(b, position)
	return binary.LittleEndian.AppendUint32(b, uint32(known))
}

// entry is one key of a bucket.
type entry struct {
	key, position uint64
	known         pipeline.Date
}

func entryAt(b []byte) entry {
	return entry{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]), pipeline.Date(binary.LittleEndian.Uint32(b[16:]))}
}

// before reports whether a record counts rather than another of its key: the one
// known first, and among those the one that is read first.
func (e entry) before(other entry) bool {
	if e.known != other.known {
		return e.known < other.known
	}
	return e.position < other.position
}

// entries calls yield for every key of a bucket, in any order.
func entries(pages [][]byte, yield func(entry)) {
	for _, page := range pages {
		for ; len(page) >= keySize; page = page[keySize:] {
			yield(entryAt(page))
		}
	}
}

// repeated returns, in ascending order, the positions of all keys that stand
// elsewhere too, but for the one that was known first: a later record must not
// be able to push out an earlier one, or features could see it coming.
func repeated(keys *spill.Buckets) ([]uint64, error) {
	var mu sync.Mutex
	var all []uint64
	var failed error
	var tables sync.Pool // of *[]uint64: a fresh table for every bucket costs more than filling it
	parallel.Each(keys.Len(), func(i int) {
		data, err := keys.Read(i)
		slots, ok := tables.Get().(*[]uint64)
		if !ok {
			slots = new([]uint64)
		}
		found := repeatedIn(data, slots)
		tables.Put(slots)
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

// repeatedIn finds the repeats of one bucket: with a table of the bare keys
// first, since mostly there are none, and then among the repeated keys alone.
func repeatedIn(pages [][]byte, slots *[]uint64) (positions []uint64) {
	first := map[uint64]entry{}
	for _, key := range repeatedKeys(pages, slots) {
		first[key] = entry{}
	}
	if len(first) == 0 {
		return nil
	}
	entries(pages, func(e entry) {
		kept, repeated := first[e.key]
		switch {
		case !repeated:
		case kept == entry{}:
			first[e.key] = e
		case e.before(kept):
			first[e.key] = e
			positions = append(positions, kept.position)
		default:
			positions = append(positions, e.position)
		}
	})
	return positions
}

// repeatedKeys returns the keys that stand more than once, by way of an
// open-addressing table in the memory of scratch.
func repeatedKeys(pages [][]byte, scratch *[]uint64) (keys []uint64) {
	n := 0
	for _, page := range pages {
		n += len(page) / keySize
	}
	bits := 4
	for 1<<bits < 2*n {
		bits++
	}
	*scratch = slices.Grow((*scratch)[:0], 1<<bits)[:1<<bits]
	slots := *scratch
	clear(slots)
	zero := false // whether the key 0, which marks a free slot, was seen
	entries(pages, func(e entry) {
		again := e.key == 0 && zero
		if e.key == 0 {
			zero = true
		} else {
			again = insert(slots, e.key, bits)
		}
		if again {
			keys = append(keys, e.key)
		}
	})
	return keys
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
