package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/urfave/cli/v2"

	"churn/internal/doctor"
	"churn/pipeline"
	"churn/pipeline/source"
	"churn/pipeline/validate"
	"churn/pipeline/warehouse"
)

func doctorCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "look at settings, folders, disk, data, models, clock, port and keys, and say what to do",
		Description: "Looks before something fails, and leaves everything as it was. Exit code 0 where nothing fails (warnings do not count), 1 where something does, 78 where the settings cannot be used.\n" +
			"The registry is read whole, as by registry verify.",
		Action: func(c *cli.Context) error { return s.doctor(c) },
	}
}

func (s *session) doctor(c *cli.Context) error {
	var wrong configError
	err := s.load(c, nil)
	if errors.As(err, &wrong) {
		return errors.Join(s.printDoctor(settingsReport(wrong)), err)
	}
	if err != nil {
		return err
	}
	s.asOf = pipeline.NoDate
	report := doctor.Examine(c.Context, s.checks())
	return errors.Join(s.printDoctor(report), report.Err())
}

// settingsReport is the report where the settings cannot be used: nothing else can be
// looked at.
func settingsReport(wrong configError) doctor.Report {
	return doctor.Examine(context.Background(), []doctor.Check{{Name: "config", Look: func(context.Context) (out []doctor.Finding) {
		for _, line := range strings.Split(wrong.Error(), "\n") {
			out = append(out, doctor.Failure("correct the setting; churn config show lists all keys where they can be read", "%s", line)...)
		}
		return out
	}}})
}

// checks are what doctor looks at, in the order in which trouble at one explains
// trouble at the next.
func (s *session) checks() []doctor.Check {
	var model doctor.Model
	span, _, noData := s.span()
	pure := func(look func() []doctor.Finding) func(context.Context) []doctor.Finding {
		return func(context.Context) []doctor.Finding { return look() }
	}
	return []doctor.Check{
		{Name: "config", Look: pure(s.lookConfig)},
		{Name: "folders", Look: pure(func() []doctor.Finding { return doctor.Folders(s.writtenFolders()) })},
		{Name: "disk", Look: pure(s.lookDisk)},
		{Name: "data", Look: s.lookData},
		{Name: "freshness", Look: pure(func() []doctor.Finding { return s.lookFreshness(span, noData) })},
		{Name: "registry", Look: func(ctx context.Context) (out []doctor.Finding) {
			model, out = s.lookRegistry(ctx)
			return out
		}},
		{Name: "model", Look: pure(func() []doctor.Finding {
			return doctor.Age(model, s.lastDay(span, noData), s.config.Retrain.MaxAgeDays)
		})},
		{Name: "lock", Look: s.lookLock},
		{Name: "clock", Look: pure(func() []doctor.Finding { return s.lookClock(model, span, noData) })},
		{Name: "port", Look: s.lookPort},
		{Name: "keys", Look: pure(func() []doctor.Finding {
			return doctor.Keys(s.config.Serve.Params, s.variable(keysName), s.now())
		})},
		{Name: "tls", Look: pure(func() []doctor.Finding {
			return doctor.TLS(s.config.Serve.TLSCert, s.config.Serve.TLSKey, s.now())
		})},
		{Name: "log", Look: pure(s.lookLog)},
		{Name: "leftovers", Look: pure(s.lookLeftovers)},
		{Name: "alarms", Look: pure(func() []doctor.Finding {
			book, err := s.alarms().Read()
			return doctor.Alarms(book, err, s.now())
		})},
	}
}

func (s *session) lookConfig() []doctor.Finding {
	file := s.config.File
	if file == "" {
		file = "built-in defaults, no config.yaml here"
	}
	return doctor.Sound("%d keys, from %s", len(s.config.Entries), file)
}

