package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"churn/internal/atomicfile"
	"churn/model/profile"
	"churn/pipeline"
	"churn/pipeline/dataset"
	"churn/pipeline/promote"
	"churn/pipeline/train"
	"churn/registry"
)

// promotion is the report of promote: what the gate decided, and what became
// of it.
type promotion struct {
	Version    string           `json:"version"`
	Production string           `json:"production,omitempty"` // after the command
	Previous   string           `json:"previous,omitempty"`   // likewise
	Changed    bool             `json:"changed"`
	Model      string           `json:"model"`
	Record     string           `json:"decision_sha256,omitempty"` // of the record in the registry
	Page       string           `json:"decision_path"`             // the record for people
	Decision   promote.Decision `json:"decision"`
}

// force says that the gate is to be overruled, and why.
type force struct {
	on     bool
	reason string
}

func promoteCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:        "promote",
		Usage:       "let the gate decide whether a model goes into production: the one that the latest training selected, or another",
		Description: "Any version can be named: one that was imported, or one that was held, which is judged again on all rows that have matured since its training too.",
		ArgsUsage:   "[VERSION|ALIAS]",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "force", Usage: "overrule the gate; needs --reason"},
			&cli.StringFlag{Name: "reason", Usage: "why, in `TEXT`; it is recorded"},
		},
		Action: func(c *cli.Context) error {
			name, err := argument(c, "version or alias, such as v0001 or "+registry.Challenger, ofTraining)
			if err != nil {
				return err
			}
			f := force{c.Bool("force"), strings.TrimSpace(c.String("reason"))}
			if f.on != (f.reason != "") {
				return usageError{errors.New("--force and --reason go together: overruling the gate needs a reason")}
			}
			if err := s.load(c, nil); err != nil {
				return err
			}
			return s.locked(func() error {
				report, err := s.promoteVersion(c.Context, name, f)
				if err != nil {
					return err
				}
				return errors.Join(s.print(report, func(w io.Writer) { printPromote(w, report) }), report.held())
			})
		},
	}
}

// held is the error of a challenger that stays out.
func (p promotion) held() error {
	d := p.Decision
	if d.InProduction || d.Moves() {
		return nil
	}
	again := ""
	if d.Verdict == promote.Hold {
		again = fmt.Sprintf("; `churn promote %s` asks again once more labels have matured", p.Version)
	}
	return heldError{fmt.Errorf("%s of %s: %s%s; if you know better: `churn promote %[2]s --force --reason TEXT`", d.Verdict, p.Version, d.Reason, again)}
}

// ofTraining stands for the model that the latest training selected on its
// validation rows: choosing by test figures would make them look better than
// they are.
const ofTraining = "the latest training"

// promote lets the gate judge the model of the latest training.
func (s *session) promote(ctx context.Context, f force) (promotion, error) {
	return s.promoteVersion(ctx, ofTraining, f)
}

// promoteVersion lets the gate judge a version, and moves production if it says
// so.
func (s *session) promoteVersion(ctx context.Context, name string, f force) (p promotion, err error) {
	r, err := s.registry(ctx)
	if err != nil {
		return p, err
	}
	selected, err := s.selected(ctx, r, name)
	if err != nil {
		return p, err
	}
	aliases, err := r.Aliases(ctx)
	if err != nil {
		return p, err
	}
	p = promotion{Version: selected.Version, Model: selected.Name, Production: aliases.Production, Previous: aliases.Previous}
	if aliases.Production == p.Version {
		p.Decision, p.Record, err = s.settled(ctx, r, p.Version)
	} else {
		p.Decision, err = s.judge(ctx, r, selected, aliases.Production, f)
	}
	if err != nil {
		return p, err
	}
	if f.on && !p.Decision.InProduction && p.Decision.Verdict != promote.Promote {
		p.Decision = p.Decision.Overrule(f.reason)
		s.log.Warn("the gate was overruled", "version", p.Version, "verdict", p.Decision.Verdict, "reason", f.reason)
	}
	if aliases.Production != p.Version {
		if err := s.settle(ctx, r, &p, aliases); err != nil {
			return p, err
		}
	}
	return p, s.keepDecision(&p)
}

