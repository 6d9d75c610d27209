package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
)

// hostile starts a server with short times, whose POST /echo reads a body and
// says its size. When the test ends it must answer as before.
func hostile(t *testing.T, change func(*Params)) (f *fixture, address string) {
	t.Helper()
	f = newFixture(t, func(o *Options) {
		p := &o.Params
		p.ReadHeaderTimeout, p.ReadTimeout, p.WriteTimeout, p.IdleTimeout = 150*time.Millisecond, 300*time.Millisecond, 20*time.Second, 20*time.Second
		if change != nil {
			change(p)
		}
	}, route{method: "POST", path: "/echo", scope: ScopePredict, handle: func(c echo.Context) error {
		body, err := readBody(c, nil, echo.MIMEApplicationJSON)
		if err != nil {
			return err
		}
		return c.String(200, fmt.Sprint(len(body)))
	}})
	address, stop := f.start(t)
	t.Cleanup(func() {
		wantService(t, address)
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return f, address
}

// wantService sends an honest request, which must be answered.
func wantService(t *testing.T, address string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Post("http://"+address+"/echo", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Error("an honest request:", err)
		return
	}
	defer r.Body.Close()
	if body, err := io.ReadAll(r.Body); r.StatusCode != 200 || string(body) != "2" {
		t.Errorf("an honest request: %d %s %v", r.StatusCode, body, err)
	}
}

// dial opens a connection that the test closes, with a limit on every wait.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// send writes what it can: the server may have had enough before the end.
func send(c net.Conn, text string) { io.WriteString(c, text) } //nolint:errcheck // see above

// wantAnswer reads an answer that must be a problem, after which the server
// closes.
func wantAnswer(t *testing.T, c net.Conn, status int) {
	t.Helper()
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	problem(t, r.Body, r.Header.Get("Content-Type"), r.StatusCode, status)
	if !r.Close {
		t.Error("the connection stays open")
	}
}

func TestSlowHeaders(t *testing.T) {
	t.Parallel()
	_, address := hostile(t, func(p *Params) { p.ReadTimeout = time.Hour }) // the header's own time must end it
	for _, begin := range []string{"", "GET", "GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: "} {
		c := dial(t, address)
		send(c, begin)
		if _, err := io.ReadAll(c); err != nil { // to the server's close
			t.Errorf("%q: %v", begin, err)
		}
	}
}

func TestSlowBody(t *testing.T) {
	t.Parallel()
	_, address := hostile(t, nil)
	for _, framing := range []string{"Content-Length: 100\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"} {
		c := dial(t, address)
		send(c, "POST /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"+framing)
		wantAnswer(t, c, http.StatusRequestTimeout)
	}
}

func TestShortBody(t *testing.T) {
	_, address := hostile(t, nil)
	c := dial(t, address)
	send(c, "POST /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{")
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, c, http.StatusBadRequest)
}

// counted counts what a client could send of a body without end.
type counted struct{ n atomic.Int64 }

func (c *counted) Read(b []byte) (int, error) {
	c.n.Add(int64(len(b)))
	return len(b), nil
}

// A body of 100 MB is refused before it has been read, whether it says its size
// or not.
func TestLargeBody(t *testing.T) {
	t.Parallel()
	_, address := hostile(t, func(p *Params) { p.MaxBody, p.ReadTimeout = "64KiB", 10*time.Second })
	for _, size := range []int64{100e6, -1, 64<<10 + 1} {
		body, length := &counted{}, size
		if size < 0 {
			length = 100e6 // in chunks
		}
		r, err := http.NewRequest("POST", "http://"+address+"/echo", io.LimitReader(body, length))
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = size
		r.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		problem(t, answer.Body, answer.Header.Get("Content-Type"), answer.StatusCode, http.StatusRequestEntityTooLarge)
		answer.Body.Close()
		if n := body.n.Load(); n > 20e6 { // sockets buffer a few MB
			t.Errorf("size %d: took %d bytes", size, n)
		}
	}
	r, err := http.Post("http://"+address+"/echo", "application/json", strings.NewReader(strings.Repeat(" ", 64<<10)))
	if err != nil || r.StatusCode != 200 {
		t.Errorf("a body of just the limit: %v %v", r, err)
	}
	r.Body.Close()
}

func TestHeaderFlood(t *testing.T) {
	t.Parallel()
	_, address := hostile(t, func(p *Params) { p.ReadHeaderTimeout, p.ReadTimeout = 10*time.Second, 10*time.Second })
	for name, flood := range map[string]string{
		"one long":  "X-A: " + strings.Repeat("a", 1<<20),
		"many":      strings.Repeat("X-A: a\r\n", 1<<17),
		"long path": "",
	} {
		path := "/live"
		if flood == "" {
			path += "?" + strings.Repeat("a", 1<<20)
		}
		c := dial(t, address)
		go send(c, "GET "+path+" HTTP/1.1\r\nHost: 127.0.0.1\r\n"+flood+"\r\n\r\n")
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || r.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s: %v, %v", name, r, err)
			continue
		}
		r.Body.Close()
	}
}

