package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/urfave/cli/v2"

	"churn/server"
)

func serveCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:   "serve",
		Usage:  "answer over HTTP with the model in production",
		Action: func(c *cli.Context) error { return s.serve(c) },
	}
}

func (s *session) serve(c *cli.Context) error {
	if err := s.load(c, nil); err != nil {
		return err
	}
	running, err := server.New(server.Options{Params: s.config.Serve, Models: waiting{}, Keys: s.variable(keysName), Now: s.now, Logger: s.log, Listening: s.listening})
	if err != nil {
		return configError{err}
	}
	return running.Run(c.Context)
}

// keysName is the variable with API keys, lines between semicolons. It is no
// setting: `churn config show` must not print it.
const keysName = "CHURN_API_KEYS"

// variable returns the value of a variable of the environment.
func (s *session) variable(name string) string {
	for _, e := range s.environ {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}

// serving says where the server listens.
type serving struct {
	URL     string `json:"url"`
	Metrics string `json:"metrics_url"`
}

// listening prints where the server listens: with port 0 nobody knows before.
func (s *session) listening(address, metrics net.Addr) {
	report := serving{URL: s.baseURL(address.String())}
	report.Metrics = report.URL + "/metrics"
	if metrics != nil {
		report.Metrics = "http://" + metrics.String() + "/metrics"
	}
	err := s.print(report, func(w io.Writer) {
		fmt.Fprintf(w, "listening on %s, metrics on %s\n", report.URL, report.Metrics)
	})
	if err != nil {
		s.log.Warn("print the address", "error", err)
	}
}

// baseURL returns the URL of the server at an address.
func (s *session) baseURL(address string) string {
	if s.config.Serve.TLSCert != "" {
		return "https://" + address
	}
	return "http://" + address
}

// waiting stands for the registry's follower until there is one.
type waiting struct{}

func (waiting) Current() server.Predictor    { return nil }
func (waiting) Status() server.ModelStatus   { return server.ModelStatus{} }
func (waiting) Reload(context.Context) error { return nil }
