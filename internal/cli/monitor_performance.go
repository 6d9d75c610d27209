package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"churn/internal/table"
	"churn/internal/workspace"
	"churn/pipeline"
	"churn/pipeline/monitor"
	"churn/pipeline/prepare"
	"churn/registry"
)

func performanceCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:  "performance",
		Usage: "measure past predictions by what has become of the users since, against the promise of the model card",
		Description: "Reads the tables predictions/churn_predictions_DATE of churn score. Those whose label window has closed are joined with what happened since; for the others the figures are estimated from the risks alone. " +
			"Users who were contacted are counted apart. Exit code 2 where a promise is broken beyond chance.",
		Flags: []cli.Flag{asOfFlag(), &choice{&cli.StringFlag{Name: "source", Value: sourceTables, Usage: "predictions of `WHERE`: tables (of churn score), or log (what servers answered, serve.log.sample)"}, []string{sourceTables, sourceLog}},
			&cli.StringFlag{Name: "treatments", TakesFile: true, Usage: "users who were contacted: a `FILE` with user_id, contacted_at and, if you like, treatment (default: monitor.treatments)"}},
		Action: s.dated(func(c *cli.Context) error {
			return s.monitorPerformance(c.Context, c.String("source"), c.String("treatments"))
		}),
	}
}

// monitorPerformance measures, writes and prints.
func (s *session) monitorPerformance(ctx context.Context, source, treatments string) error {
	report, err := s.performance(ctx, source, treatments)
	if err != nil {
		return err
	}
	return errors.Join(s.print(report, performancePage(report, s.files.Metrics(reportPerformance+"_latest"))), alarm(report.Status, "performance", report.Reasons))
}

// reportPerformance begins the names of the reports.
const reportPerformance = "performance"

// sourceTables are the tables of churn score, the place of past predictions that
// is beside the log.
const sourceTables = "tables"

// pastPredictions returns what adds the predictions of a source.
func (s *session) pastPredictions(source string) (func(context.Context, *past) error, error) {
	switch source {
	case sourceTables:
		return s.tabled, nil
	case sourceLog:
		return s.answered, nil
	}
	return nil, usageError{fmt.Errorf("--source %q is unknown; use %s or %s", source, sourceTables, sourceLog)}
}

// past is what is looked at, with the identity of all that it was read from.
type past struct {
	monitor.PerformanceInput
	inputs []pipeline.FileState
}

// performance measures, and keeps the report.
func (s *session) performance(ctx context.Context, source, treatments string) (report monitor.Performance, err error) {
	gather, err := s.pastPredictions(source)
	if err != nil {
		return report, err
	}
	var in past
	in.Params, in.Trend = monitor.Rules{PerformanceParams: s.config.Monitor.Performance, Primary: s.config.Promote.PrimaryMetric, TopK: s.config.Score.TopK}, s.config.Monitor.Trend
	if path := cmp.Or(treatments, s.config.Monitor.Treatments); path != "" {
		if in.Treatments, err = monitor.ReadTreatments(path, s.location); err != nil {
			return report, err
		}
	}
	err = s.stage(ctx, "monitor", func(ctx context.Context, progress func(done, total int64)) error {
		return s.withTimelines(func(t *prepare.Timelines) (err error) {
			if in.AsOf, err = s.asOfWithin(t.Header.Span); err != nil {
				return err
			}
			if err := gather(ctx, &in); err != nil {
				return err
			}
			report, err = monitor.Perform(ctx, in.PerformanceInput, func(due []monitor.Due) error { return monitor.Join(ctx, t, due, progress) })
			return err
		})
	})
	if err != nil {
		return report, err
	}
	timelines, err := s.files.State(s.files.Timelines())
	if err != nil {
		return report, err
	}
	basis := workspace.Basis{Inputs: append([]pipeline.FileState{timelines}, in.inputs...), Settings: []pipeline.Setting{workspace.Setting("monitor", s.config.Monitor),
		workspace.Setting("promote.primary_metric", in.Params.Primary), workspace.Setting("score.top_k", in.Params.TopK),
		workspace.Setting("--source", source), workspace.Setting("--treatments", in.Treatments), workspace.Setting("--as-of", in.AsOf)}}
	return report, s.keepReport(reportPerformance, report, len(in.Given), report.AsOf, basis)
}

