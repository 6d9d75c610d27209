// Package stages runs the steps of a pipeline one after the other, and leaves
// out those whose outputs are up to date. It knows neither what a step does nor
// how it tells: a Stage brings both.
package stages

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Stage is one step of a pipeline.
type Stage struct {
	Name string
	// Stale says why the outputs must be made anew, "" if they are up to date.
	// It is asked when all stages before this one have ended. Where it is nil
	// the stage runs every time.
	Stale func(ctx context.Context) (why string, err error)
	// Run makes the outputs.
	Run func(ctx context.Context) error
	// Made returns the rows and the SHA-256 of the main output, whether it was
	// made now or before; nil = there is none.
	Made func() (rows int64, digest string)
	// Kept tells a stage that never makes anew what is there, whatever the plan:
	// it runs only where Stale gives a reason.
	Kept bool
}

// Plan says which stages to run.
type Plan struct {
	From  string // start here, at a stage that runs whatever its state; "" = at the first that is not up to date
	Until string // the last one to run; "" = the last of all
	Force bool   // run even what is up to date
}

// Names returns the names of stages in their order.
func Names(all []Stage) []string {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.Name
	}
	return names
}

// Validate says what is wrong with a plan for the stages of these names.
func (p Plan) Validate(names []string) error {
	for _, x := range [][2]string{{"--from", p.From}, {"--until", p.Until}} {
		if x[1] != "" && !slices.Contains(names, x[1]) {
			return fmt.Errorf("%s: there is no stage %q; use one of %s", x[0], x[1], strings.Join(names, ", "))
		}
	}
	if p.From != "" && p.Until != "" && slices.Index(names, p.From) > slices.Index(names, p.Until) {
		return fmt.Errorf("--from %s comes after --until %s: nothing would run; the order is %s", p.From, p.Until, strings.Join(names, ", "))
	}
	return nil
}

// What became of a stage.
const (
	Ran      = "ran"
	UpToDate = "up to date"
	LeftOut  = "left out" // it lies before Plan.From and is decided anew each time
)

// Outcome is what became of one stage.
type Outcome struct {
	Stage   string  `json:"stage"`
	What    string  `json:"what"`          // Ran, UpToDate or LeftOut
	Why     string  `json:"why,omitempty"` // the reason to run
	Rows    int64   `json:"rows,omitempty"`
	Seconds float64 `json:"seconds"`          // looking and running
	Digest  string  `json:"sha256,omitempty"` // of the main output
}

// NotReady is the error of a plan that starts after a stage that is not up to
// date.
type NotReady struct{ From, Stage, Why string }

// Error names the first stage that is not up to date.
func (e *NotReady) Error() string {
	return fmt.Sprintf("cannot start from %s: %s is not up to date (%s); start from %s, or leave --from out", e.From, e.Stage, e.Why, e.Stage)
}

// Run runs the stages in their order by the plan, which must be valid for
// them, and calls ended after each. It stops at the first error; the outcomes
// up to there are returned with it. now is the clock by which seconds count.
func Run(ctx context.Context, all []Stage, p Plan, now func() time.Time, ended func(Outcome)) (out []Outcome, err error) {
	started := p.From == ""
	for _, s := range all {
		started = started || s.Name == p.From
		begun := now()
		o, err := step(ctx, s, p, started)
		if err != nil {
			return out, err
		}
		o.Seconds = now().Sub(begun).Seconds()
		out = append(out, o)
		ended(o)
		if s.Name == p.Until {
			break
		}
	}
	return out, nil
}

// step runs one stage, if it has to.
func step(ctx context.Context, s Stage, p Plan, started bool) (Outcome, error) {
	if err := ctx.Err(); err != nil {
		return Outcome{}, err
	}
	o := Outcome{Stage: s.Name, What: UpToDate}
	why, err := reason(ctx, s, p, started)
	switch {
	case err != nil:
		return o, err
	case !started && s.Stale == nil:
		o.What = LeftOut
		return o, nil
	case !started && why != "":
		return o, &NotReady{p.From, s.Name, why}
	case why != "":
		o.What, o.Why = Ran, why
		if err := s.Run(ctx); err != nil {
			return o, err
		}
	}
	if s.Made != nil {
		o.Rows, o.Digest = s.Made()
	}
	return o, nil
}

// reason says why a stage has to run, "" if it has not.
func reason(ctx context.Context, s Stage, p Plan, started bool) (string, error) {
	switch {
	case s.Stale == nil:
		return "decided anew each time", nil
	case p.Force && started && !s.Kept:
		return "forced", nil
	case s.Name == p.From && !s.Kept:
		return "asked for", nil
	}
	return s.Stale(ctx)
}
