package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	"churn/internal/workspace"
	"churn/pipeline"
	"churn/pipeline/dataset"
	"churn/pipeline/evaluate"
	"churn/pipeline/train"
	"churn/registry"
)

func evaluateCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:      "evaluate",
		Usage:     "measure a model on any period: against the rule, by segment, in money, with intervals",
		ArgsUsage: "[VERSION|ALIAS]",
		Flags:     periodFlags(),
		Action: s.measured(func(ctx context.Context, name string, p period) error {
			e, err := s.evaluate(ctx, s.files.Begin("evaluate"), name, p)
			if err != nil {
				return err
			}
			return s.print(e, func(w io.Writer) { printEvaluation(w, e, s.files.Metrics("evaluation_"+e.Version+p.suffix())) })
		}),
	}
}

func periodFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "from", Usage: "first as-of `DATE` (default: of the version's test period)"},
		&cli.StringFlag{Name: "to", Usage: "last as-of `DATE` (default: of the version's test period, or with --from the last one whose label window has closed)"},
	}
}

// measured makes the action of a command that measures a version on a period,
// and writes into the workspace.
func (s *session) measured(run func(ctx context.Context, name string, p period) error) cli.ActionFunc {
	return func(c *cli.Context) error {
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
		return s.locked(func() error { return run(c.Context, name, p) })
	}
}

// period is a range of as-of dates; an end that is NoDate is open.
type period struct{ from, to pipeline.Date }

// suffix tells the files of a period from those of the test period.
func (p period) suffix() (out string) {
	if p.from != pipeline.NoDate {
		out += "_from_" + p.from.String()
	}
	if p.to != pipeline.NoDate {
		out += "_to_" + p.to.String()
	}
	return out
}

func parsePeriod(c *cli.Context) (p period, err error) {
	if p.from, err = dateFlag(c, "from"); err != nil {
		return p, err
	}
	if p.to, err = dateFlag(c, "to"); err != nil {
		return p, err
	}
	if p.from != pipeline.NoDate && p.to != pipeline.NoDate && p.from > p.to {
		return p, usageError{fmt.Errorf("--from %s is after --to %s", p.from, p.to)}
	}
	return p, nil
}

// dateFlag returns the date of a flag, NoDate if it was not given.
func dateFlag(c *cli.Context, name string) (pipeline.Date, error) {
	text := c.String(name)
	if text == "" {
		return pipeline.NoDate, nil
	}
	d, err := pipeline.ParseDate(text)
	if err != nil {
		return d, usageError{fmt.Errorf("--%s: %w", name, err)}
	}
	return d, nil
}

// evaluate measures a version and writes the figures, as an output of a stage.
func (s *session) evaluate(ctx context.Context, writing *workspace.Stage, name string, p period) (e evaluate.Evaluation, err error) {
	m, _, err := s.model(ctx, name)
	if err != nil {
		return e, err
	}
	learned, err := s.splitOf(ctx, m.Version)
	if err != nil {
		return e, err
	}
	t, state, err := s.timelines()
	if err != nil {
		return e, err
	}
	defer t.Close()
	dates, err := periodDates(p, learned, &t.Header.Span, m.Spec.Features.EveryDays, m.Spec.Labels.WindowDays)
	if err != nil {
		return e, err
	}
	in := evaluate.Input{Model: m, Params: s.config.Evaluate, Value: s.config.Value, Measure: s.definition().Evaluation(),
		InSample: dates[0] <= learned.TrainLast+pipeline.Date(m.Spec.Labels.WindowDays)}
	err = s.stage(ctx, "evaluate", func(ctx context.Context, progress func(done, total int64)) (err error) {
		d := dataset.Definition{Features: m.Spec.Features, Labels: m.Spec.Labels}
		if in.Rows, err = dataset.Collect(ctx, t, d, dates, s.config.Train.MaxRows, progress); err != nil {
			return err
		}
		if err := s.files.Agree(s.files.Timelines(), state, in.Rows.Input); err != nil {
			return err
		}
		e, err = evaluate.Run(in)
		return err
	})
	if err != nil {
		return e, err
	}
	return e, writing.Report("evaluation_"+e.Version+p.suffix(), e, 0)
}

// splitOf returns the periods that a version was trained and tested on.
func (s *session) splitOf(ctx context.Context, version string) (train.Split, error) {
	r, err := s.trainingReport(ctx, version)
	return r.Split, err
}

// trainingReport returns the report that a version was registered with.
func (s *session) trainingReport(ctx context.Context, version string) (r train.Report, err error) {
	v, err := s.version(ctx, version)
	if err != nil {
		return r, err
	}
	return trainingOf(v)
}

// trainingOf decodes the report that a version was registered with.
func trainingOf(v *registry.Version) (r train.Report, err error) {
	data, err := v.File(registry.MetricsFile)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("model %s: %s: %w", v.Version, registry.MetricsFile, err)
	}
	return r, nil
}