func TestMediaTypes(t *testing.T) {
	f, _ := hostile(t, nil)
	for contentType, want := range map[string]int{
		"application/json": 200, "application/json; charset=utf-8": 200, "Application/JSON;charset=UTF-8": 200,
		"": 415, "text/plain": 415, "application/x-www-form-urlencoded": 415, "application/json; charset=latin1": 415, "application/jsonx": 415, "application/json;;;": 415, "a/b/c": 415, "multipart/form-data": 415,
	} {
		if w := f.ask("POST", "/echo", "{}", "Content-Type", contentType); w.Code != want {
			t.Errorf("%q: %d, want %d", contentType, w.Code, want)
		}
	}
	f.wantProblem(t, 415, "POST", "/echo", "{}", "Content-Type", "application/json", "Content-Encoding", "gzip")
}

// Bodies that are made to hurt a decoder get the status of honest mistakes of
// their kind, on every route that reads one, in little memory.
func TestHostileJSON(t *testing.T) {
	t.Parallel()
	f, address := hostile(t, func(p *Params) { p.ReadTimeout = 10 * time.Second })
	const deep = 1 << 20
	for name, c := range map[string]struct {
		body string
		want int // of /predict; others say 400 or 422, since the form is theirs first
	}{
		"deep arrays":    {strings.Repeat("[", deep) + strings.Repeat("]", deep), 400},
		"deep objects":   {strings.Repeat(`{"features":`, deep/4) + "1" + strings.Repeat("}", deep/4), 400},
		"deep, inside":   {`{"user_id":"u","features":` + strings.Repeat(`{"a":`, deep/4), 400},
		"deep, unknown":  {`{"user_id":"u","features":{},"x":` + strings.Repeat("[", deep) + strings.Repeat("]", deep) + "}", 400},
		"many keys":      {`{"user_id":"u","features":{` + strings.Repeat(`"a":1,`, deep/4) + `"b":1}}`, 400},
		"long number":    {`{"user_id":"u","features":{"events_7d":` + strings.Repeat("9", deep) + `}}`, 422},
		"long string":    {`{"user_id":"` + strings.Repeat("u", deep) + `","features":{}}`, 422},
		"many faults":    {`{"user_id":[],"features":{` + manyMembers(deep/16) + `"events_7d":"x"}}`, 422},
		"NaN":            {`{"user_id":"u","features":{"events_7d":NaN}}`, 400},
		"infinite":       {`{"user_id":"u","features":{"events_7d":1e999}}`, 422},
		"duplicate":      {`{"user_id":"u","user_id":"v","features":{}}`, 400},
		"duplicate, \\u": {`{"user_id":"u","features":{"plan":"a","pl\u0061n":"b"}}`, 400},
		"not UTF-8":      {"{\"user_id\":\"\xff\xfe\",\"features\":{}}", 400},
		"half a escape":  {`{"user_id":"\ud800","features":{}}`, 400},
		"byte order":     {"\ufeff{}", 400},
		"zeros":          {strings.Repeat("\x00", 1000), 400},
		"nothing":        {"", 400},
	} {
		for _, r := range f.routes() {
			if r.method != http.MethodPost || r.scope != ScopePredict {
				continue
			}
			answer, err := http.Post("http://"+address+strings.NewReplacer(":model", "churn", ":version", "v0001").Replace(r.path), "application/json", strings.NewReader(c.body))
			if err != nil {
				t.Errorf("%s to %s: %v", name, r.path, err)
				continue
			}
			text, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			fits := answer.StatusCode == c.want || r.path != "/predict" && (answer.StatusCode == 400 || answer.StatusCode == 422)
			if err != nil || !fits || len(text) > 64<<10 {
				t.Errorf("%s to %s: %d, want %d, %d bytes, %v: %.200s", name, r.path, answer.StatusCode, c.want, len(text), err, text)
			}
		}
	}
}

// manyMembers returns members that nobody reads, each with another name.
func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"x%d":0,`, i)
	}
	return b.String()
}

// However many hostile bodies come, they leave no memory behind.
func TestHostileBodiesLeaveNothing(t *testing.T) {
	f, _ := hostile(t, nil)
	bodies := []string{strings.Repeat("[", 1<<20), `{"user_id":"u","features":{` + manyMembers(1<<16) + `"y":1}}`, `{"user_id":"` + strings.Repeat("u", 1<<20)}
	rounds := func(n int) int64 {
		for i := range n {
			f.ask("POST", []string{"/predict", "/predict/batch", "/predict/events", "/v2/models/churn/infer"}[i%4], bodies[i%3], "Content-Type", "application/json")
		}
		return memory()
	}
	before := rounds(24)
	if grown := rounds(96) - before; grown > 8<<20 {
		t.Errorf("96 more bodies of 1 MB left %d bytes", grown)
	}
}

