package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
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

func (s *session) serve(c *cli.Context) (err error) {
	if err := s.load(c, nil); err != nil {
		return err
	}
	r, err := s.registry(c.Context)
	if err != nil {
		return err
	}
	models := s.follower(r, registry.Production)
	users, dossiers := s.users(r), s.dossiers(models)
	o := server.Options{Params: s.config.Serve.Params, Models: models, Users: users, Dossiers: dossiers,
		Keys: s.variable(keysName), Now: s.now, Logger: s.log, Version: Version(), Listening: s.listening, Pages: s.pages(r), Monitoring: s.monitoring()}
	beside, err := s.openAside(c.Context, r, &o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, beside.close()) }()
	running, err := server.New(o)
	if err != nil {
		return configError{err} // before a model is loaded for nothing
	}
	models.Reload(c.Context) //nolint:errcheck // in its status and in the log; it goes on looking
	end := following(c.Context, append(beside.follows(s.ledgerFolders()),
		follows{models.Run, s.ledgerFolders()},
		follows{users.Run, []string{s.config.Paths.Predictions}},
		follows{dossiers.Run, []string{s.config.Paths.Processed}})...)
	defer end()
	return running.Run(c.Context)
}

// followPoll is how often the registry and the data are looked at, beside the
// hints that local folders give.
const followPoll = 5 * time.Second

// follows is something that looks for changes until its context ends.
type follows struct {
	run     func(ctx context.Context, poll time.Duration, folders []string)
	folders []string // whose changes are a hint
}

// following runs followers until end, also while the server drains: requests
// under way still ask them.
func following(ctx context.Context, all ...follows) (end func()) {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	for _, f := range all {
		running.Go(func() { f.run(ctx, followPoll, f.folders) })
	}
	return func() {
		stop()
		running.Wait()
	}
}

// reader names this process to the registry, from which it holds models.
func (s *session) reader() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("churn serve on %s, process %d, since %s", host, os.Getpid(), s.now().UTC().Format(time.RFC3339))
}

// follower follows an alias; only production never comes to point to nothing.
func (s *session) follower(r *registry.Registry, alias string) *serving.Follower {
	settings := func() serving.Settings {
		out := serving.Settings{Score: s.config.Score, Validate: s.config.Validate, Location: s.location, Now: s.now}
		if t, _, err := s.timelines(); err == nil {
			out.Span = &t.Header.Span
			t.Close()
		}
		return out
	}
	return serving.NewFollower(serving.FollowOptions{Alias: alias, MayEnd: alias != registry.Production, Versions: serving.RegistryVersions(r), Reader: s.reader(), Settings: settings, Now: s.now, Log: s.log})
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
