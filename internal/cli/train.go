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

	"churn/internal/config"
	"churn/internal/table"
	"churn/internal/workspace"
	"churn/model/bundle"
	"churn/model/metric"
	"churn/pipeline"
	"churn/pipeline/dataset"
	"churn/pipeline/features"
	"churn/pipeline/train"
	"churn/registry"
)

func trainCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:  "train",
		Usage: "fit the models, measure them on the latest as-of dates, and register those that beat the floor",
		Flags: []cli.Flag{asOfFlag(), &choice{&cli.StringFlag{Name: "model", Usage: "fit `NAME` only: logistic or gbdt"}, []string{train.ModelLogistic, train.ModelGBDT}}},
		Action: s.dated(func(c *cli.Context) error {
			if name := c.String("model"); name != "" {
				s.config.Train.Models = []string{name}
				if err := s.config.Train.Validate(); err != nil {
					return usageError{fmt.Errorf("--model: %w", err)}
				}
			}
			report, err := s.train(c.Context)
			if report.Selection.Name == "" {
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
	basis, err := s.trainBasis(ctx)
	if err != nil {
		return report, err
	}
	raw, err := s.files.Identify(ctx, basis.Raw)
	if err != nil {
		return report, err
	}
	var candidates []train.Candidate
	err = s.stage(ctx, "train", func(ctx context.Context, progress func(done, total int64)) error {
		d := s.definition()
		rows, _, err := s.trainingRows(ctx)
		if err != nil {
			return err
		}
		if len(basis.Raw) > 0 {
			if d.Truth, err = train.LoadTruth(basis.Raw[0]); err != nil {
				return err
			}
		}
		if d.Start, err = s.warmStart(ctx); err != nil {
			return err
		}
		report, candidates, err = train.Run(ctx, rows, d, progress)
		return err
	})
	if err != nil {
		return report, err
	}
	if err := s.register(ctx, &report, candidates, basis.Inputs[0]); err != nil {
		return report, err
	}
	writing := s.files.Begin(stageTrain)
	if err := errors.Join(writing.Report("train_latest", report, int64(report.Rows)), writing.End(s.files.Metrics("train_latest"), basis, raw)); err != nil {
		return report, err
	}
	return report, unlessSelected(report)
}

// trainBasis returns what decides the outputs of train: the training set first,
// the production model where training starts from it, and the truth of simulated
// data.
func (s *session) trainBasis(ctx context.Context) (b workspace.Basis, err error) {
	state, err := s.files.State(s.files.TrainingSet())
	if err != nil {
		return b, err
	}
	c := s.config
	b = workspace.Basis{Inputs: []pipeline.FileState{state}, Settings: []pipeline.Setting{workspace.Setting("features", c.Features), workspace.Setting("labels", c.Labels),
		workspace.Setting("train", c.Train), workspace.Setting("evaluate", c.Evaluate), workspace.Setting("value", c.Value), workspace.Setting("score.tiers.high", c.Score.Tiers.High),
		workspace.Setting("promote.primary_metric", c.Promote.PrimaryMetric), workspace.Setting("--as-of", s.asOf)}}
	start, err := s.startsFrom(ctx)
	if err != nil {
		return b, err
	}
	if start != nil {
		b.Inputs = append(b.Inputs, versionState(start.Manifest))
	}
	b.Raw, err = s.truthFile()
	return b, err
}

// versionState identifies a version of a model for use as an input.
func versionState(m registry.Manifest) pipeline.FileState {
	return pipeline.FileState{Path: "registry/" + m.Version, SHA256: m.Digest}
}

// unlessSelected is the error of a training whose best model was not good
// enough to be registered.
func unlessSelected(report train.Report) error {
	if v := report.Selected(); !v.Passed {
		return heldError{fmt.Errorf("the selected model, %s, was not registered: %s", v.Name, v.Reason)}
	}
	return nil
}

// registered fails unless the versions of a training are in the registry as
// they were.
func (s *session) registered(ctx context.Context, report train.Report) error {
	for _, verdict := range report.Verdicts {
		if verdict.Version == "" {
			continue
		}
		v, err := s.version(ctx, verdict.Version)
		if err != nil {
			return err
		}
		if v.Digest != verdict.Digest {
			return fmt.Errorf("model %s is not the one that was trained", verdict.Version)
		}
	}
	return nil
}

// definition returns what models are trained for, by the settings.
func (s *session) definition() train.Definition {
	return train.Definition{Features: s.config.Features, Labels: s.config.Labels, Threshold: s.config.Score.Tiers.High, Model: s.config.Train,
		Evaluate: s.config.Evaluate, Value: s.config.Value, Primary: s.config.Promote.PrimaryMetric, AsOf: s.asOf}
}

// trainingRows reads the training set, if it was made with the present settings.
func (s *session) trainingRows(ctx context.Context) (*dataset.Rows, pipeline.FileState, error) {
	out := s.files.TrainingSet()
	state, err := s.files.State(out)
	if err != nil {
		return nil, state, err
	}
	manifest, err := s.files.Manifest(out)
	if err != nil {
		return nil, state, err
	}
	if manifest.ConfigDigest != config.Digest(s.config.Labels, s.config.Features) {
		return nil, state, fmt.Errorf("%s was made with other settings of labels.* or features.*; run `churn features` and `churn labels` again", out.Path)
	}
	index := features.NewIndex(features.Catalog(s.config.Features))
	rows, err := dataset.Load(ctx, out.Path, index, state.Rows, s.config.Train.MaxRows, nil)
	if err != nil {
		return nil, state, err
	}
	return rows, state, s.files.Agree(out, state, rows.Input)
}

// startsFrom returns the version that training starts from, nil if from none:
// from trees none does, since they remember the rows that they have learned
// from, and a part of those chooses settings now.
func (s *session) startsFrom(ctx context.Context) (*registry.Version, error) {
	name, err := s.startName(ctx)
	if err != nil || name == "" || !slices.Contains(s.config.Train.Models, train.ModelLogistic) {
		return nil, err
	}
	v, err := s.version(ctx, name)
	if err != nil || v.Kind != bundle.KindLogistic {
		return nil, err
	}
	return v, nil
}

// startName returns the version that training may start from, "" if none.
func (s *session) startName(ctx context.Context) (string, error) {
	switch {
	case s.warm != nil:
		return *s.warm, nil
	case !s.config.Train.WarmStart:
		return "", nil
	}
	r, err := s.registry(ctx)
	if err != nil {
		return "", err
	}
	aliases, err := r.Aliases(ctx)
	return aliases.Production, err
}

// warmStart returns the model that training starts from, nil if from none.
func (s *session) warmStart(ctx context.Context) (*bundle.Bundle, error) {
	v, err := s.startsFrom(ctx)
	if v == nil || err != nil {
		return nil, err
	}
	m, err := modelOf(v)
	if err != nil {
		return nil, err
	}
	return m.Bundle, nil
}

// maxTruthRows bounds the memory for the truth, about 100 bytes a row.
const maxTruthRows = 2_000_000

// truthFile returns the file of the true probabilities where the data was
// simulated: where the events that prepare read are those that generate wrote.
func (s *session) truthFile() ([]string, error) {
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
			return []string{path}, nil
		}
	}
	return nil, nil
}