// writtenFolders are those that commands write into.
func (s *session) writtenFolders() []doctor.Folder {
	p := s.config.Paths
	all := []doctor.Folder{{Key: "paths.data", Path: p.Data}, {Key: "paths.artifacts", Path: p.Artifacts}, {Key: "paths.processed", Path: p.Processed}, {Key: "paths.features", Path: p.Features},
		{Key: "paths.predictions", Path: p.Predictions}, {Key: "paths.metrics", Path: p.Metrics}, {Key: "paths.reports", Path: p.Reports}, {Key: "paths.cache", Path: p.Cache}}
	if s.config.Registry.URL == "" {
		all = append(all, doctor.Folder{Key: "paths.registry", Path: p.Registry})
	}
	return all
}

func (s *session) lookDisk() []doctor.Finding {
	p := s.config.Paths
	var raw int64
	if files, err := source.Find(s.config.Source, p.Raw); err == nil {
		raw = doctor.RawSize(slices.Concat(files.Users, files.Events))
	}
	return doctor.Disk([]string{p.Data, p.Artifacts}, doctor.Needs(raw, doctor.Size(p.Processed, p.Features)), doctor.DiskUsage)
}

// lookData looks for the raw data and what was prepared from it.
func (s *session) lookData(ctx context.Context) []doctor.Finding {
	if s.config.Source.InDatabase() {
		found := s.lookTables(ctx)
		if found[0].Status != doctor.OK {
			return found
		}
		return append(found, s.lookPrepared(source.Files{})...)
	}
	files, noRaw := source.Find(s.config.Source, s.config.Paths.Raw)
	named := s.config.Source.Users != "" || s.config.Source.Events != ""
	switch {
	case noRaw != nil && named:
		return doctor.Failure("correct source.users and source.events", "%v", noRaw)
	case noRaw != nil:
		return doctor.Warning("churn run-all simulates a portal; yours: --set source.users=FILE --set source.events=FILE", "there is no raw data in %s", s.config.Paths.Raw)
	}
	return s.lookPrepared(files)
}

// lookTables looks whether the database lets itself be read as prepare reads it.
func (s *session) lookTables(ctx context.Context) []doctor.Finding {
	ctx, cancel := context.WithTimeout(ctx, databaseWait)
	defer cancel()
	rules := validate.WarehouseRules(validate.Input{Location: s.location, Vocabulary: s.vocabulary(), Today: s.today()}, s.config.Validate)
	db, err := warehouse.Open(ctx, s.config.Source, rules)
	if err != nil {
		return doctor.Failure("correct source.* (docs/engines.md)", "%v", err)
	}
	users, events := db.Places()
	if err := errors.Join(db.TryScratch(ctx), db.Close()); err != nil {
		return doctor.Failure("correct source.* (docs/engines.md)", "%v", err)
	}
	return doctor.Sound("%s and %s have the columns that are needed, and can be read", users, events)
}

// databaseWait is how long doctor waits for a database to tell its columns.
const databaseWait = 20 * time.Second

// lookPrepared looks for what was prepared from the raw data; files are none of a
// database.
func (s *session) lookPrepared(files source.Files) []doctor.Finding {
	t, _, err := s.timelines()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return doctor.Warning("churn run-all (or churn prepare)", "there is raw data, and nothing is prepared from it yet")
	case err != nil:
		return doctor.Failure("churn prepare", "%v", err)
	}
	defer t.Close()
	prepared, err := os.Stat(s.files.Timelines().Path)
	if path, changed := doctor.Latest(slices.Concat(files.Users, files.Events)); err == nil && changed.After(prepared.ModTime()) {
		return doctor.Warning("churn run-all (or churn prepare)", "%s was changed after the data was prepared", path)
	}
	return doctor.Sound("%s users, %s to %s, prepared with the present settings", thousands(int64(t.Header.Users)), t.Header.Span.First, t.Header.Span.Last)
}

// lastDay is the last day that should be in the data, whole.
func (s *session) lastDay(span pipeline.Span, noData error) pipeline.Date {
	if noData == nil && s.simulated() {
		return span.Last
	}
	return s.today() - 1
}

