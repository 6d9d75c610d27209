package server

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// followEvery is how often files are compared with what was read of them. They
// are small, and their content is compared, not their time: a cluster swaps
// mounted secrets by links.
const followEvery = 2 * time.Second

// followed is something that is read from files, and read again when they
// change.
type followed struct {
	name  string // in the log and the metrics
	paths []string
	load  func() error
	last  [sha256.Size]byte // of what was tried last, sound or not
}

// changed reports whether the files are other than when it was asked last.
func (f *followed) changed() bool {
	h := sha256.New()
	for _, path := range f.paths {
		text, err := os.ReadFile(path)
		fmt.Fprintf(h, "%d %s %v\n", len(text), text, err)
	}
	before := f.last
	copy(f.last[:], h.Sum(nil))
	return f.last != before
}

// follow reads changed files until ctx ends.
func (s *Server) follow(ctx context.Context) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.refresh()
		case <-ctx.Done():
			return
		}
	}
}

// refresh reads the files that have changed. What is in force stays so if they
// are not sound, which the log and a metric tell.
func (s *Server) refresh() {
	for _, f := range s.followed {
		if !f.changed() {
			continue
		}
		if err := f.load(); err != nil {
			s.metrics.reloadErrors.WithLabelValues(f.name).Inc()
			s.log.Error("changed files are not sound; those from before stay in force", "files", f.name, "error", err)
			continue
		}
		s.log.Info("changed files are in force", "files", f.name)
	}
}

// certificate is the TLS certificate in force.
type certificate struct {
	cert, key string
	current   atomic.Pointer[tls.Certificate]
}

// load reads the certificate again.
func (c *certificate) load() error {
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return fmt.Errorf("serve.tls_cert, serve.tls_key: %w", err)
	}
	c.current.Store(&pair)
	return nil
}

// config returns the settings of a listener. Package tls chooses versions (1.2
// and later) and ciphers well.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil }}
}
