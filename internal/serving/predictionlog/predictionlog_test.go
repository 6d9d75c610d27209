package predictionlog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/klauspost/compress/zstd"

	"churn/server"
)

// predictor is a server.Predictor of the tests that only has names.
type predictor struct {
	version              string
	numeric, categorical int
}

func (p *predictor) Info() server.ModelInfo {
	return server.ModelInfo{Version: p.version, Digest: "d-" + p.version, FeatureSet: "f00d", Kind: "gbdt", AsOf: "2026-01-01"}
}

func (p *predictor) Inputs() (numeric, categorical []server.Input) {
	for i := range p.numeric {
		numeric = append(numeric, server.Input{Name: fmt.Sprint("n", i)})
	}
	for i := range p.categorical {
		categorical = append(categorical, server.Input{Name: fmt.Sprint("c", i)})
	}
	return numeric, categorical
}

func (*predictor) Predict(server.Row, int) server.Score { return server.Score{} }
func (*predictor) PredictEvents(server.Events, int) (server.EventScore, error) {
	return server.EventScore{}, nil
}

var _ server.Predictor = (*predictor)(nil)

// day is when the tests begin.
func day() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) }

// clock is a clock that tests set.
type clock struct{ ns atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ns.Store(day().UnixNano())
	return c
}
func (c *clock) now() time.Time        { return time.Unix(0, c.ns.Load()).UTC() }
func (c *clock) pass(by time.Duration) { c.ns.Add(int64(by)) }

// full are settings under which everything is kept, and written only when the
// test says so.
func full() Params {
	p := Defaults()
	p.Sample, p.FlushEvery = 1, time.Hour
	return p
}

func open(t testing.TB, folder string, p Params, now func() time.Time) *Writer {
	t.Helper()
	w, err := NewWriter(Options{Params: p, Folder: folder, Now: now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() }) //nolint:errcheck // a test that cares has closed it
	return w
}

// random returns a row of a model with odd values among usual ones.
func random(rng *rand.Rand, p *predictor, i int) server.Logged {
	odd := []float64{0, math.Copysign(0, -1), 1, -1, 1e300, 5e-324, math.NaN(), math.Pi, 1 << 53}
	l := server.Logged{Time: day().Add(time.Duration(i) * time.Millisecond), RequestID: fmt.Sprint("r", i), Route: "/predict", UserID: fmt.Sprint("u", rng.IntN(50)),
		AsOf: []string{"2026-04-29", "2026-04-30"}[rng.IntN(2)], Model: p, Score: server.Score{Margin: rng.NormFloat64(), Risk: rng.Float64(), Tier: []string{"low", "high"}[rng.IntN(2)]}, Shadow: rng.IntN(4) == 0}
	for range p.numeric {
		x := float64(rng.IntN(30))
		if rng.IntN(3) == 0 {
			x = odd[rng.IntN(len(odd))]
		}
		l.Row.Numeric = append(l.Row.Numeric, x)
	}
	for range p.categorical {
		l.Row.Categorical = append(l.Row.Categorical, []string{"", "free", "ü\x00\n", strings.Repeat("x", 256)}[rng.IntN(4)])
	}
	return l
}

// flat is an entry as tests compare it.
type flat struct {
	Time                                               time.Time
	RequestID, Route, UserID, AsOf, Version, Set, Tier string
	Values                                             []uint64
	Texts                                              []string
	Margin, Risk                                       float64
	Shadow                                             bool
}

func flatOf(e *Entry) flat {
	f := flat{e.Time, e.RequestID, e.Route, e.UserID, e.AsOf, e.Model.Version, e.Model.FeatureSet, e.Tier, nil, slices.Clone(e.Row.Categorical), e.Margin, e.Risk, e.Shadow}
	for _, x := range e.Row.Numeric {
		f.Values = append(f.Values, bitsOf(x))
	}
	return f
}

