package gbdt

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// each calls work(k) for every k in [0, n) on several cores and returns when all
// have ended. Unlike parallel.Each, whose caller only hands out the numbers, it
// works in the caller too and counts them off: a fit calls it ten thousand
// times, and much of the work is shorter than the start of a goroutine.
func each(n int, work func(k int)) {
	var next atomic.Int64
	loop := func() {
		for k := int(next.Add(1)) - 1; k < n; k = int(next.Add(1)) - 1 {
			work(k)
		}
	}
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) - 1 {
		group.Go(loop)
	}
	loop()
	group.Wait()
}

// chunkRows is the number of rows of a chunk. It is a constant because the
// order of summation follows it.
const chunkRows = 16384

// eachChunk calls work for every chunk of n rows, on several cores.
func eachChunk(n int, work func(k, from, to int)) {
	each(chunks(n), func(k int) { work(k, k*chunkRows, min((k+1)*chunkRows, n)) })
}

// chunks returns the number of chunks of n rows.
func chunks(n int) int { return (n + chunkRows - 1) / chunkRows }
