package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const wrkSays = `Running 3s test @ http://127.0.0.1:1/predict
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    11.02ms    9.98ms 105.02ms   89.42%
    Req/Sec     8.49k     1.02k   10.31k    72.41%
  25371 requests in 3.00s, 33.65MB read
Requests/sec:   8440.93
Transfer/sec:     11.19MB
`

// What wrk says is read, and a run with failures is none.
func TestReadWrk(t *testing.T) {
	n, rate, err := readWrk(wrkSays)
	if err != nil || n != 25371 || rate != 8440.93 {
		t.Errorf("%v requests, %v a second, %v", n, rate, err)
	}
	for _, out := range []string{"", strings.Replace(wrkSays, "25371", "0", 1), wrkSays + "  Non-2xx or 3xx responses: 1\n", wrkSays + "  Socket errors: connect 0, read 0, write 0, timeout 3\n"} {
		if _, _, err := readWrk(out); err == nil {
			t.Errorf("passes: %q", out)
		}
	}
}

// What vegeta says is read, and a run with failures is none.
func TestReadVegeta(t *testing.T) {
	const says = `{"latencies":{"total":1,"mean":2,"50th":650000,"90th":1,"95th":1,"99th":6440000,"max":9000000,"min":1},"rate":99.5,"throughput":99,"success":1,"errors":[]}`
	s, err := readVegeta([]byte(says), 100)
	if want := (steady{Wanted: 100, Rate: 99.5, P50: 0.65, P99: 6.44, Max: 9}); err != nil || s != want {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := readVegeta([]byte(strings.Replace(says, `"success":1`, `"success":0.9999`, 1)), 100); err == nil {
		t.Error("a failed request passes")
	}
}

// The metrics without labels are read.
func TestReadMetrics(t *testing.T) {
	m := readMetrics([]byte("# HELP go_goroutines Number\n# TYPE go_goroutines gauge\ngo_goroutines 9\ngo_memstats_next_gc_bytes 9.5e+06\ngo_gc_gogc_percent 90\nchurn_api_requests_total{status=\"200\"} 3\n"))
	if m[goroutines] != 9 || m.live() != 5e6 || len(m) != 4 {
		t.Errorf("%v", m)
	}
}

// soakOf returns a soak whose heap and allocations a request grow by a step from
// window to window, with a wave that does not.
func soakOf(heap, allocated float64) *soak {
	s := &soak{Minutes: 10, Rate: 100}
	for i := range windows - 1 {
		wave := float64(i % 2)
		s.Windows = append(s.Windows, window{Heap: 8*mib + heap*float64(i) + 0.2*mib*wave, Allocated: 4000 + allocated*float64(i) + 20*wave, Resident: 50 * mib})
	}
	return s
}

// A heap that only waves does not grow; a leak of 200 KiB a minute, or requests
// that allocate more and more, are found.
func TestGrowth(t *testing.T) {
	for _, c := range []struct {
		heap, allocated float64
		ok              bool
	}{{0, 0, true}, {-0.1 * mib, -50, true}, {0.2 * mib, 0, false}, {0, 20, false}} {
		if s := soakOf(c.heap, c.allocated); s.ok() != c.ok {
			t.Errorf("%+v: growth %v and %v", c, s.growth(heapOf), s.growth(allocatedOf))
		}
	}
}

// Ratios are of the turns, verdicts by the targets.
func TestVerdicts(t *testing.T) {
	good := func() *measured {
		return &measured{Model: "gbdt", Ours: runs{Rates: []float64{80, 800, 900}, CPU: []float64{1, 2, 3}}, Bare: runs{Rates: []float64{100, 1000, 1000}, CPU: []float64{1, 2, 3}},
			Peer: runs{Rates: []float64{0.2, 2, 3}, CPU: []float64{9, 9, 9}}, Most: []float64{800}, Steady: []steady{{Wanted: 560, Rate: 560, P50: 1, P99: 9}}, Starts: []float64{50}, Soak: soakOf(0, 0)}
	}
	for _, c := range []struct {
		spoil func(*measured)
		short int
	}{
		{func(*measured) {}, 0},
		{func(m *measured) { m.Bare.Rates[1], m.Bare.Rates[2] = 2000, 2000 }, 1},
		{func(m *measured) { m.Peer.Rates = []float64{80, 800, 900} }, 1},
		{func(m *measured) { m.Steady[0].P99 = 10 }, 1},
		{func(m *measured) { m.Starts = []float64{100} }, 1},
		{func(m *measured) { m.Soak = soakOf(mib, 0) }, 1},
	} {
		m := good()
		c.spoil(m)
		r := results{Models: []*measured{m}, Load: []string{"1", "2"}}
		var out bytes.Buffer
		r.print(&out)
		if r.missed() != c.short || strings.Count(out.String(), "| short |\n") != c.short || strings.Count(out.String(), "| ok |\n") != 5-c.short {
			t.Errorf("%d missed, want %d\n%s", r.missed(), c.short, out.String())
		}
	}
	if got := good().ratio(good().Bare); got != 0.8 {
		t.Errorf("ratio %v, want the median of 0.8, 0.8 and 0.9", got)
	}
}

// Bodies are of the latest day, with a value or null for each input.
func TestBodies(t *testing.T) {
	dir := t.TempDir()
	var table strings.Builder
	table.WriteString("user_id,as_of_date,plan,events_7d\nold,2026-01-01,free,1\n")
	for range bodyCount {
		table.WriteString("u1,2026-01-08,paid,2.5\nu2,2026-01-08,,\n")
	}
	path := filepath.Join(dir, "data", "features", "user_features_daily.csv")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(table.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	b := bench{dir: dir}
	if err := b.makeBodies([]input{{Name: "events_7d"}, {Name: "plan", Categorical: true}}); err != nil {
		t.Fatal(err)
	}
	if got := b.bodies.texts[0]; len(b.bodies.texts) != bodyCount || got != `{"user_id":"u1","snapshot_date":"2026-01-08","features":{"events_7d":2.5,"plan":"paid"}}` {
		t.Errorf("%d bodies, %s", len(b.bodies.texts), got)
	}
	text, err := bodyOf(map[string]string{"plan": "", "events_7d": ""}, []input{{Name: "plan", Categorical: true}, {Name: "events_7d"}})
	if err != nil || !json.Valid([]byte(text)) || !strings.Contains(text, `"plan":null,"events_7d":null`) {
		t.Errorf("%s %v", text, err)
	}
	if err := b.makeBodies([]input{{Name: "shoes"}}); err == nil {
		t.Error("an input without a column passes")
	}
}