// What is not HTTP gets a 400 of net/http, and no more.
func TestNotHTTP(t *testing.T) {
	t.Parallel()
	_, address := hostile(t, nil)
	for _, text := range []string{"\x16\x03\x01\x00\xa5", "GET /live\r\n\r\n", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nBad Header: 1\r\n\r\n",
		"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n", "\x00\x00\x00\x00\r\n\r\n"} {
		c := dial(t, address)
		send(c, text)
		answer, err := io.ReadAll(c)
		if err != nil || len(answer) > 0 && !strings.HasPrefix(string(answer), "HTTP/1.1 400") {
			t.Errorf("%q: %q, %v", text, answer, err)
		}
	}
}

// A page of another site that lets its name resolve to this machine is refused.
func TestRebinding(t *testing.T) {
	_, address := hostile(t, nil)
	for host, want := range map[string]int{"evil.example": 421, "localhost.evil.example:80": 421, "127.0.0.1.evil.example": 421, "localhost": 200, "localhost:1": 200, "127.0.0.1:1": 200, "[::1]:1": 200} {
		r, err := http.NewRequest("GET", "http://"+address+"/live", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		answer, err := http.DefaultClient.Do(r)
		if err != nil || answer.StatusCode != want {
			t.Fatalf("%s: %v %v, want %d", host, answer, err, want)
		}
		answer.Body.Close()
	}
}

// idleAddress makes this program a client that holds connections instead.
const idleAddress = "CHURN_TEST_IDLE"

// TestHoldConnections is no test: TestIdleConnections starts it in a process of
// its own, whose number of files is not that of the server. It opens
// connections, of which every other one asks once, says how many there are, and
// holds them until its input ends.
func TestHoldConnections(t *testing.T) {
	address, count, ok := strings.Cut(os.Getenv(idleAddress), " ")
	if !ok {
		t.Skip("this is the client of TestIdleConnections")
	}
	n, err := strconv.Atoi(count)
	if err != nil {
		t.Fatal(err)
	}
	open := 0
	for i := range n {
		c, err := net.Dial("tcp", address)
		if err != nil {
			break // the limit of this machine
		}
		defer c.Close()
		open++
		if i%2 == 0 {
			continue // says nothing
		}
		send(c, "GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		if _, err := c.Read(make([]byte, 15)); err != nil {
			t.Fatal(i, err)
		}
	}
	fmt.Printf("open %d\n", open)
	io.Copy(io.Discard, os.Stdin) //nolint:errcheck // until the test has seen enough
}

// Connections that say nothing cost bounded memory each, and the server answers
// others meanwhile: those that never said anything until the header's time is
// over, those that did until they have idled enough.
func TestIdleConnections(t *testing.T) {
	n := 10_000
	if testing.Short() || raceEnabled {
		n = 500
	}
	_, address := hostile(t, func(p *Params) {
		p.ReadHeaderTimeout, p.ReadTimeout, p.WriteTimeout, p.IdleTimeout = time.Minute, time.Minute, 2*time.Minute, time.Minute
	})
	before := memory()
	client := exec.Command(os.Args[0], "-test.run=^TestHoldConnections$")
	client.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", idleAddress, address, n))
	out, err := client.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := client.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	var open int
	if _, err := fmt.Fscanf(out, "open %d\n", &open); err != nil || open < min(n, 900) { // 1024 files are the least that systems allow
		t.Errorf("%d connections of %d: %v", open, n, err)
	}
	wantService(t, address)
	if each := (memory() - before) / int64(max(open, 1)); each > 24<<10 {
		t.Errorf("an idle connection takes %d bytes", each)
	} else {
		t.Logf("%d idle connections, %d bytes each", open, each)
	}
	in.Close()               //nolint:errcheck // it ends then
	io.Copy(io.Discard, out) //nolint:errcheck // likewise
	if err := client.Wait(); err != nil {
		t.Error(err)
	}
}

// memory returns what the program holds, stacks too.
func memory() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// Beyond serve.max_connections others wait until one closes; they are not lost.
func TestConnectionLimit(t *testing.T) {
	t.Parallel()
	_, address := hostile(t, func(p *Params) { p.MaxConnections, p.ReadHeaderTimeout = 4, 100*time.Millisecond })
	for range 12 {
		dial(t, address)
	}
	c := dial(t, address)
	send(c, "GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
	if answer, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200") {
		t.Errorf("%q %v", answer, err)
	}
}

// A client that goes away is no fault of ours.
func TestClientGone(t *testing.T) {
	entered := make(chan bool)
	f := newFixture(t, nil, route{method: "GET", path: "/wait", handle: func(c echo.Context) error {
		close(entered)
		<-c.Request().Context().Done()
		return fmt.Errorf("wait: %w", c.Request().Context().Err())
	}})
	address, stop := f.start(t)
	c := dial(t, address)
	send(c, "GET /wait HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
	<-entered
	c.Close()
	if err := stop(); err != nil { // waits for the handler
		t.Error(err)
	}
	if log := f.log.String(); strings.Contains(log, "level=ERROR") || !strings.Contains(log, "status=499") {
		t.Errorf("%s", log)
	}
}
