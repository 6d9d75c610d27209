package cli

import (
	"fmt"
	"net"
	"net/http"
	neturl "net/url"
	"strings"

	"github.com/urfave/cli/v2"

	"churn/internal/doctor"
)

func healthcheckCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:  "healthcheck",
		Usage: "ask the server of this machine whether it is ready, for a container without curl",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "url", Usage: "`URL` of the server (default: from serve.address)"},
		},
		Action: func(c *cli.Context) error { return s.healthcheck(c) },
	}
}

func (s *session) healthcheck(c *cli.Context) error {
	if err := s.load(c, nil); err != nil {
		return err
	}
	url := strings.TrimSuffix(c.String("url"), "/")
	if url == "" {
		url = s.baseURL(reachable(s.config.Serve.Address))
	}
	if _, err := neturl.Parse(url); err != nil {
		return usageError{err}
	}
	status, body, err := doctor.Ask(c.Context, url+"/ready")
	if err != nil {
		return fmt.Errorf("the server does not answer; is `churn serve` running?: %w", err)
	}
	answer := strings.TrimSpace(string(body))
	if status != http.StatusOK {
		return fmt.Errorf("the server is not ready: status %d: %s", status, answer)
	}
	_, err = fmt.Fprintln(s.stdout, answer)
	return err
}

// reachable returns an address to ask for one to listen on: that of all
// interfaces is this machine.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("localhost", port)
	}
	return address
}
