package warehouse

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"churn/pipeline/source"
)

// The law: a type is what its values are, however it is wrapped; what is not
// exact, or has no place in the contract, is other.
func TestClickHouseKinds(t *testing.T) {
	for want, names := range map[kind][]string{
		text:    {"String", "Nullable(String)", "LowCardinality(String)", "LowCardinality(Nullable(String))", "FixedString(16)", "Enum8('a(' = 1, 'b' = 2)", "Nullable(Enum16('x' = 1))"},
		bare:    {"UUID", "Nullable(UUID)"},
		integer: {"Int8", "UInt64", "Nullable(Int128)", "UInt256", "LowCardinality(UInt32)"},
		decimal: {"Decimal(9, 2)", "Nullable(Decimal(38, 9))", "Decimal(67, 38)"},
		double:  {"Float32", "Nullable(Float64)"},
		boolean: {"Bool", "Nullable(Bool)"},
		date:    {"Date", "Date32", "Nullable(Date)"},
		instant: {"DateTime", "DateTime('Europe/Berlin')", "DateTime64(3)", "Nullable(DateTime64(9, 'UTC'))", "LowCardinality(DateTime)"},
		other: {"Decimal(76, 39)", "Decimal(76, 38)", "Decimal(38, 0)", "Array(String)", "Tuple(String)", "Map(String, String)", "BFloat16", "IPv4", "JSON", "Dynamic", "Variant(String, Int8)",
			"Time", "Time64(3)", "AggregateFunction(sum, Int64)", "Nothing", "IntervalDay", ""},
	} {
		for _, name := range names {
			if got := clickhouseKind(name); got != want {
				t.Errorf("%s is %d, want %d", name, got, want)
			}
		}
	}
}

// standIn answers as a ClickHouse server does over HTTP: blocks of Int64 and
// String, a block a chunk.
type standIn struct {
	*httptest.Server
	fault func(w http.ResponseWriter, r *http.Request, first, second []byte) // the answer to the counts by day
	mutex sync.Mutex
	ids   map[string]string // of queries, by their text
	kills chan string
}

