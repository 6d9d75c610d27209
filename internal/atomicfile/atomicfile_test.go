package atomicfile

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
)

// The law: until Commit the target is what it was; after Abort too.
func TestTargetChangesAtCommitOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "x.csv")
	write := func(text string, end func(*File)) string {
		f, err := Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadFile(path)
		end(f)
		return string(before)
	}
	commit := func(f *File) {
		info, err := f.Commit()
		if err != nil {
			t.Fatal(err)
		}
		if disk, err := Digest(path); err != nil || disk != info {
			t.Errorf("committed %+v, on disk %+v (%v)", info, disk, err)
		}
	}
	if before := write("one", commit); before != "" {
		t.Errorf("before the first commit the file had %q", before)
	}
	if before := write("two", (*File).Abort); before != "one" {
		t.Errorf("before the abort the file had %q", before)
	}
	if data, _ := os.ReadFile(path); string(data) != "one" {
		t.Errorf("after the abort the file has %q", data)
	}
	write("three", commit)
	sum := sha256.Sum256([]byte("three"))
	if info, err := Digest(path); err != nil || info.SHA256 != hex.EncodeToString(sum[:]) || info.Bytes != 5 {
		t.Errorf("digest %+v (%v)", info, err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("%d entries are left (%v), want the file alone", len(entries), err)
	}
}

// Sweep removes what killed processes left, and nothing else.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	if _, err := Create(filepath.Join(dir, "a.csv")); err != nil {
		t.Fatal(err)
	}
	if _, err := TempDir(dir, "staging"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"keep.csv", ".lock", "x.tmp-1"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := Sweep(dir); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("%d entries are left (%v), want 3", len(entries), err)
	}
	if err := Sweep(filepath.Join(dir, "absent")); err != nil {
		t.Error(err)
	}
}
