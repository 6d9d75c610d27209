package prepare

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"churn/internal/table"
	"churn/pipeline"
	"churn/pipeline/generate"
	"churn/pipeline/source"
	"churn/pipeline/validate"
)

// randomTimeline returns a timeline whose numbers are small, large or absent.
func randomTimeline(rng *rand.Rand) pipeline.Timeline {
	texts := []string{"", "u1", "a,\"b\"\n", "é漢", string(make([]byte, 300))}
	text := func() string { return texts[rng.IntN(len(texts))] }
	t := pipeline.Timeline{User: pipeline.User{ID: text(), Signup: pipeline.Date(rng.IntN(60000) - 30000), Plan: text(), Paid: rng.IntN(2) == 0, Country: text(), Source: text()}}
	day := pipeline.Date(rng.IntN(60000) - 30000)
	for range rng.IntN(20) {
		day += pipeline.Date(rng.IntN(3))
		f := pipeline.DayFacts{Day: day, Known: day + pipeline.Date(rng.IntN(400)*rng.IntN(2))}
		for _, n := range counts(&f) {
			*n = []int32{0, 0, 1, 127, 128, math.MaxInt32}[rng.IntN(6)]
		}
		for _, v := range sums(&f) {
			*v = []float64{0, 0.1, 1e-300, math.MaxFloat64, 93.77382106507338}[rng.IntN(5)]
		}
		for range rng.IntN(4) {
			f.Courses = append(f.Courses, rng.Uint32())
		}
		for range rng.IntN(6) - 3 {
			f.Steps = append(f.Steps, pipeline.Step{Course: rng.Uint32(), Completed: rng.IntN(2) == 0})
		}
		t.Days = append(t.Days, f)
	}
	return t
}

func same(a, b []pipeline.Timeline) string {
	return cmp.Diff(a, b, cmpopts.EquateEmpty(), cmpopts.EquateNaNs())
}

func encodeAll(timelines []pipeline.Timeline) (payload []byte) {
	for i := range timelines {
		payload = encodeTimeline(payload, &timelines[i])
	}
	return payload
}

// The law: decoding what was encoded gives the same timelines, bit for bit; and
// no timeline can be cut off unseen.
func TestCodecRoundTrip(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		want := make([]pipeline.Timeline, 1+rng.IntN(4))
		for i := range want {
			want[i] = randomTimeline(rng)
		}
		payload := encodeAll(want)
		got, err := DecodeBlock(payload)
		if d := same(want, got); d != "" || err != nil {
			t.Fatalf("seed %d: %v (-encoded +decoded)\n%s", seed, err, d)
		}
		last := encodeTimeline(nil, &want[len(want)-1])
		for cut := 1; cut < len(last); cut++ {
			if got, err := DecodeBlock(payload[:len(payload)-cut]); err == nil {
				t.Fatalf("seed %d: a block without its last %d bytes is read as %d timelines", seed, cut, len(got))
			}
		}
	}
}

// The codec writes every field of a day: one that it forgot would be lost
// between prepare and the features.
func TestCodecKnowsEveryField(t *testing.T) {
	f := pipeline.DayFacts{Day: 1, Known: 2, Courses: []uint32{3}, Steps: []pipeline.Step{{Course: 3}}}
	for _, n := range counts(&f) {
		*n = 1
	}
	for _, v := range sums(&f) {
		*v = 1
	}
	value := reflect.ValueOf(f)
	for i := range value.NumField() {
		if value.Field(i).IsZero() {
			t.Errorf("the codec does not write DayFacts.%s", value.Type().Field(i).Name)
		}
	}
}

// Any bytes: an error or timelines, never a panic; what was decoded has one
// encoding.
func FuzzDecodeBlock(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 5 {
		f.Add(encodeAll([]pipeline.Timeline{randomTimeline(rng), randomTimeline(rng)}))
	}
	f.Add([]byte{0x80})
	f.Add(bytes.Repeat([]byte{0xff}, 40))
	f.Fuzz(func(t *testing.T, payload []byte) {
		decoded, err := DecodeBlock(payload)
		if err != nil {
			return
		}
		once := encodeAll(decoded)
		again, err := DecodeBlock(once)
		if err != nil || !bytes.Equal(encodeAll(again), once) {
			t.Errorf("encoding is not stable (%v):\n%x\n%x", err, once, encodeAll(again))
		}
	})
}

