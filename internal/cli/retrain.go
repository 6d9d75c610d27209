package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"churn/internal/atomicfile"
	"churn/internal/stages"
	"churn/internal/telemetry"
	"churn/internal/workspace"
	"churn/pipeline"
	"churn/pipeline/promote"
	"churn/pipeline/retrain"
	"churn/registry"
)

// What became of a retrain.
const (
	outcomeNotDue    = "not due"
	outcomePromoted  = "promoted"
	outcomeUnchanged = "unchanged" // the training gave the model that was in production
	outcomeHeld      = "held"
	outcomeRejected  = "rejected"
	outcomeNoModel   = "no model" // the training found none that beats the floor
)

func outcomes() []string {
	return []string{outcomeNotDue, outcomePromoted, outcomeUnchanged, outcomeHeld, outcomeRejected, outcomeNoModel}
}

// retraining is the report of retrain. While it runs, the file of it is the
// journal by which a run that was cut off is taken up again.
type retraining struct {
	Outcome   string           `json:"outcome,omitempty"` // "" = it runs, or was cut off
	AsOf      pipeline.Date    `json:"as_of_date"`
	Data      string           `json:"data_sha256"`        // of the timelines
	Champion  string           `json:"champion,omitempty"` // in production as it began
	Due       retrain.Due      `json:"due"`
	Promotion *promotion       `json:"promotion,omitempty"`
	Reason    string           `json:"reason,omitempty"` // why there is no model
	Started   time.Time        `json:"started"`
	Finished  time.Time        `json:"finished,omitzero"`
	Stages    []stages.Outcome `json:"-"`
}

// retrainLatest is the name of its file.
const retrainLatest = "retrain_latest"

func retrainCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:  "retrain",
		Usage: "train again if it is time to, and replace the model in production if the gate finds the new one proven better",
		Description: "Made for a CronJob. It takes a lock that ends by itself, so that a second run leaves at once; it takes up where a run that was killed left off; it never simulates data.\n" +
			"Exit code 0: promoted, held, not due, or another one runs; 4: the challenger was rejected, or none was good enough.",
		Flags: []cli.Flag{asOfFlag(),
			&cli.BoolFlag{Name: "force", Usage: "train even if nothing calls for it"},
			&cli.BoolFlag{Name: "if-drift", Usage: "train only if the users have drifted from those that the model has learned from"},
			&cli.BoolFlag{Name: "dry-run", Usage: "say only whether it is time, and why"},
		},
		Action: func(c *cli.Context) error {
			if err := s.load(c, nil); err != nil {
				return err
			}
			if err := s.parseAsOf(c); err != nil {
				return err
			}
			w := wanted{force: c.Bool("force"), ifDrift: c.Bool("if-drift")}
			if w.force && w.ifDrift {
				return usageError{errors.New("--force and --if-drift exclude each other")}
			}
			return s.alone(c.Context, func(ctx context.Context) error { return s.retrainCommand(ctx, w, c.Bool("dry-run")) })
		},
	}
}

// retrainCommand runs and reports.
func (s *session) retrainCommand(ctx context.Context, w wanted, dry bool) error {
	r, err := s.retrain(ctx, w, dry)
	if err != nil {
		return err
	}
	if !dry {
		s.tell(ctx, r)
	}
	report := struct {
		retraining
		Stages []stages.Outcome `json:"stages"`
	}{r, r.Stages}
	return errors.Join(s.print(report, func(w io.Writer) { printRetrain(w, r) }), r.refused())
}

// refused is the error of a run whose challenger was not good enough. One that
// is only not proven better is none: the run has done its work.
func (r retraining) refused() error {
	switch r.Outcome {
	case outcomeRejected:
		return r.Promotion.held()
	case outcomeNoModel:
		return heldError{errors.New(r.Reason)}
	}
	return nil
}

// leaseName is that of the lock in the registry.
const leaseName = "retrain"