func (s *session) lookFreshness(span pipeline.Span, noData error) []doctor.Finding {
	if noData != nil {
		return doctor.Sound("not looked at without prepared data that can be used")
	}
	h := s.config.Monitor.Health
	return doctor.Freshness(span.Last, s.lastDay(span, noData), h.FreshnessWarnDays, h.FreshnessFailDays)
}

func (s *session) lookRegistry(ctx context.Context) (m doctor.Model, out []doctor.Finding) {
	m.AsOf = pipeline.NoDate
	r, err := s.registry(ctx)
	if err != nil {
		return m, doctor.Failure("correct registry.url or paths.registry", "%v", err)
	}
	return doctor.Registry(ctx, r, answers)
}

func (s *session) lookLock(ctx context.Context) []doctor.Finding {
	r, err := s.registry(ctx)
	if err != nil {
		return doctor.Sound("not looked at: the registry cannot be opened")
	}
	return doctor.Lock(r.LeaseHolder(ctx, leaseName, s.now()))
}

func (s *session) lookClock(m doctor.Model, span pipeline.Span, noData error) []doctor.Finding {
	p := s.config.Paths
	c := doctor.Clock{Now: s.now, Folder: p.Artifacts, Lease: s.config.Retrain.LockTTL, Move: m.Moved}
	c.File, c.Newest = doctor.Newest([]string{p.Raw, p.Processed, p.Features, p.Predictions, p.Metrics, p.Reports})
	if noData == nil && !s.simulated() && span.Last > s.today() {
		c.DataEnd = span.Last.String()
	}
	return c.Look()
}

// lookPort looks at the addresses of the server.
func (s *session) lookPort(ctx context.Context) []doctor.Finding {
	p := s.config.Serve
	out := doctor.Port(ctx, "serve.address", p.Address, s.baseURL(reachable(p.Address)))
	if p.MetricsAddress != "" {
		out = append(out, doctor.Port(ctx, "serve.metrics_address", p.MetricsAddress, "")...)
	}
	return out
}

func (s *session) lookLog() []doctor.Finding {
	if s.config.Serve.Log.Sample == 0 {
		return doctor.Sound("off: serve.log.sample = 0 keeps no predictions")
	}
	folder := doctor.Folder{Key: "serve.log.folder", Path: s.logFolder()}
	if found := doctor.Folders([]doctor.Folder{folder}); found[0].Status != doctor.OK {
		return found
	}
	return doctor.Sound("%s can be written", folder.Path)
}

func (s *session) lookLeftovers() []doctor.Finding {
	p := s.config.Paths
	return doctor.Leftovers([]string{p.Raw, p.Processed, p.Features, p.Predictions, p.Metrics, p.Reports, p.Registry}, s.files.Shards(), func() bool {
		return busy(p.Data) || busy(p.Artifacts)
	})
}

// busy reports whether a process is writing into a folder of the workspace. It asks
// only where a lock was made before, and holds it for no longer than the question takes.
func busy(dir string) bool {
	path := dir + "/.lock"
	if _, err := os.Stat(path); err != nil {
		return false
	}
	lock := flock.New(path)
	free, err := lock.TryRLock()
	if free {
		lock.Unlock() //nolint:errcheck // the lock ends with the process anyway
	}
	return err == nil && !free
}

func (s *session) printDoctor(r doctor.Report) error {
	return s.print(r, func(w io.Writer) {
		fmt.Fprintf(w, "doctor    %s: %d ok, %d warn, %d fail\n", r.Status, r.Count(doctor.OK), r.Count(doctor.Warn), r.Count(doctor.Fail))
		for _, f := range r.Findings {
			fmt.Fprintf(w, "  %-4s  %-9s  %s\n", f.Status, f.Check, f.Found)
			if f.Do != "" {
				fmt.Fprintf(w, "                   → %s\n", f.Do)
			}
		}
	})
}
