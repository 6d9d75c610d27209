package warehouse

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trinodb/trino-go-client/trino"
)

// coordinator lies between the client of Trino and HTTP, and holds two promises
// that the client (1.1.0) does not:
//
//   - No answer is taken for whole that is not. The client ends in silence at a
//     page without an id, and at one without a successor in any state; here the
//     query must have said that it is finished. A page that was cut is asked for
//     again, as Trino allows.
//   - No query outlives its reader. When the context of a query ends, by Ctrl-C
//     or because its rows were closed, and the query has not, it is killed by its
//     id. The client does not do so while rows are being read.
//
// Rows come in the pages of the protocol, one at a time, never in segments on an
// object store, so that memory is bounded.
type coordinator struct {
	transport *http.Transport
	mu        sync.Mutex
	running   map[string]func() // kills the query of this id, once
}

// killTimeout is how long a kill may take.
const killTimeout = 10 * time.Second

func newCoordinator(t *http.Transport) *coordinator {
	return &coordinator{transport: t, running: map[string]func(){}}
}

// connect makes the coordinator the way of a client. What the client would set
// on its own way moves there.
func (c *coordinator) connect(config *trino.Config) (err error) {
	if c.transport.TLSClientConfig, err = config.TLSConfig(); err != nil {
		return err
	}
	config.SSLCert, config.SSLCertPath, config.SSLVerification = "", "", ""
	config.SSLClientCert, config.SSLClientCertPath, config.SSLClientKey, config.SSLClientKeyPath = "", "", "", ""
	if config.HTTPProxy != "" {
		c.transport.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: config.HTTPProxy})
	} else if config.SOCKSProxy != "" {
		c.transport.Proxy = http.ProxyURL(&url.URL{Scheme: "socks5", Host: config.SOCKSProxy})
	}
	config.HTTPProxy, config.SOCKSProxy = "", ""
	config.HTTPClient = &http.Client{Transport: c}
	return nil
}

// page is what we look at of an answer.
type page struct {
	ID      string          `json:"id"`
	NextURI string          `json:"nextUri"`
	Error   json.RawMessage `json:"error"`
	Stats   struct {
		State string `json:"state"`
	} `json:"stats"`
}

// RoundTrip passes a request on, and looks at the answer.
func (c *coordinator) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Del("X-Trino-Query-Data-Encoding") // asks for segments
	if req.Method == http.MethodDelete {
		c.forget(path.Base(req.URL.Path)) // the client ends it
	}
	resp, err := c.transport.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusOK || !strings.HasPrefix(req.URL.Path, "/v1/statement") {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	if err := c.look(req, body); err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// look fails if the answer cannot be part of a whole one.
func (c *coordinator) look(req *http.Request, body []byte) error {
	var p page
	if err := json.Unmarshal(body, &p); err != nil {
		return fmt.Errorf("an answer of %d bytes is no page of Trino: %w", len(body), err)
	}
	failed := len(p.Error) > 0 && string(p.Error) != "null"
	switch {
	case p.ID == "":
		return fmt.Errorf("an answer of %d bytes has no id of a query", len(body))
	case p.NextURI != "" && !failed:
		if req.Method == http.MethodPost {
			c.began(req, p.ID)
		}
		return nil
	case !failed && p.Stats.State != "FINISHED":
		return fmt.Errorf("query %s ended in state %q without an error, so that rows may be missing", p.ID, p.Stats.State)
	}
	c.forget(p.ID)
	return nil
}

// began sees to it that a query ends with the context of its request, which
// the client derives from that of the caller and ends with the rows.
func (c *coordinator) began(req *http.Request, id string) {
	kill := sync.OnceFunc(func() {
		c.mu.Lock()
		_, runs := c.running[id]
		c.mu.Unlock()
		if runs {
			c.kill(req, id)
		}
	})
	c.mu.Lock()
	c.running[id] = kill
	c.mu.Unlock()
	context.AfterFunc(req.Context(), kill)
}

// forget is told that a query has ended.
func (c *coordinator) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.running, id)
}

// kill ends a query, as the user whose request began it. Trino ends it later
// itself if this does not come through.
func (c *coordinator) kill(began *http.Request, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(began.Context()), killTimeout)
	defer cancel()
	defer c.forget(id)
	at := *began.URL
	at.Path = "/v1/query/" + id
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, at.String(), nil)
	if err != nil {
		return
	}
	req.Header = began.Header.Clone()
	req.Header.Del("Content-Type")
	if resp, err := c.transport.RoundTrip(req); err == nil {
		resp.Body.Close()
	}
}

// Close kills what still runs, and waits for kills that are under way.
func (c *coordinator) Close() error {
	c.mu.Lock()
	kills := slices.Collect(maps.Values(c.running))
	c.mu.Unlock()
	for _, kill := range kills {
		kill()
	}
	c.transport.CloseIdleConnections()
	return nil
}