// bitsOf tells numbers apart by their bits, but no NaN from another.
func bitsOf(x float64) uint64 {
	if math.IsNaN(x) {
		return 1
	}
	return math.Float64bits(x)
}

func flatLogged(l server.Logged) flat {
	e := Entry{Time: l.Time, RequestID: l.RequestID, Route: l.Route, UserID: l.UserID, AsOf: l.AsOf, Model: modelOf(l.Model), Row: l.Row, Margin: l.Score.Margin, Risk: l.Score.Risk, Tier: l.Score.Tier, Shadow: l.Shadow}
	return flatOf(&e)
}

// readAll returns everything, answered and shadow.
func readAll(t testing.TB, folder string) (out []flat, s Summary) {
	t.Helper()
	for _, shadow := range []bool{false, true} {
		part, err := Each(context.Background(), folder, Query{Shadow: shadow}, func(e *Entry) error {
			out = append(out, flatOf(e))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		part.Rows += s.Rows
		s = part
	}
	slices.SortFunc(out, func(a, b flat) int { return a.Time.Compare(b.Time) })
	return out, s
}

// The law: what several goroutines of two processes record, of models that take
// turns, reads back bit for bit, in files that no one else can read.
func TestRoundTrip(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "log")
	models := []*predictor{{"v1", 5, 2}, {"v2", 3, 0}, {"v3", 0, 1}}
	writers := []*Writer{open(t, folder, full(), newClock().now), open(t, folder, full(), newClock().now)}
	var want []flat
	var mu sync.Mutex
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 1))
			for i := range 500 {
				l := random(rng, models[rng.IntN(3)], i*4+g)
				writers[g%2].Record(l)
				mu.Lock()
				want = append(want, flatLogged(l))
				mu.Unlock()
			}
		})
	}
	all.Wait()
	for _, w := range writers {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if s := w.Status(); s != (server.LogStatus{Kept: 1000}) {
			t.Errorf("%+v", s)
		}
	}
	got, s := readAll(t, folder)
	slices.SortFunc(want, func(a, b flat) int { return a.Time.Compare(b.Time) })
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%.2000s", d)
	}
	if s.Files != 2 || s.Rows != 2000 || s.Torn != 0 || s.Damaged != 0 {
		t.Errorf("%+v", s)
	}
	for path, mode := range map[string]os.FileMode{folder: 0o700, theFiles(t, folder)[0]: 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v %v", path, info.Mode(), err)
		}
	}
}