// settle keeps the record of a decision and moves the aliases by it. The record
// comes first: nothing is in production without one.
func (s *session) settle(ctx context.Context, r *registry.Registry, p *promotion, aliases registry.Aliases) error {
	text, err := p.Decision.JSON()
	if err != nil {
		return err
	}
	if p.Record, err = r.PutDecision(ctx, text, p.Decision.Markdown()); err != nil {
		return err
	}
	m := registry.Move{Action: registry.ActionPromote, From: aliases.Production, To: p.Version, Actor: s.actor(), Time: s.stamp(),
		Reason: p.Decision.Override, Verdict: string(p.Decision.Verdict), Decision: p.Record, Override: p.Decision.Override != ""}
	if m.Reason == "" {
		m.Reason = p.Decision.Reason
	}
	switch {
	case p.Decision.Moves():
		if err := s.answersInFreshProcess(ctx, p.Version); err != nil {
			return err
		}
		s.log.Info("promoting", "version", p.Version, "from", aliases.Production)
		p.Changed, p.Production, p.Previous = true, p.Version, aliases.Production
	case p.Decision.Verdict == promote.Hold && aliases.Challenger != p.Version:
		m.Action, m.From = registry.ActionChallenger, aliases.Challenger // it may be proven yet
	case p.Decision.Verdict == promote.Reject && aliases.Challenger == p.Version:
		m.Action, m.From, m.To = registry.ActionChallenger, p.Version, ""
	default:
		return nil
	}
	_, err = r.Move(ctx, m)
	return err
}

// settled returns the decision by which a version came into production, also if
// it was rolled back from and to since.
func (s *session) settled(ctx context.Context, r *registry.Registry, version string) (d promote.Decision, record string, err error) {
	v, err := r.Load(ctx, version)
	if err != nil {
		return d, "", err
	}
	history, err := r.History(ctx)
	if err != nil {
		return d, "", err
	}
	for _, e := range slices.Backward(history) {
		if e.Alias != registry.Production || e.To != version || e.Decision == "" {
			continue
		}
		d, err := decisionOf(ctx, r, e)
		return d, e.Decision, err
	}
	c, err := s.contender(v)
	if err != nil {
		return d, "", err
	}
	d, err = promote.Judge(promote.Input{Challenger: c, Champion: &c}, s.config.Promote)
	return d, "", err
}

// decisionOf reads the decision that an entry of the ledger rests on.
func decisionOf(ctx context.Context, r *registry.Registry, e registry.Entry) (d promote.Decision, err error) {
	text, _, err := r.Decision(ctx, e.Decision)
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	return d, err
}

// keepDecision writes the decision where people and monitors look for it. That a
// version without a record is in production already is no decision, and takes no
// other's place.
func (s *session) keepDecision(p *promotion) error {
	p.Page = filepath.Join(s.config.Paths.Reports, "decision_"+p.Version+".md")
	if p.Decision.InProduction && exists(p.Page) {
		return nil
	}
	if _, err := atomicfile.Write(p.Page, p.Decision.Markdown()); err != nil {
		return err
	}
	kept := *p
	kept.Changed, kept.Previous = false, "" // of this run, not of the decision
	_, err := atomicfile.WriteJSON(s.files.Metrics("promote_latest"), kept)
	return err
}