func newStandIn(t *testing.T) *standIn {
	s := &standIn{ids: map[string]string{}, kills: make(chan string, 1000)}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// open opens an engine.
func (s *standIn) open(t *testing.T) *Engine {
	t.Helper()
	e, err := Open(t.Context(), source.Params{Kind: source.KindClickHouse, URL: s.URL + "/default", Users: "users", Events: "events"}, Rules{Types: []string{"login"}, Zone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() }) // some tests break it
	return e
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	query, id := string(body), r.URL.Query().Get("query_id")
	s.mutex.Lock()
	s.ids[query] = id
	s.mutex.Unlock()
	if strings.HasPrefix(query, "KILL") {
		s.kills <- query
	} else if block := answerTo(query); block != nil {
		w.Write(block) //nolint:errcheck // the client may be gone
	} else {
		first, second := countsOfUsers()
		s.fault(w, r, first, second)
	}
}

// countsOfUsers are the two blocks of the counts of users: seven without a fault, and
// seven in all.
func countsOfUsers() (first, second []byte) {
	block := func(total int) []byte {
		return nativeBlock([]any{"total", total}, []any{"rejects", 0}, []any{"remarks", 0}, []any{"n", 7})
	}
	return block(0), block(1)
}

// answerTo answers what is not under test; nil is for what is.
func answerTo(query string) []byte {
	switch {
	case strings.Contains(query, "displayName()"):
		return nativeBlock([]any{"name", "stand-in"}, []any{"version", "26.9.2.1"}, []any{"revision", 54484}, []any{"zone", "UTC"})
	case strings.HasPrefix(query, "DESCRIBE") && strings.Contains(query, "events"):
		return describe(source.EventColumns())
	case strings.HasPrefix(query, "DESCRIBE"):
		return describe(source.UserColumns())
	}
	return nil
}

// describe answers DESCRIBE TABLE for columns of the contract.
func describe(names []string) []byte {
	types := map[string]any{"signup_date": "Date", "event_time": "DateTime", "known_at": "DateTime", "watch_minutes": "Float64", "quiz_score": "Float64", "amount": "Decimal(9, 2)"}
	n, k := []any{"name"}, []any{"type"}
	for _, name := range names {
		of, ok := types[name]
		if !ok {
			of = "String"
		}
		n, k = append(n, name), append(k, of)
	}
	return nativeBlock(n, k)
}

// nativeBlock writes a block: each column has its name, then its values. It is
// written by hand, so that the client is not compared with itself.
func nativeBlock(columns ...[]any) []byte {
	text := func(b []byte, s string) []byte { return append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	b := []byte{1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0} // not of overflows, of no bucket
	b = binary.AppendUvarint(b, uint64(len(columns)))
	b = binary.AppendUvarint(b, uint64(len(columns[0])-1))
	for _, c := range columns {
		b = text(b, c[0].(string))
		switch _, isText := c[1].(string); {
		case isText:
			b = append(text(b, "String"), 0) // the usual serialization
		case c[0] == "revision":
			b = append(text(b, "UInt32"), 0)
		default:
			b = append(text(b, "Int64"), 0)
		}
		for _, v := range c[1:] {
			switch v := v.(type) {
			case string:
				b = text(b, v)
			case int:
				if c[0] == "revision" {
					b = binary.LittleEndian.AppendUint32(b, uint32(v))
				} else {
					b = binary.LittleEndian.AppendUint64(b, uint64(v))
				}
			}
		}
	}
	return b
}

func send(w http.ResponseWriter, parts ...[]byte) {
	for _, p := range parts {
		w.Write(p)               //nolint:errcheck // the client may be gone
		w.(http.Flusher).Flush() // a chunk of its own
	}
}

// The law: an answer is whole, or it is an error.
func TestClickHouseFaults(t *testing.T) {
	const refusal = "Code: 241. DB::Exception: Memory limit exceeded: would use 9.00 GiB. (MEMORY_LIMIT_EXCEEDED) (version 26.9.2.1)"
	memory := func(parts ...string) func(http.ResponseWriter, *http.Request, []byte, []byte) {
		return func(w http.ResponseWriter, _ *http.Request, first, _ []byte) {
			send(w, first, []byte(strings.Join(parts, "")))
		}
	}
	for name, test := range map[string]struct {
		fault func(w http.ResponseWriter, r *http.Request, first, second []byte)
		want  string // in the error; "-" = there is none
	}{
		"whole": {func(w http.ResponseWriter, _ *http.Request, first, second []byte) { send(w, first, second) }, "-"},
		"refused": {func(w http.ResponseWriter, _ *http.Request, _, _ []byte) {
			w.Header().Set("X-ClickHouse-Exception-Code", "241")
			w.WriteHeader(500)
			send(w, []byte(refusal))
		}, "Memory limit exceeded"},
		"read only": {func(w http.ResponseWriter, _ *http.Request, _, _ []byte) {
			w.WriteHeader(500)
			send(w, []byte("Code: 164. DB::Exception: Cannot modify 'readonly' setting in readonly mode. (READONLY)"))
		}, "must have readonly = 2 or 0"},
		"busy": {func(w http.ResponseWriter, _ *http.Request, _, _ []byte) {
			w.WriteHeader(503)
			send(w, []byte("<html>no backend</html>"))
		}, "503"},
		"empty":         {func(http.ResponseWriter, *http.Request, []byte, []byte) {}, "its answer was cut"},
		"in the middle": {memory("\r\n__exception__\r\nabcdefghijklmnop\r\n", refusal, "\n", fmt.Sprint(len(refusal)), " abcdefghijklmnop\r\n__exception__\r\n"), "Memory limit exceeded"},
		"as 25.8 did":   {memory("__exception__\r\n", refusal), "Memory limit exceeded"},
		"as 23.8 did":   {memory(refusal), ""},
		"cut connection": {func(w http.ResponseWriter, _ *http.Request, first, second []byte) {
			send(w, first, second[:20])
			panic(http.ErrAbortHandler)
		}, ""},
		"cut between": {func(w http.ResponseWriter, _ *http.Request, first, _ []byte) {
			send(w, first)
			panic(http.ErrAbortHandler)
		}, ""},
		"ended between": {func(w http.ResponseWriter, _ *http.Request, first, _ []byte) { send(w, first) }, "its answer was cut"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStandIn(t)
			s.fault = test.fault
			h, err := s.open(t).Users(t.Context())
			switch {
			case test.want == "-" && (err != nil || h.Rows != 7 || h.Accepted != 7):
				t.Errorf("%+v, %v", h, err)
			case test.want != "-" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("%+v, %v, want %q", h, err, test.want)
			}
		})
	}
	s := newStandIn(t)
	first, _ := countsOfUsers()
	e := s.open(t)
	for cut := range first { // a proxy that ends the second block early, as if that were all
		s.fault = func(w http.ResponseWriter, _ *http.Request, first, second []byte) { send(w, first, second[:cut]) }
		if h, err := e.Users(t.Context()); err == nil {
			t.Errorf("after %d of %d bytes: %+v", cut, len(first), h)
		}
	}
}

// The law: who leaves an answer before its end leaves no query behind, and does
// not wait for the rest of it.
func TestClickHouseKills(t *testing.T) {
	s := newStandIn(t)
	arrived := make(chan struct{}, 1)
	s.fault = func(w http.ResponseWriter, r *http.Request, first, _ []byte) {
		if strings.Contains(r.URL.RawQuery, "silent=1") {
			arrived <- struct{}{}
		} else {
			send(w, first)
		}
		<-r.Context().Done() // more will come, some day
	}
	ask := func(ctx context.Context, address, query string, scan func() error) error {
		e, err := Open(t.Context(), source.Params{Kind: source.KindClickHouse, URL: s.URL + address, Users: "users", Events: "events"}, Rules{})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		return e.ask(ctx, "test", query, func(*sql.Rows) error { return scan() })
	}
	enough := errors.New("enough")
	for name, leave := range map[string]func(query string) error{
		"cancelled": func(query string) error {
			ctx, cancel := context.WithCancel(t.Context())
			return ask(ctx, "/default", query, func() error { cancel(); return nil })
		},
		"waiting": func(query string) error { // cancelled before the first row
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-arrived; cancel() }()
			return ask(ctx, "/default?silent=1", query, nil)
		},
		"lost": func(query string) error {
			go func() { <-arrived; s.CloseClientConnections() }()
			return ask(t.Context(), "/default?silent=1", query, nil)
		},
		"closed": func(query string) error {
			return ask(t.Context(), "/default", query, func() error { return enough })
		},
	} {
		t.Run(name, func(t *testing.T) {
			query := "SELECT '" + name + "'"
			want := map[string]error{"lost": driver.ErrBadConn, "closed": enough}[name]
			if want == nil {
				want = context.Canceled
			}
			if err := leave(query); !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
			kill := <-s.kills
			s.mutex.Lock()
			id := s.ids[query]
			s.mutex.Unlock()
			if id == "" || kill != "KILL QUERY WHERE query_id = '"+id+"' ASYNC" {
				t.Errorf("%s, the query is %q", kill, id)
			}
		})
	}
	s.fault = func(w http.ResponseWriter, _ *http.Request, first, _ []byte) { send(w, first) }
	if err := s.open(t).ask(t.Context(), "test", "SELECT 1", func(*sql.Rows) error { return nil }); err != nil || len(s.kills) > 0 {
		t.Errorf("%v, and %d kills of what was read to its end", err, len(s.kills))
	}
}

// The law: no setting of a profile may cut an answer off in silence, and the
// address decides about the rest.
func TestClickHouseSettings(t *testing.T) {
	s := newStandIn(t)
	var asked []string
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		asked = append(asked, q.Get("readonly")+q.Get("group_by_overflow_mode")+q.Get("timeout_overflow_mode")+q.Get("max_threads"))
		s.ServeHTTP(w, r)
	})
	if _, err := Open(t.Context(), source.Params{Kind: source.KindClickHouse, URL: s.URL + "/default?max_threads=3&timeout_overflow_mode=break", Users: "users", Events: "events"}, Rules{}); err != nil {
		t.Fatal(err)
	}
	if len(asked) != 3 || asked[1] != "2throwthrow3" || asked[2] != asked[1] {
		t.Errorf("%q", asked)
	}
}
