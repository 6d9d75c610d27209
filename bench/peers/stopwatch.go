package main

import (
	"syscall"
	"testing"
)

// took is what one run took.
type took struct {
	Wall float64 `json:"seconds"`
	CPU  float64 `json:"cpu_seconds"` // of all threads: what a busy machine leaves nearly unchanged
}

// stopwatch runs f, after the garbage of others was collected: what the peers
// do before each of their measurements, too.
func stopwatch(f func() error) (t took, err error) {
	result := testing.Benchmark(func(*testing.B) {
		before := cpu()
		err = f()
		t.CPU = cpu() - before
	})
	t.Wall = result.T.Seconds()
	return t, err
}

// cpu returns the seconds that all threads of the process have run.
func cpu() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic("peers: the system does not tell the time of its own process")
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// wall and cpuTime pick one of the two times.
func wall(t took) float64    { return t.Wall }
func cpuTime(t took) float64 { return t.CPU }

// each applies pick to every run.
func each(v []took, pick func(took) float64) []float64 {
	var out []float64
	for _, t := range v {
		out = append(out, pick(t))
	}
	return out
}
