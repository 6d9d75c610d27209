package cli

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"churn/pipeline/labels"
)

func labelsCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:  "labels",
		Usage: "label every as-of date whose window has closed, and join the training set",
		Flags: []cli.Flag{asOfFlag()},
		Action: s.dated(func(c *cli.Context) error {
			report, err := s.labels(c.Context)
			if err != nil {
				return err
			}
			return s.print(report, func(w io.Writer) { printLabels(w, report, s.config.Labels) })
		}),
	}
}

func printLabels(w io.Writer, both labelled, p labels.Params) {
	r, d := both.Labels, both.TrainingSet
	fmt.Fprintf(w, "labels    %s labelled rows, %d as-of dates from %s to %s, windows of %d days\n", thousands(r.Rows), r.AsOfDates, r.FirstAsOf, r.LastAsOf, p.WindowDays)
	if r.Finished > 0 {
		fmt.Fprintf(w, "          %s rows without activity are no churn: the last course was completed\n", thousands(r.Finished))
	}
	cohort := "everyone"
	if p.CohortActiveDays > 0 {
		cohort = fmt.Sprintf("users active in the last %d days", p.CohortActiveDays)
	}
	fmt.Fprintf(w, "dataset   %s rows to learn from (%s), of which %.1f%% churned\n", thousands(d.Rows), cohort, 100*d.ChurnRate())
}
