package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"churn/model/profile"
	"churn/pipeline"
	"churn/pipeline/dataset"
	"churn/pipeline/monitor/alarms"
	"churn/pipeline/prepare"
	"churn/pipeline/retrain"
	"churn/pipeline/score"
	"churn/pipeline/train"
	"churn/registry"
)

// wanted says what is asked of retrain.
type wanted struct {
	force, ifDrift bool
	unfinished     bool // the latest training was never judged
}

// due gathers from the registry, the timelines and the latest training what
// retrain decides by, and decides. The timelines must be those of the present
// data.
func (s *session) due(ctx context.Context, w wanted) (d retrain.Due, err error) {
	err = s.stage(ctx, "due", func(ctx context.Context, _ func(done, total int64)) error {
		span, asOf, err := s.span()
		if err != nil {
			return err
		}
		in := retrain.Input{AsOf: asOf, Matured: pipeline.NoDate, Force: w.force, IfDrift: w.ifDrift, Unfinished: w.unfinished}
		if matured := s.config.Labels.Matured(span.Grid(asOf, s.config.Features.EveryDays), asOf); len(matured) > 0 {
			in.Matured = matured[len(matured)-1]
		}
		if in.Trained, err = s.latestTraining(ctx); err != nil {
			return err
		}
		if in.Champion, err = s.champion(ctx, span, asOf); err != nil {
			return err
		}
		if in.Alarms, err = s.calling(); err != nil {
			return err
		}
		d = retrain.Decide(in, s.config.Retrain)
		return nil
	})
	return d, err
}

// calling returns the alarms of the monitors that fire, are not silenced, and may
// be ended by a new model: what is wrong with the data is not among them.
func (s *session) calling() ([]string, error) {
	book, err := s.alarms().Read()
	if err != nil {
		return nil, err
	}
	var e alarmed
	e.split(&book, s.moment())
	return slices.DeleteFunc(e.Firing, func(name string) bool {
		return !slices.Contains([]string{alarms.Drift, alarms.Scores, alarms.Performance}, name)
	}), nil
}

// span returns the days that the data covers, and the as-of date within them.
func (s *session) span() (pipeline.Span, pipeline.Date, error) {
	t, _, err := s.timelines()
	if err != nil {
		return pipeline.Span{}, pipeline.NoDate, err
	}
	defer t.Close()
	asOf, err := s.asOfWithin(t.Header.Span)
	return t.Header.Span, asOf, err
}

// latestTraining returns the latest as-of date whose label any training has
// seen, by the manifests in the registry and by the report of the latest training,
// which may have registered none. No file of a version is read: a damaged one that
// is not in use is no reason to let the model in use grow old.
func (s *session) latestTraining(ctx context.Context) (pipeline.Date, error) {
	latest := pipeline.NoDate
	var report train.Report
	if err := s.readReport("train_latest", &report); err == nil && report.Split.TestRows > 0 {
		latest = report.Split.TestLast
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Warn("the report of the latest training cannot be read; the registry tells of those that made a model", "error", err)
	}
	r, err := s.registry(ctx)
	if err != nil {
		return latest, err
	}
	versions, err := r.List(ctx)
	if errors.As(err, new(*registry.Damaged)) {
		s.log.Warn("versions of the registry are damaged; the others tell of the trainings", "error", err)
	} else if err != nil {
		return latest, err
	}
	for _, m := range versions {
		tested, err := testLast(m)
		if err != nil {
			return latest, err
		}
		latest = max(latest, tested)
	}
	return latest, nil
}

// testLast returns the last date of the test period of a version's training: its
// label window closed on the last day of the data that the training used.
func testLast(m registry.Manifest) (pipeline.Date, error) {
	labels := struct {
		Window int `json:"labels.window_days"`
	}{}
	if err := json.Unmarshal(m.Lineage.Labels, &labels); err != nil {
		return pipeline.NoDate, fmt.Errorf("model %s: the label definition of its lineage: %w", m.Version, err)
	}
	return m.AsOf - pipeline.Date(labels.Window), nil
}

// champion returns the model in production as it does now; nil if there is none.
func (s *session) champion(ctx context.Context, span pipeline.Span, asOf pipeline.Date) (*retrain.Champion, error) {
	r, err := s.registry(ctx)
	if err != nil {
		return nil, err
	}
	aliases, err := r.Aliases(ctx)
	if err != nil || aliases.Production == "" {
		return nil, err
	}
	v, err := r.Load(ctx, aliases.Production)
	if err != nil {
		return nil, err
	}
	m, err := modelOf(v)
	if err != nil {
		return nil, err
	}
	c := &retrain.Champion{Version: v.Version, AsOf: v.AsOf}
	return c, errors.Join(s.addDrift(ctx, c, v, m, asOf), s.addPerformance(ctx, c, v, m, span.Grid(asOf, m.Spec.Features.EveryDays)))
}