// tabled adds the tables of predictions of the latest dates, with what their
// models promised. A table that cannot be used is set aside, with the reason.
func (s *session) tabled(ctx context.Context, in *past) error {
	paths, err := s.predictionTables(in.AsOf)
	if err != nil {
		return err
	}
	promises := promises{session: s, of: map[string]monitor.Given{}}
	for _, path := range paths[max(0, len(paths)-in.Params.Dates):] {
		p, state, err := s.readPredictions(path)
		if err != nil {
			in.SetAside = append(in.SetAside, monitor.SetAside{Path: path, Why: err.Error()})
			continue
		}
		g, err := promises.find(ctx, p.Version)
		if err != nil {
			return err
		}
		g.Predictions = p
		in.Given, in.inputs = append(in.Given, g), append(in.inputs, state)
	}
	in.inputs = append(in.inputs, promises.versions...)
	return nil
}

// predictionsPrefix begins the names of the tables of churn score.
const predictionsPrefix = "churn_predictions_"

// predictionTables returns the paths of the tables up to a date, by date.
func (s *session) predictionTables(asOf pipeline.Date) ([]string, error) {
	tables, err := s.tablesByDate()
	if err != nil {
		return nil, err
	}
	dates := sortedKeys(tables)
	if len(dates) == 0 {
		return nil, fmt.Errorf("there are no predictions in %s; run `churn score` on every date on which users are contacted, and `churn monitor performance` once %d days have passed", s.config.Paths.Predictions, s.config.Labels.WindowDays)
	}
	var out []string
	for _, date := range dates {
		if date <= asOf {
			out = append(out, tables[date])
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("there are no predictions up to %s: the first are of %s; use a later --as-of", asOf, dates[0])
	}
	return out, nil
}

// tablesByDate returns the paths of all tables. Of a date that has two, in either
// format, it is the one that is written now.
func (s *session) tablesByDate() (map[pipeline.Date]string, error) {
	entries, err := os.ReadDir(s.config.Paths.Predictions)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("find predictions: %w", err)
	}
	out := map[pipeline.Date]string{}
	for _, e := range entries {
		format := strings.TrimPrefix(filepath.Ext(e.Name()), ".")
		text, ours := strings.CutPrefix(strings.TrimSuffix(e.Name(), "."+format), predictionsPrefix)
		date, bad := pipeline.ParseDate(text)
		if _, unknown := table.ParseFormat(format); !ours || bad != nil || unknown != nil {
			continue // another table, a manifest, or somebody's copy
		}
		if _, there := out[date]; !there || format == string(s.files.Format) {
			out[date] = filepath.Join(s.config.Paths.Predictions, e.Name())
		}
	}
	return out, nil
}

func sortedKeys[V any](m map[pipeline.Date]V) []pipeline.Date {
	out := make([]pipeline.Date, 0, len(m))
	for date := range m {
		out = append(out, date)
	}
	slices.Sort(out)
	return out
}

// readPredictions reads a table that agrees with its manifest.
func (s *session) readPredictions(path string) (p monitor.Predictions, state pipeline.FileState, err error) {
	out := workspace.Output{Path: path, Stage: stageScore}
	if state, err = s.files.State(out); err != nil {
		return p, state, err
	}
	p, sum, err := monitor.ReadPredictions(path)
	if err != nil {
		return p, state, err
	}
	return p, state, s.files.Agree(out, state, sum)
}

// promises finds what versions promised, each once.
type promises struct {
	session *session
	anybody bool // may have been scored, also who was not at risk
	of      map[string]monitor.Given

	versions []pipeline.FileState // those that were found
}

// find returns the window and the promise of a version. A version that is gone or
// that cannot be read has none, which is no error: its figures are told all the
// same.
func (p *promises) find(ctx context.Context, version string) (monitor.Given, error) {
	if g, ok := p.of[version]; ok {
		return g, nil
	}
	var g monitor.Given
	v, err := p.session.version(ctx, version)
	if err == nil {
		p.versions = append(p.versions, versionState(v.Manifest))
		g, err = promised(v)
	}
	g.Window = cmp.Or(g.Window, p.session.config.Labels.WindowDays)
	if p.anybody {
		g.Cohort = p.session.config.Labels.CohortActiveDays
		if v != nil {
			g.Cohort = definedDays(v, "labels.cohort_active_days", g.Cohort)
		}
	}
	if ctx.Err() != nil {
		return g, ctx.Err()
	}
	if err != nil {
		g.Why = fmt.Sprintf("nothing is promised: %v", err)
		p.session.log.Warn("a prediction has no promise to keep", "model", version, "error", err)
	}
	p.of[version] = g
	return g, nil
}

// promised returns the window and the promise of a version.
func promised(v *registry.Version) (g monitor.Given, err error) {
	report, err := trainingOf(v)
	if err != nil {
		return g, err
	}
	g.Window = report.WindowDays
	g.Promise, err = monitor.PromiseOf(v.Version, v.Kind, v.AsOf, report)
	return g, err
}
