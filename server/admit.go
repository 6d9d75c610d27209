package server

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// admit lets a request through to its handler if its key, its client's rate,
// its origin and its size allow.
func (s *Server) admit(r route) echo.HandlerFunc {
	return func(c echo.Context) error {
		k := c.(*call)
		k.page = r.page
		err := s.authorise(k, r.scope)
		if !r.probe && s.limiter.limit > 0 {
			if wait := s.limiter.wait(limitedBy(k), k.started); wait > 0 {
				return Refuse(TooMany, "at most %v requests a second, %d at once", s.params.RateLimit, s.params.RateBurst).after(wait)
			}
		}
		if err != nil {
			return err
		}
		if s.origin.Check(k.Request()) != nil {
			return Refuse(Forbidden, "a page of another site sent this")
		}
		if err := s.limitBody(c); err != nil {
			return err
		}
		if err := r.queried(c); err != nil {
			return err
		}
		return r.handle(c)
	}
}

// queried refuses a query with names that the route does not have: one that is
// misspelt must not be passed over.
func (r *route) queried(c echo.Context) error {
	if c.Request().URL.RawQuery == "" || r.query == nil {
		return nil
	}
	expected := "no query"
	if len(r.query) > 0 {
		expected = "only " + strings.Join(r.query, ", ")
	}
	var faults Faults
	for _, name := range sortedKeys(c.QueryParams()) {
		if !slices.Contains(r.query, name) {
			faults = append(faults, Fault{Field: "?" + clip(name), Got: "a name that is not known", Expected: expected})
		}
	}
	if len(faults) > 0 {
		return faults
	}
	return nil
}

// authorise checks the key of a request against the scope of its route.
func (s *Server) authorise(k *call, scope Scope) error {
	keys := s.keys.inForce()
	switch {
	case scope == Public:
		return nil
	case len(keys) == 0 && scope != ScopeAdmin:
		return nil
	case len(keys) == 0:
		return Refuse(Forbidden, "this is never without a key, and the server has none; `churn key new NAME --scopes %s` makes one", ScopeAdmin)
	}
	secret := presented(k.Request())
	key, ok := find(keys, secret)
	switch {
	case !ok || key.expired(k.started):
		return refuseKey(k, secret, ok)
	case !key.allows(scope):
		k.client = key.Name
		return Refuse(Forbidden, "the key %s does not have the scope %s", key.Name, scope)
	}
	k.client, k.key = key.Name, &key
	return nil
}

// refuseKey says what kind of key is asked for (RFC 6750). Only who holds a key
// learns that it has expired.
func refuseKey(k *call, secret string, expired bool) error {
	challenge, detail := `Bearer realm="churn"`, "send one as Authorization: Bearer KEY, or as X-API-Key"
	switch {
	case expired:
		challenge, detail = challenge+`, error="invalid_token"`, "the key has expired"
	case secret != "":
		challenge, detail = challenge+`, error="invalid_token"`, "the key is not known"
	}
	header := k.Response().Header()
	header.Add(echo.HeaderWWWAuthenticate, challenge)
	if strings.Contains(k.Request().Header.Get(echo.HeaderAccept), echo.MIMETextHTML) {
		header.Add(echo.HeaderWWWAuthenticate, `Basic realm="churn: any name, a key as the password", charset="UTF-8"`)
	}
	return Refuse(Unauthorised, "%s", detail)
}

// presented returns the key that a request carries. A browser sends it as the
// password of basic authentication, since it can send nothing else.
func presented(r *http.Request) string {
	if key := r.Header.Get("X-API-Key"); key != "" {
		return key
	}
	scheme, value, _ := strings.Cut(r.Header.Get(echo.HeaderAuthorization), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(value)
	}
	_, password, _ := r.BasicAuth()
	return password
}

// limitedBy names whom the rate limit counts a request for: its key, else its
// address. A home has a whole /64 of IPv6 addresses, so that counts as one.
func limitedBy(k *call) string {
	if k.client != "" {
		return "key " + k.client
	}
	host := remoteHost(k.Request())
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() && !ip.Is4In6() {
		if prefix, err := ip.WithZone("").Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return host
}

// checkExposure refuses to answer a network without keys.
func (p *Params) checkExposure(keys []Key) error {
	if len(keys) > 0 || p.Insecure || loopback(p.Address) {
		return nil
	}
	return fmt.Errorf("serve.address: other machines can reach %s, and there are no API keys; make one with `churn key new NAME`, put its line into a file and name it with --set serve.keys_file=FILE (or into CHURN_API_KEYS); "+
		"or listen on 127.0.0.1; or set serve.insecure=true where a proxy in front checks who asks", p.Address)
}

// guardHost wraps the handler of a server that needs no keys because only this
// machine reaches it. A page in a browser of this machine can reach it too, by
// a name of its own that it lets resolve to 127.0.0.1 (DNS rebinding), so names
// other than localhost are refused.
func (s *Server) guardHost(next http.Handler) http.Handler {
	if s.params.Insecure || len(s.keys.inForce()) > 0 {
		return next
	}
	refuse := s.refusing(Misdirected, "without keys this server answers as localhost only; ask it by an address, or give it keys")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if localName(r.Host) {
			next.ServeHTTP(w, r)
			return
		}
		refuse(w, r)
	})
}

// localName reports whether a Host header is an address, or localhost.
func localName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || host == "" || strings.EqualFold(host, "localhost")
}