// addDrift compares the cohort of the as-of date with what the champion was
// trained on.
func (s *session) addDrift(ctx context.Context, c *retrain.Champion, v *registry.Version, m *score.Model, asOf pipeline.Date) error {
	reference, err := profileOf(v)
	if err != nil {
		return err
	}
	if reference == nil {
		c.NoDrift = fmt.Sprintf("%s was registered without a profile of its training rows", v.Version)
		return nil
	}
	var cohort *dataset.Unlabelled
	err = s.withTimelines(func(t *prepare.Timelines) (err error) {
		cohort, err = dataset.Cohort(ctx, t, definitionOf(m), asOf, s.config.Train.MaxRows)
		return err
	})
	if err != nil {
		return err
	}
	drift, err := retrain.Moved(m, reference, cohort, s.limits())
	switch {
	case errors.Is(err, profile.ErrFewRows):
		c.NoDrift = fmt.Sprintf("the cohort of %s has %v", asOf, err)
		return nil
	case err != nil:
		return fmt.Errorf("model %s: %w", v.Version, err)
	}
	c.Drift = &drift
	return nil
}

// limits returns the limits of drift by the settings of the monitors.
func (s *session) limits() profile.Limits {
	l := profile.DefaultLimits()
	l.WarnPSI, l.FailPSI = s.config.Monitor.WarnPSI, s.config.Monitor.FailPSI
	return l
}

// addPerformance measures the champion on the dates of the grid that have
// matured since its test period. The grid ends with the as-of date.
func (s *session) addPerformance(ctx context.Context, c *retrain.Champion, v *registry.Version, m *score.Model, grid []pipeline.Date) error {
	var report train.Report
	if err := json.Unmarshal(v.Files[registry.MetricsFile], &report); err != nil {
		return fmt.Errorf("model %s: %s: %w", v.Version, registry.MetricsFile, err)
	}
	i := slices.IndexFunc(report.Models, func(x train.Measured) bool { return x.Name == v.Kind })
	if i < 0 {
		return fmt.Errorf("model %s: %s has no figures of %s", v.Version, registry.MetricsFile, v.Kind)
	}
	asOf, tested := grid[len(grid)-1], report.Split.TestLast
	dates := slices.DeleteFunc(m.Spec.Labels.Matured(grid, asOf), func(d pipeline.Date) bool { return d <= tested })
	if len(dates) == 0 {
		c.Unmeasured = fmt.Sprintf("no labels of dates after the test period, which ended on %s, have matured by %s", tested, asOf)
		return nil
	}
	var rows *dataset.Rows
	err := s.withTimelines(func(t *prepare.Timelines) (err error) {
		rows, err = dataset.Collect(ctx, t, definitionOf(m), dates, s.config.Train.MaxRows, nil)
		return err
	})
	if err != nil {
		return err
	}
	rows = rows.Where(func(i int) bool { return rows.AtRisk[i] })
	if rows.Len() == 0 {
		c.Unmeasured = fmt.Sprintf("nobody was at risk on the dates after %s", tested)
		return nil
	}
	kept, err := retrain.Keeps(m, rows, report.Models[i].Find(s.config.Promote.PrimaryMetric), s.definition().Evaluation())
	if err != nil {
		c.Unmeasured = err.Error()
		return nil //nolint:nilerr // what cannot be measured is told, and no fault
	}
	c.Performance = &kept
	return nil
}

// definitionOf returns what the rows of a model hold.
func definitionOf(m *score.Model) dataset.Definition {
	return dataset.Definition{Features: m.Spec.Features, Labels: m.Spec.Labels}
}

// withTimelines opens the timelines for one pass over all of them.
func (s *session) withTimelines(pass func(*prepare.Timelines) error) error {
	t, state, err := s.timelines()
	if err != nil {
		return err
	}
	defer t.Close()
	if err := pass(t); err != nil {
		return err
	}
	return s.files.Agree(s.files.Timelines(), state, t.SHA256())
}

// printDue lists every trigger with its number.
func printDue(w io.Writer, d retrain.Due) {
	what := "not due"
	if d.Due {
		what = "due"
	}
	fmt.Fprintf(w, "retrain   %s on %s\n", what, d.AsOf)
	for _, r := range d.Reasons {
		mark := " "
		if r.Due {
			mark = "*"
		}
		limit := ""
		if r.Limit != nil {
			limit = fmt.Sprintf(" (limit %.4g)", *r.Limit)
		}
		fmt.Fprintf(w, "        %s %-11s %s%s\n", mark, r.Trigger, r.Text, limit)
	}
	if d.Held != "" {
		fmt.Fprintf(w, "          held back: %s\n", d.Held)
	}
}
