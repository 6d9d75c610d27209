package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"churn/internal/config"
	"churn/internal/workspace"
	"churn/model/profile"
	"churn/pipeline"
	"churn/pipeline/dataset"
	"churn/pipeline/monitor"
	"churn/pipeline/prepare"
	"churn/pipeline/score"
	"churn/registry"
)

// The reports of the monitors.
const (
	reportDrift  = "data_drift"
	reportScores = "score_proxy"
)

func monitorCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:  "monitor",
		Usage: "watch what the model in production meets: exit code 2 if somebody must look",
		Subcommands: []*cli.Command{
			{Name: "drift", Usage: "compare the users of a date with those that the model knows, and with those of the weeks before", Flags: driftFlags(), Action: s.monitored(s.monitorDrift),
				Description: "Exit code 0: OK or WARN; 2: FAIL; 1: there is nothing to compare, and the reason.\n" +
					"With --profile seed it is the drift report of the original course."},
			{Name: "scores", Usage: "describe the scores of a date against what the model's training led to expect, and over time", Flags: scoresFlags(), Action: s.monitored(s.monitorScores)},
			performanceCommand(s),
			healthMonitor(s), allMonitors(s), monitorReportCommand(s), alarmsCommand(s), silenceCommand(s), unsilenceCommand(s),
		},
	}
}

func scoresFlags() []cli.Flag {
	return []cli.Flag{asOfFlag(),
		aliasFlag("watch `VERSION|ALIAS`"),
		&choice{&cli.StringFlag{Name: "reference", Value: monitor.RefTraining, Usage: "compare with `WHAT`: " + monitor.RefTraining + ", or " + monitor.RefSeason}, []string{monitor.RefTraining, monitor.RefSeason}},
	}
}

func driftFlags() []cli.Flag {
	return append(scoresFlags(),
		&choice{&cli.StringFlag{Name: "source", Value: sourceData, Usage: "watch the users in `WHAT`: data, at an as-of date, or log, those of whom the server was asked (serve.log.sample)"}, []string{sourceData, sourceLog}},
		&cli.StringFlag{Name: "from", Usage: "of the log: first `DATE` (default: the seventh day up to --to)"},
		&cli.StringFlag{Name: "to", Usage: "of the log: last `DATE` (default: today)"},
		&cli.StringFlag{Name: "backtest", Usage: "replay `FROM..TO`, every features.every_days, and count the alarms that the present limits would have raised"})
}

// watching says what a monitor is to look at.
type watching struct {
	model     string
	reference string
	backtest  *period
	log       *period // of predictions; nil: the data is watched
}

// monitored makes the action of a monitor.
func (s *session) monitored(run func(ctx context.Context, q watching) error) cli.ActionFunc {
	return s.dated(func(c *cli.Context) (err error) {
		q := watching{model: c.String("model"), reference: c.String("reference")}
		if q.reference != monitor.RefTraining && q.reference != monitor.RefSeason {
			return usageError{fmt.Errorf("--reference %q is unknown; use %s or %s", q.reference, monitor.RefTraining, monitor.RefSeason)}
		}
		if q.log, err = s.loggedPeriod(c); err != nil {
			return err
		}
		if text := c.String("backtest"); text != "" {
			if q.backtest, err = parseRange("backtest", text); err != nil {
				return err
			}
			if c.IsSet("as-of") || q.log != nil {
				return usageError{errors.New("--backtest excludes --as-of and --source log: it replays the data, by dates of its own")}
			}
		}
		return run(c.Context, q)
	})
}

// parseRange reads FROM..TO.
func parseRange(flag, text string) (*period, error) {
	from, to, ok := strings.Cut(text, "..")
	p, errs := period{}, make([]error, 2)
	p.from, errs[0] = pipeline.ParseDate(from)
	p.to, errs[1] = pipeline.ParseDate(to)
	if !ok || errors.Join(errs...) != nil || p.from > p.to {
		return nil, usageError{fmt.Errorf("--%s %q: write two dates, the earlier one first: 2025-07-01..2025-12-31", flag, text)}
	}
	return &p, nil
}

// watched is a model with what is needed to watch it.
type watched struct {
	version  *registry.Version
	model    *score.Model
	training *profile.Reference
	watch    *monitor.Watch
	inputs   []pipeline.FileState
	span     pipeline.Span // of the data; none where the log is watched
}

