package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"churn/internal/stages"
	"churn/internal/workspace"
	"churn/pipeline/source"
	"churn/registry"
)

// The stages of run-all, in their order. The list and the words of --from and
// --until are one.
const (
	stageGenerate = "generate"
	stagePrepare  = "prepare" // validates, too: one pass over the raw data
	stageFeatures = "features"
	stageLabels   = "labels"
	stageTrain    = "train"
	stagePromote  = "promote"
	stageScore    = "score"
	stageReport   = "report"
)

// runStages runs the stages by the plan and prints a line for each that is up
// to date; those that run print their own.
func (s *session) runStages(ctx context.Context, all []stages.Stage, plan stages.Plan) ([]stages.Outcome, error) {
	return stages.Run(ctx, all, plan, s.now, func(o stages.Outcome) {
		if o.What != stages.Ran {
			s.log.Info("stage "+o.What, "stage", o.Stage, "seconds", o.Seconds)
			s.say(func(w io.Writer) { fmt.Fprintf(w, "%-9s %s\n", o.Stage, o.What) })
		}
	})
}

// say prints lines for people as a run goes on; as JSON it ends in one report.
func (s *session) say(print func(io.Writer)) {
	if !s.json {
		print(s.stdout)
	}
}

// recorded makes a stage whose record tells whether it is up to date. basis
// returns what decides its outputs, and reuse takes its reports from the files
// that it left.
func (s *session) recorded(name string, basis func(ctx context.Context) (workspace.Basis, error), reuse, run func(ctx context.Context) error) stages.Stage {
	stale := func(ctx context.Context) (string, error) {
		b, err := basis(ctx)
		if err != nil {
			return "", err
		}
		update, end := s.progress("check")
		why, err := s.files.Stale(ctx, name, b, update)
		end()
		if why != "" || err != nil {
			return why, err
		}
		if err := reuse(ctx); err != nil {
			return err.Error(), nil //nolint:nilerr // what cannot be read is made anew
		}
		return "", nil
	}
	made := func() (int64, string) {
		r, err := s.files.Completed(name)
		if err != nil {
			return 0, "" // it has just been read or written
		}
		return r.Outputs[0].Rows, r.Outputs[0].SHA256
	}
	return stages.Stage{Name: name, Stale: stale, Run: run, Made: made}
}

// readReport reads a stage's report from the folder of metrics.
func (s *session) readReport(name string, report any) error {
	path := s.files.Metrics(name)
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, report)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", path, err)
	}
	return err
}

// generateStage simulates data where there is none. It never touches data that
// is there, whatever the plan.
func (s *session) generateStage(r *everything) stages.Stage {
	return stages.Stage{Name: stageGenerate, Kept: true,
		Stale: func(context.Context) (string, error) { return s.needsGenerate() },
		Run: func(ctx context.Context) error {
			report, err := s.generate(ctx)
			if err != nil {
				return err
			}
			r.Generate = &report
			s.say(func(w io.Writer) { printGenerate(w, report) })
			return nil
		},
		Made: func() (int64, string) {
			m, err := s.files.Manifest(s.files.Raw("events"))
			if err != nil || !s.simulated() {
				return 0, "" // the data is not ours
			}
			return m.Rows, m.Output.SHA256
		}}
}

// dataStages returns the stages from the raw data to the training set.
func (s *session) dataStages(r *everything) []stages.Stage {
	return []stages.Stage{s.prepareStage(r), s.featuresStage(r), s.labelsStage(r)}
}

func (s *session) prepareStage(r *everything) stages.Stage {
	basis := func(context.Context) (workspace.Basis, error) {
		files, err := source.Find(s.config.Source, s.config.Paths.Raw)
		if err != nil {
			return workspace.Basis{}, err
		}
		if err := s.readReport(validationReport, &r.Validate); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.log.Info("the report of the last validation cannot be read", "error", err) // it is an output, so it will be found damaged
		}
		return s.prepareBasis(files, &r.Validate), nil
	}
	reuse := func(context.Context) error { return s.readReport("prepare_latest", &r.Prepare) }
	stage := s.recorded(stagePrepare, basis, reuse, func(ctx context.Context) (err error) {
		r.Validate, r.Prepare, err = s.prepare(ctx)
		if r.Validate.Planned > 0 {
			s.say(func(w io.Writer) { printValidate(w, r.Validate, s.files.Quarantine().Path) })
		}
		if err == nil {
			s.say(func(w io.Writer) { printPrepare(w, r.Prepare) })
		}
		return err
	})
	if s.config != nil && s.config.Source.InDatabase() { // tables have no digest; what follows is left out if the timelines are the same
		stage.Stale = func(context.Context) (string, error) { return "the tables may have changed", nil }
	}
	return stage
}