// judge asks the gate. Only force goes on where the champion cannot be read.
func (s *session) judge(ctx context.Context, r *registry.Registry, selected challenger, champion string, f force) (d promote.Decision, err error) {
	in := promote.Input{Training: selected.Verdict, Evaluate: s.config.Evaluate, Value: s.config.Value}
	v, err := r.Load(ctx, selected.Version)
	if err != nil {
		return d, err
	}
	if in.Challenger, err = s.contender(v); err != nil {
		return d, err
	}
	var unread error
	if champion != "" {
		if in.Champion, unread = s.reigning(ctx, r, champion); unread != nil && !f.on {
			return d, fmt.Errorf("the model in production cannot be compared with: %w; `churn registry rollback --reason TEXT` takes the one before, `churn promote %s --force --reason TEXT` this one", unread, selected.Version)
		}
	}
	if in.Champion != nil {
		if in.Shadow, err = s.shadowed(ctx, r, champion, &v.Manifest); err != nil {
			return d, err
		}
	}
	if in.Barred, err = barred(ctx, r, selected.Version); err != nil {
		return d, err
	}
	training, err := trainingOf(v)
	if err != nil {
		return d, err
	}
	err = s.stage(ctx, stagePromote, func(ctx context.Context, progress func(done, total int64)) (err error) {
		if err := s.rowsToJudge(ctx, &in, training.Split, selected.later, progress); err != nil {
			return err
		}
		d, err = promote.Judge(in, s.config.Promote)
		return err
	})
	if unread != nil {
		s.log.Warn("the model in production cannot be compared with", "version", champion, "error", unread)
		d = d.Uncompared(champion)
	}
	return d, err
}

// reigning returns the champion as the gate sees it, without rows.
func (s *session) reigning(ctx context.Context, r *registry.Registry, version string) (*promote.Contender, error) {
	v, err := r.Load(ctx, version)
	if err != nil {
		return nil, err
	}
	c, err := s.contender(v)
	if err != nil {
		return nil, err
	}
	c.Promise = v.Metrics[train.ROCAUC]
	return &c, nil
}

// contender returns a version as the gate sees it, without rows.
func (s *session) contender(v *registry.Version) (promote.Contender, error) {
	m, err := modelOf(v)
	if err != nil {
		return promote.Contender{}, err
	}
	training, err := trainingOf(v)
	if err != nil {
		return promote.Contender{}, err
	}
	reference, err := profileOf(v)
	return promote.Contender{Model: m, TrainLast: training.Split.TrainLast, Reference: reference}, err
}

// profileOf returns the reference profile of a version; nil if it has none.
func profileOf(v *registry.Version) (*profile.Reference, error) {
	data, ok := v.Files[registry.ProfileFile]
	if !ok {
		return nil, nil
	}
	reference, err := profile.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", v.Version, err)
	}
	return reference, nil
}

// rowsToJudge gives both contenders the same snapshots of the challenger's test
// period, or of that and later, each with its own features.
func (s *session) rowsToJudge(ctx context.Context, in *promote.Input, split train.Split, later bool, progress func(done, total int64)) error {
	t, state, err := s.timelines()
	if err != nil {
		return err
	}
	defer t.Close()
	spec := in.Challenger.Model.Spec
	every := pipeline.Date(spec.Features.EveryDays)
	last := split.TestLast
	if closed := t.Header.Span.Last - pipeline.Date(spec.Labels.WindowDays); later && closed > last {
		last += (closed - last) / every * every // the grid goes on where it ended
	}
	test := slices.DeleteFunc(t.Header.Span.Grid(last, spec.Features.EveryDays), func(d pipeline.Date) bool { return d < split.TestFirst })
	dates := promote.Dates(test, t.Header.Span.Last, in.Challenger, in.Champion)
	if len(dates) == 0 {
		return nil
	}
	collect := func(c *promote.Contender) error {
		d := dataset.Definition{Features: c.Model.Spec.Features, Labels: spec.Labels}
		if c.Rows, err = dataset.Collect(ctx, t, d, dates, s.config.Train.MaxRows, progress); err != nil {
			return err
		}
		return s.files.Agree(s.files.Timelines(), state, c.Rows.Input)
	}
	if err := collect(&in.Challenger); err != nil || in.Champion == nil {
		return err
	}
	if in.Champion.Model.Bundle.FeatureSet == in.Challenger.Model.Bundle.FeatureSet {
		in.Champion.Rows = in.Challenger.Rows
		return nil
	}
	return collect(in.Champion)
}

