package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"churn/registry"
)

// promotion is the report of promote.
type promotion struct {
	Version  string  `json:"version"`
	Previous string  `json:"previous,omitempty"`
	Changed  bool    `json:"changed"`
	Metric   string  `json:"primary_metric"`
	Value    float64 `json:"value"`
	Of       int     `json:"candidates"`
}

func promoteCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:  "promote",
		Usage: "put the best model of the latest training into production",
		Action: func(c *cli.Context) error {
			if err := s.load(c, nil); err != nil {
				return err
			}
			report, err := s.promote()
			if err != nil {
				return err
			}
			return s.print(report, func(w io.Writer) { printPromote(w, report) })
		},
	}
}

// promote moves production to the best candidate by the primary metric. The
// candidates are the versions made from the training set of the newest one:
// only they were measured on the same rows.
func (s *session) promote() (promotion, error) {
	r := registry.Open(s.config.Paths.Registry)
	versions, err := r.List()
	if err != nil {
		return promotion{}, err
	}
	if len(versions) == 0 {
		return promotion{}, errors.New("the registry is empty; run `churn train` first")
	}
	aliases, err := r.Aliases()
	if err != nil {
		return promotion{}, err
	}
	p := promotion{Metric: s.config.Promote.PrimaryMetric}
	newest := versions[len(versions)-1]
	for _, m := range versions {
		if m.Inputs[0].SHA256 != newest.Inputs[0].SHA256 {
			continue
		}
		p.Of++
		if v := m.Metrics[p.Metric]; v > p.Value || p.Version == "" {
			p.Version, p.Value = m.Version, v
		}
	}
	p.Previous = aliases[registry.Production]
	if p.Previous == p.Version {
		p.Previous = aliases[registry.Previous]
		_, _, err := r.Load(p.Version, registry.BundleFile)
		return p, err
	}
	p.Changed = true
	s.log.Info("promoting", "version", p.Version, "from", p.Previous)
	return p, r.Promote(p.Version, p.Previous)
}

func printPromote(w io.Writer, p promotion) {
	what := "is in production already"
	if p.Changed {
		what = "is now in production"
	}
	fmt.Fprintf(w, "promote   %s %s (best %s of %d: %.4f)", p.Version, what, p.Metric, p.Of, p.Value)
	if p.Previous != "" {
		fmt.Fprintf(w, "; previous: %s", p.Previous)
	}
	fmt.Fprintln(w)
}
