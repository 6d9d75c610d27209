package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"churn/internal/atomicfile"
	"churn/server"
)

// Clock is what the clock of this machine is compared with.
type Clock struct {
	Now     func() time.Time
	Folder  string        // on the storage that machines share
	Lease   time.Duration // of locks in the registry, which other machines read
	Newest  time.Time     // of the files of results; zero = none
	File    string        // its path
	Move    time.Time     // last move of an alias; zero = none
	DataEnd string        // last day of the data, "" if it is not after today
}

// Limits of the clock. File systems date by a clock of their own, network ones by that of the
// server; a minute is more than any machine with a time service is off.
const (
	skewWarn   = 5 * time.Second
	futureWarn = time.Minute
)

// Look compares.
func (c Clock) Look() (out []Finding) {
	const sync = "set the clock by a time service (timedatectl set-ntp true), here and on the machines that share the storage"
	if at, err := standing(c.Folder); err == nil {
		if written, err := atomicfile.Probe(at); err == nil {
			out = append(out, c.skew(written.Sub(c.Now()), sync)...)
		}
	}
	now := c.Now()
	if ahead := c.Newest.Sub(now); !c.Newest.IsZero() && ahead > futureWarn {
		out = append(out, Warning(sync, "%s was changed %s in the future", c.File, ahead.Round(time.Second))...)
	}
	if ahead := c.Move.Sub(now); !c.Move.IsZero() && ahead > futureWarn {
		out = append(out, Failure(sync, "the last move of an alias in the registry is %s in the future: locks and history go by this clock", ahead.Round(time.Second))...)
	}
	if c.DataEnd != "" {
		out = append(out, Warning("check source.timezone and the clock; validate counts events of the future as faults", "the data ends on %s, which is after today", c.DataEnd)...)
	}
	if len(out) > 0 {
		return out
	}
	return Sound("%s, and the storage agrees", now.UTC().Format(time.RFC3339))
}

// skew judges how far the clock of the storage is ahead.
func (c Clock) skew(ahead time.Duration, do string) []Finding {
	off := ahead.Abs()
	switch {
	case off > c.Lease/2:
		return Failure(do, "the storage of %s is off by %s: retrain.lock_ttl = %s cannot keep two machines apart", c.Folder, off.Round(time.Second), c.Lease)
	case off > skewWarn:
		return Warning(do, "the storage of %s is off by %s", c.Folder, off.Round(time.Second))
	}
	return nil
}

// Port checks that a server can listen on an address, or that one of ours does. url is where
// it would answer; "" = it does not tell who it is.
func Port(ctx context.Context, key, address, url string) []Finding {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	other := fmt.Sprintf("choose another: --set %s=127.0.0.1:8081", key)
	switch {
	case err == nil:
		listener.Close()
		return Sound("%s %s is free", key, address)
	case !errors.Is(err, syscall.EADDRINUSE):
		return Failure(other, "%s: %v", key, err)
	case url == "":
		return Sound("%s %s is in use: by churn serve, if it runs", key, address)
	}
	return answering(ctx, key, address, url, other)
}

// answering asks who listens on an address that is taken.
func answering(ctx context.Context, key, address, url, other string) []Finding {
	h, err := health(ctx, url)
	switch {
	case err != nil:
		return Failure("stop it, or "+other, "%s %s is taken by something that is not churn serve: %v", key, address, err)
	case h.Status != "ok":
		return Warning("churn healthcheck; the log of churn serve says more", "churn serve answers on %s and is %s: %s", address, h.Status, h.Reason)
	}
	return Sound("churn serve answers on %s with model %s", address, h.Version)
}

// askTimeout is below the interval at which containers are asked.
const askTimeout = 3 * time.Second

// Ask asks a server of this very machine, whose certificate names another host.
func Ask(ctx context.Context, url string) (status int, body []byte, err error) {
	client := http.Client{Timeout: askTimeout, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // see above
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, 1<<16))
	return response.StatusCode, body, err
}

// health returns what a server says of its health.
func health(ctx context.Context, url string) (h server.Health, err error) {
	status, body, err := Ask(ctx, url+"/health")
	if err != nil {
		return h, err
	}
	if err := json.Unmarshal(body, &h); err != nil || h.Status == "" {
		return h, fmt.Errorf("it answers /health with status %d and no report of churn", status)
	}
	return h, nil
}

// soon is how long before its end a key or a certificate is told of.
const soon = 14 * 24 * time.Hour

// Keys checks the API keys. fixed are the lines of CHURN_API_KEYS.
func Keys(p server.Params, fixed string, now time.Time) (out []Finding) {
	const another = "churn key new NAME makes a key and its line for serve.keys_file"
	keys, err := p.Keys(fixed)
	if err != nil {
		return Failure(another, "%v", err)
	}
	for _, k := range keys {
		switch left := k.Expires.Sub(now); {
		case k.Expires.IsZero():
		case left <= 0:
			out = append(out, Warning(another+"; take the old line out", "the key of %s expired on %s", k.Name, k.Expires.Format(time.DateOnly))...)
		case left < soon:
			out = append(out, Warning(another, "the key of %s expires on %s", k.Name, k.Expires.Format(time.DateOnly))...)
		}
	}
	out = append(out, private("serve.keys_file", p.KeysFile, 0o022, "may be changed by others: who writes it lets himself in")...)
	switch {
	case len(out) > 0:
		return out
	case len(keys) == 0 && p.Insecure:
		return Sound("none: serve.insecure is set, so that a proxy in front must check who asks")
	case len(keys) == 0:
		return Sound("none: only this machine can ask")
	}
	return Sound("%d in force", len(keys))
}

// private warns of a file whose rights allow what the mask names.
func private(key, path string, mask fs.FileMode, why string) []Finding {
	info, err := os.Stat(path)
	if path == "" || err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&mask == 0 {
		return nil
	}
	return Warning("chmod go-rwx "+path, "%s %s %s (mode %04o)", key, path, why, info.Mode().Perm())
}

// TLS checks the certificate of the server.
func TLS(cert, key string, now time.Time) []Finding {
	const renew = "renew the certificate and put it into the files of serve.tls_cert and serve.tls_key, which the server reads again by itself"
	if cert == "" {
		return Sound("off: the server answers over plain HTTP")
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return Failure("name a PEM certificate and its key in serve.tls_cert and serve.tls_key", "%v", err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	switch {
	case err != nil:
		return Failure(renew, "%s: %v", cert, err)
	case now.Before(leaf.NotBefore):
		return Failure("check the clock, or use a certificate that is valid now", "%s is valid from %s on", cert, leaf.NotBefore.Format(time.DateOnly))
	case !now.Before(leaf.NotAfter):
		return Failure(renew, "%s has expired on %s", cert, leaf.NotAfter.Format(time.DateOnly))
	case leaf.NotAfter.Sub(now) < soon:
		return Warning(renew, "%s expires on %s", cert, leaf.NotAfter.Format(time.DateOnly))
	}
	if found := private("serve.tls_key", key, 0o044, "can be read by others"); found != nil {
		return found
	}
	return Sound("certificate of %s, to %s", strings.Join(leaf.DNSNames, ", "), leaf.NotAfter.Format(time.DateOnly))
}
