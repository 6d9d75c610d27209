package server

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
)

// gate is a route that waits: entered says that a request is in it.
func gate() (r route, entered, open chan bool) {
	entered, open = make(chan bool, 8), make(chan bool)
	return route{method: "GET", path: "/gate", handle: func(c echo.Context) error {
		entered <- true
		<-open
		return c.String(200, "whole answer")
	}}, entered, open
}

// get asks a fresh connection.
func get(url string) (status int, body string, err error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	return r.StatusCode, string(text), err
}

// The law of draining: not ready comes first, while all is still answered;
// then no new connections; requests under way get their whole answers; Run
// returns nil.
func TestDrain(t *testing.T) {
	t.Parallel()
	r, entered, open := gate()
	f := newFixture(t, func(o *Options) { o.Params.DrainDelay = 200 * time.Millisecond }, r)
	address, stop := f.start(t)
	type answer struct {
		status int
		body   string
		err    error
	}
	first := make(chan answer, 1)
	go func() {
		status, body, err := get("http://" + address + "/gate")
		first <- answer{status, body, err}
	}()
	<-entered
	idle := dial(t, address) // a connection that was there before
	const ask = "GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
	lines := bufio.NewReader(idle)
	for range 2 {
		send(idle, ask)
		if r, err := http.ReadResponse(lines, nil); err != nil || r.Close {
			t.Fatal(r, err)
		} else if _, err := io.ReadAll(r.Body); err != nil {
			t.Fatal(err)
		}
	}
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	for !f.draining.Load() {
		time.Sleep(time.Millisecond)
	}
	if status, body, err := get("http://" + address + "/ready"); status != 503 || !strings.Contains(body, "going down") {
		t.Errorf("/ready while draining: %d %s %v", status, body, err)
	}
	if status, _, err := get("http://" + address + "/live"); status != 200 {
		t.Errorf("/live while draining: %d %v", status, err)
	}
	send(idle, ask)
	if r, err := http.ReadResponse(lines, nil); err != nil || r.StatusCode != 200 || !r.Close {
		t.Errorf("a connection from before: %v %v; it should get one more answer, and close", r, err)
	}
	for { // until no new connection is taken
		if _, _, err := get("http://" + address + "/live"); err != nil {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	select {
	case err := <-stopped:
		t.Fatalf("Run ended before the request: %v", err)
	case a := <-first:
		t.Fatalf("the request ended by itself: %+v", a)
	default:
	}
	close(open)
	if a := <-first; a.status != 200 || a.body != "whole answer" || a.err != nil {
		t.Errorf("the request under way: %+v", a)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// A request that does not end holds the server no longer than serve.drain_timeout,
// and Run says that it was cut off.
func TestDrainTimeout(t *testing.T) {
	r, entered, open := gate()
	defer close(open)
	f := newFixture(t, func(o *Options) { o.Params.DrainTimeout = 20 * time.Millisecond }, r)
	address, stop := f.start(t)
	go get("http://" + address + "/gate") //nolint:errcheck // it is cut off
	<-entered
	if err := stop(); err == nil || !strings.Contains(err.Error(), "serve.drain_timeout") {
		t.Errorf("%v", err)
	}
}

// With an address of their own, metrics and profiles are there and not beside
// the rest.
func TestMetricsAddress(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Params.MetricsAddress = "127.0.0.1:0" })
	ctx, cancel := context.WithCancel(t.Context())
	addresses, done := make(chan [2]net.Addr, 1), make(chan error, 1)
	f.options.Listening = func(address, metrics net.Addr) { addresses <- [2]net.Addr{address, metrics} }
	go func() { done <- f.Run(ctx) }()
	a := <-addresses
	for _, c := range []struct {
		at   net.Addr
		path string
		want int
	}{{a[1], "/metrics", 200}, {a[1], "/debug/pprof/", 200}, {a[1], "/debug/pprof/heap", 200}, {a[1], "/ready", 404}, {a[0], "/metrics", 404}, {a[0], "/debug/pprof/", 404}, {a[0], "/ready", 200}} {
		if status, _, err := get("http://" + c.at.String() + c.path); status != c.want {
			t.Errorf("%s: %d %v, want %d", c.path, status, err, c.want)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Beyond this machine metrics are for scrapers and profiles for administrators;
// on it a page of another site gets neither.
func TestSideIsGuarded(t *testing.T) {
	admin, line1 := newKey(t, "ops", "", ScopeAdmin)
	reader, line2 := newKey(t, "app", "", ScopeRead)
	far := newFixture(t, func(o *Options) {
		o.Params.MetricsAddress, o.Keys = "0.0.0.0:9090", line1+";"+line2
	}).sideHandler()
	near := newFixture(t, func(o *Options) { o.Params.MetricsAddress = "127.0.0.1:9090" }).sideHandler()
	for _, c := range []struct {
		at              http.Handler
		host, path, key string
		want            int
	}{
		{far, "churn:9090", "/metrics", "", 200}, {far, "churn:9090", "/debug/pprof/", "", 403}, {far, "churn:9090", "/debug/pprof/cmdline", reader, 403}, {far, "churn:9090", "/debug/pprof/", admin, 200},
		{near, "localhost:9090", "/metrics", "", 200}, {near, "127.0.0.1:9090", "/debug/pprof/cmdline", "", 200}, {near, "evil.example", "/metrics", "", 421}, {near, "evil.example", "/debug/pprof/", "", 421},
	} {
		r := httptest.NewRequest("GET", "http://"+c.host+c.path, nil)
		r.Header.Set("X-API-Key", c.key)
		w := httptest.NewRecorder()
		c.at.ServeHTTP(w, r)
		if w.Code != c.want || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s%s: %d, want %d; %v", c.host, c.path, w.Code, c.want, w.Header())
		}
	}
}

func TestAddressInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f := newFixture(t, func(o *Options) { o.Params.Address = l.Addr().String() })
	if err := f.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "serve.address") {
		t.Errorf("%v", err)
	}
}

// writePair writes a certificate with a serial number, and its key.
func writePair(t *testing.T, cert, key string, serial int64) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A renewed certificate is served without a restart; a broken one never.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePair(t, cert, key, 1)
	f := newFixture(t, func(o *Options) { o.Params.TLSCert, o.Params.TLSKey = cert, key })
	address, _ := f.start(t)
	expect := func(serial int64) {
		t.Helper()
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		r, err := client.Get("https://" + address + "/live")
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if got := r.TLS.PeerCertificates[0].SerialNumber.Int64(); got != serial || r.TLS.Version < tls.VersionTLS12 || r.ProtoMajor != 2 {
			t.Errorf("certificate %d, want %d; TLS %x, HTTP %d", got, serial, r.TLS.Version, r.ProtoMajor)
		}
		if r.Header.Get("Strict-Transport-Security") == "" {
			t.Error("no Strict-Transport-Security")
		}
	}
	expect(1)
	writePair(t, cert, key, 2)
	f.refresh()
	expect(2)
	if err := os.WriteFile(cert, []byte("half a cert"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.refresh()
	expect(2)
	if !strings.Contains(f.log.String(), "level=ERROR") {
		t.Error("nobody is told")
	}
	if _, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is accepted")
	}
}

// No settings that Validate accepts make a server that cannot tell why.
func TestValidate(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Params){
		"serve.address":             func(p *Params) { p.Address = "8080" },
		"serve.metrics_address":     func(p *Params) { p.MetricsAddress = "x" },
		"serve.tls_cert":            func(p *Params) { p.TLSKey = "k" },
		"serve.read_header_timeout": func(p *Params) { p.ReadHeaderTimeout = 0 },
		"serve.read_timeout":        func(p *Params) { p.ReadTimeout = time.Second },
		"serve.write_timeout":       func(p *Params) { p.WriteTimeout = p.ReadTimeout },
		"serve.idle_timeout":        func(p *Params) { p.IdleTimeout = -1 },
		"serve.max_header":          func(p *Params) { p.MaxHeader = "12" },
		"serve.max_body":            func(p *Params) { p.MaxBody = "1B" },
		"serve.max_connections":     func(p *Params) { p.MaxConnections = 0 },
		"serve.drain_delay":         func(p *Params) { p.DrainDelay = -1 },
		"serve.drain_timeout":       func(p *Params) { p.DrainTimeout = 0 },
		"serve.rate_limit":          func(p *Params) { p.RateLimit = -1 },
		"serve.rate_burst":          func(p *Params) { p.RateBurst = 0 },
	} {
		p := Defaults()
		change(&p)
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", want, err)
		}
	}
}
