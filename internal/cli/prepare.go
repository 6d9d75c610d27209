package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"churn/pipeline/prepare"
	"churn/pipeline/validate"
)

func prepareCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:  "prepare",
		Usage: "validate the raw data and aggregate it by user and day",
		Action: func(c *cli.Context) error {
			if err := s.load(c, nil); err != nil {
				return err
			}
			return s.locked(func() error {
				checked, report, err := s.prepare(c.Context)
				if checked.Planned > 0 && err != nil {
					return errors.Join(s.print(checked, func(w io.Writer) { printValidate(w, checked, s.files.Quarantine().Path) }), err)
				}
				if err != nil {
					return err
				}
				return s.print(report, func(w io.Writer) {
					printValidate(w, checked, s.files.Quarantine().Path)
					printPrepare(w, report)
				})
			})
		},
	}
}

func printPrepare(w io.Writer, r prepare.Report) {
	fmt.Fprintf(w, "prepare   %s users, %s events, %s active days from %s to %s", thousands(int64(r.Users)), thousands(r.Events), thousands(r.ActiveDays), r.FirstDate, r.LastDate)
	if r.LateFacts > 0 {
		fmt.Fprintf(w, "; %s days have facts that became known later", thousands(r.LateFacts))
	}
	fmt.Fprintln(w)
}

func printValidate(w io.Writer, r validate.Report, quarantine string) {
	verdict := "accepted"
	if !r.Accepted {
		verdict = "REJECTED"
	}
	fmt.Fprintf(w, "validate  %s: %s users, %s events; %d checks planned, %d run, %d failed\n", verdict, thousands(r.Users.Accepted), thousands(r.Events.Accepted), r.Planned, r.Run, r.Failed)
	for _, c := range r.Checks {
		if c.Failures == 0 && c.Error == "" {
			continue
		}
		fmt.Fprintf(w, "          %-8s %-9s %-24s %s of %s do not fulfil: %s\n", c.Severity, c.Status, c.Name, thousands(c.Failures), thousands(c.Checked), c.Demand)
		for _, f := range c.Examples[:min(len(c.Examples), shown(c))] {
			fmt.Fprintf(w, "                   %s\n", f)
		}
	}
	if n := r.Users.Rejected + r.Events.Rejected; n > 0 {
		fmt.Fprintf(w, "          %s bad rows are in %s\n", thousands(n), quarantine)
	}
}

// shown returns how many examples of a check are worth a line.
func shown(c validate.Check) int {
	if c.Severity == validate.Info {
		return 0
	}
	return 3
}
