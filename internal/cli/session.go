package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/user"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"churn/internal/config"
	"churn/internal/table"
	"churn/internal/workspace"
	"churn/pipeline"
	"churn/registry"
	"churn/registry/store"
)

// session is what the commands of one run share.
type session struct {
	args           []string // as typed
	stdout, stderr io.Writer
	environ        []string
	globals        []string         // flags of a child with the same settings
	now            func() time.Time // of the machine
	stamp          func() time.Time // for records; fixed by SOURCE_DATE_EPOCH

	config   *config.Loaded
	files    *workspace.Workspace
	location *time.Location
	log      *slog.Logger
	json     bool
	bars     bool
	asOf     pipeline.Date      // of --as-of, NoDate if not given
	models   *registry.Registry // opened at the first need
	warm     *string            // version that training starts from, "" = none; nil = as train.warm_start says
}

// open prepares the session for the given settings.
func (s *session) open(loaded *config.Loaded) error {
	s.config = loaded
	location, err := loaded.Source.Location()
	if err != nil {
		return configError{err}
	}
	s.location = location
	s.files = &workspace.Workspace{Paths: loaded.Paths, Format: table.Format(loaded.Data.Format), Version: Version(), Code: sync.OnceValue(codeDigest), Clock: s.stamp}
	// A lazy collector is the faster one (measured: a tenth of the data path), and
	// the limit makes it eager again where memory runs short; that the live heap
	// stays below the limit is the stages' business.
	debug.SetGCPercent(200)
	// The limit leaves a fifth to what the collector does not count: the program
	// itself, stacks, and pages that the system has not taken back yet.
	debug.SetMemoryLimit(loaded.Prepare.MemoryBytes() / 5 * 4)
	return nil
}

// epochName is the variable by which builds and runs are made reproducible to
// the byte: seconds since 1970 that records show instead of the time of day
// (reproducible-builds.org/specs/source-date-epoch).
const epochName = "SOURCE_DATE_EPOCH"

// openClock chooses the time that records show.
func (s *session) openClock() error {
	s.stamp = s.now
	for _, e := range s.environ {
		text, ok := strings.CutPrefix(e, epochName+"=")
		if !ok || text == "" {
			continue
		}
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil || seconds < 0 {
			return configError{fmt.Errorf("%s: %q is not a number of seconds since 1970", epochName, text)}
		}
		s.stamp = func() time.Time { return time.Unix(seconds, 0).UTC() }
	}
	return nil
}

func (s *session) openLog(c *cli.Context) error {
	terminal := isTerminal(s.stderr)
	level := slog.LevelInfo
	switch name := c.String("log-level"); name {
	case "auto":
		if terminal {
			level = slog.LevelWarn
		}
	case "debug", "info", "warn", "error":
		if err := level.UnmarshalText([]byte(name)); err != nil {
			return usageError{err}
		}
	default:
		return usageError{fmt.Errorf("--log-level %q is unknown; use debug, info, warn, error or auto", name)}
	}
	options := &slog.HandlerOptions{Level: level}
	switch format := c.String("log-format"); format {
	case "auto", "text":
		s.log = slog.New(slog.NewTextHandler(s.stderr, options))
	case "json":
		s.log = slog.New(slog.NewJSONHandler(s.stderr, options))
	default:
		return usageError{fmt.Errorf("--log-format %q is unknown; use auto, text or json", format)}
	}
	switch p := c.String("progress"); p {
	case "auto":
		s.bars = terminal
	case "never":
	default:
		return usageError{fmt.Errorf("--progress %q is unknown; use auto or never", p)}
	}
	return nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// progress returns a function that draws a bar for a stage, or does nothing
// where nobody looks.
func (s *session) progress(stage string) (update func(done, total int64), end func()) {
	if !s.bars {
		return nil, func() {}
	}
	bar := progressbar.NewOptions64(100, progressbar.OptionSetWriter(s.stderr), progressbar.OptionSetDescription(fmt.Sprintf("%-9s", stage)),
		progressbar.OptionSetWidth(30), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetElapsedTime(true), progressbar.OptionSetPredictTime(true))
	update = func(done, total int64) {
		if total > 0 {
			bar.Set64(min(done*100/total, 99)) //nolint:errcheck // a bar that cannot be drawn is no fault
		}
	}
	return update, func() { bar.Finish() } //nolint:errcheck // likewise
}

// registry opens the place where models are kept.
func (s *session) registry(ctx context.Context) (r *registry.Registry, err error) {
	if s.models == nil {
		s.models, err = registry.Open(ctx, cmp.Or(s.config.Registry.URL, s.config.Paths.Registry))
	}
	return s.models, err
}

// actor says who moves aliases.
func (s *session) actor() string {
	if name := s.config.Registry.Actor; name != "" {
		return name
	}
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

// stage runs one stage with its progress bar and log lines.
func (s *session) stage(ctx context.Context, name string, run func(ctx context.Context, progress func(done, total int64)) error) error {
	started := s.now()
	s.log.Info("stage started", "stage", name)
	update, end := s.progress(name)
	err := run(ctx, update)
	end()
	if err != nil {
		s.log.Info("stage failed", "stage", name)
		return err
	}
	s.log.Info("stage finished", "stage", name, "seconds", s.now().Sub(started).Seconds())
	return nil
}

// print writes the report of a command: as JSON, or as people read it.
func (s *session) print(report any, human func(io.Writer)) error {
	if !s.json {
		human(s.stdout)
		return nil
	}
	e := json.NewEncoder(s.stdout)
	e.SetIndent("", "  ")
	return e.Encode(report)
}

// locked runs f while no other process writes into the workspace.
func (s *session) locked(f func() error) error { return s.lockedBy(s.files.Lock, f) }

// lockedBy is locked with the given way to take the lock.
func (s *session) lockedBy(lock func() (release func(), err error), f func() error) error {
	release, err := lock()
	if err != nil {
		return err
	}
	defer release()
	if err := store.Sweep(s.config.Paths.Registry); err != nil {
		return err
	}
	return f()
}

// dated makes the action of a command with --as-of that writes into the
// workspace.
func (s *session) dated(run func(*cli.Context) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		if err := s.loadDated(c); err != nil {
			return err
		}
		return s.locked(func() error { return run(c) })
	}
}

// loadDated is load for a command with --as-of.
func (s *session) loadDated(c *cli.Context) error {
	if err := s.load(c, nil); err != nil {
		return err
	}
	return s.parseAsOf(c)
}

// asOfFlag is the flag of all commands to which a date matters.
func asOfFlag() cli.Flag {
	return &cli.StringFlag{Name: "as-of", Usage: "use what was known at the end of `DATE` (default: the last day of the data)"}
}

func (s *session) parseAsOf(c *cli.Context) error {
	s.asOf = pipeline.NoDate
	text := c.String("as-of")
	if text == "" {
		return nil
	}
	d, err := pipeline.ParseDate(text)
	if err != nil {
		return usageError{fmt.Errorf("--as-of: %w", err)}
	}
	s.asOf = d
	return nil
}

// asOfWithin returns the as-of date, which must lie within the data: after its
// end everybody would look silent.
func (s *session) asOfWithin(span pipeline.Span) (pipeline.Date, error) {
	switch {
	case s.asOf == pipeline.NoDate:
		return span.Last, nil
	case s.asOf < span.First || s.asOf > span.Last:
		return 0, usageError{fmt.Errorf("--as-of %s lies outside the data, which runs from %s to %s", s.asOf, span.First, span.Last)}
	}
	return s.asOf, nil
}
