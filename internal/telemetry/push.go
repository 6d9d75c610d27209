package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/push"
	"github.com/prometheus/common/expfmt"
)

// pushTimeout bounds one push.
const pushTimeout = 10 * time.Second

// Push puts the gauges on a Pushgateway in the place of those that the job
// pushed before. A user and a password in the address are sent as basic
// authentication; no error tells them, nor the path.
func (b *Batch) Push(ctx context.Context, address, job string) error {
	u, err := url.Parse(address)
	if err != nil {
		return errors.New("push the figures: the address cannot be read")
	}
	user := u.User
	u.User = nil
	p := push.New(u.String(), job).Client(&http.Client{Timeout: pushTimeout}).Format(expfmt.NewFormat(expfmt.TypeTextPlain))
	if user != nil {
		password, _ := user.Password()
		p = p.BasicAuth(user.Username(), password)
	}
	if b.registry != nil {
		p = p.Gatherer(b.registry)
	}
	if err := p.PushContext(ctx); err != nil {
		return fmt.Errorf("push the figures to %s: %s", u.Host, strings.ReplaceAll(err.Error(), strings.TrimSuffix(u.String(), "/"), u.Host))
	}
	return nil
}