// alone runs f while no other retrain runs on the same registry, and no other
// command in the same folders. Where one does, it says so and is content. The
// kernel frees the folders when a process dies, so that a lease of this machine
// and folder is that of a dead one; a lease of another machine is waited out.
func (s *session) alone(ctx context.Context, f func(context.Context) error) error {
	r, err := s.registry(ctx)
	if err != nil {
		return err
	}
	holder, err := s.holder()
	if err != nil {
		return err
	}
	release, err := s.files.Lock()
	if errors.Is(err, workspace.ErrBusy) {
		holder += " (waits)" // whoever has the folders may have the lease
	} else if err != nil {
		return err
	} else {
		defer release()
	}
	lease, leaseErr := r.Acquire(ctx, leaseName, holder, s.config.Retrain.LockTTL, s.now())
	var held *registry.HeldError
	if errors.As(leaseErr, &held) {
		return s.leave(held)
	}
	if leaseErr != nil {
		return leaseErr
	}
	defer lease.Release(context.WithoutCancel(ctx)) //nolint:errcheck // it ends by itself
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go s.renew(ctx, lease, stop)
	return f(ctx)
}

// holder names this machine and these folders.
func (s *session) holder() (string, error) {
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("name this machine, for the lock of retrain: %w", err)
	}
	dir, err := filepath.Abs(s.config.Paths.Artifacts)
	return host + ":" + dir, err
}

// leave reports that another retrain runs.
func (s *session) leave(held *registry.HeldError) error {
	report := struct {
		Outcome string    `json:"outcome"`
		Holder  string    `json:"holder"`
		Since   time.Time `json:"since"`
		Until   time.Time `json:"until"`
	}{"another one runs", held.Holder, held.Since, held.Until}
	s.log.Info("another retrain runs", "holder", held.Holder, "since", held.Since)
	return s.print(report, func(w io.Writer) {
		fmt.Fprintf(w, "retrain   another one runs: %s since %s; nothing to do. If it has died, its lock ends at %s\n", held.Holder, held.Since.Format(time.RFC3339), held.Until.Format(time.RFC3339))
	})
}

// renew keeps the lease, and stops the run if it is lost: another may have begun.
func (s *session) renew(ctx context.Context, lease *registry.Lease, stop context.CancelCauseFunc) {
	tick := time.NewTicker(s.config.Retrain.LockTTL / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := lease.Renew(ctx, s.config.Retrain.LockTTL, s.now()); err != nil && ctx.Err() == nil {
				stop(fmt.Errorf("the lock of retrain is lost: %w", err))
				return
			}
		}
	}
}

// retrain decides, trains, judges and moves. Each step leaves what the next one
// needs in files with digests, so that a run that was cut off is taken up after
// its last complete stage.
func (s *session) retrain(ctx context.Context, w wanted, dry bool) (r retraining, err error) {
	if why, err := s.needsGenerate(); err != nil || why != "" {
		return r, errors.Join(err, fmt.Errorf("there is no data to learn from (%s); name it with --set source.users=FILE and --set source.events=FILE: retrain never simulates any", why))
	}
	var all everything
	data := s.dataStages(&all)
	if r.Stages, err = s.runStages(ctx, data[:1], stages.Plan{}); err != nil {
		return r, err
	}
	prepared := r.Stages
	if r, err = s.begin(ctx, w); err != nil || dry {
		return r, err
	}
	if !r.Due.Due {
		return s.conclude(r, outcomeNotDue)
	}
	s.say(func(w io.Writer) { printDue(w, r.Due) })
	s.config.Train.WarmStart = true // the champion is near the optimum of a little more data
	made, err := s.runStages(ctx, append(data[1:], s.trainStage(&all)), stages.Plan{})
	r.Stages = append(prepared, made...)
	if errors.As(err, &heldError{}) {
		r.Reason = err.Error()
		return s.conclude(r, outcomeNoModel)
	}
	if err != nil {
		return r, err
	}
	p, err := s.promote(ctx, force{})
	if err != nil {
		return r, err
	}
	r.Promotion = &p
	return s.conclude(r, r.outcomeOf(p))
}

