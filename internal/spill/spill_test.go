package spill

import (
	"bytes"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// The law: what is read back is what was appended, in order, whether it fitted
// into memory or not, and pieces never split what one Append added.
func TestReadBackEqualsAppended(t *testing.T) {
	for _, limit := range []int64{1 << 30, 3 * pageSize, 1} {
		rng := rand.New(rand.NewPCG(1, uint64(limit)))
		b := New(t.TempDir(), "x", 7, limit)
		want := make([][]byte, b.Len())
		for range 3000 {
			i := rng.IntN(b.Len())
			data := make([]byte, rng.IntN(300))
			if rng.IntN(200) == 0 {
				data = make([]byte, pageSize+rng.IntN(pageSize))
			}
			for k := range data {
				data[k] = byte(rng.Uint32())
			}
			if err := b.Append(i, data); err != nil {
				t.Fatal(err)
			}
			want[i] = append(want[i], data...)
		}
		for i := range want {
			pages, err := b.Read(i)
			if err != nil {
				t.Fatal(err)
			}
			if got := bytes.Join(pages, nil); !bytes.Equal(got, want[i]) {
				t.Errorf("limit %d, bucket %d: %d bytes read back, %d appended", limit, i, len(got), len(want[i]))
			}
		}
	}
}

// Beyond its limit the set holds nothing in memory, and Read leaves no file.
func TestSpillsAndCleansUp(t *testing.T) {
	dir := t.TempDir()
	b := New(dir, "x", 3, 10)
	for i := range 3 {
		if err := b.Append(i, bytes.Repeat([]byte{1}, 100)); err != nil {
			t.Fatal(err)
		}
	}
	if b.held != 0 {
		t.Errorf("%d bytes in memory beyond the limit", b.held)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 3 {
		t.Errorf("%d spilled files (%v), want 3", len(files), err)
	}
	for i := range 3 {
		if _, err := b.Read(i); err != nil {
			t.Fatal(err)
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("%d files are left (%v)", len(files), err)
	}
}

// The law: CopyTo writes what Read would return, from memory, from disk and
// from both, while other buckets are still being filled.
func TestCopyToIsRead(t *testing.T) {
	for _, limit := range []int64{0, 100_000, 1 << 30} {
		b := New(t.TempDir(), "x", 3, limit)
		var want bytes.Buffer
		for i := range 5000 {
			record := []byte(strings.Repeat("r", i%97) + "\n")
			want.Write(record)
			for bucket := range 3 {
				if err := b.Append(bucket, record); err != nil {
					t.Fatal(err)
				}
			}
		}
		for bucket := range 3 {
			var got bytes.Buffer
			if err := b.CopyTo(&got, bucket); err != nil || !bytes.Equal(got.Bytes(), want.Bytes()) {
				t.Errorf("limit %d, bucket %d: %d bytes of %d, %v", limit, bucket, got.Len(), want.Len(), err)
			}
			if err := b.Append(2, nil); err != nil {
				t.Fatal(err)
			}
		}
		if b.held != 0 {
			t.Errorf("limit %d: %d bytes are still held", limit, b.held)
		}
	}
}
