package cli

import (
	"cmp"
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
	"churn/internal/monitored"
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
	outcomeNotDue    = "not due" // of a check that found nothing to do
	outcomePromoted  = "promoted"
	outcomeUnchanged = "unchanged" // the training gave the model that was in production
	outcomeHeld      = "held"
	outcomeRejected  = "rejected"
	outcomeNoModel   = "no model" // the training found none that beats the floor
	outcomeFailed    = "failed"   // it ended early; the next run takes it up
)

// outcomes are those of a run that was due.
func outcomes() []string {
	return []string{outcomePromoted, outcomeUnchanged, outcomeHeld, outcomeRejected, outcomeNoModel, outcomeFailed}
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
	Reason    string           `json:"reason,omitempty"` // why there is no model, or why it failed
	Started   time.Time        `json:"started"`
	Finished  time.Time        `json:"finished,omitzero"`
	Stages    []stages.Outcome `json:"-"`
}

// The names of the reports: of the latest run that was due, and of the latest
// check whether one is.
const (
	retrainLatest = "retrain_latest"
	dueLatest     = "retrain_due_latest"
)

func retrainCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:  "retrain",
		Usage: "train again if it is time to, and replace the model in production if the gate finds the new one proven better",
		Description: "Made for a CronJob. It takes a lock that ends by itself, so that a second run leaves at once; it takes up where a run that was killed left off; it never simulates data.\n" +
			"Exit code 0: promoted, held, not due, or another one runs; 4: the challenger was rejected, or none was good enough.",
		Flags: []cli.Flag{asOfFlag(),
			&cli.BoolFlag{Name: "force", Usage: "train even if nothing calls for it"},
			&cli.BoolFlag{Name: "if-drift", Usage: "train only if the users have drifted from those that the model has learned from, or an alarm of the monitors says so (drift, scores, performance)"},
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
	interrupted := errors.Is(err, context.Canceled) && lost(ctx) == nil
	if err != nil && !dry && !interrupted {
		return errors.Join(err, s.failed(ctx, cmp.Or(lost(ctx), err)))
	}
	if err != nil {
		return err
	}
	return errors.Join(s.print(r.full(), func(w io.Writer) { printRetrain(w, r) }), r.refused())
}

// full returns the report as it is printed and sent.
func (r retraining) full() any {
	return struct {
		retraining
		Stages []stages.Outcome `json:"stages"`
	}{r, r.Stages}
}

