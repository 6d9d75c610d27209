// Package httpurl checks addresses of HTTP services that stand in settings.
package httpurl

import (
	"errors"
	"net/url"
)

// Check says what is wrong with an address; "" is none, and no fault. The error
// does not show the address: paths and queries of webhooks hold secrets.
func Check(address string) error {
	if address == "" {
		return nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("is not an address (it is not shown, as it may hold a secret); write http://… or https://…")
	}
	return nil
}
