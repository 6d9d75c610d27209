// Package storetest is the suite that every driver of package store passes,
// unchanged: in a folder, in memory, on a real object store.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"

	"churn/registry/store"
)

// Run tests the stores that open returns: each an empty one of its own.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for name, law := range map[string]func(*testing.T, store.Store){
		"read your writes": readYourWrites, "exclusive create": exclusiveCreate, "exclusive create of large objects": exclusiveLarge,
		"complete or absent": completeOrAbsent, "write by content": writeByContent, "list": list, "delete": deletes,
		"odd keys": oddKeys, "large objects": largeObjects, "cancelled": cancelled, "errors name the object": errorsName,
	} {
		t.Run(name, func(t *testing.T) { law(t, open(t)) })
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t *testing.T, s store.Store, key string, want []byte) {
	t.Helper()
	got, err := s.Read(context.Background(), key)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: read %d bytes %.40q (%v), want %d bytes %.40q", key, len(got), got, err, len(want), want)
	}
}

func readYourWrites(t *testing.T, s store.Store) {
	ctx := context.Background()
	for _, data := range []string{"", "x", "a\x00b\r\n\xff", strings.Repeat("line\n", 1000)} {
		key := fmt.Sprintf("folder/sub.dir/object-%d_.json", len(data))
		must(t, s.Create(ctx, key, []byte(data)))
		wants(t, s, key, []byte(data))
	}
	if _, err := s.Read(ctx, "folder/absent"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an absent object: %v", err)
	}
	if _, err := s.Read(ctx, "folder/sub.dir"); err == nil {
		t.Error("a folder was read as an object")
	}
}

// The law: of racing creators one wins; what is read is the winner's.
func exclusiveCreate(t *testing.T, s store.Store) { race(t, s, 50, 100) }

// The same for objects that an object store takes in parts.
func exclusiveLarge(t *testing.T, s store.Store) { race(t, s, 3, 6<<20) }

func race(t *testing.T, s store.Store, racers, size int) {
	ctx := context.Background()
	const key = "races/00000001.json"
	errs, start := make([]error, racers), make(chan struct{})
	var group sync.WaitGroup
	content := func(i int) []byte { return bytes.Repeat(fmt.Appendf(nil, "racer %04d\n", i), size/11) }
	for i := range racers {
		group.Go(func() {
			<-start
			errs[i] = s.Create(ctx, key, content(i))
		})
	}
	close(start)
	group.Wait()
	winner := slices.Index(errs, nil)
	if winner < 0 {
		t.Fatalf("nobody won: %v", errs[0])
	}
	for i, err := range errs {
		if i != winner && !errors.Is(err, fs.ErrExist) {
			t.Errorf("racer %d beside the winner %d: %v", i, winner, err)
		}
	}
	wants(t, s, key, content(winner))
	if err := s.Create(ctx, key, []byte("late")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a late creator: %v", err)
	}
	wants(t, s, key, content(winner))
}

// The law: a reader sees nothing or the whole, while it is being written.
func completeOrAbsent(t *testing.T, s store.Store) {
	ctx := context.Background()
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<14) // 256 KiB
	for i := range 8 {
		key, done := fmt.Sprintf("whole/%d", i), make(chan error)
		go func() { done <- s.Create(ctx, key, data) }()
		for running := true; running; {
			select {
			case err := <-done:
				must(t, err)
				running = false
			default:
			}
			got, err := s.Read(ctx, key)
			if err == nil && !bytes.Equal(got, data) {
				t.Fatalf("%s: read %d of %d bytes", key, len(got), len(data))
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
		}
		wants(t, s, key, data)
	}
}

// The law: writing the same again changes nothing, and other bytes are put
// right.
func writeByContent(t *testing.T, s store.Store) {
	ctx := context.Background()
	must(t, s.Write(ctx, "content/abc", []byte("right")))
	before, err := s.List(ctx, "content/")
	must(t, err)
	must(t, s.Write(ctx, "content/abc", []byte("right")))
	after, err := s.List(ctx, "content/")
	must(t, err)
	if len(before) != 1 || len(after) != 1 || !before[0].Modified.Equal(after[0].Modified) || before[0].Bytes != 5 {
		t.Errorf("the same again: %v, then %v", before, after)
	}
	must(t, s.Write(ctx, "content/abc", []byte("healed")))
	wants(t, s, "content/abc", []byte("healed"))
}

