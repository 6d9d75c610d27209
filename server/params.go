package server

import (
	"errors"
	"fmt"
	"net"
	"time"

	"churn/internal/size"
)

// Params are the settings of the server.
type Params struct {
	Address           string        `mapstructure:"address"`             // host:port; port 0 = any free one
	TLSCert           string        `mapstructure:"tls_cert"`            // PEM file; "" = no TLS
	TLSKey            string        `mapstructure:"tls_key"`             // PEM file
	ReadHeaderTimeout time.Duration `mapstructure:"read_header_timeout"` // from a connection's first moment to the end of a request's header
	ReadTimeout       time.Duration `mapstructure:"read_timeout"`        // to the end of its body
	WriteTimeout      time.Duration `mapstructure:"write_timeout"`       // from the end of the header to the end of the answer
	IdleTimeout       time.Duration `mapstructure:"idle_timeout"`        // between two requests of a connection
	MaxHeader         string        `mapstructure:"max_header"`          // size of a request's header
	MaxBody           string        `mapstructure:"max_body"`            // size of a request's body
	MaxConnections    int           `mapstructure:"max_connections"`     // open at a time; more wait to be accepted
	DrainDelay        time.Duration `mapstructure:"drain_delay"`         // from not ready to no new connections
	DrainTimeout      time.Duration `mapstructure:"drain_timeout"`       // for requests under way, after it
	Strict            bool          `mapstructure:"strict"`              // unknown features and impossible values are faults, not warnings
	KeysFile          string        `mapstructure:"keys_file"`           // of API keys; "" = those of the environment
	Insecure          bool          `mapstructure:"insecure"`            // answer a network without keys
	RateLimit         float64       `mapstructure:"rate_limit"`          // requests a second and client; 0 = no limit
	RateBurst         int           `mapstructure:"rate_burst"`          // at once
	MetricsAddress    string        `mapstructure:"metrics_address"`     // of /metrics and /debug/pprof; "" = /metrics beside the rest, no pprof
	AccessLog         bool          `mapstructure:"access_log"`          // a line a request
}

// Defaults returns the built-in settings.
func Defaults() Params {
	return Params{
		Address:           "127.0.0.1:8080",
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeader:         "32KiB",
		MaxBody:           "4MiB",
		MaxConnections:    16384,
		DrainDelay:        time.Second,
		DrainTimeout:      20 * time.Second,
		RateBurst:         50,
		AccessLog:         true,
	}
}

// Validate returns all faults, each with its key.
func (p Params) Validate() error {
	errs := []error{checkAddress("serve.address", p.Address), checkSize("serve.max_header", p.MaxHeader), checkSize("serve.max_body", p.MaxBody)}
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	if p.MetricsAddress != "" {
		errs = append(errs, checkAddress("serve.metrics_address", p.MetricsAddress))
	}
	bad((p.TLSCert == "") != (p.TLSKey == ""), "serve.tls_cert, serve.tls_key: name both files, or neither")
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"read_header_timeout", p.ReadHeaderTimeout}, {"read_timeout", p.ReadTimeout}, {"write_timeout", p.WriteTimeout}, {"idle_timeout", p.IdleTimeout}, {"drain_timeout", p.DrainTimeout}} {
		bad(d.value <= 0, "serve.%s: %v is out of range; use more than 0s", d.key, d.value)
	}
	bad(p.ReadTimeout < p.ReadHeaderTimeout, "serve.read_timeout: %v ends before serve.read_header_timeout, %v", p.ReadTimeout, p.ReadHeaderTimeout)
	bad(p.WriteTimeout <= p.ReadTimeout, "serve.write_timeout: %v leaves no time to answer after serve.read_timeout, %v", p.WriteTimeout, p.ReadTimeout)
	bad(p.DrainDelay < 0, "serve.drain_delay: %v is out of range; use 0s or more", p.DrainDelay)
	bad(p.MaxConnections < 1, "serve.max_connections: %d is out of range; use 1 or more", p.MaxConnections)
	bad(!(p.RateLimit >= 0), "serve.rate_limit: %v is out of range; use requests a second, or 0 for no limit", p.RateLimit)
	bad(p.RateBurst < 1, "serve.rate_burst: %d is out of range; use 1 or more", p.RateBurst)
	return errors.Join(errs...)
}

func checkAddress(key, address string) error {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return fmt.Errorf("%s: %q is not an address; write host:port, such as 127.0.0.1:8080", key, address)
	}
	return nil
}

func checkSize(key, text string) error {
	n, err := size.Parse(text)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", key, err)
	case n < 1<<10:
		return fmt.Errorf("%s: %s is too small; use 1KiB or more", key, text)
	}
	return nil
}

// loopback reports whether only this machine can reach an address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
