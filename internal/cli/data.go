package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"churn/internal/atomicfile"
	"churn/internal/config"
	"churn/internal/workspace"
	"churn/pipeline"
	"churn/pipeline/dataset"
	"churn/pipeline/features"
	"churn/pipeline/labels"
	"churn/pipeline/prepare"
	"churn/pipeline/source"
	"churn/pipeline/validate"
	"churn/pipeline/warehouse"
)

// vocabulary returns what the event types mean under the present settings.
func (s *session) vocabulary() pipeline.Vocabulary {
	return s.config.Labels.Vocabulary(s.config.Validate.EventTypes)
}

// validate checks the raw data, and hands its result to then, whose work
// counts as part of the same pass over the data; db is nil unless the data lies
// in a database. The report is written to artifacts/metrics/validation.json
// whatever it says.
func (s *session) validate(ctx context.Context, writing *workspace.Stage, stage bool, then func(db *warehouse.Engine, r *validate.Result) error) (report validate.Report, err error) {
	started := s.stamp()
	temp, err := atomicfile.TempDir(s.config.Paths.Processed, "staging")
	if err != nil {
		return report, err
	}
	defer os.RemoveAll(temp)
	in := validate.Input{Location: s.location, Vocabulary: s.vocabulary(), Today: s.today(),
		Quarantine: s.files.Quarantine().Path, TempDir: temp, Memory: s.config.Prepare.MemoryBytes(), Stage: stage, KeepText: stage && s.config.Prepare.WriteEvents}
	db, err := s.openRaw(ctx, &in)
	if err != nil {
		return report, err
	}
	if db != nil {
		defer func() {
			if closing := db.Close(); err == nil { // after an error it only tells that the connection is gone, too
				err = closing
			}
		}()
	}
	result, err := s.check(ctx, db, in)
	if result == nil {
		return report, err
	}
	if writeErr := writing.Report(validationReport, result.Report, 0); writeErr != nil {
		return result.Report, writeErr
	}
	made := workspace.Made{Inputs: result.Report.Inputs, ConfigDigest: config.Digest(s.config.Validate, s.config.Source.Timezone), Started: started}
	if recordErr := writing.Table(s.files.Quarantine(), result.Quarantine, made); recordErr != nil {
		return result.Report, recordErr
	}
	if err != nil {
		return result.Report, err
	}
	return result.Report, then(db, result)
}

// openRaw finds the raw files, or opens the database where the settings name
// one.
func (s *session) openRaw(ctx context.Context, in *validate.Input) (db *warehouse.Engine, err error) {
	if s.config.Source.InDatabase() {
		return warehouse.Open(ctx, s.config.Source, validate.WarehouseRules(*in, s.config.Validate))
	}
	in.Files, err = source.Find(s.config.Source, s.config.Paths.Raw)
	return nil, errors.Join(err, s.whole())
}

// check runs the stage validate.
func (s *session) check(ctx context.Context, db *warehouse.Engine, in validate.Input) (result *validate.Result, err error) {
	err = s.stage(ctx, "validate", func(ctx context.Context, progress func(done, total int64)) (err error) {
		if in.Progress = progress; db != nil {
			result, err = validate.RunIn(ctx, db, in, s.config.Validate)
			return err
		}
		result, err = validate.Run(ctx, in, s.config.Validate)
		return err
	})
	return result, err
}

// validationReport names the report of validate among the metrics.
const validationReport = "validation"

// today is the day after which events lie in the future.
func (s *session) today() pipeline.Date { return pipeline.DateOf(s.now().In(s.location)) }

// prepareBasis returns what decides the outputs of prepare. The day of the run
// is part of it where the validation refused rows of the future.
func (s *session) prepareBasis(files source.Files, checked *validate.Report) workspace.Basis {
	// The memory bound changes nothing in the outputs, so it stays out of the digest.
	c := s.config
	settings := []pipeline.Setting{workspace.Setting("validate", c.Validate), workspace.Setting("source.timezone", c.Source.Timezone), workspace.Setting("source.columns", [][]string{c.Source.UserColumns, c.Source.EventColumns, c.Source.EventTypes}),
		workspace.Setting("labels.activity_events", c.Labels.ActivityEvents), workspace.Setting("labels.completion_events", c.Labels.Completions()), workspace.Setting("prepare", []bool{c.Prepare.Dense, c.Prepare.WriteEvents})}
	if checked.Dated() {
		settings = append(settings, workspace.Setting("today", s.today()))
	}
	return workspace.Basis{Raw: slices.Concat(files.Users, files.Events), Settings: settings}
}