// outcomeOf names what a promotion came to since the run began.
func (r retraining) outcomeOf(p promotion) string {
	switch {
	case p.Version == r.Champion:
		return outcomeUnchanged
	case p.Decision.Moves():
		return outcomePromoted
	case p.Decision.Verdict == promote.Reject:
		return outcomeRejected
	}
	return outcomeHeld
}

// begin decides whether to train, and writes that down before it begins. A run
// on the same data that was cut off has decided already.
func (s *session) begin(ctx context.Context, w wanted) (r retraining, err error) {
	state, asOf, err := s.dataAsOf()
	if err != nil {
		return r, err
	}
	var before retraining
	if err := s.readReport(retrainLatest, &before); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("%w; delete it, and run `churn retrain` again", err)
	}
	cutOff := before.Outcome == "" && before.AsOf != 0
	if cutOff && before.AsOf == asOf && before.Data == state.SHA256 {
		s.log.Info("taking up the retrain that was cut off", "as_of", asOf, "started", before.Started)
		return before, nil
	}
	r = retraining{AsOf: asOf, Data: state.SHA256, Started: s.stamp().UTC()}
	reg, err := s.registry(ctx)
	if err != nil {
		return r, err
	}
	aliases, err := reg.Aliases(ctx)
	if err != nil {
		return r, err
	}
	r.Champion, w.unfinished = aliases.Production, cutOff
	if r.Due, err = s.due(ctx, w); err != nil || !r.Due.Due {
		return r, err
	}
	_, err = atomicfile.WriteJSON(s.files.Metrics(retrainLatest), r)
	return r, err
}

// conclude closes the journal and writes the figures for monitors.
func (s *session) conclude(r retraining, outcome string) (retraining, error) {
	r.Outcome, r.Finished = outcome, s.stamp().UTC()
	kept := r
	if r.Promotion != nil {
		p := *r.Promotion
		p.Changed, p.Previous = false, "" // of a run, which may be the second after a cut
		kept.Promotion = &p
	}
	if err := s.textfile(kept); err != nil {
		return r, err
	}
	_, err := atomicfile.WriteJSON(s.files.Metrics(retrainLatest), kept)
	return r, err
}

// textfile writes the outcome for Prometheus's textfile collector: a batch job
// is gone before anybody could scrape it.
func (s *session) textfile(r retraining) error {
	var m telemetry.Batch
	for _, outcome := range outcomes() {
		value := 0.0
		if outcome == r.Outcome {
			value = 1
		}
		m.Add("churn_retrain_outcome", "What the latest retrain came to (1 = this).", value, "outcome", outcome)
	}
	m.Add("churn_retrain_finished_timestamp_seconds", "When the latest retrain ended.", float64(r.Finished.Unix()))
	m.Add("churn_retrain_as_of_timestamp_seconds", "Last day of the data of the latest retrain.", float64(r.AsOf.Time().Unix()))
	if p := r.Promotion; p != nil {
		for _, c := range p.Decision.Criteria {
			if c.Name == "floor" {
				m.Add("churn_gate_challenger", "Figure of the challenger on the rows that the gate judged.", float64(c.Challenger), "metric", c.Metric)
			}
		}
	}
	text, err := m.Text()
	if err != nil {
		return err
	}
	_, err = atomicfile.Write(filepath.Join(s.config.Paths.Metrics, "churn_retrain.prom"), text)
	return err
}

func printRetrain(w io.Writer, r retraining) {
	if r.Outcome == outcomeNotDue || r.Outcome == "" {
		printDue(w, r.Due)
	}
	if r.Promotion != nil {
		printPromote(w, *r.Promotion)
	}
	if r.Outcome != "" && r.Outcome != outcomeNotDue {
		fmt.Fprintf(w, "retrain   %s", r.Outcome)
		if r.Reason != "" {
			fmt.Fprintf(w, ": %s", r.Reason)
		}
		fmt.Fprintln(w)
	}
	if len(r.Stages) > 0 {
		printStages(w, r.Stages)
	}
}