// barred says whether production was rolled back from a version and has not
// returned to it since.
func barred(ctx context.Context, r *registry.Registry, version string) (*promote.Barred, error) {
	history, err := r.History(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range slices.Backward(history) {
		switch {
		case e.Alias != registry.Production:
		case e.To == version:
			return nil, nil
		case e.Action == registry.ActionRollback && e.From == version:
			return &promote.Barred{Date: pipeline.DateOf(e.Time).String(), Reason: e.Reason}, nil
		}
	}
	return nil, nil
}

// challenger is the version that the gate judges, with the verdict of the
// training that made it.
type challenger struct {
	train.Verdict
	later bool // rows that have matured since that training judge, too
}

// selected returns the version that a name means.
func (s *session) selected(ctx context.Context, r *registry.Registry, name string) (challenger, error) {
	if name == ofTraining {
		v, err := s.selectedByTraining(ctx, r)
		return challenger{Verdict: v}, err
	}
	v, err := r.Load(ctx, name)
	if err != nil {
		return challenger{}, err
	}
	training, err := trainingOf(v)
	if err != nil {
		return challenger{}, err
	}
	i := slices.IndexFunc(training.Verdicts, func(x train.Verdict) bool { return x.Name == v.Kind })
	if i < 0 {
		return challenger{}, fmt.Errorf("model %s: %s has no verdict on %s, so that the gate cannot judge it; train again", v.Version, registry.MetricsFile, v.Kind)
	}
	verdict := training.Verdicts[i]
	verdict.Version, verdict.Digest = v.Version, v.Digest // not known when it was written
	return challenger{verdict, true}, nil
}

// selectedByTraining returns the verdict on the model that the latest training
// selected.
func (s *session) selectedByTraining(ctx context.Context, r *registry.Registry) (train.Verdict, error) {
	var latest train.Report
	err := s.readReport("train_latest", &latest)
	if errors.Is(err, fs.ErrNotExist) {
		return train.Verdict{}, errors.New("there is no training yet; run `churn train` first, or name a version: `churn registry list` shows them")
	}
	if err != nil {
		return train.Verdict{}, fmt.Errorf("read the report of the latest training: %w; run `churn train` again", err)
	}
	v := latest.Selected()
	if !v.Passed {
		return v, heldError{fmt.Errorf("the latest training registered no model: %s; run `churn train`", v.Reason)}
	}
	if _, err := r.Resolve(ctx, v.Version); err != nil {
		return v, fmt.Errorf("the model of the latest training is gone: %w; run `churn train` again", err)
	}
	return v, nil
}

func printPromote(w io.Writer, p promotion) {
	d := p.Decision
	fmt.Fprintf(w, "promote   %s (%s) %s\n", p.Version, p.Model, p.became())
	for _, c := range d.Criteria {
		fmt.Fprintf(w, "          %-9s %s\n", c.Outcome, strings.TrimSpace(c.Name+" "+c.Metric)+": "+c.Text)
	}
	if d.Override != "" {
		fmt.Fprintf(w, "          OVERRULED: %s\n", d.Override)
	}
	if d.Verdict == promote.Hold && p.Production != p.Version {
		fmt.Fprintf(w, "          ask again once more labels have matured: `churn promote %s`\n", p.Version)
	}
	fmt.Fprintf(w, "          %s\n", p.Page)
}

// became says what became of the version.
func (p promotion) became() string {
	previous := ""
	if p.Previous != "" {
		previous = "; previous: " + p.Previous
	}
	switch {
	case p.Changed:
		return fmt.Sprintf("is now in production: %s%s", p.Decision.Verdict, previous)
	case p.Production == p.Version:
		return "is in production already" + previous
	case p.Production == "":
		return fmt.Sprintf("stays out: %s; nothing is in production", p.Decision.Verdict)
	}
	return fmt.Sprintf("stays out: %s; production stays %s", p.Decision.Verdict, p.Production)
}