// prepare validates the raw data and builds the timelines from it.
func (s *session) prepare(ctx context.Context) (checked validate.Report, report prepare.Report, err error) {
	started := s.stamp()
	writing := s.files.Begin(stagePrepare)
	out := prepare.Outputs{Format: s.files.Format, Timelines: s.files.Timelines().Path, UserDaily: s.files.UserDaily().Path, UsersClean: s.files.UsersClean().Path}
	if s.config.Prepare.WriteEvents {
		out.EventsClean = s.files.EventsClean().Path
	}
	header := prepare.Header{Timezone: s.config.Source.Timezone, EventTypes: s.config.Validate.EventTypes, ActivityEvents: s.config.Labels.ActivityEvents,
		CompletionEvents: s.config.Labels.Completions()}
	checked, err = s.validate(ctx, writing, true, func(db *warehouse.Engine, data *validate.Result) error {
		return s.stage(ctx, "prepare", func(ctx context.Context, progress func(done, total int64)) (err error) {
			if db == nil {
				report, err = prepare.Run(ctx, data, s.vocabulary(), header, s.config.Prepare, out, progress)
				return err
			}
			report, err = prepareFrom(ctx, db, data, s.vocabulary(), header, s.config.Prepare, out, progress)
			return err
		})
	})
	if err != nil {
		return checked, report, err
	}
	basis := s.prepareBasis(source.Files{}, &checked)
	made := workspace.Made{Inputs: checked.Inputs, ConfigDigest: basis.Digest(), Started: started}
	if err := s.recordPrepared(writing, report, made); err != nil {
		return checked, report, err
	}
	return checked, report, writing.End(s.files.Timelines().Path, basis, checked.Inputs)
}

// prepareFrom builds the timelines from what the database adds up.
func prepareFrom(ctx context.Context, db *warehouse.Engine, data *validate.Result, v pipeline.Vocabulary, h prepare.Header, p prepare.Params, out prepare.Outputs, progress func(done, total int64)) (report prepare.Report, err error) {
	stream, err := db.Features(ctx, v, data.Courses, data.Repeats, validate.CompareIDs)
	if err != nil {
		return report, err
	}
	defer stream.Close()
	return prepare.RunFrom(ctx, stream, data, v, h, p, out, progress)
}

// recordPrepared adds what prepare wrote to its outputs.
func (s *session) recordPrepared(writing *workspace.Stage, report prepare.Report, made workspace.Made) error {
	err := errors.Join(writing.Report("prepare_latest", report, 0), writing.Table(s.files.UsersClean(), report.UsersClean, made),
		writing.Table(s.files.UserDaily(), report.UserDaily, made), writing.Table(s.files.Timelines(), report.Timelines, made))
	if err == nil && s.config.Prepare.WriteEvents {
		return writing.Table(s.files.EventsClean(), report.EventsClean, made)
	}
	return errors.Join(err, s.files.Forget(s.files.EventsClean())) // of an earlier run with other data
}

// timelines opens what prepare wrote, if it fits the present settings.
func (s *session) timelines() (*prepare.Timelines, pipeline.FileState, error) {
	state, err := s.files.State(s.files.Timelines())
	if err != nil {
		return nil, state, err
	}
	t, err := prepare.OpenTimelines(s.files.Timelines().Path)
	if err != nil {
		return nil, state, err
	}
	if err := s.fits(t.Header); err != nil {
		t.Close()
		return nil, state, err
	}
	return t, state, nil
}