func theFiles(t testing.TB, folder string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*"+extension))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// written returns a file with several frames, and what is in it.
func written(t testing.TB) (file []byte, rows []string) {
	t.Helper()
	folder, models, rng := t.TempDir(), []*predictor{{"v1", 4, 1}, {"v2", 2, 1}}, rand.New(rand.NewPCG(1, 2))
	w := open(t, folder, full(), newClock().now)
	for i := range 60 {
		l := random(rng, models[i/20%2], i)
		l.Shadow = false
		w.Record(l)
		rows = append(rows, fmt.Sprint(flatLogged(l)))
		if i%10 == 9 { // what the goroutine of the writer does at a tick
			w.mu.Lock()
			w.full <- w.active
			w.active = nil
			w.mu.Unlock()
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(theFiles(t, folder)[0])
	if err != nil {
		t.Fatal(err)
	}
	return file, rows
}

// readBytes reads a file of some bytes, and reports whether it is whole.
func (r *reader) readBytes(t testing.TB, file []byte) (out []string, whole bool) {
	t.Helper()
	r.summary = Summary{}
	r.visit = func(e *Entry) error {
		out = append(out, fmt.Sprint(flatOf(e)))
		return nil
	}
	whole, err := r.frames(context.Background(), bytes.NewReader(file), int64(len(file)))
	if err != nil || int64(len(out)) != r.summary.Rows {
		t.Fatalf("%d rows, %+v: %v", len(out), r.summary, err)
	}
	return out, whole
}

// The law: a file that was cut off anywhere reads as a beginning of its rows.
func TestCutAnywhere(t *testing.T) {
	file, rows := written(t)
	r, before := newReader(Query{}, nil), -1
	for n := range len(file) + 1 {
		got, whole := r.readBytes(t, file[:n])
		if len(got) > len(rows) || !slices.Equal(rows[:len(got)], got) || len(got) < before {
			t.Fatalf("cut at %d of %d: %d rows that are not the first", n, len(file), len(got))
		}
		if before = len(got); r.summary.Damaged != 0 {
			t.Fatalf("cut at %d: %+v", n, r.summary)
		}
		if n == len(file) != (whole && len(got) == len(rows)) {
			t.Fatalf("cut at %d of %d: whole %v, %d rows", n, len(file), whole, len(got))
		}
	}
	got, whole := r.readBytes(t, append(slices.Clone(file), make([]byte, 4096)...)) // as file systems leave it after power was lost
	if len(got) != len(rows) || whole {
		t.Errorf("with zeros behind it: %d rows, whole %v", len(got), whole)
	}
}

// The law: no byte that is other than it was makes a row that was not written,
// and the rows of other frames are still read where the length is right.
func TestFlipAnywhere(t *testing.T) {
	file, rows := written(t)
	r, saved := newReader(Query{}, nil), 0
	step := 1
	if raceEnabled {
		step = 7 // no goroutines here
	}
	for n := 0; n < len(file); n += step {
		broken := slices.Clone(file)
		broken[n] ^= 1 << (n % 8)
		got, whole := r.readBytes(t, broken)
		if len(got) == len(rows) || whole && r.summary.Damaged == 0 {
			t.Fatalf("byte %d: nothing is noticed: %+v", n, r.summary)
		}
		if len(got) >= 50 {
			saved++
		}
		for _, g := range got {
			if !slices.Contains(rows, g) {
				t.Fatalf("byte %d: a row that was never written: %s", n, g)
			}
		}
	}
	if saved < len(file)/2/step {
		t.Errorf("of %d damages only %d cost one frame", len(file), saved)
	}
}

// Files end by size and by age, and then never change; the old go, and the
// oldest where all are too large.
func TestRotateAndKeep(t *testing.T) {
	folder, c, p := t.TempDir(), newClock(), full()
	p.RotateSize, p.RotateEvery, p.KeepDays, p.KeepSize = "1B", time.Hour, 2, "1GiB"
	m, rng := &predictor{"v1", 3, 1}, rand.New(rand.NewPCG(1, 2))
	w := open(t, folder, p, c.now)
	sums := map[string][32]byte{}
	check := func() {
		t.Helper()
		for _, path := range theFiles(t, folder) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if old, ok := sums[path]; ok && old != sha256.Sum256(text) {
				t.Errorf("%s has changed", path)
			}
			sums[path] = sha256.Sum256(text)
		}
	}
	for i := range 5 {
		l := random(rng, m, i)
		l.Time = c.now()
		w.Record(l)
		w.step()
		check()
		c.pass(time.Minute)
	}
	if n := len(theFiles(t, folder)); n != 5 {
		t.Fatalf("%d files, want one for each block", n)
	}
	c.pass(2 * time.Hour)
	w.step() // too old, though nothing comes
	if w.file.file != nil {
		t.Error("an old file is still open")
	}
	check()
	paths := theFiles(t, folder)
	for i, path := range paths { // as old as their times by the clock of the test
		at := c.now().Add(time.Duration(i-1)*time.Minute - 2*24*time.Hour)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	c.pass(30 * time.Second)
	w.step()
	w.prune()
	if got := theFiles(t, folder); !slices.Equal(got, paths[2:]) {
		t.Errorf("left: %v", got)
	}
	var total int64
	for _, path := range paths[2:] {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	w.options.Params.KeepSize, w.options.Params.KeepDays = fmt.Sprint(total-1, "B"), 9
	w.prune()
	if got := theFiles(t, folder); !slices.Equal(got, paths[3:]) {
		t.Errorf("left by size: %v", got)
	}
	if err := os.Chtimes(paths[3], c.now(), c.now()); err != nil { // as if another process still wrote to it
		t.Fatal(err)
	}
	w.options.Params.KeepSize = "1B"
	w.prune()
	if got := theFiles(t, folder); !slices.Equal(got, paths[3:4]) {
		t.Errorf("left by size, beside one in use: %v", got)
	}
	check()
}

// step does what the goroutine of a writer does at a tick; full() leaves it
// asleep.
func (w *Writer) step() {
	w.flush()
	w.tidy()
}

// A request does not wait for a disk that does not answer; what there is no room
// for is counted, and no row is lost otherwise.
func TestFullBufferDrops(t *testing.T) {
	folder, p := t.TempDir(), full()
	p.Buffer = "1MiB"
	hold, held := make(chan bool), atomic.Bool{}
	now := func() time.Time {
		if held.Load() {
			<-hold
		}
		return day()
	}
	w := open(t, folder, p, now)
	w.Record(random(rand.New(rand.NewPCG(1, 1)), &predictor{"v1", 1, 0}, 0))
	m, rng := &predictor{"v1", 60, 3}, rand.New(rand.NewPCG(1, 2))
	held.Store(true)
	const rows = 20_000
	for i := range rows {
		w.Record(random(rng, m, i))
	}
	dropped := w.Status().Dropped
	if dropped == 0 || dropped == rows {
		t.Errorf("%d dropped of %d", dropped, rows)
	}
	held.Store(false)
	close(hold)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w.Record(random(rng, m, 1)) // too late, and no panic
	got, _ := readAll(t, folder)
	if s := w.Status(); s.Kept+s.Dropped != rows+2 || int64(len(got)) != s.Kept || s.Dropped != dropped+1 {
		t.Errorf("%+v, %d read", s, len(got))
	}
}

// A disk that fails costs rows and no request, is told once, and is written
// again when it is back.
func TestFaultyDisk(t *testing.T) {
	folder, c := filepath.Join(t.TempDir(), "log"), newClock()
	var told strings.Builder
	w, err := NewWriter(Options{Params: full(), Folder: folder, Now: c.now, Log: slog.New(slog.NewTextHandler(&told, nil))})
	if err != nil {
		t.Fatal(err)
	}
	m, rng := &predictor{"v1", 3, 1}, rand.New(rand.NewPCG(1, 2))
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		w.Record(random(rng, m, i))
		w.step()
	}
	if s := w.Status(); s.Kept != 0 || s.Dropped != 5 || s.Faults != 1 {
		t.Errorf("%+v", s)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	c.pass(retryAfter)
	w.Record(random(rng, m, 9))
	w.step()
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if got, _ := readAll(t, folder); len(got) != 1 || w.Status().Kept != 1 || strings.Count(told.String(), "level=ERROR") != 1 || !strings.Contains(told.String(), "written again") {
		t.Errorf("%d rows, %+v, %s", len(got), w.Status(), &told)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewWriter(Options{Params: full(), Folder: filepath.Join(file, "log"), Now: c.now}); err == nil || !strings.Contains(err.Error(), "serve.log.folder") {
		t.Errorf("%v", err)
	}
}

// The law: of a user all rows are kept or none, the same in every process, and
// a smaller sample is a part of a larger one.
func TestSample(t *testing.T) {
	m := &predictor{"v1", 1, 0}
	in := func(sample float64) map[string]bool {
		folder, p := t.TempDir(), full()
		p.Sample = sample
		w := open(t, folder, p, newClock().now)
		for i := range 6000 {
			w.Record(server.Logged{Time: day(), RequestID: fmt.Sprint(i), UserID: fmt.Sprint("u", i%2000), Model: m, Row: server.Row{Numeric: []float64{1}}})
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, counts := map[string]bool{}, map[string]int{}
		rows, _ := readAll(t, folder)
		for _, r := range rows {
			got[r.UserID] = true
			counts[r.UserID]++
		}
		for user, n := range counts {
			if n != 3 {
				t.Errorf("user %s has %d rows of 3", user, n)
			}
		}
		return got
	}
	tenth, half := in(0.1), in(0.5)
	if n := len(tenth); n < 140 || n > 260 { // 200 ± 4.5 standard deviations
		t.Errorf("a tenth of 2000 users is %d", n)
	}
	for user := range tenth {
		if !half[user] {
			t.Errorf("user %s is in a tenth and not in a half", user)
		}
	}
	if again := in(0.1); !cmp.Equal(tenth, again) {
		t.Error("another process keeps other users")
	}
}

func TestQueryAndCollect(t *testing.T) {
	folder, c := t.TempDir(), newClock()
	both, other := &predictor{"v1", 3, 1}, &predictor{"v2", 1, 0}
	w := open(t, folder, full(), c.now)
	for i := range 10 {
		l := server.Logged{Time: day().Add(time.Duration(i) * time.Hour), RequestID: fmt.Sprint(i), UserID: fmt.Sprint("u", i%3), AsOf: fmt.Sprintf("2026-04-%02d", 10+i), Model: both,
			Row: server.Row{Numeric: []float64{float64(i), 20, 30}, Categorical: []string{"free"}}, Score: server.Score{Risk: float64(i) / 10, Tier: "low"}}
		if i == 4 {
			l.Model, l.Row = other, server.Row{Numeric: []float64{4}}
		}
		l.Shadow = i == 5
		w.Record(l)
		w.step()
	}
	for want, q := range map[string]Query{
		"012346789": {},
		"5":         {Shadow: true},
		"234":       {From: day().Add(2 * time.Hour), To: day().Add(5 * time.Hour)},
		"1":         {AsOfFrom: "2026-04-11", AsOfTo: "2026-04-11"},
		"036 9":     {UserID: "u0"},
		"4":         {Version: "v2"},
	} {
		got := ""
		if _, err := Each(t.Context(), folder, q, func(e *Entry) error { got += e.RequestID; return nil }); err != nil || got != strings.ReplaceAll(want, " ", "") {
			t.Errorf("%+v: %s, want %s (%v)", q, got, want, err)
		}
	}
	rows, s, err := Collect(t.Context(), folder, Query{From: day().Add(3 * time.Hour)}, []string{"n2", "n0"}, []string{"c0"})
	if err != nil || rows.Frame.Rows() != 5 || rows.Other != 1 || s.Rows != 6 {
		t.Fatalf("%+v %+v %v", rows, s, err)
	}
	if d := cmp.Diff([]float64{30, 3, 30, 6, 30, 7, 30, 8, 30, 9}, rows.Frame.Numeric); d != "" {
		t.Error(d)
	}
	if !slices.Equal(rows.User, []int32{0, 0, 1, 2, 0}) || rows.Users[1] != "u1" || rows.AsOf[1] != "2026-04-16" || rows.Risk[4] != 0.9 || rows.Version[0] != "v1" {
		t.Errorf("%+v", rows)
	}
	stop := errors.New("enough")
	if _, err := Each(t.Context(), folder, Query{}, func(*Entry) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
	if s, err := Each(t.Context(), filepath.Join(folder, "absent"), Query{}, nil); err != nil || s != (Summary{}) {
		t.Errorf("%+v %v", s, err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Each(cancelled, folder, Query{}, func(*Entry) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// A request's own memory is all that it takes: recording allocates nothing.
func TestRecordAllocatesNothing(t *testing.T) {
	w := open(t, t.TempDir(), full(), newClock().now)
	l := random(rand.New(rand.NewPCG(1, 2)), &predictor{"v1", 60, 4}, 0)
	for range 3 * blockSize / 400 { // until the blocks have their memory
		w.Record(l)
	}
	for w.Status().Kept == 0 || len(w.full) > 0 {
		time.Sleep(time.Millisecond)
	}
	least := math.Inf(1)
	for range 20 { // the collector empties pools at any time
		least = min(least, testing.AllocsPerRun(300, func() { w.Record(l) }))
	}
	if least > 0.2 && !raceEnabled { // with the race detector pools forget
		t.Errorf("%v allocations a row", least)
	}
}

func TestValidate(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Params){
		"serve.log.sample":       func(p *Params) { p.Sample = math.NaN() },
		"serve.log.buffer":       func(p *Params) { p.Buffer = "1KiB" },
		"serve.log.flush_every":  func(p *Params) { p.FlushEvery = 0 },
		"serve.log.rotate_size":  func(p *Params) { p.RotateSize = "much" },
		"serve.log.rotate_every": func(p *Params) { p.RotateEvery = 91 * 24 * time.Hour },
		"serve.log.keep_days":    func(p *Params) { p.KeepDays, p.RotateEvery = 0, -1 },
		"serve.log.keep_size":    func(p *Params) { p.KeepSize = "1B" },
	} {
		p := Defaults()
		change(&p)
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// Any bytes: rows or none, never a panic, and no memory beyond the limits.
func FuzzReader(f *testing.F) {
	file, _ := written(f)
	f.Add(file)
	f.Add([]byte(magic))
	f.Add(file[:len(file)/2])
	f.Fuzz(func(t *testing.T, data []byte) {
		newReader(Query{}, nil).readBytes(t, data)
	})
}

// Any payload, as if its checksum were right: what it holds, or damage.
func FuzzPayload(f *testing.F) {
	m := &predictor{"v1", 2, 1}
	f.Add(byte(kindModel), uint64(0), appendModel(nil, 1, modelOf(m)))
	l := random(rand.New(rand.NewPCG(1, 2)), m, 0)
	f.Add(byte(kindRows), uint64(1), appendRow([]byte{1}, &l))
	f.Add(byte(kindRows), uint64(math.MaxUint64), []byte{1, 2, 3})
	r, z := newReader(Query{}, nil), zstdOf(f)
	f.Fuzz(func(t *testing.T, kind byte, rows uint64, payload []byte) {
		if number, m, err := readModel(payload); err == nil {
			if n, again, err := readModel(appendModel(nil, number, m)); err != nil || n != number || !cmp.Equal(m, again) {
				t.Errorf("%+v reads back as %+v: %v", m, again, err)
			}
		}
		seen := uint64(0)
		r.models, r.visit = map[uint64]*Model{1: modelOf(m), 2: {}}, func(e *Entry) error {
			if seen++; len(e.Row.Numeric) != len(e.Model.Numeric) || len(e.Row.Categorical) != len(e.Model.Categorical) {
				t.Errorf("%+v", e)
			}
			return nil
		}
		body := appendFrame(nil, head{kind: kind, rows: rows}, payload, z)[frameHead:]
		if err := r.decode(body); err == nil && kind == kindRows && seen > rows {
			t.Errorf("%d rows of %d", seen, rows)
		}
	})
}

// zstdOf returns the encoder of writers.
func zstdOf(t testing.TB) *zstd.Encoder {
	var f file
	f.open(t.TempDir())
	return f.zstd
}

func BenchmarkRecord(b *testing.B) {
	p := full()
	p.FlushEvery = time.Second
	w := open(b, b.TempDir(), p, newClock().now)
	l := random(rand.New(rand.NewPCG(1, 2)), &predictor{"v1", 60, 4}, 0)
	b.ReportAllocs()
	for b.Loop() {
		w.Record(l)
	}
	b.StopTimer()
	w.Close() //nolint:errcheck // a benchmark
	s := w.Status()
	b.ReportMetric(float64(s.Dropped)/float64(s.Kept+s.Dropped), "dropped/row")
}
