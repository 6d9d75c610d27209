package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"churn/pipeline"
	"churn/pipeline/features"
)

func featuresCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:  "features",
		Usage: "compute the features of every user at every as-of date",
		Flags: []cli.Flag{
			asOfFlag(),
			&cli.BoolFlag{Name: "list", Usage: "print the catalog of features instead"},
			&cli.StringFlag{Name: "probe", Usage: "look for leaks: change, delete and add facts after `DATE` and compare the features up to it"},
		},
		Action: func(c *cli.Context) error {
			if err := s.load(c, nil); err != nil {
				return err
			}
			if err := s.parseAsOf(c); err != nil {
				return err
			}
			if c.Bool("list") {
				list := features.Catalog(s.config.Features)
				return s.print(list, func(w io.Writer) { printCatalog(w, list) })
			}
			if text := c.String("probe"); text != "" {
				if c.IsSet("as-of") {
					return usageError{errors.New("--probe and --as-of exclude each other: the probe compares the rows up to its own date")}
				}
				date, err := pipeline.ParseDate(text)
				if err != nil {
					return usageError{fmt.Errorf("--probe: %w", err)}
				}
				return s.probe(c.Context, date)
			}
			return s.locked(func() error {
				report, err := s.features(c.Context)
				if err != nil {
					return err
				}
				return s.print(report, func(w io.Writer) { printFeatures(w, report) })
			})
		},
	}
}

func printFeatures(w io.Writer, r features.Report) {
	fmt.Fprintf(w, "features  %s rows: %s users, %d as-of dates from %s to %s, %d features (set %s)\n",
		thousands(r.Rows), thousands(int64(r.Users)), r.AsOfDates, r.FirstAsOf, r.LastAsOf, r.Features, r.Fingerprint)
}

func printCatalog(w io.Writer, list []features.Feature) {
	fmt.Fprintf(w, "%-34s %-7s %-22s %-11s %s\n", "NAME", "WINDOW", "UNIT", "THEME", "MEANING (null when)")
	for _, f := range list {
		window := "-"
		if f.Window > 0 {
			window = fmt.Sprintf("%dd", f.Window)
		}
		fmt.Fprintf(w, "%-34s %-7s %-22s %-11s %s (%s)\n", f.Name, window, f.Unit, f.Theme, f.Title, f.Null)
	}
}
