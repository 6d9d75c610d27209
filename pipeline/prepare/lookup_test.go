package prepare

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"churn/pipeline"
	"churn/pipeline/validate"
)

// manyTimelines writes users with at most so many days in blocks of a few, in
// the order of prepare.
func manyTimelines(t testing.TB, path string, users, days, inBlock int) []pipeline.Timeline {
	t.Helper()
	rng := rand.New(rand.NewPCG(uint64(users), 2))
	all := make([]pipeline.Timeline, users)
	for i := range all {
		all[i] = randomTimeline(rng)
		all[i].Days = all[i].Days[:min(days, len(all[i].Days))]
		all[i].User.Plan, all[i].User.Country, all[i].User.Source = "free", "é", ""
		all[i].User.ID = []string{strconv.Itoa(i), fmt.Sprintf("%06d", i), fmt.Sprintf("u-%x", i), strings.Repeat("long ", 20) + strconv.Itoa(i)}[i%4]
	}
	slices.SortFunc(all, func(a, b pipeline.Timeline) int { return validate.CompareIDs(a.User.ID, b.User.ID) })
	w, err := createTimelines(path, Header{Users: users})
	if err != nil {
		t.Fatal(err)
	}
	for x := range slices.Chunk(all, inBlock) {
		if err := w.append(encodeAll(x), len(x)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.commit(); err != nil {
		t.Fatal(err)
	}
	return all
}

// The law: a look-up finds everybody whom reading the whole file finds, and
// nobody else.
func TestLookupEqualsReading(t *testing.T) {
	for _, inBlock := range []int{1, 7, 1000} {
		path := filepath.Join(t.TempDir(), "timelines.bin")
		all := manyTimelines(t, path, 200, 20, inBlock)
		l, err := OpenLookup(path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for i := range all {
			got, ok, err := l.Find(all[i].User.ID)
			if d := same(all[i:i+1], []pipeline.Timeline{got}); err != nil || !ok || d != "" {
				t.Fatalf("blocks of %d, %q: %v, %v (-read +found)\n%s", inBlock, all[i].User.ID, ok, err, d)
			}
		}
		for _, id := range []string{"", "0000", "999999999", "u-", "zzz", "é", "long "} {
			if _, ok, err := l.Find(id); ok || err != nil {
				t.Errorf("%q: %v, %v", id, ok, err)
			}
		}
	}
}

// The law: no byte of the file can change and pass for what was written: it is
// refused when it is opened or read, or is of the header's words.
func TestLookupFindsDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "timelines.bin")
	all := manyTimelines(t, path, 12, 1, 5)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	blocks := len(magic) + 4 + int(binary.LittleEndian.Uint32(whole[len(magic):]))
	sound := func(data []byte) bool {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := OpenLookup(path)
		if err != nil {
			return false
		}
		defer l.Close()
		for i := range all {
			if _, ok, err := l.Find(all[i].User.ID); err != nil || !ok {
				return false
			}
		}
		return true
	}
	for i := blocks; i < len(whole); i++ {
		bad := slices.Clone(whole)
		bad[i] ^= 1
		if sound(bad) {
			t.Fatalf("byte %d of %d is another, and nobody notices", i, len(whole))
		}
	}
	for cut := range len(whole) {
		if sound(whole[:cut]) {
			t.Fatalf("cut to %d of %d bytes, and nobody notices", cut, len(whole))
		}
	}
	if sound(append(slices.Clone(whole), 0)) {
		t.Error("a byte too many, and nobody notices")
	}
}

// A block whose sum is right and whose content is not is an error, too.
func TestLookupCutBlock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "timelines.bin")
	w, err := createTimelines(path, Header{Users: 1})
	if err != nil {
		t.Fatal(err)
	}
	u := pipeline.Timeline{User: pipeline.User{ID: "u"}, Days: []pipeline.DayFacts{{Day: 1, Known: 1, Events: 1}}}
	payload := encodeTimeline(nil, &u)
	if err := w.append(payload[:len(payload)-1], 1); err != nil {
		t.Fatal(err)
	}
	if _, err := w.commit(); err != nil {
		t.Fatal(err)
	}
	l, err := OpenLookup(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"u", "v"} {
		if _, _, err := l.Find(id); err == nil {
			t.Errorf("%s: no error", id)
		}
	}
	l.Close()
	if _, _, err := l.Find("u"); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// A bucket with much in it becomes several blocks, each of whole users.
func TestBlocksEnd(t *testing.T) {
	var p part
	days := pipeline.Timeline{User: pipeline.User{ID: "u"}, Days: make([]pipeline.DayFacts, 10_000)}
	users := 0
	for range 100 {
		x := p.room()
		x.payload = encodeTimeline(x.payload, &days)
		x.users++
	}
	for i, x := range p.blocks {
		users += x.users
		got, err := DecodeBlock(x.payload)
		if err != nil || len(got) != x.users {
			t.Fatalf("block %d: %d users, want %d (%v)", i, len(got), x.users, err)
		}
		if last := i == len(p.blocks)-1; !last && len(x.payload) < blockSize || len(x.payload) > blockSize+50_000 {
			t.Errorf("block %d has %d bytes", i, len(x.payload))
		}
	}
	if users != 100 || len(p.blocks) < 3 {
		t.Errorf("%d users in %d blocks", users, len(p.blocks))
	}
}

func BenchmarkLookup(b *testing.B) {
	const users = 1_000_000
	path := filepath.Join(b.TempDir(), "timelines.bin")
	rng := rand.New(rand.NewPCG(1, 2))
	w, err := createTimelines(path, Header{Users: users})
	if err != nil {
		b.Fatal(err)
	}
	var p part
	for i := range users {
		t := pipeline.Timeline{User: pipeline.User{ID: strconv.Itoa(i), Plan: "free", Country: "DE", Source: "ads"}, Days: make([]pipeline.DayFacts, rng.IntN(80))}
		for k := range t.Days {
			t.Days[k] = pipeline.DayFacts{Day: pipeline.Date(20000 + 2*k), Known: pipeline.Date(20000 + 2*k), Events: 3, Active: 3, Logins: 1, Videos: 1, Quizzes: 1, Scores: 1, Minutes: rng.Float64(), ScoreSum: rng.Float64(), Courses: []uint32{3}}
		}
		x := p.room()
		x.payload = encodeTimeline(x.payload, &t)
		if x.users++; len(x.payload) >= blockSize || i == users-1 {
			if err := w.append(x.payload, x.users); err != nil {
				b.Fatal(err)
			}
			p.blocks = nil
		}
	}
	if _, err := w.commit(); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			l, err := OpenLookup(path)
			if err != nil {
				b.Fatal(err)
			}
			l.Close()
		}
		b.ReportMetric(float64(info.Size())/1e6, "file-MB")
	})
	b.Run("find", func(b *testing.B) {
		l, err := OpenLookup(path)
		if err != nil {
			b.Fatal(err)
		}
		defer l.Close()
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, ok, err := l.Find(strconv.Itoa(i * 7919 % users)); err != nil || !ok {
				b.Fatal(ok, err)
			}
		}
	})
}
