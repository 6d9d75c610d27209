package warehouse

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"churn/pipeline/source"
)

// nativeStandIn speaks the native protocol of revision 54456, as far as it
// takes to hear a query and to answer it, or to fail.
type nativeStandIn struct {
	net.Listener
	fault func(c net.Conn, first, second []byte) // the answer to what is under test
	asked chan string                            // ids of these queries
	kills chan string
}

func newNativeStandIn(t *testing.T) *nativeStandIn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := &nativeStandIn{Listener: l, asked: make(chan string, 1000), kills: make(chan string, 1000)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s
}

func (s *nativeStandIn) open(t *testing.T) *Engine {
	t.Helper()
	e, err := Open(t.Context(), source.Params{Kind: source.KindClickHouse, URL: "clickhouse://reader:secret@" + s.Addr().String() + "/default", Users: "users", Events: "events"}, Rules{Types: []string{"login"}, Zone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() }) // some tests break it
	return e
}

func (s *nativeStandIn) serve(c net.Conn) {
	defer c.Close()
	in := wire{bufio.NewReader(c)}
	if _, err := in.take("1tnnnttt"); err != nil { // hello
		return
	}
	c.Write(packet(0, "stand-in", 26, 9, 54456, "UTC", "stand-in", 2)) //nolint:errcheck // the client may be gone
	for {
		id, query, err := in.query()
		if err != nil {
			return
		}
		switch block := answerTo(query); {
		case strings.HasPrefix(query, "KILL"):
			s.kills <- query
		case block != nil:
			c.Write(packet(1, "", block)) //nolint:errcheck // likewise
		default:
			s.asked <- id
			first, second := countsOfUsers()
			s.fault(c, packet(1, "", first), packet(1, "", second))
		}
		c.Write(packet(5)) //nolint:errcheck // likewise; the end
	}
}

// wire reads what a client sends.
type wire struct{ *bufio.Reader }

// query reads a query, with the empty block that follows it.
func (w wire) query() (id, text string, err error) {
	about, err := w.take("1t1ttt81tttnnntnn1nnn")
	if err != nil {
		return "", "", err
	}
	for {
		setting, err := w.take("t")
		if err != nil {
			return "", "", err
		}
		if setting[0] == "" {
			break
		}
		if _, err := w.take("nt"); err != nil {
			return "", "", err
		}
	}
	body, err := w.take("tnnt1tn1n4nnn")
	if err != nil {
		return "", "", err
	}
	return about[0], body[1], nil
}

// take reads texts (t), numbers (n) and single bytes (1, 4, 8), and returns the
// texts.
func (w wire) take(form string) (texts []string, err error) {
	for _, f := range form {
		n := uint64(f - '0')
		if f == 't' || f == 'n' {
			if n, err = binary.ReadUvarint(w); err != nil {
				return nil, err
			}
		}
		if f == 'n' {
			continue
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(w, b); err != nil {
			return nil, err
		}
		if f == 't' {
			texts = append(texts, string(b))
		}
	}
	return texts, nil
}

// packet writes what a server sends.
func packet(kind byte, parts ...any) []byte {
	out := []byte{kind}
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			out = append(binary.AppendUvarint(out, uint64(len(p))), p...)
		case int:
			out = binary.AppendUvarint(out, uint64(p))
		case int32:
			out = binary.LittleEndian.AppendUint32(out, uint32(p))
		case []byte:
			out = append(out, p...)
		}
	}
	return out
}

// The law holds over the native protocol, too: an answer is whole, or it is an
// error.
func TestClickHouseNativeFaults(t *testing.T) {
	refusal := packet(2, int32(241), "DB::Exception", "Memory limit exceeded: would use 9.00 GiB", "", 0)
	write := func(parts ...[]byte) func(c net.Conn) {
		return func(c net.Conn) {
			for _, p := range parts {
				c.Write(p) //nolint:errcheck // the client may be gone
			}
		}
	}
	for name, test := range map[string]struct {
		fault func(c net.Conn, first, second []byte)
		want  string // in the error; "-" = there is none
	}{
		"whole":         {func(c net.Conn, first, second []byte) { write(first, second)(c) }, "-"},
		"refused":       {func(c net.Conn, _, _ []byte) { write(refusal)(c) }, "Memory limit exceeded"},
		"in the middle": {func(c net.Conn, first, _ []byte) { write(first, refusal)(c) }, "Memory limit exceeded"},
		"lost":          {func(c net.Conn, _, _ []byte) { c.Close() }, "the connection was lost before the answer was whole"},
		"lost between":  {func(c net.Conn, first, _ []byte) { write(first)(c); c.Close() }, "EOF"},
		"ended between": {func(c net.Conn, first, _ []byte) { write(first)(c) }, "its answer was cut"},
		"ended at once": {func(net.Conn, []byte, []byte) {}, "before the answer was whole"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newNativeStandIn(t)
			s.fault = test.fault
			h, err := s.open(t).Users(t.Context())
			switch {
			case test.want == "-" && (err != nil || h.Rows != 7 || h.Accepted != 7):
				t.Errorf("%+v, %v", h, err)
			case test.want != "-" && (err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret")):
				t.Errorf("%+v, %v, want %q", h, err, test.want)
			}
		})
	}
	first, _ := countsOfUsers()
	for cut := range packet(1, "", first) {
		s := newNativeStandIn(t)
		s.fault = func(c net.Conn, first, second []byte) { write(first, second[:cut])(c); c.Close() }
		if h, err := s.open(t).Users(t.Context()); err == nil {
			t.Errorf("after %d bytes: %+v", cut, h)
		}
	}
}

// The law: who leaves leaves no query behind here either.
func TestClickHouseNativeKills(t *testing.T) {
	enough := errors.New("enough")
	for name, test := range map[string]struct {
		silent bool // until the client has left
		leave  func(cancel context.CancelFunc) error
		want   error
	}{
		"cancelled": {false, func(cancel context.CancelFunc) error { cancel(); return nil }, context.Canceled},
		"waiting":   {true, nil, context.Canceled},
		"closed":    {false, func(context.CancelFunc) error { return enough }, enough},
	} {
		t.Run(name, func(t *testing.T) {
			s := newNativeStandIn(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s.fault = func(c net.Conn, first, _ []byte) {
				if test.silent {
					cancel()
				} else {
					c.Write(first) //nolint:errcheck // it waits for it
				}
				io.Copy(io.Discard, c) //nolint:errcheck // until the client has left
			}
			err := s.open(t).ask(ctx, "test", "SELECT 1", func(*sql.Rows) error { return test.leave(cancel) })
			if !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
			if id, kill := <-s.asked, <-s.kills; id == "" || kill != "KILL QUERY WHERE query_id = '"+id+"' ASYNC" {
				t.Errorf("%s, the query is %q", kill, id)
			}
		})
	}
}
