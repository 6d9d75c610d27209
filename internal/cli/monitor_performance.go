package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"churn/internal/atomicfile"
	"churn/internal/table"
	"churn/internal/workspace"
	"churn/model/profile"
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
		Flags: []cli.Flag{asOfFlag(), &cli.StringFlag{Name: "treatments", Usage: "users who were contacted: a `FILE` with user_id, contacted_at and, if you like, treatment (default: monitor.treatments)"}},
		Action: s.dated(func(c *cli.Context) error {
			report, err := s.performance(c.Context, c.String("treatments"))
			if err != nil {
				return err
			}
			return errors.Join(s.print(report, performancePage(report, s.files.Metrics(performanceName+"_latest"))), alarmOf(report))
		}),
	}
}

// performanceName begins the names of the reports.
const performanceName = "performance"

// alarmOf is the error of a report that failed.
func alarmOf(r monitor.Performance) error {
	if r.Status != profile.Fail {
		return nil
	}
	text := "performance: " + r.Reasons[0]
	if more := len(r.Reasons) - 1; more > 0 {
		text += fmt.Sprintf("; %d more reasons in the report", more)
	}
	return alarmError{errors.New(text)}
}

// performance measures, and writes the report: the latest, and that of the date.
func (s *session) performance(ctx context.Context, treatments string) (report monitor.Performance, err error) {
	in := monitor.PerformanceInput{Trend: s.config.Monitor.Trend,
		Params: monitor.Rules{PerformanceParams: s.config.Monitor.Performance, Primary: s.config.Promote.PrimaryMetric, TopK: s.config.Score.TopK}}
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
			if err := s.predictions(ctx, &in); err != nil {
				return err
			}
			report, err = monitor.Perform(ctx, in, func(due []monitor.Due) error { return monitor.Join(ctx, t, due, progress) })
			return err
		})
	})
	if err != nil {
		return report, err
	}
	for _, name := range []string{performanceName + "_" + report.AsOf.String(), performanceName + "_latest"} {
		if _, err := atomicfile.WriteJSON(s.files.Metrics(name), report); err != nil {
			return report, err
		}
	}
	return report, nil
}

// predictions adds the tables of predictions of the latest dates, with what their
// models promised. A table that cannot be used is set aside, with the reason.
func (s *session) predictions(ctx context.Context, in *monitor.PerformanceInput) error {
	paths, err := s.predictionTables(in.AsOf)
	if err != nil {
		return err
	}
	promises := promises{session: s, of: map[string]monitor.Given{}}
	for _, path := range paths[max(0, len(paths)-in.Params.Dates):] {
		p, err := s.readPredictions(path)
		if err != nil {
			in.SetAside = append(in.SetAside, monitor.SetAside{Path: path, Why: err.Error()})
			continue
		}
		g, err := promises.find(ctx, p.Version)
		if err != nil {
			return err
		}
		g.Predictions = p
		in.Given = append(in.Given, g)
	}
	return nil
}

// predictionsPrefix begins the names of the tables of churn score.
const predictionsPrefix = "churn_predictions_"

// predictionTables returns the paths of the tables up to a date, by date. Of a
// date that has two, in either format, it is the one that is written now.
func (s *session) predictionTables(asOf pipeline.Date) ([]string, error) {
	byDate := map[pipeline.Date]string{}
	all, first := 0, pipeline.NoDate
	for _, format := range []table.Format{table.CSV, table.Parquet} {
		found, err := filepath.Glob(filepath.Join(s.config.Paths.Predictions, predictionsPrefix+"*."+string(format)))
		if err != nil {
			return nil, fmt.Errorf("find predictions: %w", err)
		}
		for _, path := range found {
			name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), predictionsPrefix), "."+string(format))
			date, err := pipeline.ParseDate(name)
			if err != nil {
				continue // somebody's copy
			}
			if all++; first == pipeline.NoDate || date < first {
				first = date
			}
			if _, there := byDate[date]; date <= asOf && (!there || format == s.files.Format) {
				byDate[date] = path
			}
		}
	}
	if len(byDate) == 0 && all > 0 {
		return nil, fmt.Errorf("there are no predictions up to %s: the first are of %s; use a later --as-of", asOf, first)
	}
	if len(byDate) == 0 {
		return nil, fmt.Errorf("there are no predictions in %s; run `churn score` on every date on which users are contacted, and `churn monitor performance` once %d days have passed", s.config.Paths.Predictions, s.config.Labels.WindowDays)
	}
	var out []string
	for _, date := range sortedKeys(byDate) {
		out = append(out, byDate[date])
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
func (s *session) readPredictions(path string) (monitor.Predictions, error) {
	out := workspace.Output{Path: path, Stage: "score"}
	state, err := s.files.State(out)
	if err != nil {
		return monitor.Predictions{}, err
	}
	p, sum, err := monitor.ReadPredictions(path)
	if err != nil {
		return p, err
	}
	return p, s.files.Agree(out, state, sum)
}

// promises finds what versions promised, each once.
type promises struct {
	session *session
	of      map[string]monitor.Given
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
		g, err = promised(v)
	}
	g.Window = cmp.Or(g.Window, p.session.config.Labels.WindowDays)
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
