package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"churn/internal/atomicfile"
	"churn/internal/config"
	"churn/internal/table"
	"churn/model/metric"
	"churn/pipeline"
	"churn/pipeline/features"
	"churn/pipeline/train"
	"churn/registry"
)

func trainCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:  "train",
		Usage: "fit the models, measure them on the latest as-of dates, and register those that beat the floor",
		Flags: []cli.Flag{asOfFlag()},
		Action: s.dated(func(c *cli.Context) error {
			report, err := s.train(c.Context)
			if len(report.Models) == 0 {
				return err
			}
			if printErr := s.print(report, func(w io.Writer) { printTrain(w, report) }); printErr != nil {
				return printErr
			}
			return err
		}),
	}
}

// train fits, measures and registers. Without a model that beats the floor it
// returns the report and a heldError.
func (s *session) train(ctx context.Context) (report train.Report, err error) {
	out := s.files.TrainingSet()
	state, err := s.files.State(out)
	if err != nil {
		return report, err
	}
	d := train.Definition{Features: s.config.Features, Labels: s.config.Labels, Threshold: s.config.Score.Tiers.High, Model: s.config.Train, AsOf: s.asOf}
	manifest, err := s.files.Manifest(out)
	if err != nil {
		return report, err
	}
	if manifest.ConfigDigest != config.Digest(s.config.Labels, s.config.Features) {
		return report, fmt.Errorf("%s was made with other settings of labels.* or features.*; run `churn features` and `churn labels` again", out.Path)
	}
	var candidates []train.Candidate
	err = s.stage(ctx, "train", func(ctx context.Context, progress func(done, total int64)) error {
		index := features.NewIndex(features.Catalog(s.config.Features))
		rows, err := train.Load(ctx, out.Path, index, state.Rows, s.config.Train, nil)
		if err != nil {
			return err
		}
		if err := s.files.Agree(out, state, rows.Input); err != nil {
			return err
		}
		if d.Truth, err = s.truth(); err != nil {
			return err
		}
		report, candidates, err = train.Run(ctx, rows, d, progress)
		return err
	})
	if err != nil {
		return report, err
	}
	if err := s.register(&report, candidates, state); err != nil {
		return report, err
	}
	if _, err := atomicfile.WriteJSON(s.files.Metrics("train_latest"), report); err != nil {
		return report, err
	}
	if len(candidates) == 0 {
		return report, heldError{errors.New("no model was registered: " + report.Verdicts[0].Reason)}
	}
	return report, nil
}

// maxTruthRows bounds the memory for the truth, about 100 bytes a row.
const maxTruthRows = 2_000_000

// truth returns the true probabilities where the data was simulated: where the
// events that prepare read are those that generate wrote.
func (s *session) truth() (train.Truth, error) {
	events, err := s.files.Manifest(s.files.Raw("events"))
	if err != nil {
		return nil, nil //nolint:nilerr // not simulated
	}
	prepared, err := s.files.Manifest(s.files.Timelines())
	if err != nil {
		return nil, err
	}
	truth := s.files.Raw("truth")
	if m, err := s.files.Manifest(truth); err != nil || m.Rows > maxTruthRows {
		return nil, nil //nolint:nilerr // moved away, or too large to be worth its memory
	}
	same := func(f pipeline.FileState) bool { return f.SHA256 == events.Output.SHA256 }
	for _, format := range []table.Format{table.CSV, table.Parquet} {
		path := filepath.Join(s.config.Paths.Raw, "truth."+string(format))
		if slices.ContainsFunc(prepared.Inputs, same) && exists(path) {
			return train.LoadTruth(path)
		}
	}
	return nil, nil
}

