package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"churn/pipeline"
	"churn/pipeline/score"
)

func explainCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:      "explain",
		Usage:     "say why a user is at risk, beside what is usual among peers, and what would lower it",
		ArgsUsage: "USER",
		Flags:     []cli.Flag{asOfFlag(), aliasFlag("explain with `VERSION|ALIAS`")},
		Action: func(c *cli.Context) error {
			user, err := argument(c, "user id", "")
			if err != nil {
				return err
			}
			if err := s.load(c, nil); err != nil {
				return err
			}
			if err := s.parseAsOf(c); err != nil {
				return err
			}
			e, err := s.explain(c.Context, c.String("model"), user)
			if err != nil {
				return err
			}
			return s.print(e, func(w io.Writer) { printExplanation(w, e) })
		},
	}
}

// explain says why a user has his risk.
func (s *session) explain(ctx context.Context, name, user string) (e score.Explanation, err error) {
	m, _, err := s.model(ctx, name)
	if err != nil {
		return e, err
	}
	l, err := s.lookup()
	if err != nil {
		return e, err
	}
	defer l.Close()
	asOf, err := s.asOfWithin(l.Header.Span)
	if err != nil {
		return e, err
	}
	timeline, ok, err := l.Find(user)
	if err != nil {
		return e, err
	}
	if !ok {
		return e, fmt.Errorf("there is no user %q in the data", user)
	}
	h, _ := timeline.Cut(asOf, &l.Header.Span)
	if !h.Exists() {
		return e, fmt.Errorf("user %s signed up on %s; on %s there was nobody to explain", user, pipeline.Date(timeline.User.Signup), asOf)
	}
	return m.NewScorer(s.config.Score).Explain(&h), nil
}

// shownValues is how many features of a theme are printed; --json has all.
const shownValues = 2

func printExplanation(w io.Writer, e score.Explanation) {
	fmt.Fprintf(w, "explain   user %s on %s: risk %.1f%%, %s (model %s, %s, which starts from %.1f%%)\n", e.User, e.AsOf, 100*e.Risk, e.Tier, e.Version, e.Kind, 100*e.BaseRisk)
	switch {
	case e.Finished:
		fmt.Fprintf(w, "          not at risk on that date: the last course was completed; the model has learned from users who had a course to finish\n")
	case !e.AtRisk:
		fmt.Fprintf(w, "          not at risk on that date: not active lately, so gone already; the model has learned from active users only\n")
	}
	fmt.Fprintln(w, "          raises the risk (effect on the log-odds, before calibration)")
	for _, f := range e.Factors {
		if f.Contribution > 0.005 {
			printFactor(w, f)
		}
	}
	fmt.Fprintln(w, "          lowers the risk")
	for i := len(e.Factors) - 1; i >= 0; i-- {
		if f := e.Factors[i]; f.Contribution < -0.005 {
			f.Text = "" // the words are made for what raises it
			printFactor(w, f)
		}
	}
	if e.Usual != nil {
		fmt.Fprintf(w, "          with all that a user can change as usual among peers, the model would say %.1f%%\n", 100**e.Usual)
	}
}

func printFactor(w io.Writer, f score.Factor) {
	fmt.Fprintf(w, "            %+.2f  %-9s %s", f.Contribution, f.Theme, f.Text)
	if f.Usual != nil {
		fmt.Fprintf(w, "  → as usual among peers: %.1f%%", 100**f.Usual)
	}
	fmt.Fprintln(w)
	for _, v := range f.Values[:min(shownValues, len(f.Values))] {
		fmt.Fprintf(w, "                   %s: %s (peers: %s)\n", v.Title, cmp.Or(v.Value, "none"), cmp.Or(v.Usual, "none"))
	}
}
