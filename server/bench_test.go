package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
)

// What the server adds to a handler: id, headers, metrics, keys, access log.
func BenchmarkFrame(b *testing.B) {
	for _, logged := range []struct {
		name string
		on   bool
	}{{"quiet", false}, {"access_log", true}} {
		b.Run(logged.name, func(b *testing.B) {
			f := newFixture(b, func(o *Options) { o.Params.AccessLog = logged.on }, ok("/p", ScopePredict))
			ask(b, f.Handler(), "/p")
		})
	}
	b.Run("bare_echo", func(b *testing.B) {
		e := echo.New()
		e.GET("/p", func(c echo.Context) error { return c.NoContent(200) })
		ask(b, e, "/p")
	})
}

func ask(b *testing.B, h http.Handler, path string) {
	b.ReportAllocs()
	r := httptest.NewRequest("GET", path, nil)
	w := discard{header: http.Header{}}
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
}

// The latency of honest requests over a socket: alone, while others do what
// they can to hurt, and once these are gone.
func BenchmarkBesideAbuse(b *testing.B) {
	f := newFixture(b, func(o *Options) { o.Params.AccessLog = false })
	f.models.set(summing{"v1"})
	address, _ := f.start(b)
	honest := func(b *testing.B) {
		c := http.Client{Transport: &http.Transport{}}
		defer c.CloseIdleConnections()
		for b.Loop() {
			r, err := c.Post("http://"+address+"/predict", "application/json", strings.NewReader(`{"user_id":"u","features":{"events_7d":1,"plan":"free"}}`))
			if err != nil || r.StatusCode != 200 {
				b.Fatal(r, err)
			}
			io.Copy(io.Discard, r.Body) //nolint:errcheck // a benchmark
			r.Body.Close()
		}
	}
	b.Run("alone", honest)
	b.Run("idle_connections", func(b *testing.B) {
		for range 2000 {
			c, err := net.Dial("tcp", address)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
		}
		honest(b)
	})
	b.Run("hostile_bodies", func(b *testing.B) {
		ctx, stop := context.WithCancel(b.Context())
		defer stop()
		go func() {
			for ctx.Err() == nil {
				r, err := http.Post("http://"+address+"/predict/batch", "application/json", strings.NewReader(strings.Repeat("[", 1<<20)))
				if err == nil {
					r.Body.Close()
				}
			}
		}()
		honest(b)
	})
	b.Run("afterwards", honest)
}
