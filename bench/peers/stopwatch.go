package main

import (
	"flag"
	"slices"
	"testing"
)

// setStopwatch makes seconds run its function once. Package testing keeps the
// setting among its flags, which are not ours.
func setStopwatch() error {
	testing.Init()
	return flag.CommandLine.Set("test.benchtime", "1x")
}

// seconds returns how long f ran, after the garbage of others was collected:
// what the peers do before each of their measurements, too.
func seconds(f func() error) (float64, error) {
	var err error
	result := testing.Benchmark(func(*testing.B) { err = f() })
	return result.T.Seconds(), err
}

// median returns the middle of v, the mean of the two middle ones of an even
// number.
func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}