func (s *session) featuresStage(r *everything) stages.Stage {
	basis := func(context.Context) (workspace.Basis, error) {
		state, asOf, err := s.dataAsOf()
		return s.featuresBasis(state, asOf), err
	}
	reuse := func(context.Context) error { return s.readReport("features_latest", &r.Features) }
	return s.recorded(stageFeatures, basis, reuse, func(ctx context.Context) (err error) {
		if r.Features, err = s.features(ctx); err == nil {
			s.say(func(w io.Writer) { printFeatures(w, r.Features) })
		}
		return err
	})
}

func (s *session) labelsStage(r *everything) stages.Stage {
	basis := func(context.Context) (workspace.Basis, error) {
		state, asOf, err := s.dataAsOf()
		if err != nil {
			return workspace.Basis{}, err
		}
		features, err := s.files.State(s.files.Features())
		return s.labelsBasis(state, features, asOf), err
	}
	take := func(report labelled) { r.Labels, r.Dataset = report.Labels, report.TrainingSet }
	reuse := func(context.Context) error {
		var report labelled
		err := s.readReport("labels_latest", &report)
		take(report)
		return err
	}
	return s.recorded(stageLabels, basis, reuse, func(ctx context.Context) error {
		report, err := s.labels(ctx)
		take(report)
		if err == nil {
			s.say(func(w io.Writer) { printLabels(w, report, s.config.Labels) })
		}
		return err
	})
}

func (s *session) trainStage(r *everything) stages.Stage {
	reuse := func(ctx context.Context) error {
		if err := s.readReport("train_latest", &r.Train); err != nil {
			return err
		}
		return s.registered(ctx, r.Train)
	}
	all := s.recorded(stageTrain, s.trainBasis, reuse, func(ctx context.Context) (err error) {
		r.Train, err = s.train(ctx)
		if r.Train.Selection.Name != "" {
			s.say(func(w io.Writer) { printTrain(w, r.Train) })
		}
		return err
	})
	look := all.Stale
	// A training whose model was not good enough ends the run each time.
	all.Stale = func(ctx context.Context) (string, error) {
		why, err := look(ctx)
		if why != "" || err != nil {
			return why, err
		}
		return "", unlessSelected(r.Train)
	}
	return all
}

// promoteStage is decided anew each time: it depends on what is in production.
// Where the challenger stays out, the run goes on with the model that is in.
func (s *session) promoteStage(r *everything) stages.Stage {
	return stages.Stage{Name: stagePromote, Run: func(ctx context.Context) (err error) {
		if r.Promote, err = s.promote(ctx, force{}); err != nil {
			return err
		}
		s.say(func(w io.Writer) { printPromote(w, r.Promote) })
		if r.Promote.Production == "" { // nothing else could serve
			return r.Promote.held()
		}
		return nil
	}}
}

// scoreStage scores with the model in production.
func (s *session) scoreStage(r *everything) stages.Stage {
	basis := func(ctx context.Context) (workspace.Basis, error) {
		v, err := s.version(ctx, registry.Production)
		if err != nil {
			return workspace.Basis{}, err
		}
		state, asOf, err := s.dataAsOf()
		return s.scoreBasis(v.Manifest, state, asOf), err
	}
	reuse := func(context.Context) error {
		var report scored
		err := s.readReport("score_latest", &report)
		r.Score, r.contacts = report.Report, report.First
		return err
	}
	return s.recorded(stageScore, basis, reuse, func(ctx context.Context) (err error) {
		if r.Score, err = s.score(ctx, registry.Production); err == nil {
			r.contacts = contactsOf(r.Score.Top)
			s.say(func(w io.Writer) { printScore(w, r.Score) })
		}
		return err
	})
}

func (s *session) reportStage(r *everything) stages.Stage {
	basis := func(ctx context.Context) (workspace.Basis, error) { return s.reportBasis(ctx, registry.Production) }
	reuse := func(context.Context) error { return s.readReport("report_latest", &r.Report) }
	return s.recorded(stageReport, basis, reuse, func(ctx context.Context) (err error) {
		if r.Report, err = s.report(ctx, registry.Production); err == nil {
			s.say(func(w io.Writer) { printReport(w, r.Report) })
		}
		return err
	})
}

// printStages ends a run with what became of each stage.
func printStages(w io.Writer, all []stages.Outcome) {
	fmt.Fprintf(w, "\n%-9s  %-10s  %11s  %8s  %-12s  %s\n", "stage", "what", "rows", "seconds", "digest", "because")
	for _, o := range all {
		rows, digest := "-", "-"
		if o.Rows > 0 {
			rows = thousands(o.Rows)
		}
		if o.Digest != "" {
			digest = o.Digest[:12]
		}
		line := fmt.Sprintf("%-9s  %-10s  %11s  %8.2f  %-12s  %s", o.Stage, o.What, rows, o.Seconds, digest, o.Why)
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
}
