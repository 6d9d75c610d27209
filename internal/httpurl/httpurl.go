// Package httpurl checks addresses of HTTP services that stand in settings.
package httpurl

import (
	"fmt"
	"net/url"
)

// Check says what is wrong with an address; "" is none, and no fault. The value
// of the error is without the address's query and password, which may be secret.
func Check(address string) error {
	if address == "" {
		return nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%q is not an address; write http://… or https://…", shown(u, address))
	}
	return nil
}

// shown returns what may be shown of an address.
func shown(u *url.URL, address string) string {
	if u == nil {
		return address // it has no parts that could be left out
	}
	u.RawQuery, u.Fragment = "", ""
	return u.Redacted()
}
