package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"churn/internal/config"
	"churn/internal/workspace"
	"churn/model/bundle"
	"churn/pipeline"
	"churn/pipeline/score"
	"churn/registry"
)

func scoreCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:  "score",
		Usage: "rank the users at risk, with reasons",
		Flags: []cli.Flag{asOfFlag(), &cli.StringFlag{Name: "model", Value: registry.Production, Usage: "score with `VERSION|ALIAS`"}},
		Action: s.dated(func(c *cli.Context) error {
			report, err := s.score(c.Context, c.String("model"))
			if err != nil {
				return err
			}
			return s.print(report, func(w io.Writer) { printScore(w, report) })
		}),
	}
}

// model loads a version from the registry.
func (s *session) model(ctx context.Context, name string) (*score.Model, registry.Manifest, error) {
	v, err := s.version(ctx, name)
	if err != nil {
		return nil, registry.Manifest{}, err
	}
	m, err := modelOf(v)
	return m, v.Manifest, err
}

// version loads a version with all its files.
func (s *session) version(ctx context.Context, name string) (*registry.Version, error) {
	r, err := s.registry(ctx)
	if err != nil {
		return nil, err
	}
	return r.Load(ctx, name)
}

// modelOf makes the model of a version.
func modelOf(v *registry.Version) (*score.Model, error) {
	data, err := v.File(registry.BundleFile)
	if err != nil {
		return nil, err
	}
	b, err := bundle.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", v.Version, err)
	}
	return score.NewModel(b, v.Version)
}

// score writes the predictions of the contract.
func (s *session) score(ctx context.Context, name string) (report score.Report, err error) {
	started := s.stamp()
	m, manifest, err := s.model(ctx, name)
	if err != nil {
		return report, err
	}
	t, state, err := s.timelines()
	if err != nil {
		return report, err
	}
	defer t.Close()
	asOf, err := s.asOfWithin(t.Header.Span)
	if err != nil {
		return report, err
	}
	var results []score.Result
	err = s.stage(ctx, "score", func(ctx context.Context, progress func(done, total int64)) (err error) {
		results, report, err = score.Run(ctx, t, m, asOf, s.config.Score, progress)
		return err
	})
	if err != nil {
		return report, err
	}
	if err := s.files.Agree(s.files.Timelines(), state, t.SHA256()); err != nil {
		return report, err
	}
	if manifest.AsOf > asOf {
		report.Hindsight = manifest.AsOf
	}
	s.warnDefinition(m)
	inputs := []pipeline.FileState{state}
	for _, f := range manifest.Files {
		f.Path = "registry/" + m.Version + "/" + f.Path
		inputs = append(inputs, f)
	}
	made := workspace.Made{Inputs: inputs, ConfigDigest: config.Digest(s.config.Score, asOf), Started: started}
	full := s.files.Prediction(fmt.Sprintf("churn_predictions_%s", asOf))
	top := s.files.Prediction(fmt.Sprintf("churn_top_%d_%s", s.config.Score.TopK, asOf))
	latest := s.files.Prediction("batch_predictions_latest")
	report.Predictions, report.TopList = full.Path, top.Path
	for _, x := range []struct {
		out  workspace.Output
		rows []score.Result
	}{{full, results}, {top, report.Top}, {latest, results}} {
		info, err := score.Write(x.rows, m.Version, x.out.Path, s.files.Format)
		if err != nil {
			return report, err
		}
		if err := s.files.Record(x.out, info, made); err != nil {
			return report, err
		}
	}
	return report, nil
}

// warnDefinition says where the settings differ from what the model was trained
// to predict; the model's own definition is the one in force.
func (s *session) warnDefinition(m *score.Model) {
	ours, its := s.config.Labels, m.Spec.Labels
	if ours.WindowDays != its.WindowDays || ours.CohortActiveDays != its.CohortActiveDays {
		s.log.Warn("the model keeps the definition that it was trained with", "model", m.Version,
			"labels.window_days", its.WindowDays, "labels.cohort_active_days", its.CohortActiveDays)
	}
}

func printScore(w io.Writer, r score.Report) {
	fmt.Fprintf(w, "score     %s users at risk on %s, model %s: %s high, %s medium, %s low", thousands(int64(r.Scored)), r.AsOf, r.Version,
		thousands(int64(r.Tiers[score.High])), thousands(int64(r.Tiers[score.Medium])), thousands(int64(r.Tiers[score.Low])))
	if r.NotAtRisk > 0 {
		fmt.Fprintf(w, "; %s were not active in the %d days before and are not scored", thousands(int64(r.NotAtRisk)), r.CohortDays)
	}
	if r.Hindsight != 0 {
		fmt.Fprintf(w, "\n          in hindsight: model %s has learned from data up to %s", r.Version, r.Hindsight)
	}
	fmt.Fprintf(w, "\n          %s\n          %s\n", r.Predictions, r.TopList)
}

// printTop lists the users to contact first.
func printTop(w io.Writer, r score.Report, n int) {
	for _, x := range r.Top[:min(n, len(r.Top))] {
		var reasons []string
		for _, reason := range x.Reasons {
			reasons = append(reasons, reason.Text)
		}
		fmt.Fprintf(w, "  %3d. user %-10s %5.1f%%  %-6s  %s\n", x.Rank, x.User.ID, 100*x.Risk, x.Tier, strings.Join(reasons, " · "))
	}
}
