package main

import (
	"bufio"
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"

	"churn/bench/internal/kit"
)

// windows are the equal parts of a soak. The first is for warming up, and
// counts for nothing.
const windows = 11

// window is what the metrics of the server told in one part of a soak.
type window struct {
	Heap       float64 `json:"heap_bytes"`     // live after a collection, the median
	Resident   float64 `json:"resident_bytes"` // the highest
	Goroutines float64 `json:"goroutines"`     // the highest
	Allocated  float64 `json:"allocated_bytes_per_request"`
	Requests   float64 `json:"requests"`
}

// soak is what came of it.
type soak struct {
	Minutes float64  `json:"minutes"`
	Rate    float64  `json:"requests_per_second"`
	Windows []window `json:"windows"` // without the first
}

// soak watches the memory of a server under a steady load.
func (b *bench) soak(s *server, rate float64) (*soak, error) {
	length := b.options.soak / windows
	kit.Say("soak: %v at %.0f requests/s", b.options.soak, rate)
	done := make(chan error, 1)
	out := &soak{Minutes: b.options.soak.Minutes()}
	go func() {
		steady, err := b.vegeta(s, rate, b.options.soak.String())
		out.Rate = steady.Rate
		done <- err
	}()
	for k := range windows {
		w, err := b.watch(s, length, done)
		if err != nil {
			return nil, err
		}
		if k > 0 {
			out.Windows = append(out.Windows, w)
		}
		kit.Say("soak, %v: heap %.2f MiB, resident %.1f MiB, %.0f bytes a request", time.Duration(k+1)*length, w.Heap/mib, w.Resident/mib, w.Allocated)
	}
	return out, <-done
}

// watch reads the metrics each half second for a while.
func (b *bench) watch(s *server, length time.Duration, done chan error) (w window, err error) {
	ticks := time.NewTicker(time.Second / 2)
	defer ticks.Stop()
	over := time.After(length)
	first, err := b.sample(s)
	if err != nil {
		return w, err
	}
	last, heap := first, []float64{first.live()}
	for {
		select {
		case err := <-done:
			if err == nil {
				done <- nil // the load ended a moment before the watching
				return w.between(first, last, heap), nil
			}
			return w, err
		case <-over:
			return w.between(first, last, heap), nil
		case <-ticks.C:
			if last, err = b.sample(s); err != nil {
				return w, err
			}
			heap = append(heap, last.live())
			w.Resident, w.Goroutines = max(w.Resident, last[resident]), max(w.Goroutines, last[goroutines])
		}
	}
}

// between fills in what two samples and the heaps tell.
func (w window) between(first, last series, heap []float64) window {
	w.Heap, w.Requests = kit.Median(heap), last[predictions]-first[predictions]
	w.Allocated = (last[allocated] - first[allocated]) / max(w.Requests, 1)
	return w
}

// The metrics that are read.
const (
	heapGoal    = "go_memstats_next_gc_bytes"
	percent     = "go_gc_gogc_percent"
	allocated   = "go_memstats_alloc_bytes_total"
	resident    = "process_resident_memory_bytes"
	goroutines  = "go_goroutines"
	predictions = "churn_api_predictions_total"
)

// series are metrics by name.
type series map[string]float64

// live returns the bytes that were live after the last collection, which the
// goal of the next one exceeds by the percentage of GOGC. What is allocated at
// a moment, garbage included, would tell of that moment only.
func (s series) live() float64 { return s[heapGoal] / (1 + s[percent]/100) }

// sample reads the metrics, and empties the log.
func (b *bench) sample(s *server) (series, error) {
	text, err := b.fetch(http.MethodGet, s.Metrics, nil)
	if err != nil {
		return nil, err
	}
	return readMetrics(text), s.trim()
}

// readMetrics reads the series without labels.
func readMetrics(text []byte) series {
	out := series{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if x, err := strconv.ParseFloat(value, 64); ok && err == nil {
			out[name] = x
		}
	}
	return out
}

const mib = 1 << 20

// growth returns what a figure of the windows gains from the first to the last
// by the least-squares line through them.
func (s *soak) growth(pick func(window) float64) float64 {
	n := float64(len(s.Windows))
	var x, y, xx, xy float64
	for i, w := range s.Windows {
		t := float64(i)
		x, y, xx, xy = x+t, y+pick(w), xx+t*t, xy+t*pick(w)
	}
	return (n - 1) * (n*xy - x*y) / (n*xx - x*x)
}

func heapOf(w window) float64      { return w.Heap }
func allocatedOf(w window) float64 { return w.Allocated }

// Limits of growth over a soak. Under these lies what the timing of collections
// and of the samples makes of a heap that does not grow.
const (
	mostHeapGrowth      = 1 * mib
	mostAllocatedGrowth = 0.03 // of the bytes that a request allocates
)

func (s *soak) ok() bool {
	return s.growth(heapOf) < mostHeapGrowth && s.growth(allocatedOf) < mostAllocatedGrowth*s.Windows[0].Allocated
}
