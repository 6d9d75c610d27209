package server

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"
)

func TestRateLimit(t *testing.T) {
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	f := newFixture(t, func(o *Options) {
		o.Params.RateLimit, o.Params.RateBurst = 0.5, 3
		o.Now = func() time.Time { return now }
	}, ok("/p", ScopePredict))
	ask := func(path, from string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		f.Handler().ServeHTTP(w, r)
		return w
	}
	for i := range 5 {
		want := 200
		if i >= 3 {
			want = 429
		}
		w := ask("/p", fmt.Sprintf("192.0.2.1:%d", i+1))
		if w.Code != want || (w.Header().Get("Retry-After") == "2") != (want == 429) {
			t.Errorf("request %d: %d, Retry-After %q", i, w.Code, w.Header().Get("Retry-After"))
		}
		if w := ask("/ready", "192.0.2.1:9"); w.Code != 200 {
			t.Errorf("a probe is limited: %d", w.Code)
		}
	}
	if w := ask("/p", "192.0.2.2:1"); w.Code != 200 {
		t.Errorf("another client: %d", w.Code)
	}
	now = now.Add(2 * time.Second)
	if a, b := ask("/p", "192.0.2.1:1").Code, ask("/p", "192.0.2.1:1").Code; a != 200 || b != 429 {
		t.Errorf("a token every two seconds: %d, %d", a, b)
	}
	for i := range 4 { // one household of IPv6
		if got, want := ask("/p", fmt.Sprintf("[2001:db8::%d]:1", i)).Code, map[bool]int{true: 200, false: 429}[i < 3]; got != want {
			t.Errorf("IPv6 request %d: %d", i, got)
		}
	}
}

// Keys are clients, wherever they come from.
func TestRateLimitByKey(t *testing.T) {
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	one, line1 := newKey(t, "one", "", ScopePredict)
	two, line2 := newKey(t, "two", "", ScopePredict)
	f := newFixture(t, func(o *Options) {
		o.Params.RateLimit, o.Params.RateBurst, o.Keys = 1, 1, line1+";"+line2
		o.Now = func() time.Time { return now }
	}, ok("/p", ScopePredict))
	for i, c := range []struct {
		key  string
		want int
	}{{one, 200}, {one, 429}, {two, 200}, {"guess", 401}, {"another", 429}} {
		if w := f.ask("GET", "/p", "", "X-API-Key", c.key); w.Code != c.want {
			t.Errorf("request %d: %d, want %d", i, w.Code, c.want)
		}
	}
}

// The law: however many clients, memory is bounded, and a busy client is not
// forgotten while fewer than a generation of others pass.
func TestLimiterIsBounded(t *testing.T) {
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	l := newLimiter(Params{RateLimit: 0.001, RateBurst: 1})
	l.wait("busy", now)
	for i := range 5 * limiterClients {
		l.wait(fmt.Sprint(i), now)
		if i%(limiterClients/2) == 0 && l.wait("busy", now) == 0 {
			t.Fatalf("forgot a busy client after %d others", i)
		}
	}
	if n := len(l.young) + len(l.older); n > 2*limiterClients {
		t.Errorf("%d buckets", n)
	}
}