// failed tells of a run that ended early. Its journal stays open, so that the
// next run takes it up.
func (s *session) failed(ctx context.Context, why error) error {
	ctx = context.WithoutCancel(ctx)
	r := retraining{Outcome: outcomeFailed, Reason: why.Error(), Finished: s.stamp().UTC()}
	s.tell(ctx, r.full())
	return s.textfile(r)
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
// command in the same folders. Where another retrain runs, it says so and is
// content; another command is waited for. The kernel frees the folders when a
// process dies, so that a lease of this machine and folder is that of a dead
// one; a lease of another machine is waited out.
func (s *session) alone(ctx context.Context, f func(context.Context) error) error {
	r, err := s.registry(ctx)
	if err != nil {
		return err
	}
	holder, err := s.holder()
	if err != nil {
		return err
	}
	release, err := s.folders(ctx, r)
	var held *registry.HeldError
	if errors.As(err, &held) {
		return s.leave(held)
	}
	if err != nil {
		return err
	}
	defer release()
	lease, err := r.Acquire(ctx, leaseName, holder, s.config.Retrain.LockTTL, s.now())
	if errors.As(err, &held) {
		return s.leave(held)
	}
	if err != nil {
		return err
	}
	defer lease.Release(context.WithoutCancel(ctx)) //nolint:errcheck // it ends by itself
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go s.renew(ctx, lease, stop)
	if err := f(ctx); err != nil {
		return cmp.Or(lost(ctx), err)
	}
	return nil
}

// lost returns why a run was stopped from within, nil if it was not.
func lost(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// lookAgain is how long to wait before folders that are in use are tried again.
const lookAgain = 100 * time.Millisecond

// folders locks the folders of results. While another process has them, it
// waits for at most retrain.lock_ttl, unless that is a retrain, whose lease is
// then the error, a *registry.HeldError.
func (s *session) folders(ctx context.Context, r *registry.Registry) (release func(), err error) {
	until, said := s.now().Add(s.config.Retrain.LockTTL), false
	for {
		release, err = s.files.Lock()
		if err == nil || !errors.Is(err, workspace.ErrBusy) {
			return release, err
		}
		held, leaseErr := r.LeaseHolder(ctx, leaseName, s.now())
		if leaseErr != nil || held != nil {
			return nil, cmp.Or(leaseErr, error(held))
		}
		if !s.now().Before(until) {
			return nil, err
		}
		if !said {
			s.log.Info("waiting for another command to end", "why", err, "until", until)
			said = true
		}
		if err := pause(ctx, lookAgain); err != nil {
			return nil, err
		}
	}
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

// renew keeps the lease, and stops the run if it is lost: another may have
// begun. A registry that cannot be reached for a while is no loss as long as the
// lease runs.
func (s *session) renew(ctx context.Context, lease *registry.Lease, stop context.CancelCauseFunc) {
	ttl := s.config.Retrain.LockTTL
	tick := time.NewTicker(ttl / 10)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if left := lease.Until().Sub(s.now()); left > ttl*2/3 {
			continue
		}
		err := lease.Renew(ctx, ttl, s.now())
		switch {
		case err == nil || ctx.Err() != nil:
		case errors.Is(err, registry.ErrLost) || !s.now().Before(lease.Until()):
			stop(fmt.Errorf("the lock of retrain is lost: %w", err))
			return
		default:
			s.log.Warn("the lock of retrain could not be renewed; trying again", "until", lease.Until(), "error", err)
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
	if r, err = s.begin(ctx, w, dry); err != nil || dry {
		return r, err
	}
	if !r.Due.Due {
		return s.rest(ctx, r)
	}
	s.say(func(w io.Writer) { printDue(w, r.Due) })
	// The champion is near the optimum of a little more data: that of the journal,
	// since a run that was cut off after its promotion has moved production.
	s.warm = &r.Champion
	made, err := s.runStages(ctx, append(data[1:], s.trainStage(&all)), stages.Plan{})
	r.Stages = append(prepared, made...)
	if errors.As(err, &heldError{}) {
		r.Reason = err.Error()
		return s.conclude(ctx, r, outcomeNoModel)
	}
	if err != nil {
		return r, err
	}
	p, err := s.promote(ctx, force{})
	if err != nil {
		return r, err
	}
	r.Promotion = &p
	return s.conclude(ctx, r, r.outcomeOf(p))
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

// begin decides whether to train, and writes that down before it begins, unless
// the run is dry. A run on the same data that was cut off has decided already.
func (s *session) begin(ctx context.Context, w wanted, dry bool) (r retraining, err error) {
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
	if r.Due, err = s.due(ctx, w); err != nil || !r.Due.Due || dry {
		return r, err
	}
	_, err = atomicfile.WriteJSON(s.files.Metrics(retrainLatest), r)
	return r, err
}

// conclude tells of a run, writes the figures for monitors, and closes the
// journal last: a run that is killed before tells again.
func (s *session) conclude(ctx context.Context, r retraining, outcome string) (retraining, error) {
	r.Outcome, r.Finished = outcome, s.stamp().UTC()
	s.tell(ctx, r.full())
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

// rest tells of a check that found nothing to do. The report of the latest run
// that was due stays: a rejection must be seen for longer than until the next
// check.
func (s *session) rest(ctx context.Context, r retraining) (retraining, error) {
	r.Outcome, r.Finished = outcomeNotDue, s.stamp().UTC()
	s.tell(ctx, r.full())
	if err := s.textfileOf(monitored.RetrainDue, r.addCheck); err != nil {
		return r, err
	}
	_, err := atomicfile.WriteJSON(s.files.Metrics(dueLatest), r)
	return r, err
}

// textfile writes the outcome for Prometheus's textfile collector: a batch job
// is gone before anybody could scrape it.
func (s *session) textfile(r retraining) error {
	if r.Outcome != outcomeFailed { // which may not have come as far as the check
		if err := s.textfileOf(monitored.RetrainDue, r.addCheck); err != nil {
			return err
		}
	}
	return s.textfileOf(monitored.Retrain, r.addOutcome)
}

func (s *session) textfileOf(name string, add func(*telemetry.Batch)) error {
	var m telemetry.Batch
	add(&m)
	text, err := m.Text()
	if err != nil {
		return err
	}
	_, err = atomicfile.Write(filepath.Join(s.config.Paths.Metrics, name+".prom"), text)
	return err
}

// addCheck adds the figures of the check whether to train.
func (r retraining) addCheck(m *telemetry.Batch) {
	due := 0.0
	if r.Due.Due {
		due = 1
	}
	m.Add("churn_retrain_due", "1 if the latest check found that it was time to train.", due)
	m.Add("churn_retrain_checked_timestamp_seconds", "When the latest check whether to train ended.", float64(r.Finished.Unix()))
	m.Add("churn_retrain_as_of_timestamp_seconds", "Last day of the data of the latest check.", float64(r.AsOf.Time().Unix()))
}

// addOutcome adds the figures of a run that was due.
func (r retraining) addOutcome(m *telemetry.Batch) {
	for _, outcome := range outcomes() {
		value := 0.0
		if outcome == r.Outcome {
			value = 1
		}
		m.Add("churn_retrain_outcome", "What the latest retrain that was due came to (1 = this).", value, "outcome", outcome)
	}
	m.Add("churn_retrain_finished_timestamp_seconds", "When the latest retrain that was due ended.", float64(r.Finished.Unix()))
	if p := r.Promotion; p != nil {
		for _, c := range p.Decision.Criteria {
			if c.Name == "floor" {
				m.Add("churn_gate_challenger", "Figure of the challenger on the rows that the gate judged.", float64(c.Challenger), "metric", c.Metric)
			}
		}
	}
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