// register stores the candidates and notes their versions in the report.
func (s *session) register(ctx context.Context, report *train.Report, candidates []train.Candidate, state pipeline.FileState) error {
	r, err := s.registry(ctx)
	if err != nil {
		return err
	}
	aliases, err := r.Aliases(ctx)
	if err != nil {
		return err
	}
	asOf := report.Split.TestLast + pipeline.Date(report.WindowDays)
	lineage, err := s.lineage(state)
	if err != nil {
		return err
	}
	for _, c := range candidates {
		lineage.FeatureSet = c.Bundle.FeatureSet
		files, err := candidateFiles(c, *report, train.Lineage{AsOf: asOf, CodeVersion: Version(), TrainingSet: state})
		if err != nil {
			return err
		}
		m, fresh, err := r.Register(ctx, registry.Candidate{Kind: c.Bundle.Kind, AsOf: asOf, Metrics: figuresOf(c.Measured),
			Parent: aliases.Production, Lineage: lineage, Files: files}, s.stamp())
		if err != nil {
			return err
		}
		s.log.Info("model registered", "version", m.Version, "new", fresh)
		for i := range report.Verdicts {
			if v := &report.Verdicts[i]; v.Name == c.Measured.Name {
				v.Version, v.Digest = m.Version, m.Digest
			}
		}
	}
	return nil
}

// candidateFiles returns what is stored of a candidate.
func candidateFiles(c train.Candidate, report train.Report, lineage train.Lineage) (map[string][]byte, error) {
	data, err := c.Bundle.Encode()
	if err != nil {
		return nil, err
	}
	report.Verdicts = slices.Clone(report.Verdicts)
	for i := range report.Verdicts {
		report.Verdicts[i].Version, report.Verdicts[i].Digest = "", "" // not known yet
	}
	metrics, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return nil, err
	}
	reference, signature, sample, err := c.Papers().Encode()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{registry.BundleFile: data, registry.MetricsFile: append(metrics, '\n'), registry.CardFile: train.Card(c, report, lineage),
		registry.ProfileFile: reference, registry.SignatureFile: signature, registry.SampleFile: sample}, nil
}

