package gbdt

import (
	"runtime"
	"sync/atomic"
)

// crew runs loops on several cores. A fit has ten thousand loops, many of some
// ten microseconds, which is what it takes to wake a goroutine that sleeps.
// Unlike those of parallel.Each, the goroutines of a crew therefore look out for
// the next loop for a while, and the caller works too. They end by themselves
// when none comes. The zero crew is ready; it runs one loop at a time.
type crew struct {
	job  atomic.Pointer[job]
	live atomic.Int32 // goroutines
}

// job is one loop.
type job struct {
	n    int64
	work func(k int)
	next atomic.Int64 // number to work on
	done atomic.Int64
}

// patience is how often a goroutine looks for the next loop, each time letting
// others run: some 50 µs where nothing else is to be done, and no core is kept
// from work where there is.
const patience = 300

// each calls work(k) for every k in [0, n) and returns when all have ended.
func (c *crew) each(n int, work func(k int)) {
	j := &job{n: int64(n), work: work}
	if want := min(runtime.GOMAXPROCS(0), n) - 1; want > 0 {
		c.job.Store(j)
		for int(c.live.Load()) < want {
			c.live.Add(1)
			go c.help()
		}
	}
	j.run()
	for j.done.Load() < j.n {
		runtime.Gosched()
	}
}

// help works on one loop after the other.
func (c *crew) help() {
	defer c.live.Add(-1)
	var last *job
	for idle := 0; idle < patience; idle++ {
		if j := c.job.Load(); j != last {
			j.run()
			last, idle = j, 0
		}
		runtime.Gosched()
	}
}

// run works on numbers until there are no more.
func (j *job) run() {
	for k := j.next.Add(1) - 1; k < j.n; k = j.next.Add(1) - 1 {
		j.work(int(k))
		j.done.Add(1)
	}
}

// each calls work(k) for every k in [0, n), on several cores.
func each(n int, work func(k int)) { new(crew).each(n, work) }

// chunkRows is the number of rows of a chunk. It is a constant because the
// order of summation follows it.
const chunkRows = 16384

// eachChunk calls work for every chunk of n rows, on several cores.
func eachChunk(n int, work func(k, from, to int)) {
	each(chunks(n), func(k int) { work(k, k*chunkRows, min((k+1)*chunkRows, n)) })
}

// chunks returns the number of chunks of n rows.
func chunks(n int) int { return (n + chunkRows - 1) / chunkRows }