// register stores the candidates and notes their versions in the report.
func (s *session) register(report *train.Report, candidates []train.Candidate, state pipeline.FileState) error {
	asOf := report.Split.TestLast + pipeline.Date(report.WindowDays)
	lineage := train.Lineage{AsOf: asOf, CodeVersion: Version(), TrainingSet: state}
	for _, c := range candidates {
		data, err := c.Bundle.Encode()
		if err != nil {
			return err
		}
		figures := *report
		figures.Verdicts = nil // they name the version, which is not known yet
		metrics, err := json.MarshalIndent(figures, "", "  ")
		if err != nil {
			return err
		}
		version, fresh, err := registry.Open(s.config.Paths.Registry).Register(registry.Candidate{
			Manifest: registry.Manifest{Kind: c.Bundle.Kind, AsOf: asOf, Inputs: []pipeline.FileState{state}, FeatureSet: c.Bundle.FeatureSet, Seed: s.config.Train.Seed, CodeVersion: Version(),
				ConfigDigest: config.Digest(s.config.Features, s.config.Labels, s.config.Train, s.config.Score.Tiers.High), Metrics: figuresOf(c.Measured)},
			Bundle: data, Metrics: append(metrics, '\n'),
			Card: func(version string) []byte { return train.Card(version, c, *report, lineage) },
		}, s.now())
		if err != nil {
			return err
		}
		s.log.Info("model registered", "version", version, "new", fresh)
		for i := range report.Verdicts {
			if v := &report.Verdicts[i]; v.Name == c.Measured.Name {
				v.Version = version
			}
		}
	}
	return nil
}

// figuresOf returns the defined test figures by name.
func figuresOf(m train.Measured) map[string]float64 {
	out := map[string]float64{}
	for _, e := range m.Estimates {
		if !math.IsNaN(e.Value) {
			out[e.Name] = e.Value
		}
	}
	return out
}

// shownMetrics are the figures of the short table.
func shownMetrics() []string {
	return []string{"pr_auc", "roc_auc", "log_loss", "brier", "precision_at_50", "lift_at_5pct", "lift_at_10pct"}
}

func printTrain(w io.Writer, r train.Report) {
	p := r.Split
	fmt.Fprintf(w, "train     %s rows from %s to %s (%.1f%% churned); test %s rows from %s to %s (%.1f%% churned, %s users); %d dates purged between them\n",
		thousands(int64(p.TrainRows)), p.TrainFirst, p.TrainLast, 100*p.TrainRate, thousands(int64(p.TestRows)), p.TestFirst, p.TestLast, 100*p.TestRate, thousands(int64(r.TestUsers)), p.Purged)
	fmt.Fprintf(w, "          %-16s", "test figure")
	all := append(append([]train.Measured{}, r.Models...), r.Floor, r.Rule)
	if r.Ceiling != nil {
		all = append(all, *r.Ceiling)
	}
	for _, m := range all {
		fmt.Fprintf(w, "  %-24s", title(m))
	}
	fmt.Fprintln(w)
	for _, name := range shownMetrics() {
		fmt.Fprintf(w, "          %-16s", name)
		for _, m := range all {
			fmt.Fprintf(w, "  %-24s", showEstimate(m.Find(name)))
		}
		fmt.Fprintln(w)
	}
	for _, v := range r.Verdicts {
		verdict := "not registered"
		if v.Passed {
			verdict = "registered as " + v.Version
		}
		fmt.Fprintf(w, "          %s %s: %s\n", v.Name, verdict, v.Reason)
		fmt.Fprintf(w, "          PR-AUC over the floor %s, over the rule %s (same resamples of users)\n", showDifference(v.OverFloor), showDifference(v.OverRule))
		if v.Warning != "" {
			fmt.Fprintf(w, "          WARNING: %s\n", v.Warning)
		}
	}
}

func title(m train.Measured) string {
	switch m.Name {
	case train.NameFloor:
		return "least-squares floor"
	case train.NameRule:
		return "rule: days silent"
	case train.NameTruth:
		return "best achievable"
	}
	if m.Fit != nil {
		return fmt.Sprintf("%s (%s)", m.Name, m.Fit.Status)
	}
	return m.Name
}

func showDifference(e metric.Estimate) string {
	if math.IsNaN(e.Value) {
		return "undefined"
	}
	return fmt.Sprintf("%+.3f (%+.3f to %+.3f)", e.Value, e.Low, e.High)
}

func showEstimate(e metric.Estimate) string {
	if math.IsNaN(e.Value) {
		return "-"
	}
	return train.Interval(e.Value, e.Low, e.High)
}