// writeTimelines writes a file of three blocks.
func writeTimelines(t testing.TB, path string) []pipeline.Timeline {
	t.Helper()
	rng := rand.New(rand.NewPCG(2, 2))
	var all []pipeline.Timeline
	w, err := createTimelines(path, Header{Users: 6, Courses: []string{"x"}, EventTypes: pipeline.EventTypes()})
	for range 3 {
		block := []pipeline.Timeline{randomTimeline(rng), randomTimeline(rng)}
		all = append(all, block...)
		if err == nil {
			err = w.append(encodeAll(block), len(block))
		}
	}
	if err == nil {
		_, err = w.commit()
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// readTimelines reads a whole file.
func readTimelines(path string) (h Header, all []pipeline.Timeline, err error) {
	t, err := OpenTimelines(path)
	if err != nil {
		return h, nil, err
	}
	defer t.Close()
	_, err = Each(context.Background(), t, func(b []pipeline.Timeline) ([]pipeline.Timeline, error) { return b, nil },
		func(b []pipeline.Timeline) error { all = append(all, b...); return nil }, nil)
	return t.Header, all, err
}

func TestTimelinesFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.bin")
	want := writeTimelines(t, path)
	h, got, err := readTimelines(path)
	if d := same(want, got); d != "" || err != nil || h.Users != 6 {
		t.Fatalf("%+v %v\n%s", h, err, d)
	}
}

// The law: a file that was cut off anywhere, that lacks a block, or in which a
// bit of a block changed is refused, with what to do about it.
func TestTimelinesDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.bin")
	writeTimelines(t, path)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, data []byte) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := readTimelines(path)
		if err == nil || !bytes.Contains([]byte(err.Error()), []byte(" is damaged (")) || !bytes.HasSuffix([]byte(err.Error()), []byte("; run `churn prepare` again")) {
			t.Fatalf("%s: got %v", what, err)
		}
	}
	for n := 0; n < len(whole); n += 31 {
		refused(fmt.Sprintf("the first %d bytes", n), whole[:n])
	}
	body := len(magic) + 4 + int(uint32(whole[8])|uint32(whole[9])<<8)
	for i := body; i < len(whole); i += 17 {
		data := bytes.Clone(whole)
		data[i] ^= 0x10
		refused(fmt.Sprintf("byte %d changed", i), data)
	}
	block := 8 + int(uint32(whole[body])|uint32(whole[body+1])<<8)
	refused("the first block is missing", append(bytes.Clone(whole[:body]), whole[body+block:]...))
}

// Any file: an error or timelines, never a panic.
func FuzzOpenTimelines(f *testing.F) {
	path := filepath.Join(f.TempDir(), "t.bin")
	writeTimelines(f, path)
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole, 0, byte(0))
	f.Add(whole, 8, byte(0xff))
	f.Add(whole, 11, byte(0x7f)) // a header of 2 GB
	f.Add(whole, 20, byte('"'))
	f.Add(whole[:len(whole)-8], 3, byte(1))
	f.Add([]byte(magic), 0, byte(0))
	f.Fuzz(func(t *testing.T, data []byte, at int, change byte) {
		if len(data) > 0 {
			data[((at%len(data))+len(data))%len(data)] ^= change
		}
		path := filepath.Join(t.TempDir(), "t.bin")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, _ = readTimelines(path)
	})
}

// stageFiles runs validate and prepare on the raw files of dir with a bound on
// staged memory, and returns the outputs by name and how many buckets went to
// disk.
func stageFiles(t *testing.T, raw string, memory int64) (outputs map[string][]byte, spilled int) {
	t.Helper()
	dir := t.TempDir()
	temp := filepath.Join(dir, "staging")
	if err := os.Mkdir(temp, 0o755); err != nil {
		t.Fatal(err)
	}
	files, err := source.Find(source.Defaults(), raw)
	if err != nil {
		t.Fatal(err)
	}
	v := pipeline.NewVocabulary(pipeline.EventTypes(), []string{pipeline.Login, pipeline.VideoWatch})
	in := validate.Input{Files: files, Location: time.UTC, Vocabulary: v, Today: pipeline.DateFromCivil(2100, 1, 1), Quarantine: filepath.Join(dir, "quarantine.csv"),
		TempDir: temp, Memory: memory, Stage: true, KeepText: true}
	data, err := validate.Run(context.Background(), in, validate.Defaults(pipeline.EventTypes()))
	if err != nil {
		t.Fatal(err)
	}
	staged, err := filepath.Glob(filepath.Join(temp, "events-*"))
	if err != nil {
		t.Fatal(err)
	}
	name := func(s string) string { return filepath.Join(dir, s) }
	out := Outputs{Format: table.CSV, Timelines: name("timelines.bin"), UserDaily: name("user_daily.csv"), UsersClean: name("users_clean.csv"), EventsClean: name("events_clean.csv")}
	if _, err := Run(context.Background(), data, v, Header{}, Defaults(), out, nil); err != nil {
		t.Fatal(err)
	}
	outputs = map[string][]byte{}
	for _, path := range []string{in.Quarantine, out.Timelines, out.UserDaily, out.UsersClean, out.EventsClean} {
		if outputs[filepath.Base(path)], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	return outputs, len(staged)
}

// The law: what does not fit in memory goes to disk, and changes no byte.
func TestSpillingChangesNothing(t *testing.T) {
	raw := t.TempDir()
	p := generate.Defaults()
	p.Users, p.Days = 600, 60
	if _, err := generate.Run(context.Background(), p, raw, nil); err != nil {
		t.Fatal(err)
	}
	want, spilled := stageFiles(t, raw, 1<<30)
	if spilled != 0 {
		t.Errorf("%d buckets on disk under a bound of 1 GiB", spilled)
	}
	for _, memory := range []int64{1, 1 << 20} { // everything at once, and in parts
		got, spilled := stageFiles(t, raw, memory)
		if spilled == 0 {
			t.Errorf("nothing was spilled under a bound of %d bytes", memory)
		}
		for name := range want {
			if !bytes.Equal(want[name], got[name]) {
				t.Errorf("under a bound of %d bytes %s has other bytes", memory, name)
			}
		}
	}
}
