package cli

import (
	"context"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/urfave/cli/v2"

	"churn/internal/atomicfile"
	"churn/pipeline"
	"churn/pipeline/backtest"
	"churn/pipeline/dataset"
)

// backtestEvery is the default distance of trainings: as the weekly job would
// be too many to look at, monthly ones.
const backtestEvery = 28

// backtestSteps is the number of trainings where no first date is given.
const backtestSteps = 6

func backtestCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:  "backtest",
		Usage: "train at a series of past dates as one would have then, and measure each model on what followed",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "from", Usage: fmt.Sprintf("first training `DATE` (default: %d trainings)", backtestSteps)},
			&cli.StringFlag{Name: "to", Usage: "last training `DATE` (default: the last one whose period can be judged)"},
			&cli.IntFlag{Name: "every", Value: backtestEvery, Usage: "`DAYS` between trainings"},
		},
		Action: func(c *cli.Context) error {
			if err := s.load(c, nil); err != nil {
				return err
			}
			p, err := parsePeriod(c)
			if err != nil {
				return err
			}
			every := c.Int("every")
			if every < 1 {
				return usageError{fmt.Errorf("--every %d is out of range; use 1 or more days", every)}
			}
			return s.locked(func() error {
				r, err := s.backtest(c.Context, p, every)
				if err != nil {
					return err
				}
				return s.print(r, func(w io.Writer) { printBacktest(w, r, s.files.Metrics("backtest_latest")) })
			})
		},
	}
}

// backtest trains and measures over the plan, and writes the figures.
func (s *session) backtest(ctx context.Context, p period, every int) (r backtest.Report, err error) {
	err = s.stage(ctx, "backtest", func(ctx context.Context, progress func(done, total int64)) error {
		rows, _, err := s.trainingRows(ctx)
		if err != nil {
			return err
		}
		r, err = backtest.Run(ctx, backtest.Input{Rows: rows, Definition: s.definition(), Gate: s.config.Promote, Plan: plan(p, rows, every)}, progress)
		return err
	})
	if err != nil {
		return r, err
	}
	_, err = atomicfile.WriteJSON(s.files.Metrics("backtest_latest"), r)
	return r, err
}

// plan fills in the open ends: the last training has a whole period of
// labelled dates after it.
func plan(p period, rows *dataset.Rows, every int) backtest.Plan {
	dates := rows.Dates()
	out := backtest.Plan{From: p.from, To: p.to, Every: every}
	if out.To == pipeline.NoDate {
		out.To = dates[len(dates)-1] - pipeline.Date(every) + 1
		if k := len(dates); k > 1 { // the dates stand every few days: the period ends with the last one
			out.To = dates[len(dates)-1] - pipeline.Date(every) + (dates[k-1] - dates[k-2])
		}
	}
	if out.From == pipeline.NoDate {
		out.From = out.To - pipeline.Date((backtestSteps-1)*every)
	}
	return out
}

func printBacktest(w io.Writer, r backtest.Report, path string) {
	fmt.Fprintf(w, "backtest  %d periods, trained from %s to %s every %d days; each model is measured until the next\n", len(r.Steps), r.Plan.From, r.Plan.To, r.Plan.Every)
	fmt.Fprintf(w, "          %-10s  %-8s  %-7s  %7s  %7s  %9s  %-22s  %6s  %-24s  %s\n", "as of", "model", "gate", "rows", "churned", "mean risk", "PR-AUC", "rule", "over the rule", "profit over the rule")
	for _, s := range r.Steps {
		if !s.Measured() {
			fmt.Fprintf(w, "          %-10s  none yet: %s\n", s.AsOf, s.Note)
			continue
		}
		fmt.Fprintf(w, "          %-10s  %-8s  %-7s  %7s  %6.1f%%  %8.1f%%  %-22s  %6.3f  %-24s  %s  %s\n", s.AsOf, s.Model, s.Verdict, thousands(int64(s.Rows)), 100*s.BaseRate, 100*s.MeanRisk,
			showEstimate(s.PRAUC.Model), s.PRAUC.Rule.Value, showDifference(s.PRAUC.Difference), showDifference(s.Profit.Difference), bar(s.PRAUC.Model.Value, s.PRAUC.Rule.Value))
		if s.Note != "" {
			fmt.Fprintf(w, "                      still the model of %s: %s\n", s.TrainedOn, s.Note)
		}
	}
	fmt.Fprintf(w, "          all %s rows of %s users: PR-AUC %s, rule %s, over the rule %s; profit per date over the rule %s\n", thousands(int64(r.Rows)), thousands(int64(r.Users)),
		showEstimate(r.PRAUC.Model), showEstimate(r.PRAUC.Rule), showDifference(r.PRAUC.Difference), showDifference(r.Profit.Difference))
	printLines(w, r.Lines)
	fmt.Fprintf(w, "          %s\n", path)
}

// printLines says what replacing the model was worth.
func printLines(w io.Writer, lines []backtest.Comparison) {
	fmt.Fprintf(w, "          %-34s  %6s", "model in production", "models")
	for _, e := range lines[0].Estimates {
		fmt.Fprintf(w, "  %-18s  %-24s", e.Name, "less the first model's")
	}
	fmt.Fprintln(w)
	for _, l := range lines {
		fmt.Fprintf(w, "          %-34s  %6d", backtest.Title(l.Name), l.Models)
		for i, e := range l.Estimates {
			fmt.Fprintf(w, "  %-18.4g  %-24s", e.Value, showDifference(l.OverFrozen[i]))
		}
		fmt.Fprintln(w)
	}
}

// barWidth is the length of a PR-AUC of 1.
const barWidth = 30

// bar draws a figure as a bar, and the rule's as a mark on it.
func bar(model, rule float64) string {
	if math.IsNaN(model) || math.IsNaN(rule) {
		return ""
	}
	cells := []rune(strings.Repeat("█", int(math.Round(model*barWidth))) + strings.Repeat("░", barWidth-int(math.Round(model*barWidth))))
	cells[min(int(rule*barWidth), barWidth-1)] = '┃'
	return string(cells)
}
