package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"churn/pipeline/dataset"
	"churn/pipeline/features"
	"churn/pipeline/generate"
	"churn/pipeline/labels"
	"churn/pipeline/prepare"
	"churn/pipeline/score"
	"churn/pipeline/train"
	"churn/pipeline/validate"
	"churn/registry"
)

// everything is the report of run-all.
type everything struct {
	Generate *generate.Report `json:"generate,omitempty"`
	Validate validate.Report  `json:"validate,omitzero"`
	Prepare  prepare.Report   `json:"prepare,omitzero"`
	Features features.Report  `json:"features,omitzero"`
	Labels   labels.Report    `json:"labels,omitzero"`
	Dataset  dataset.Report   `json:"dataset,omitzero"`
	Train    train.Report     `json:"train,omitzero"`
	Promote  promotion        `json:"promote,omitzero"`
	Score    score.Report     `json:"score,omitzero"`
	Report   reportResult     `json:"report,omitzero"`
	Error    string           `json:"error,omitempty"` // why it ended early
}

func runAllCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:  "run-all",
		Usage: "from raw data to a promoted model and a ranked list; simulates data where there is none",
		Flags: []cli.Flag{asOfFlag()},
		Action: s.dated(func(c *cli.Context) error {
			var r everything
			err := s.runAll(c.Context, &r)
			if err != nil && !s.json {
				return err
			}
			if err != nil {
				r.Error = err.Error()
			}
			// As JSON a run that failed shows how far it came, too.
			return errors.Join(s.print(r, func(w io.Writer) { printFindings(w, r, s.invocation()) }), err)
		}),
	}
}

// runAll runs the stages one after the other. Each prints its lines as it
// ends, so that a run that fails shows how far it came.
func (s *session) runAll(ctx context.Context, r *everything) (err error) {
	say := func(print func(io.Writer)) {
		if !s.json {
			print(s.stdout)
		}
	}
	simulate, err := s.needsGenerate()
	if err != nil {
		return err
	}
	if simulate {
		report, err := s.generate(ctx)
		if err != nil {
			return err
		}
		r.Generate = &report
		say(func(w io.Writer) { printGenerate(w, report) })
	}
	r.Validate, r.Prepare, err = s.prepare(ctx)
	if r.Validate.Planned > 0 {
		say(func(w io.Writer) { printValidate(w, r.Validate, s.files.Quarantine().Path) })
	}
	if err != nil {
		return err
	}
	say(func(w io.Writer) { printPrepare(w, r.Prepare) })
	if r.Features, err = s.features(ctx); err != nil {
		return err
	}
	say(func(w io.Writer) { printFeatures(w, r.Features) })
	if r.Labels, r.Dataset, err = s.labels(ctx); err != nil {
		return err
	}
	say(func(w io.Writer) { printLabels(w, r.Labels, r.Dataset, s.config.Labels) })
	return s.runModel(ctx, r, say)
}

// runModel trains, promotes, scores and reports.
func (s *session) runModel(ctx context.Context, r *everything, say func(func(io.Writer))) (err error) {
	r.Train, err = s.train(ctx)
	if r.Train.Selection.Name != "" {
		say(func(w io.Writer) { printTrain(w, r.Train) })
	}
	if err != nil {
		return err
	}
	if r.Promote, err = s.promote(force{}); err != nil {
		return err
	}
	say(func(w io.Writer) { printPromote(w, r.Promote) })
	if r.Score, err = s.score(ctx, registry.Production); err != nil {
		return err
	}
	say(func(w io.Writer) { printScore(w, r.Score) })
	if r.Report, err = s.report(ctx, registry.Production); err != nil {
		return err
	}
	say(func(w io.Writer) { printReport(w, r.Report) })
	return nil
}

// promoted returns the test figures of the promoted version, which is one of
// those just trained.
func (r everything) promoted() train.Measured {
	for i, v := range r.Train.Verdicts {
		if v.Version == r.Promote.Version {
			return r.Train.Models[i]
		}
	}
	return r.Train.Models[0]
}

// invocation returns what was typed before the command: the program and the
// global flags, which the next command needs too.
func (s *session) invocation() string {
	typed := s.args[:max(slices.Index(s.args, "run-all"), 1)]
	words := make([]string, len(typed))
	for i, word := range typed {
		words[i] = quoted(word)
	}
	return strings.Join(words, " ")
}

// quoted writes a word so that a shell reads it as one.
func quoted(word string) string {
	if strings.ContainsAny(word, " *?[]{}()<>|&;$`\"'\\") {
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return word
}

// printFindings ends the run with what a retention team wants to know.
// invocation is what goes before the next command.
func printFindings(w io.Writer, r everything, invocation string) {
	m := r.promoted()
	fmt.Fprintf(w, "\nWho is about to leave (no activity in the %d days after %s):\n", r.Score.WindowDays, r.Score.AsOf)
	fmt.Fprintf(w, "  %s users scored, %s at high risk, mean risk %.1f%%. Contact first:\n", thousands(int64(r.Score.Scored)), thousands(int64(r.Score.Tiers[score.High])), 100*r.Score.MeanRisk)
	printTop(w, r.Score, 5)
	fmt.Fprintf(w, "\nHow good is the model %s (later, unseen dates; 95%% intervals over users)?\n", r.Score.Version)
	fmt.Fprintf(w, "  PR-AUC %s against %s of the rule \"longest silent first\" and a base rate of %.3f\n", showEstimate(m.Find("pr_auc")), showEstimate(r.Train.Rule.Find("pr_auc")), m.Find("base_rate").Value)
	if best := r.Train.Ceiling; best != nil {
		fmt.Fprintf(w, "  the best achievable on this simulated data: PR-AUC %s, by its true probabilities\n", showEstimate(best.Find("pr_auc")))
	}
	fmt.Fprintf(w, "  ROC-AUC %s; of the 50 named first on a date, %.0f%% left\n", showEstimate(m.Find("roc_auc")), 100*m.Find("precision_at_50").Value)
	fmt.Fprintf(w, "\nWhat to look at next:\n")
	fmt.Fprintf(w, "  the list to work through        %s\n", r.Score.TopList)
	fmt.Fprintf(w, "  the model in pictures           %s\n", r.Report.Path)
	fmt.Fprintf(w, "  the model card                  %s registry show %s\n", invocation, registry.Production)
	if len(r.Score.Top) > 0 {
		fmt.Fprintf(w, "  why the first of them           %s explain %s\n", invocation, quoted(r.Score.Top[0].User.ID))
	}
	fmt.Fprintf(w, "  the list of an earlier day      %s score --as-of %s\n", invocation, r.Score.AsOf-7)
	if r.Generate != nil {
		fmt.Fprintf(w, "  the same for your own data      %s --set source.users=FILE --set source.events=FILE run-all\n", invocation)
	}
}