// toWatch loads a model and the profile of its training.
func (s *session) toWatch(ctx context.Context, name string) (w watched, err error) {
	if w.version, err = s.version(ctx, name); err != nil {
		return w, err
	}
	if w.model, err = modelOf(w.version); err != nil {
		return w, err
	}
	if w.training, err = profileOf(w.version); err != nil {
		return w, err
	}
	if w.training == nil {
		return w, fmt.Errorf("model %s was registered without a profile of its training rows, so that there is nothing to compare with; run `churn train` again", w.version.Version)
	}
	w.inputs = []pipeline.FileState{versionState(w.version.Manifest)}
	return w, nil
}

// watchModel loads a model and the cohorts of the days that a check of the given
// dates looks at.
func (s *session) watchModel(ctx context.Context, name string, dates ...pipeline.Date) (w watched, err error) {
	if w, err = s.toWatch(ctx, name); err != nil {
		return w, err
	}
	var cohorts *dataset.Unlabelled
	err = s.stage(ctx, "monitor", func(ctx context.Context, progress func(done, total int64)) error {
		return s.withTimelines(func(t *prepare.Timelines) (err error) {
			w.span = t.Header.Span
			cohorts, err = dataset.Cohorts(ctx, t, definitionOf(w.model), s.daysToWatch(dates, w.span.First, w.version.AsOf), s.config.Train.MaxRows, progress)
			return err
		})
	})
	if err != nil {
		return w, err
	}
	state, err := s.files.State(s.files.Timelines())
	w.inputs = append(w.inputs, state)
	rows := monitor.Rows{Frame: &cohorts.Frame, User: cohorts.User, Day: cohorts.AsOf, Sampled: cohorts.Sampled}
	w.watch = monitor.NewWatch(w.model, rows, 1, s.config.Monitor)
	return w, err
}

// reference returns what the users of a date are compared with.
func (w *watched) reference(kind string, asOf pipeline.Date) (*monitor.Reference, error) {
	if kind == monitor.RefSeason {
		r, err := w.watch.Season(asOf)
		if err == nil && w.span.Last != 0 {
			err = r.Young(w.watch.SeasonFrom(asOf), w.span.First, w.model.Spec.Features)
		}
		return r, err
	}
	return w.watch.Training(w.training, w.version.AsOf)
}

// hindsight returns the last day of the model's data where that is later than the
// as-of date.
func (w *watched) hindsight(asOf pipeline.Date) pipeline.Date {
	if w.version.AsOf > asOf {
		return w.version.AsOf
	}
	return 0
}

// monitorBasis returns what decides the outputs of a monitor.
func (s *session) monitorBasis(w watched, q watching, asOf pipeline.Date) workspace.Basis {
	source := sourceData
	if q.log != nil {
		source = sourceLog + q.log.suffix()
	}
	return workspace.Basis{Inputs: w.inputs,
		Settings: []pipeline.Setting{workspace.Setting("monitor", s.config.Monitor), workspace.Setting("train.max_rows", s.config.Train.MaxRows),
			workspace.Setting("--reference", q.reference), workspace.Setting("--source", source), workspace.Setting("--as-of", asOf)}}
}

// keepReport writes a report of a date twice: as the latest one and by its date.
func (s *session) keepReport(name string, report any, rows int, asOf pipeline.Date, basis workspace.Basis) error {
	writing := s.files.Begin(name)
	return errors.Join(writing.Report(fmt.Sprintf("%s_%s", name, asOf), report, int64(rows)), writing.Report(name+"_latest", report, int64(rows)),
		writing.End(s.files.Metrics(name+"_latest"), basis, nil))
}

// unlessFew turns too few rows into what is to be done.
func unlessFew(err error, rows int, asOf pipeline.Date) error {
	if !errors.Is(err, profile.ErrFewRows) {
		return err
	}
	if rows == 0 {
		return fmt.Errorf("nobody was at risk on %s, so that there is nothing to compare; is the data up to date? (labels.cohort_active_days)", asOf)
	}
	return fmt.Errorf("%d users were at risk on %s: %w", rows, asOf, err)
}

