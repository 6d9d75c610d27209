package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"churn/internal/workspace"
	"churn/model/bundle"
	"churn/pipeline"
	"churn/pipeline/prepare"
	"churn/pipeline/score"
	"churn/pipeline/warehouse"
	"churn/registry"
)

func scoreCommand(s *session) *cli.Command {
	whole := s.dated(func(c *cli.Context) error {
		report, err := s.score(c.Context, c.String("model"))
		if err != nil {
			return err
		}
		return s.print(report, func(w io.Writer) { printScore(w, report) })
	})
	return &cli.Command{
		Name:  "score",
		Usage: "rank the users at risk, with reasons",
		Description: "With --shard only a part of the users is scored, for several processes over one workspace: each leaves its part in predictions/shards, and the one that ends last joins them to " +
			"what one process writes. Nothing need follow; --merge joins where the last one could not.",
		Flags: []cli.Flag{asOfFlag(), aliasFlag("score with `VERSION|ALIAS`"),
			&cli.StringFlag{Name: "shard", Usage: "score the users of shard `I/N` only, counted from 0: 0/4 is the first of 4"},
			&cli.IntFlag{Name: "merge", Usage: "join the parts of `N` shards"}},
		Action: func(c *cli.Context) error {
			switch {
			case c.IsSet("shard") && c.IsSet("merge"):
				return usageError{errors.New("use either --shard or --merge")}
			case c.IsSet("shard"):
				return s.scoreShard(c)
			case c.IsSet("merge"):
				return s.mergeShards(c)
			}
			return whole(c)
		},
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

// scoreBasis returns what decides the outputs of score.
func (s *session) scoreBasis(m registry.Manifest, timelines pipeline.FileState, asOf pipeline.Date) workspace.Basis {
	return workspace.Basis{Inputs: []pipeline.FileState{timelines, versionState(m)},
		Settings: []pipeline.Setting{workspace.Setting("score", s.config.Score), workspace.Setting("--as-of", asOf)}}
}

// scoring is one scoring: who scores whom as of when.
type scoring struct {
	model     *score.Model
	manifest  registry.Manifest
	span      pipeline.Span
	timelines pipeline.FileState
	asOf      pipeline.Date
	started   time.Time
}

// scoring loads the model and opens the timelines, which the caller closes.
func (s *session) scoring(ctx context.Context, name string) (x scoring, t *prepare.Timelines, err error) {
	x.started = s.stamp()
	if x.model, x.manifest, err = s.model(ctx, name); err != nil {
		return x, nil, err
	}
	if t, x.timelines, err = s.timelines(); err != nil {
		return x, nil, err
	}
	x.span = t.Header.Span
	if x.asOf, err = s.asOfWithin(x.span); err != nil {
		t.Close()
		return x, nil, err
	}
	return x, t, nil
}

// basisOf returns what decides the outputs.
func (s *session) basisOf(x scoring) workspace.Basis {
	return s.scoreBasis(x.manifest, x.timelines, x.asOf)
}

// scoreUsers scores the users of a shard.
func (s *session) scoreUsers(ctx context.Context, t *prepare.Timelines, x scoring, shard score.Shard) (part score.Part, err error) {
	err = s.stage(ctx, "score", func(ctx context.Context, progress func(done, total int64)) (err error) {
		part, err = shard.Score(ctx, t, x.model, x.asOf, s.config.Score, progress)
		return err
	})
	if err != nil {
		return part, err
	}
	return part, s.files.Agree(s.files.Timelines(), x.timelines, t.SHA256())
}

// score writes the predictions of the contract.
func (s *session) score(ctx context.Context, name string) (report score.Report, err error) {
	x, t, err := s.scoring(ctx, name)
	if err != nil {
		return report, err
	}
	defer t.Close()
	all, err := s.scoreUsers(ctx, t, x, score.Whole())
	if err != nil {
		return report, err
	}
	return s.finishScores(ctx, x, all)
}

// finishScores ranks everybody and writes.
func (s *session) finishScores(ctx context.Context, x scoring, all score.Part) (report score.Report, err error) {
	if report, err = score.Rank(all, x.model, x.asOf, s.config.Score, x.span); err != nil {
		return report, err
	}
	if x.manifest.AsOf > x.asOf {
		report.Hindsight = x.manifest.AsOf
	}
	s.warnDefinition(x.model)
	return report, s.writeScores(ctx, s.basisOf(x), x.started, all.Results, &report)
}

// writeScores writes the tables and the report of score, and notes their paths
// in the report.
func (s *session) writeScores(ctx context.Context, basis workspace.Basis, started time.Time, results []score.Result, report *score.Report) error {
	full := s.files.Predictions(report.AsOf)
	top := s.files.Prediction(fmt.Sprintf("churn_top_%d_%s", s.config.Score.TopK, report.AsOf))
	latest := s.files.LatestPredictions()
	report.Predictions, report.TopList = full.Path, top.Path
	writing, made := s.files.Begin(stageScore), workspace.Made{Inputs: basis.Inputs, ConfigDigest: basis.Digest(), Started: started}
	for _, x := range []struct {
		out  workspace.Output
		rows []score.Result
	}{{full, results}, {top, report.Top}, {latest, results}} {
		info, err := score.Write(x.rows, report.Version, x.out.Path, s.files.Format)
		if err != nil {
			return err
		}
		if err := writing.Table(x.out, info, made); err != nil {
			return err
		}
	}
	if err := s.sink(ctx, results, report); err != nil { // before the record: the stage has not ended without it
		return err
	}
	return errors.Join(writing.Report("score_latest", scored{*report, contactsOf(report.Top)}, 0), writing.End(full.Path, basis, nil))
}

// sink writes the predictions to the table that the settings name, if any.
func (s *session) sink(ctx context.Context, results []score.Result, report *score.Report) error {
	p := s.config.Score
	if p.Sink == score.SinkFiles {
		return nil
	}
	write := func(w io.Writer) error { return score.WriteText(results, report.Version, w) }
	rows, err := warehouse.Sink{Kind: p.Sink, URL: p.SinkURL, Table: p.SinkTable}.Replace(ctx, score.Schema(), write)
	if err == nil {
		report.SinkTable = p.SinkTable
		s.log.Info("predictions written to the database", "table", p.SinkTable, "rows", rows)
	}
	return err
}

// scored is the report of score as it is stored: with the first of the list.
type scored struct {
	score.Report
	First []contact `json:"contact_first"`
}

// contact is a user to contact.
type contact struct {
	Rank    int            `json:"risk_rank"`
	User    string         `json:"user_id"`
	Risk    float64        `json:"churn_risk"`
	Tier    string         `json:"risk_tier"`
	Reasons []score.Reason `json:"reasons"`
}

// shownContacts is how many users a report names.
const shownContacts = 5

func contactsOf(top []score.Result) []contact {
	out := []contact{}
	for _, x := range top[:min(shownContacts, len(top))] {
		out = append(out, contact{x.Rank, x.User.ID, x.Risk, x.Tier, x.Reasons})
	}
	return out
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
	if r.SinkTable != "" {
		fmt.Fprintf(w, "          table %s\n", r.SinkTable)
	}
}

// printContacts lists the users to contact first.
func printContacts(w io.Writer, first []contact) {
	for _, x := range first {
		var reasons []string
		for _, reason := range x.Reasons {
			reasons = append(reasons, reason.Text)
		}
		fmt.Fprintf(w, "  %3d. user %-10s %5.1f%%  %-6s  %s\n", x.Rank, x.User, 100*x.Risk, x.Tier, strings.Join(reasons, " · "))
	}
}