// The law: a listing holds the objects under a folder, all and only those, in
// the order of their bytes.
func list(t *testing.T, s store.Store) {
	ctx := context.Background()
	if got, err := s.List(ctx, "nothing/"); len(got) != 0 || err != nil {
		t.Errorf("an absent folder lists %v: %v", got, err)
	}
	all := []string{"a/b/2", "a/b/10", "a/b-c", "a/Z", "ab/x", "a/b/1.json", "top"}
	for _, key := range all {
		must(t, s.Create(ctx, key, []byte(key)))
	}
	for folder, want := range map[string][]string{
		"": {"a/Z", "a/b-c", "a/b/1.json", "a/b/10", "a/b/2", "ab/x", "top"}, "a/": {"a/Z", "a/b-c", "a/b/1.json", "a/b/10", "a/b/2"}, "a/b/": {"a/b/1.json", "a/b/10", "a/b/2"}, "b/": nil,
	} {
		objects, err := s.List(ctx, folder)
		must(t, err)
		var got []string
		for _, o := range objects {
			got = append(got, o.Key)
			if o.Bytes != int64(len(o.Key)) || o.Modified.IsZero() {
				t.Errorf("%+v has not its size and time", o)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q lists %q, want %q", folder, got, want)
		}
	}
	// More than a page of any object store would show; there a page is a thousand.
	for i := range 40 {
		must(t, s.Create(ctx, fmt.Sprintf("many/%08d", i), []byte("x")))
	}
	if got, err := s.List(ctx, "many/"); len(got) != 40 || err != nil {
		t.Errorf("%d of 40 objects: %v", len(got), err)
	}
}

func deletes(t *testing.T, s store.Store) {
	ctx := context.Background()
	must(t, s.Create(ctx, "d/e/one", []byte("1")))
	must(t, s.Create(ctx, "d/e/two", []byte("2")))
	for range 2 { // deleting what is not there is no error
		must(t, s.Delete(ctx, "d/e/one"))
	}
	if _, err := s.Read(ctx, "d/e/one"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("deleted, and read: %v", err)
	}
	wants(t, s, "d/e/two", []byte("2"))
	must(t, s.Delete(ctx, "d/e/two"))
	must(t, s.Delete(ctx, "never/was"))
	if got, err := s.List(ctx, ""); len(got) != 0 || err != nil {
		t.Errorf("after all is deleted: %v, %v", got, err)
	}
	must(t, s.Create(ctx, "d/e/one", []byte("again")))
	wants(t, s, "d/e/one", []byte("again"))
}

func oddKeys(t *testing.T, s store.Store) {
	ctx := context.Background()
	for _, key := range []string{"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", ".hidden", "a/.tmp-1", "a b", "a\\b", "ä", "a\n", "-a", "a?b", strings.Repeat("x", 200), strings.Repeat("a/", 20) + "b"} {
		_, read := s.Read(ctx, key)
		for verb, err := range map[string]error{"read": read, "create": s.Create(ctx, key, nil), "write": s.Write(ctx, key, nil), "delete": s.Delete(ctx, key)} {
			if err == nil || !strings.Contains(err.Error(), "cannot be the name of an object") {
				t.Errorf("%s of %q: %v", verb, key, err)
			}
		}
	}
	for _, folder := range []string{"a", "../", "/", "a//"} {
		if _, err := s.List(ctx, folder); err == nil {
			t.Errorf("%q was listed", folder)
		}
	}
	if got, err := s.List(ctx, ""); len(got) != 0 || err != nil {
		t.Errorf("odd keys left %v: %v", got, err)
	}
}

func largeObjects(t *testing.T, s store.Store) {
	data := make([]byte, 17<<20+13)
	for i := range data {
		data[i] = byte(i * i >> 7)
	}
	must(t, s.Create(context.Background(), "large", data))
	wants(t, s, "large", data)
}

// The law: a cancelled write leaves nothing.
func cancelled(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, read := s.Read(ctx, "c/x")
	_, listed := s.List(ctx, "c/")
	for verb, err := range map[string]error{"read": read, "list": listed, "create": s.Create(ctx, "c/x", []byte("x")), "write": s.Write(ctx, "c/y", []byte("y")), "delete": s.Delete(ctx, "c/x")} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", verb, err)
		}
	}
	if got, err := s.List(context.Background(), ""); len(got) != 0 || err != nil {
		t.Errorf("left %v: %v", got, err)
	}
}

func errorsName(t *testing.T, s store.Store) {
	ctx := context.Background()
	must(t, s.Create(ctx, "e/there", nil))
	_, read := s.Read(ctx, "e/absent")
	for key, err := range map[string]error{"e/absent": read, "e/there": s.Create(ctx, "e/there", []byte("x"))} {
		if err == nil || !strings.Contains(err.Error(), s.Locate(key)) {
			t.Errorf("%s is not named: %v", s.Locate(key), err)
		}
	}
}
