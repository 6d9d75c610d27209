package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/urfave/cli/v2"

	"churn/pipeline/train"
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
// candidates are the versions of the latest training: only they were measured
// on the same rows.
func (s *session) promote() (promotion, error) {
	r := registry.Open(s.config.Paths.Registry)
	p := promotion{Metric: s.config.Promote.PrimaryMetric}
	candidates, err := s.candidates(r)
	if err != nil {
		return p, err
	}
	for _, m := range candidates {
		p.Of++
		if v := m.Metrics[p.Metric]; v > p.Value || p.Version == "" {
			p.Version, p.Value = m.Version, v
		}
	}
	aliases, err := r.Aliases()
	if err != nil {
		return p, err
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

// candidates returns the manifests of the versions that the latest training
// registered.
func (s *session) candidates(r *registry.Registry) ([]registry.Manifest, error) {
	versions, err := r.List()
	if err != nil {
		return nil, err
	}
	if len(versions) == 0 {
		return nil, errors.New("the registry is empty; run `churn train` first")
	}
	var latest train.Report
	data, err := os.ReadFile(s.files.Metrics("train_latest"))
	if err == nil {
		err = json.Unmarshal(data, &latest)
	}
	if err != nil {
		return nil, fmt.Errorf("read the report of the latest training: %w; run `churn train` again", err)
	}
	candidates := slices.DeleteFunc(versions, func(m registry.Manifest) bool {
		return !slices.ContainsFunc(latest.Verdicts, func(v train.Verdict) bool { return v.Passed && v.Version == m.Version })
	})
	if len(candidates) == 0 {
		return nil, heldError{errors.New("the latest training registered no model that is in the registry; run `churn train`")}
	}
	return candidates, nil
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
