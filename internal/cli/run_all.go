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
	"churn/pipeline/promote"
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

	contacts []contact // the first of the list
}

func runAllCommand(s *session) *cli.Command {
	all := s.allStages(&everything{})
	names := strings.Join(stages.Names(all), ", ")
	return &cli.Command{
		Name:        "run-all",
		Usage:       "from raw data to a promoted model and a ranked list; simulates data where there is none",
		Description: "Stages whose outputs are up to date are left out: same inputs, settings and program by digest. The stages are " + names + ".",
		Flags: []cli.Flag{asOfFlag(),
			&choice{&cli.StringFlag{Name: "from", Usage: "start at `STAGE`, which runs even if it is up to date; those before it must be"}, stages.Names(all)},
			&choice{&cli.StringFlag{Name: "until", Usage: "stop after `STAGE`"}, stages.Names(all)},
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
			return errors.Join(s.printRun(c.Context, r), err, r.rejected())
		}),
	}
}

// rejected is the error of a run whose challenger was rejected. One that is
// only not proven better is none.
func (r everything) rejected() error {
	if r.Error == "" && r.Promote.Decision.Verdict == promote.Reject {
		return r.Promote.held()
	}
	return nil
}

// allStages returns the stages of run-all, which leave their reports in r.
func (s *session) allStages(r *everything) []stages.Stage {
	return slices.Concat([]stages.Stage{s.generateStage(r)}, s.dataStages(r), s.modelStages(r))
}

// modelStages returns the stages that train, promote, score and report.
func (s *session) modelStages(r *everything) []stages.Stage {
	return []stages.Stage{s.trainStage(r), s.promoteStage(r), s.scoreStage(r), s.reportStage(r)}
}

// printRun ends a run with what it found, if it came that far, and with its
// stages.
func (s *session) printRun(ctx context.Context, r everything) error {
	if ended := r.Report.Version != ""; ended && !s.json {
		// The model that scored need not come from the latest training.
		v, err := s.version(ctx, r.Score.Version)
		if err != nil {
			return err
		}
		training, err := trainingOf(v)
		if err != nil {
			return err
		}
		printFindings(s.stdout, r, training, v.Kind, s.invocation())
		if s.simulated() {
			fmt.Fprintf(s.stdout, "  the same for your own data      %s --set source.users=FILE --set source.events=FILE run-all\n", s.invocation())
		}
	}
	return s.print(r, func(w io.Writer) { printStages(w, r.Stages) })
}

// invocation returns what was typed before the command: the program and the
// global flags, which the next command needs too.
func (s *session) invocation() string {
	typed := s.args[:max(slices.Index(s.args, "run-all"), 1)]
	words := make([]string, len(typed))
	for i, word := range typed {
		for _, key := range []string{"source.url=", "score.sink_url="} {
			if address, ok := strings.CutPrefix(word, key); ok { // output is kept longer than a command line
				word = key + withoutPassword(address)
			}
		}
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
// training is that of the model that scored, which is of the kind named;
// invocation is what goes before the next command.
func printFindings(w io.Writer, r everything, training train.Report, kind, invocation string) {
	m := training.Model(kind)
	fmt.Fprintf(w, "\nWho is about to leave (no activity in the %d days after %s):\n", r.Score.WindowDays, r.Score.AsOf)
	fmt.Fprintf(w, "  %s users scored, %s at high risk, mean risk %.1f%%. Contact first:\n", thousands(int64(r.Score.Scored)), thousands(int64(r.Score.Tiers[score.High])), 100*r.Score.MeanRisk)
	printContacts(w, r.contacts)
	fmt.Fprintf(w, "\nHow good is the model %s (later, unseen dates; 95%% intervals over users)?\n", r.Score.Version)
	fmt.Fprintf(w, "  PR-AUC %s against %s of the rule \"longest silent first\" and a base rate of %.3f\n", showEstimate(m.Find("pr_auc")), showEstimate(training.Rule.Find("pr_auc")), m.Find("base_rate").Value)
	if best := training.Ceiling; best != nil {
		fmt.Fprintf(w, "  the best achievable on this simulated data: PR-AUC %s, by its true probabilities\n", showEstimate(best.Find("pr_auc")))
	}
	fmt.Fprintf(w, "  ROC-AUC %s; of the 50 named first on a date, %.0f%% left\n", showEstimate(m.Find("roc_auc")), 100*m.Find("precision_at_50").Value)
	fmt.Fprintf(w, "\nWhat to look at next:\n")
	fmt.Fprintf(w, "  the list to work through        %s\n", r.Score.TopList)
	fmt.Fprintf(w, "  the model in pictures           %s\n", r.Report.Path)
	fmt.Fprintf(w, "  the model card                  %s registry show %s\n", invocation, registry.Production)
	if len(r.contacts) > 0 {
		fmt.Fprintf(w, "  why the first of them           %s explain %s\n", invocation, quoted(r.contacts[0].User))
	}
	fmt.Fprintf(w, "  all of it in a browser          %s serve\n", invocation)
}
