package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"churn/internal/serving"
	"churn/pipeline"
	"churn/registry"
)

// registryHistory prints the ledger, oldest first. A broken chain is marked
// where it breaks, and is a failure.
func (s *session) registryHistory(c *cli.Context, r *registry.Registry) error {
	entries, broken := r.History(c.Context)
	report := struct {
		Entries []registry.Entry `json:"entries"`
		Fault   string           `json:"fault,omitempty"`
	}{Entries: append([]registry.Entry{}, entries...)}
	if broken != nil {
		report.Fault = broken.Error()
	}
	err := s.print(report, func(w io.Writer) {
		if len(entries) == 0 && broken == nil {
			fmt.Fprintf(w, "nothing was promoted yet in %s\n", r)
		}
		var before registry.Entry
		for _, e := range entries {
			if !e.Follows(before) {
				fmt.Fprintf(w, "        --- the chain is broken here ---\n")
			}
			printEntry(w, e)
			before = e
		}
	})
	return errors.Join(err, broken)
}

// printEntry shows an entry in one line.
func printEntry(w io.Writer, e registry.Entry) {
	what := fmt.Sprintf("%s → %s", cmp.Or(e.From, "nothing"), cmp.Or(e.To, "nothing"))
	if e.Action == registry.ActionCollect {
		what = "removed " + strings.Join(e.Collected, ", ")
	}
	fmt.Fprintf(w, "%6d  %s  %-10s  %s  by %s", e.Number, e.Time.Format(minute), e.Action, what, e.Actor)
	if e.Verdict != "" {
		fmt.Fprintf(w, "; %s", e.Verdict)
	}
	if e.Override {
		fmt.Fprint(w, ", OVERRULED")
	}
	if e.Reason != "" {
		fmt.Fprintf(w, "; %s", e.Reason)
	}
	fmt.Fprintln(w)
}

func whoFlags() []cli.Flag {
	return []cli.Flag{&cli.StringFlag{Name: "at", Usage: "`TIME`: 2026-04-30 (the end of that day) or 2026-04-30T12:00:00Z (default: now)"}}
}

// registryWho tells which versions were in use at a time.
func (s *session) registryWho(c *cli.Context, r *registry.Registry) error {
	at, err := parseMoment("--at", c.String("at"), s.now())
	if err != nil {
		return err
	}
	e, err := r.Who(c.Context, at)
	if err != nil {
		return err
	}
	report := struct {
		At      time.Time        `json:"at"`
		Aliases registry.Aliases `json:"aliases"`
		Since   registry.Entry   `json:"since"`
	}{at.UTC(), e.Aliases, e}
	return s.print(report, func(w io.Writer) {
		fmt.Fprintf(w, "%s was in production at %s", cmp.Or(e.Aliases.Production, "nothing"), at.UTC().Format(time.RFC3339))
		if e.Aliases.Challenger != "" {
			fmt.Fprintf(w, "; challenger %s", e.Aliases.Challenger)
		}
		if e.Aliases.Previous != "" {
			fmt.Fprintf(w, "; before it %s", e.Aliases.Previous)
		}
		fmt.Fprintln(w, ". The last move until then:")
		printEntry(w, e)
	})
}

// parseMoment reads a time, or a date for its end in UTC.
func parseMoment(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return now, nil
	}
	if d, err := pipeline.ParseDate(text); err == nil {
		return (d + 1).Time().Add(-time.Nanosecond), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, usageError{fmt.Errorf("%s: %q is neither a date such as 2026-04-30 nor a time such as 2026-04-30T12:00:00Z", flag, text)}
	}
	return t, nil
}

func rollbackFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "to", Value: registry.Previous, Usage: "`VERSION` to go back to"},
		&cli.StringFlag{Name: "reason", Usage: "why, in `TEXT`; it is recorded"},
	}
}

// registryRollback puts an earlier version back into production, after it has
// shown that it is sound and answers as it did.
func (s *session) registryRollback(c *cli.Context, r *registry.Registry) error {
	reason := strings.TrimSpace(c.String("reason"))
	if reason == "" {
		return usageError{errors.New("rollback needs --reason TEXT: whoever looks at the history later will want to know")}
	}
	e, err := s.rollBack(c.Context, r, registry.Move{To: c.String("to"), Reason: reason, Actor: s.actor()})
	if err != nil {
		return err
	}
	return s.print(e, func(w io.Writer) {
		fmt.Fprintf(w, "rollback  %s is in production; %s is previous now\n", e.To, cmp.Or(e.From, "nothing"))
	})
}

// rollBack puts m.To back into production, for m.Reason and by m.Actor, after it
// has shown that it is sound and answers as it did.
func (s *session) rollBack(ctx context.Context, r *registry.Registry, m registry.Move) (e registry.Entry, err error) {
	aliases, err := r.Aliases(ctx)
	if err != nil {
		return e, err
	}
	target, err := r.Load(ctx, m.To)
	if err != nil {
		return e, err
	}
	if target.Version == aliases.Production {
		return e, fmt.Errorf("%s is in production already; `churn registry list` shows the others", target.Version)
	}
	if err := s.answersInFreshProcess(ctx, target.Version); err != nil {
		return e, fmt.Errorf("%w: %w; production stays %s", serving.ErrUnsound, err, aliases.Production)
	}
	m.Action, m.From, m.To, m.Time = registry.ActionRollback, aliases.Production, target.Version, s.stamp()
	if e, err = r.Move(ctx, m); err == nil {
		s.log.Info("rolled back", "from", e.From, "to", e.To)
	}
	return e, err
}