// alarm is the error of a failed check.
func alarm(status monitor.Status, what string, reasons []string) error {
	if status != monitor.Fail {
		return nil
	}
	rest := ""
	if n := len(reasons) - shownReasons; n > 0 {
		rest = fmt.Sprintf("; and %d more reasons", n)
	}
	return alarmError{fmt.Errorf("%s: %s%s", what, strings.Join(reasons[:min(shownReasons, len(reasons))], "; "), rest)}
}

// monitorDrift checks a date, replays a range, or does as the course did.
func (s *session) monitorDrift(ctx context.Context, q watching) error {
	switch {
	case s.config.Profile == config.ProfileSeed:
		return s.courseDrift()
	case q.backtest != nil:
		return s.backtestDrift(ctx, q)
	case q.log != nil:
		return s.logDrift(ctx, q)
	}
	asOf, err := s.watchedDate()
	if err != nil {
		return err
	}
	w, err := s.watchModel(ctx, q.model, asOf)
	if err != nil {
		return err
	}
	reference, err := w.reference(q.reference, asOf)
	if err != nil {
		return err
	}
	r, err := w.watch.Drift(asOf, reference)
	if err != nil {
		return unlessFew(err, w.watch.Count(asOf), asOf)
	}
	if r.Trends, err = w.watch.Trends(s.trendDates(asOf, w.span.First), reference); err != nil {
		return err
	}
	r.Current = "cohort of " + asOf.String()
	return s.tellDrift(r, reportDrift, w, q)
}

// tellDrift keeps and prints a report under a name.
func (s *session) tellDrift(r monitor.DriftReport, name string, w watched, q watching) error {
	r.Hindsight, r.Baseline = w.hindsight(r.AsOf), baseline(q.reference, w.version.Version)
	if err := s.keepReport(name, r, r.Rows, r.AsOf, s.monitorBasis(w, q, r.AsOf)); err != nil {
		return err
	}
	return errors.Join(s.print(r, func(out io.Writer) { printDrift(out, r, s.files.Metrics(name+"_latest")) }), alarm(r.Status, "drift", r.Reasons))
}

// baseline names what rows are compared with.
func baseline(reference, version string) string {
	if reference == monitor.RefSeason {
		return "same weeks of the last term"
	}
	return "training rows of " + version
}

// watchedDate returns the as-of date within the data.
func (s *session) watchedDate() (pipeline.Date, error) {
	_, asOf, err := s.span()
	return asOf, err
}

// daysToWatch returns the days that checks of dates look at, the one on which the
// model was made, and those of the scores over time.
func (s *session) daysToWatch(dates []pipeline.Date, first, made pipeline.Date) []pipeline.Date {
	days := map[pipeline.Date]bool{made: true}
	for _, d := range dates {
		for _, x := range monitor.Needs(d, first, 1, s.config.Monitor) {
			days[x] = true
		}
	}
	if len(dates) == 1 {
		for _, x := range append(monitor.HistoryDates(dates[0], first, s.config.Features.EveryDays, s.config.Monitor), s.trendDates(dates[0], first)...) {
			days[x] = true
		}
	}
	return sortedDates(days)
}

// trendDates returns the dates that lines are drawn through.
func (s *session) trendDates(asOf, first pipeline.Date) []pipeline.Date {
	return monitor.TrendDates(asOf, first, s.config.Features.EveryDays, s.config.Monitor)
}

// monitorScores describes the scores of a date.
func (s *session) monitorScores(ctx context.Context, q watching) error {
	asOf, err := s.watchedDate()
	if err != nil {
		return err
	}
	w, err := s.watchModel(ctx, q.model, asOf)
	if err != nil {
		return err
	}
	reference, err := w.reference(q.reference, asOf)
	if err != nil {
		return err
	}
	r, err := w.watch.Scores(asOf, monitor.HistoryDates(asOf, w.span.First, s.config.Features.EveryDays, s.config.Monitor), reference)
	if err != nil {
		return unlessFew(err, w.watch.Count(asOf), asOf)
	}
	r.Hindsight, r.Trends = w.hindsight(asOf), w.watch.ScoreTrends(s.trendDates(asOf, w.span.First))
	if err := s.keepReport(reportScores, r, r.Rows, asOf, s.monitorBasis(w, q, asOf)); err != nil {
		return err
	}
	return errors.Join(s.print(r, func(out io.Writer) { printScores(out, r, s.files.Metrics(reportScores+"_latest")) }), alarm(r.Status, "scores", r.Reasons))
}
