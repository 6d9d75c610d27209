package cli

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"churn/pipeline/validate"
	"churn/pipeline/warehouse"
)

func validateCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:  "validate",
		Usage: "check the raw data and say what is wrong with it",
		Flags: []cli.Flag{&cli.BoolFlag{Name: "list", Usage: "list the checks and their settings instead"}},
		Action: func(c *cli.Context) error {
			if err := s.load(c, nil); err != nil {
				return err
			}
			if c.Bool("list") {
				checks := s.config.Validate.List()
				return s.print(checks, func(w io.Writer) { printChecks(w, checks) })
			}
			return s.locked(func() error {
				report, err := s.validate(c.Context, s.files.Begin("validate"), false, func(*warehouse.Engine, *validate.Result) error { return nil })
				if report.Planned == 0 {
					return err
				}
				if printErr := s.print(report, func(w io.Writer) { printValidate(w, report, s.files.Quarantine().Path) }); printErr != nil {
					return printErr
				}
				return err
			})
		},
	}
}

func printChecks(w io.Writer, checks []validate.Check) {
	for _, c := range checks {
		fmt.Fprintf(w, "%-26s %-5s %-9s tolerance %-5v %s\n", c.Name, c.Level, c.Severity, c.Tolerance, c.Demand)
	}
}