// lineage says what the models of this session are made from and with.
func (s *session) lineage(trainingSet pipeline.FileState) (l registry.Lineage, err error) {
	settings := s.config.Sections("profile", "features", "labels", "train", "evaluate", "value", "promote.primary_metric", "score.tiers")
	l = registry.Lineage{Inputs: []pipeline.FileState{trainingSet}, ConfigDigest: config.Digest(settings), Seed: s.config.Train.Seed, CodeVersion: Version(), CodeDigest: s.files.Code()}
	for _, part := range []struct {
		to *json.RawMessage
		v  any
	}{{&l.Features, s.config.Sections("features")}, {&l.Labels, s.config.Sections("labels")}, {&l.Config, settings}} {
		if *part.to, err = json.Marshal(part.v); err != nil {
			return l, err
		}
	}
	return l, nil
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
	return []string{"pr_auc", "roc_auc", "log_loss", "brier", "precision_at_50", "lift_at_5pct", "lift_at_10pct", metric.ProfitAtCapacity}
}

func printTrain(w io.Writer, r train.Report) {
	p := r.Split
	fmt.Fprintf(w, "train     %s rows from %s to %s (%.1f%% churned); test %s rows from %s to %s (%.1f%% churned, %s users); %d dates purged between them\n",
		thousands(int64(p.TrainRows)), p.TrainFirst, p.TrainLast, 100*p.TrainRate, thousands(int64(p.TestRows)), p.TestFirst, p.TestLast, 100*p.TestRate, thousands(int64(r.TestUsers)), p.Purged)
	if n := len(r.Folds); n > 0 {
		first, last := r.Folds[n-1], r.Folds[0]
		fmt.Fprintf(w, "          settings, calibration and model chosen on %d validation folds by %s, from %s to %s\n", n, last.By, first.ValidateFirst, last.ValidateLast)
	}
	printTable(w, r)
	for _, m := range r.Models {
		fmt.Fprintf(w, "          %s: %s; %s after %d iterations", m.Name, m.Setting, m.Fit.Status, m.Fit.Iterations)
		if m.Calibration != nil {
			fmt.Fprintf(w, "; calibration %s", m.Calibration.Kind)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "          selected %s: %s\n", r.Selection.Name, r.Selection.Reason)
	for _, v := range r.Verdicts {
		printVerdict(w, v)
	}
	for _, text := range r.Warnings {
		fmt.Fprintf(w, "          WARNING: %s\n", text)
	}
}

// printTable compares the figures of the models, the floor and the rule.
func printTable(w io.Writer, r train.Report) {
	all := append(append([]train.Measured{}, r.Models...), r.Floor, r.Rule)
	if r.Ceiling != nil {
		all = append(all, *r.Ceiling)
	}
	fmt.Fprintf(w, "          %-18s", "test figure")
	for _, m := range all {
		fmt.Fprintf(w, "  %-22s", title(m))
	}
	fmt.Fprintln(w)
	for _, name := range shownMetrics() {
		fmt.Fprintf(w, "          %-18s", name)
		for _, m := range all {
			fmt.Fprintf(w, "  %-22s", showEstimate(m.Find(name)))
		}
		fmt.Fprintln(w)
	}
}

func printVerdict(w io.Writer, v train.Verdict) {
	verdict := "not registered"
	if v.Passed {
		verdict = "registered as " + v.Version
	}
	fmt.Fprintf(w, "          %s %s: %s\n", v.Name, verdict, v.Reason)
	fmt.Fprintf(w, "          over the floor: PR-AUC %s; over the rule: PR-AUC %s, profit %s (same resamples of users)\n",
		showDifference(v.OverFloor), showDifference(v.OverRule), showDifference(v.ProfitOverRule))
	if v.Warning != "" {
		fmt.Fprintf(w, "          WARNING: %s\n", v.Warning)
	}
	if v.Suspicion.Reason != "" {
		fmt.Fprintf(w, "          LEAK ALARM: %s\n", v.Suspicion.Reason)
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
	return m.Name
}

func showDifference(e metric.Estimate) string {
	switch {
	case math.IsNaN(e.Value):
		return "undefined"
	case large(e):
		return fmt.Sprintf("%+.0f (%+.0f to %+.0f)", e.Value, e.Low, e.High)
	}
	return fmt.Sprintf("%+.3f (%+.3f to %+.3f)", e.Value, e.Low, e.High)
}

func showEstimate(e metric.Estimate) string {
	switch {
	case math.IsNaN(e.Value):
		return "-"
	case large(e):
		return fmt.Sprintf("%.0f (%.0f to %.0f)", e.Value, e.Low, e.High)
	}
	return train.Interval(e.Value, e.Low, e.High)
}

// large reports whether an estimate is an amount, which needs no decimals.
func large(e metric.Estimate) bool {
	return max(math.Abs(e.Value), math.Abs(e.Low), math.Abs(e.High)) >= 100
}
