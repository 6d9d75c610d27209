package server

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limiterClients bounds the clients of a generation; a bucket takes about 150
// bytes with its name.
const limiterClients = 10_000

// limiter holds a token bucket for each client that asked lately, in memory
// that does not grow with the number of clients: buckets live in two
// generations, and once the younger is full, the older is forgotten. A client
// that is forgotten begins with a full bucket, so many clients at once make the
// limit weaker, never stricter.
type limiter struct {
	limit rate.Limit // 0 = none
	burst int

	mu           sync.Mutex
	young, older map[string]*rate.Limiter
}

func newLimiter(p Params) *limiter {
	return &limiter{limit: rate.Limit(p.RateLimit), burst: p.RateBurst, young: map[string]*rate.Limiter{}}
}

// wait takes a token from a client's bucket, or returns how long it takes until
// there is one. The limit must not be 0.
func (l *limiter) wait(client string, now time.Time) time.Duration {
	r := l.bucket(client).ReserveN(now, 1)
	delay := r.DelayFrom(now)
	if delay > 0 {
		r.CancelAt(now)
	}
	return delay
}

func (l *limiter) bucket(client string) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b, ok := l.young[client]; ok {
		return b
	}
	b, ok := l.older[client]
	if !ok {
		b = rate.NewLimiter(l.limit, l.burst)
	}
	if len(l.young) == limiterClients {
		l.young, l.older = map[string]*rate.Limiter{}, l.young
	}
	l.young[client] = b
	return b
}