// lookup opens what prepare wrote for questions about single users, if it fits
// the present settings.
func (s *session) lookup() (*prepare.Lookup, error) {
	if _, err := s.files.State(s.files.Timelines()); err != nil {
		return nil, err
	}
	l, err := prepare.OpenLookup(s.files.Timelines().Path)
	if err != nil {
		return nil, err
	}
	if err := s.fits(l.Header); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// fits fails if the timelines were prepared with other settings than the present
// ones.
func (s *session) fits(h prepare.Header) error {
	if err := s.sameSource(h); err != nil {
		return err
	}
	if !slices.Equal(h.ActivityEvents, s.config.Labels.ActivityEvents) {
		return fmt.Errorf("%s was prepared with labels.activity_events = %v, now they are %v; repeat the setting (best in config.yaml), or run `churn prepare` again", s.files.Timelines().Path, h.ActivityEvents, s.config.Labels.ActivityEvents)
	}
	if now := s.config.Labels.Completions(); !slices.Equal(h.CompletionEvents, now) {
		return fmt.Errorf("%s was prepared with %v as events that end a course, now they are %v (labels.completion_events where labels.completed_is_churn is false); repeat the settings (best in config.yaml), or run `churn prepare` again", s.files.Timelines().Path, h.CompletionEvents, now)
	}
	return nil
}

// sameSource fails if the settings name another source than the one that the
// timelines were made from.
func (s *session) sameSource(h prepare.Header) error {
	path := s.files.Timelines().Path
	if h.Timezone != s.config.Source.Timezone {
		return fmt.Errorf("%s was prepared with source.timezone = %s, now it is %s; run `churn prepare` again", path, h.Timezone, s.config.Source.Timezone)
	}
	if s.config.Source.Users == "" && s.config.Source.Events == "" {
		return nil
	}
	named, err := s.namedSources()
	if err != nil {
		return err
	}
	m, err := s.files.Manifest(s.files.Timelines())
	if err != nil {
		return err
	}
	var made []string
	for _, f := range m.Inputs {
		made = append(made, f.Path)
	}
	if !slices.Equal(named, made) {
		return fmt.Errorf("%s was prepared from %v, the settings name %v; run `churn prepare` again", path, made, named)
	}
	return nil
}

// namedSources lists what the settings name: files, or tables of a database.
func (s *session) namedSources() ([]string, error) {
	if p := s.config.Source; p.InDatabase() {
		return []string{p.Place(p.Users), p.Place(p.Events)}, nil
	}
	files, err := source.Find(s.config.Source, s.config.Paths.Raw)
	return slices.Concat(files.Users, files.Events), err
}

// dataAsOf returns the identity of the timelines and the as-of date of the run.
func (s *session) dataAsOf() (pipeline.FileState, pipeline.Date, error) {
	t, state, err := s.timelines()
	if err != nil {
		return state, 0, err
	}
	defer t.Close()
	asOf, err := s.asOfWithin(t.Header.Span)
	return state, asOf, err
}

// featuresBasis returns what decides the outputs of features.
func (s *session) featuresBasis(timelines pipeline.FileState, asOf pipeline.Date) workspace.Basis {
	return workspace.Basis{Inputs: []pipeline.FileState{timelines}, Settings: []pipeline.Setting{workspace.Setting("features", s.config.Features), workspace.Setting("--as-of", asOf)}}
}

// features computes user_features_daily.
func (s *session) features(ctx context.Context) (report features.Report, err error) {
	started := s.stamp()
	t, state, err := s.timelines()
	if err != nil {
		return report, err
	}
	defer t.Close()
	asOf, err := s.asOfWithin(t.Header.Span)
	if err != nil {
		return report, err
	}
	out := s.files.Features()
	err = s.stage(ctx, "features", func(ctx context.Context, progress func(done, total int64)) (err error) {
		report, err = features.Run(ctx, t, asOf, s.config.Features, out.Path, s.files.Format, progress)
		return err
	})
	if err != nil {
		return report, err
	}
	if err := s.files.Agree(s.files.Timelines(), state, report.Input); err != nil {
		return report, err
	}
	basis, writing := s.featuresBasis(state, asOf), s.files.Begin(stageFeatures)
	made := workspace.Made{Inputs: basis.Inputs, ConfigDigest: basis.Digest(), Started: started}
	if err := errors.Join(writing.Report("features_latest", report, 0), writing.Table(out, report.Output, made)); err != nil {
		return report, err
	}
	return report, writing.End(out.Path, basis, nil)
}

// labelled is the report of the stage labels.
type labelled struct {
	Labels      labels.Report  `json:"labels"`
	TrainingSet dataset.Report `json:"training_set"`
}

// labelsBasis returns what decides the outputs of labels.
func (s *session) labelsBasis(timelines, features pipeline.FileState, asOf pipeline.Date) workspace.Basis {
	return workspace.Basis{Inputs: []pipeline.FileState{timelines, features}, Settings: []pipeline.Setting{
		workspace.Setting("labels", s.config.Labels), workspace.Setting("features", s.config.Features), workspace.Setting("--as-of", asOf)}}
}

// labels computes labels_daily and joins the training set.
func (s *session) labels(ctx context.Context) (report labelled, err error) {
	started := s.stamp()
	featuresState, asOf, err := s.featuresForLabels()
	if err != nil {
		return report, err
	}
	t, state, err := s.timelines()
	if err != nil {
		return report, err
	}
	defer t.Close()
	grid := t.Header.Span.Grid(asOf, s.config.Features.EveryDays)
	out := s.files.Labels()
	err = s.stage(ctx, "labels", func(ctx context.Context, progress func(done, total int64)) (err error) {
		report.Labels, err = labels.Run(ctx, t, grid, asOf, s.config.Labels, out.Path, s.files.Format, progress)
		return err
	})
	if err != nil {
		return report, err
	}
	if err := s.files.Agree(s.files.Timelines(), state, report.Labels.Input); err != nil {
		return report, err
	}
	writing := s.files.Begin(stageLabels)
	made := workspace.Made{Inputs: []pipeline.FileState{state}, ConfigDigest: config.Digest(s.config.Labels, s.config.Features.EveryDays, asOf), Started: started}
	if err := writing.Table(out, report.Labels.Output, made); err != nil {
		return report, err
	}
	if report.TrainingSet, err = s.dataset(ctx, writing, grid, featuresState); err != nil {
		return report, err
	}
	if err := writing.Report("labels_latest", report, 0); err != nil {
		return report, err
	}
	return report, writing.End(s.files.TrainingSet().Path, s.labelsBasis(state, featuresState, asOf), nil)
}

// dataset joins features and labels to the training set.
func (s *session) dataset(ctx context.Context, writing *workspace.Stage, grid []pipeline.Date, featuresState pipeline.FileState) (report dataset.Report, err error) {
	started := s.stamp()
	t, state, err := s.timelines()
	if err != nil {
		return report, err
	}
	defer t.Close()
	labelState, err := s.files.State(s.files.Labels())
	if err != nil {
		return report, err
	}
	in := dataset.Inputs{Timelines: t, Grid: grid, Last: grid[len(grid)-1], Features: s.files.Features().Path, Labels: s.files.Labels().Path,
		Schema: features.Schema(features.NewIndex(features.Catalog(s.config.Features)))}
	out := s.files.TrainingSet()
	err = s.stage(ctx, "dataset", func(ctx context.Context, progress func(done, total int64)) (err error) {
		report, err = dataset.Run(ctx, in, s.config.Labels, out.Path, s.files.Format, progress)
		return err
	})
	if err != nil {
		return report, err
	}
	if err := errors.Join(s.files.Agree(s.files.Features(), featuresState, report.Features), s.files.Agree(s.files.Labels(), labelState, report.Labels)); err != nil {
		return report, err // without a manifest that agrees, nobody reads the output
	}
	made := workspace.Made{Inputs: []pipeline.FileState{featuresState, labelState, state}, ConfigDigest: config.Digest(s.config.Labels, s.config.Features), Started: started}
	return report, writing.Table(out, report.Output, made)
}

// featuresForLabels checks that the features come from the present timelines
// and settings, and returns their as-of date.
func (s *session) featuresForLabels() (pipeline.FileState, pipeline.Date, error) {
	state, asOf, err := s.dataAsOf()
	if err != nil {
		return state, 0, err
	}
	out := s.files.Features()
	featuresState, err := s.files.State(out)
	if err != nil {
		return featuresState, 0, err
	}
	m, err := s.files.Manifest(out)
	if err != nil {
		return featuresState, 0, err
	}
	if len(m.Inputs) != 1 || m.Inputs[0].SHA256 != state.SHA256 || m.ConfigDigest != s.featuresBasis(state, asOf).Digest() {
		return featuresState, 0, fmt.Errorf("%s was made from other timelines, another --as-of or other settings of features.*; run `churn features` again", out.Path)
	}
	return featuresState, asOf, nil
}
