package server

import (
	"net/http"
	"net/http/httptest"
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
