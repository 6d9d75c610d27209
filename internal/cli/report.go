package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"churn/internal/atomicfile"
	"churn/internal/workspace"
	"churn/model/metric"
	"churn/pipeline"
	"churn/pipeline/backtest"
	"churn/pipeline/evaluate"
	"churn/pipeline/report"
)

func reportCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "write the page that people look at before they trust a model: one HTML file, no network",
		ArgsUsage: "[VERSION|ALIAS]",
		Flags:     append(periodFlags(), &cli.StringFlag{Name: "as-of", Usage: "write the page about what the monitors found up to `DATE` instead, as monitor report does"}),
		Action: func(c *cli.Context) error {
			args, err := arguments(c)
			switch {
			case err != nil:
				return err
			case !c.IsSet("as-of"):
				return s.measured(s.modelReport)(c)
			case len(args) > 0 || c.IsSet("from") || c.IsSet("to"):
				return usageError{errors.New("--as-of is of the page about a date, which is not about one model: it takes no version, no --from and no --to")}
			}
			return s.dated(func(c *cli.Context) error { return s.monitorReport(c.Context) })(c)
		},
	}
}

// modelReport writes and names the page of a version.
func (s *session) modelReport(ctx context.Context, name string, p period) error {
	r, err := s.reportOn(ctx, name, p)
	if err != nil {
		return err
	}
	return s.print(r, func(w io.Writer) { printReport(w, r) })
}

// reportResult is the page of a version.
type reportResult struct {
	Version string `json:"version"`
	Path    string `json:"path"`
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256"`

	evaluation evaluate.Evaluation
}

// report measures a version on its test period and writes its page.
func (s *session) report(ctx context.Context, name string) (reportResult, error) {
	return s.reportOn(ctx, name, period{from: pipeline.NoDate, to: pipeline.NoDate})
}

// reportBasis returns what decides the page of a version.
func (s *session) reportBasis(ctx context.Context, name string) (b workspace.Basis, err error) {
	m, err := s.version(ctx, name)
	if err != nil {
		return b, err
	}
	timelines, err := s.files.State(s.files.Timelines())
	if err != nil {
		return b, err
	}
	c := s.config
	b = workspace.Basis{Inputs: []pipeline.FileState{timelines, versionState(m.Manifest)}, Settings: []pipeline.Setting{workspace.Setting("evaluate", c.Evaluate),
		workspace.Setting("value", c.Value), workspace.Setting("train", []any{c.Train.MaxRows, c.Train.Bootstrap, c.Train.Seed})}}
	for _, path := range []string{s.files.Metrics("backtest_latest"), s.files.Metrics("override_" + m.Version)} {
		if exists(path) {
			b.Raw = append(b.Raw, path)
		}
	}
	return b, nil
}

// reportOn measures a version on a period and writes its page, with the latest
// backtest if there is one. A page of the test period is an end of the stage.
func (s *session) reportOn(ctx context.Context, name string, p period) (r reportResult, err error) {
	basis, err := s.reportBasis(ctx, name)
	if err != nil {
		return r, err
	}
	raw, err := s.files.Identify(ctx, basis.Raw)
	if err != nil {
		return r, err
	}
	writing := s.files.Begin(stageReport)
	e, err := s.evaluate(ctx, writing, name, p)
	if err != nil {
		return r, err
	}
	page, err := s.render(ctx, name, &e)
	if err != nil {
		return r, err
	}
	r = reportResult{Version: e.Version, Path: filepath.Join(s.config.Paths.Reports, "model_"+e.Version+p.suffix()+".html"), evaluation: e}
	info, err := atomicfile.Write(r.Path, page)
	r.Bytes, r.SHA256 = info.Bytes, info.SHA256
	if err != nil || p.suffix() != "" {
		return r, err
	}
	writing.File(r.Path, info)
	return r, errors.Join(writing.Report("report_latest", r, 0), writing.End(r.Path, basis, raw))
}

// render makes the page of an evaluation, and adds to its warnings.
func (s *session) render(ctx context.Context, name string, e *evaluate.Evaluation) ([]byte, error) {
	training, err := s.trainingReport(ctx, e.Version)
	if err != nil {
		return nil, err
	}
	if e.Warnings, err = s.overruled(ctx, *e); err != nil {
		return nil, err
	}
	past, err := s.latestBacktest(ctx, name)
	if err != nil {
		return nil, err
	}
	return report.Render(report.Input{Evaluation: *e, Training: &training, Backtest: past})
}

// overruled returns the warnings of an evaluation, with the verdict that
// somebody overruled to promote the version.
func (s *session) overruled(ctx context.Context, e evaluate.Evaluation) ([]string, error) {
	r, err := s.registry(ctx)
	if err != nil {
		return nil, err
	}
	history, err := r.History(ctx)
	if err != nil {
		return nil, err
	}
	for _, x := range slices.Backward(history) {
		if x.To == e.Version && x.Override {
			d, err := decisionOf(ctx, r, x)
			return append(e.Warnings, fmt.Sprintf("the gate said %s and was overruled by %s (%s): %s", x.Verdict, x.Actor, x.Reason, d.Reason)), err
		}
	}
	return e.Warnings, nil
}

// latestBacktest returns the last backtest, nil if there was none, or one of
// other features or of another label window than the model's.
func (s *session) latestBacktest(ctx context.Context, name string) (*backtest.Report, error) {
	path := s.files.Metrics("backtest_latest")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the latest backtest: %w", err)
	}
	var r backtest.Report
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("%s: %w; run `churn backtest` again, or delete it", path, err)
	}
	m, _, err := s.model(ctx, name)
	if err != nil || r.FeatureSet != m.Bundle.FeatureSet || r.WindowDays != m.Spec.Labels.WindowDays {
		return nil, err
	}
	return &r, nil
}

func printReport(w io.Writer, r reportResult) {
	e := r.evaluation
	fmt.Fprintf(w, "report    model %s (%s), as-of dates %s to %s, %s bytes; open it in a browser\n", r.Version, e.Kind, e.From, e.To, thousands(r.Bytes))
	fmt.Fprintf(w, "          PR-AUC %s, above the rule by %s\n", showEstimate(e.Cohort.Find(metric.PRAUC)), showDifference(evaluate.Find(e.OverRule, metric.PRAUC)))
	for _, text := range e.Warnings {
		fmt.Fprintf(w, "          WARNING: %s\n", text)
	}
	fmt.Fprintf(w, "          %s\n", r.Path)
}
