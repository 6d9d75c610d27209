package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"churn/internal/atomicfile"
	"churn/pipeline/train"
	"churn/registry"
)

// promotion is the report of promote.
type promotion struct {
	Version  string  `json:"version"`
	Previous string  `json:"previous,omitempty"`
	Changed  bool    `json:"changed"`
	Model    string  `json:"model"`
	Metric   string  `json:"primary_metric"`
	Value    float64 `json:"value"`
	Why      string  `json:"why"`                // why this model of the latest training
	Override string  `json:"override,omitempty"` // the alarm that was overruled, and the reason given
}

// force says that an alarm is to be overruled, and why.
type force struct {
	on     bool
	reason string
}

func promoteCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:  "promote",
		Usage: "put the model that the latest training selected into production",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "force", Usage: "overrule a leak alarm; needs --reason"},
			&cli.StringFlag{Name: "reason", Usage: "why, in `TEXT`; it is recorded"},
		},
		Action: func(c *cli.Context) error {
			f := force{c.Bool("force"), strings.TrimSpace(c.String("reason"))}
			if f.on != (f.reason != "") {
				return usageError{errors.New("--force and --reason go together: overruling an alarm needs a reason")}
			}
			if err := s.load(c, nil); err != nil {
				return err
			}
			report, err := s.promote(c.Context, f)
			if err != nil {
				return err
			}
			return s.print(report, func(w io.Writer) { printPromote(w, report) })
		},
	}
}

// promote moves production to the model that the latest training selected on
// its validation rows: choosing by test figures would make them look better
// than they are.
func (s *session) promote(ctx context.Context, f force) (p promotion, err error) {
	r, err := s.registry(ctx)
	if err != nil {
		return p, err
	}
	p.Metric = s.config.Promote.PrimaryMetric
	v, manifest, err := s.selected(ctx, r)
	if err != nil {
		return p, err
	}
	p.Version, p.Model, p.Value, p.Why = v.Version, v.Name, manifest.Metrics[p.Metric], v.Reason
	if alarm := v.Suspicion.Reason; alarm != "" {
		if !f.on {
			return p, heldError{fmt.Errorf("leak alarm on %s: %s; if you know better: `churn promote --force --reason TEXT`", v.Version, alarm)}
		}
		p.Override = fmt.Sprintf("%s; overruled: %s", alarm, f.reason)
		s.log.Warn("leak alarm overruled", "version", v.Version, "alarm", alarm, "reason", f.reason)
		// The record comes first: no overruled model is in production without one.
		if _, err := atomicfile.WriteJSON(s.files.Metrics("override_"+v.Version), p); err != nil {
			return p, err
		}
	}
	aliases, err := r.Aliases(ctx)
	if err != nil {
		return p, err
	}
	p.Previous = aliases.Production
	if p.Previous == p.Version {
		p.Previous = aliases.Previous
		_, err := r.Load(ctx, p.Version)
		return p, err
	}
	p.Changed = true
	s.log.Info("promoting", "version", p.Version, "from", p.Previous)
	_, err = r.Move(ctx, registry.Move{Action: registry.ActionPromote, From: p.Previous, To: p.Version, Actor: s.actor(), Reason: f.reason, Time: s.stamp(), Override: p.Override != ""})
	return p, err
}

// selected returns the verdict on the model that the latest training selected,
// and its manifest.
func (s *session) selected(ctx context.Context, r *registry.Registry) (train.Verdict, registry.Manifest, error) {
	versions, err := r.List(ctx)
	if err != nil {
		return train.Verdict{}, registry.Manifest{}, err
	}
	if len(versions) == 0 {
		return train.Verdict{}, registry.Manifest{}, errors.New("the registry is empty; run `churn train` first")
	}
	var latest train.Report
	data, err := os.ReadFile(s.files.Metrics("train_latest"))
	if err == nil {
		err = json.Unmarshal(data, &latest)
	}
	if err != nil {
		return train.Verdict{}, registry.Manifest{}, fmt.Errorf("read the report of the latest training: %w; run `churn train` again", err)
	}
	for _, v := range latest.Verdicts {
		i := slices.IndexFunc(versions, func(m registry.Manifest) bool { return m.Version == v.Version })
		if v.Name == latest.Selection.Name && v.Passed && i >= 0 {
			return v, versions[i], nil
		}
	}
	return train.Verdict{}, registry.Manifest{}, heldError{errors.New("the latest training registered no model that is in the registry; run `churn train`")}
}

func printPromote(w io.Writer, p promotion) {
	what := "is in production already"
	if p.Changed {
		what = "is now in production"
	}
	fmt.Fprintf(w, "promote   %s (%s) %s; %s %.4f", p.Version, p.Model, what, p.Metric, p.Value)
	if p.Previous != "" {
		fmt.Fprintf(w, "; previous: %s", p.Previous)
	}
	fmt.Fprintln(w)
	if p.Override != "" {
		fmt.Fprintf(w, "          LEAK ALARM overruled: %s\n", p.Override)
	}
}
