package cli

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// healthcheckTimeout is below the interval at which containers are asked.
const healthcheckTimeout = 3 * time.Second

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
	// It asks this very machine, whose certificate names another host.
	client := http.Client{Timeout: healthcheckTimeout, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // see above
	request, err := http.NewRequestWithContext(c.Context, http.MethodGet, url+"/ready", nil)
	if err != nil {
		return usageError{err}
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("the server does not answer; is `churn serve` running?: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<12))
	if err != nil {
		return fmt.Errorf("the server does not answer: %w", err)
	}
	answer := strings.TrimSpace(string(body))
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the server is not ready: status %d: %s", response.StatusCode, answer)
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
