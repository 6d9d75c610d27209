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

	"github.com/urfave/cli/v2"

	"churn/internal/atomicfile"
	"churn/model/metric"
	"churn/pipeline"
	"churn/pipeline/backtest"
	"churn/pipeline/evaluate"
	"churn/pipeline/report"
	"churn/registry"
)

func reportCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "write the page that people look at before they trust a model: one HTML file, no network",
		ArgsUsage: "[VERSION|ALIAS]",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "from", Usage: "first as-of `DATE` (default: of the version's test period)"},
			&cli.StringFlag{Name: "to", Usage: "last as-of `DATE` (default: of the version's test period, or with --from the last one whose label window has closed)"},
		},
		Action: func(c *cli.Context) error {
			name, err := argument(c, "version or alias", registry.Production)
			if err != nil {
				return err
			}
			if err := s.load(c, nil); err != nil {
				return err
			}
			p, err := parsePeriod(c)
			if err != nil {
				return err
			}
			return s.locked(func() error {
				r, err := s.reportOn(c.Context, name, p)
				if err != nil {
					return err
				}
				return s.print(r, func(w io.Writer) { printReport(w, r) })
			})
		},
	}
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

// reportOn measures a version on a period and writes its page, with the latest
// backtest if there is one.
func (s *session) reportOn(ctx context.Context, name string, p period) (r reportResult, err error) {
	e, err := s.evaluate(ctx, name, p)
	if err != nil {
		return r, err
	}
	training, err := s.trainingReport(e.Version)
	if err != nil {
		return r, err
	}
	past, err := s.latestBacktest(name)
	if err != nil {
		return r, err
	}
	page, err := report.Render(report.Input{Evaluation: e, Training: &training, Backtest: past})
	if err != nil {
		return r, err
	}
	r = reportResult{Version: e.Version, Path: filepath.Join(s.config.Paths.Reports, "model_"+e.Version+".html"), evaluation: e}
	info, err := atomicfile.Write(r.Path, page)
	r.Bytes, r.SHA256 = info.Bytes, info.SHA256
	return r, err
}

// latestBacktest returns the last backtest, nil if there was none, or one of
// other features or of another label window than the model's.
func (s *session) latestBacktest(name string) (*backtest.Report, error) {
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
	m, _, err := s.model(name)
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
