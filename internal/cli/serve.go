package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"churn/internal/serving"
	"churn/registry"
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
	r, err := s.registry(c.Context)
	if err != nil {
		return err
	}
	models := s.follower(r)
	models.Reload(c.Context) //nolint:errcheck // in its status and in the log; it goes on looking
	running, err := server.New(server.Options{Params: s.config.Serve, Models: models, Keys: s.variable(keysName), Now: s.now, Logger: s.log, Listening: s.listening,
		Monitoring: s.monitoring()})
	if err != nil {
		return configError{err}
	}
	ctx, stop := context.WithCancel(c.Context)
	defer stop()
	go models.Run(ctx, registryPoll, nil)
	return running.Run(c.Context)
}

// registryPoll is how often the registry is asked which model is in production.
const registryPoll = 5 * time.Second

// follower follows the alias production.
func (s *session) follower(r *registry.Registry) *serving.Follower {
	settings := func() serving.Settings {
		out := serving.Settings{Score: s.config.Score, Validate: s.config.Validate, Location: s.location, Now: s.now}
		if t, _, err := s.timelines(); err == nil {
			out.Span = &t.Header.Span
			t.Close()
		}
		return out
	}
	return serving.NewFollower(serving.FollowOptions{Alias: registry.Production, Versions: serving.RegistryVersions(r), Settings: settings, Now: s.now, Log: s.log})
}

// monitoring tells what the monitors, which run as jobs of their own, have left.
func (s *session) monitoring() server.Monitoring {
	return serving.NewMonitoring(s.config.Paths.Metrics, s.now, s.log)
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

// listens says where the server listens.
type listens struct {
	URL     string `json:"url"`
	Metrics string `json:"metrics_url"`
}

// listening prints where the server listens: with port 0 nobody knows before.
func (s *session) listening(address, metrics net.Addr) {
	report := listens{URL: s.baseURL(address.String())}
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
