package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"churn/internal/stages"
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
	Stages   []stages.Outcome `json:"stages"`
	Error    string           `json:"error,omitempty"` // why it ended early
}

func runAllCommand(s *session) *cli.Command {
	names := strings.Join(stages.Names(s.allStages(&everything{})), ", ")
	return &cli.Command{
		Name:        "run-all",
		Usage:       "from raw data to a promoted model and a ranked list; simulates data where there is none",
		Description: "Stages whose outputs are up to date are left out: same inputs, settings and program by digest. The stages are " + names + ".",
		Flags: []cli.Flag{asOfFlag(),
			&cli.StringFlag{Name: "from", Usage: "start at `STAGE`, which runs even if it is up to date; those before it must be"},
			&cli.StringFlag{Name: "until", Usage: "stop after `STAGE`"},
			&cli.BoolFlag{Name: "no-cache", Usage: "run every stage, up to date or not"},
		},
		Action: s.dated(func(c *cli.Context) error {
			var r everything
			all, plan := s.allStages(&r), stages.Plan{From: c.String("from"), Until: c.String("until"), Force: c.Bool("no-cache")}
			if err := plan.Validate(stages.Names(all)); err != nil {
				return usageError{err}
			}
			var err error
			r.Stages, err = s.runStages(c.Context, all, plan)
			if err != nil && !s.json {
				return err
			}
			if err != nil {
				r.Error = err.Error()
			}
			// As JSON a run that failed shows how far it came, too.
			return errors.Join(s.print(r, func(w io.Writer) { s.printRun(w, r) }), err)
		}),
	}
}

// allStages returns the stages of run-all, which leave their reports in r.
func (s *session) allStages(r *everything) []stages.Stage {
	return slices.Concat([]stages.Stage{s.generateStage(r)}, s.dataStages(r), s.modelStages(r))
}

// modelStages returns the stages that train, promote, score and report.
func (s *session) modelStages(r *everything) []stages.Stage {
	return []stages.Stage{
		{Name: stageTrain, Run: func(ctx context.Context) (err error) {
			r.Train, err = s.train(ctx)
			if r.Train.Selection.Name != "" {
				s.say(func(w io.Writer) { printTrain(w, r.Train) })
			}
			return err
		}},
		{Name: stagePromote, Run: func(ctx context.Context) (err error) {
			if r.Promote, err = s.promote(ctx, force{}); err == nil {
				s.say(func(w io.Writer) { printPromote(w, r.Promote) })
			}
			return err
		}},
		{Name: stageScore, Run: func(ctx context.Context) (err error) {
			if r.Score, err = s.score(ctx, registry.Production); err == nil {
				s.say(func(w io.Writer) { printScore(w, r.Score) })
			}
			return err
		}},
		{Name: stageReport, Run: func(ctx context.Context) (err error) {
			if r.Report, err = s.report(ctx, registry.Production); err == nil {
				s.say(func(w io.Writer) { printReport(w, r.Report) })
			}
			return err
		}},
	}
}

// printRun ends a run with what it found, if it came that far, and with its
// stages.
func (s *session) printRun(w io.Writer, r everything) {
	if r.Report.Version != "" {
		printFindings(w, r, s.invocation(), s.simulated())
	}
	printStages(w, r.Stages)
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
func printFindings(w io.Writer, r everything, invocation string, simulated bool) {
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
	if simulated {
		fmt.Fprintf(w, "  the same for your own data      %s --set source.users=FILE --set source.events=FILE run-all\n", invocation)
	}
}