// periodDates returns the as-of dates to measure: those of the test period
// unless a period is given, counted back from its end, as far as their label
// windows have closed.
func periodDates(p period, learned train.Split, span *pipeline.Span, every, window int) ([]pipeline.Date, error) {
	closed := span.Last - pipeline.Date(window)
	from, to := p.from, p.to
	switch {
	case from == pipeline.NoDate && to == pipeline.NoDate:
		from, to = learned.TestFirst, learned.TestLast
	case to == pipeline.NoDate:
		to = closed
	}
	if to > closed {
		return nil, usageError{fmt.Errorf("the label windows of as-of dates after %s are still open: the data ends on %s and the window is %d days; use --to %s or earlier", closed, span.Last, window, closed)}
	}
	dates := slices.DeleteFunc(span.Grid(to, every), func(d pipeline.Date) bool { return from != pipeline.NoDate && d < from })
	if len(dates) == 0 {
		return nil, usageError{fmt.Errorf("there is no as-of date%s up to %s; the data runs from %s to %s, and label windows have closed up to %s", fromText(from), to, span.First, span.Last, closed)}
	}
	return dates, nil
}

func fromText(from pipeline.Date) string {
	if from == pipeline.NoDate {
		return ""
	}
	return " from " + from.String()
}

func printEvaluation(w io.Writer, e evaluate.Evaluation, path string) {
	fmt.Fprintf(w, "evaluate  model %s (%s), as-of dates %s to %s, churn = no activity in the %d days after\n", e.Version, e.Kind, e.From, e.To, e.WindowDays)
	printPopulations(w, e)
	fmt.Fprintf(w, "          above the rule on the same resamples of users:")
	for _, d := range e.OverRule {
		fmt.Fprintf(w, "  %s %s", d.Name, showDifference(d))
	}
	fmt.Fprintln(w)
	printCalibration(w, e.Calibration)
	printDecision(w, e.Decision, e.Value)
	for _, s := range e.Segments {
		printSegment(w, s)
	}
	fmt.Fprintf(w, "          what drives the risk (mean effect on the log-odds):")
	for _, i := range e.Importance[:min(5, len(e.Importance))] {
		fmt.Fprintf(w, "  %s %.2f", i.Feature, i.Mean)
	}
	fmt.Fprintln(w)
	for _, text := range e.Warnings {
		fmt.Fprintf(w, "          WARNING: %s\n", text)
	}
	fmt.Fprintf(w, "          %s\n", path)
}

func printPopulations(w io.Writer, e evaluate.Evaluation) {
	all := []struct {
		name string
		of   *evaluate.Population
	}{{"users at risk", &e.Cohort}, {"everyone", e.Everyone}}
	fmt.Fprintf(w, "          %-26s", "figure")
	for _, x := range all {
		if x.of != nil {
			fmt.Fprintf(w, "  %-22s  %-22s", x.name, "… by the rule")
		}
	}
	fmt.Fprintln(w)
	for _, name := range []string{"base_rate", "pr_auc", "roc_auc", "log_loss", "brier", "calibration_in_the_large", "precision_at_50", "lift_at_10pct", "profit_at_capacity", "empc"} {
		fmt.Fprintf(w, "          %-26s", name)
		for _, x := range all {
			if x.of != nil {
				fmt.Fprintf(w, "  %-22s  %-22s", showEstimate(x.of.Find(name)), showEstimate(evaluate.Find(x.of.Rule, name)))
			}
		}
		fmt.Fprintln(w)
	}
}

func printSegment(w io.Writer, s evaluate.Segment) {
	fmt.Fprintf(w, "          by %s\n", s.By)
	for _, g := range s.Groups {
		fmt.Fprintf(w, "            %-20s %8s rows  %5.1f%% churned  mean risk %5.1f%%  PR-AUC %s  rule %.3f\n", g.Name, thousands(int64(g.Rows)), 100*float64(g.Churned)/float64(g.Rows), 100*g.MeanRisk,
			showEstimate(evaluate.Find(g.Model, "pr_auc")), g.Rule.Value)
	}
	if s.Small > 0 {
		fmt.Fprintf(w, "            %d too small to tell\n", s.Small)
	}
}

func printCalibration(w io.Writer, c evaluate.Calibration) {
	fmt.Fprintf(w, "          calibration (%s): mean risk less churn rate %s; ECE %s, of which %.3f is noise; slope %s\n", c.Kind,
		showDifference(c.InTheLarge), showEstimate(c.ECE), c.Reliability.ExpectedECE, showEstimate(c.Slope))
	fmt.Fprintf(w, "          Brier %.4f = reliability %.4f − resolution %.4f + uncertainty %.4f + within bins %.4f\n", c.Brier.Brier, c.Brier.Reliability, c.Brier.Resolution, c.Brier.Uncertainty, c.Brier.WithinVariance-c.Brier.WithinCovariance)
}

func printDecision(w io.Writer, d evaluate.Decision, v evaluate.Value) {
	fmt.Fprintf(w, "          in money: contacting %d users a date brings %s (by the rule %s); only those above %.1f%%, from which a contact pays: %s with %.0f contacts; EMPC %s (rule %s)\n",
		v.Capacity, showEstimate(d.AtCapacity), showEstimate(d.Rule), 100*d.Threshold, showEstimate(d.Stopping), d.Contacts.Value, showEstimate(d.EMPC), showEstimate(d.RuleEMPC))
	c := d.Confusion
	fmt.Fprintf(w, "          above that threshold: %s leavers found, %s missed, %s contacted in vain, %s rightly left alone (precision %.1f%%, recall %.1f%%)\n",
		thousands(int64(c.TruePositives)), thousands(int64(c.FalseNegatives)), thousands(int64(c.FalsePositives)), thousands(int64(c.TrueNegatives)), 100*d.Precision, 100*d.Recall)
}
