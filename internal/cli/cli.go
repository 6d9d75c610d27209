// Package cli is the command line: each command parses its flags, opens what a
// stage needs, runs it, and prints its report.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"churn/internal/config"
	"churn/pipeline/lms"
	"churn/pipeline/validate"
)

// The exit codes of the contract.
const (
	exitOK       = 0
	exitFailure  = 1
	exitAlarm    = 2
	exitRejected = 3
	exitHeld     = 4
	exitUsage    = 64
	exitConfig   = 78
)

// usageError is a call that cannot be understood.
type usageError struct{ error }

// configError is a setting that cannot be used.
type configError struct{ error }

// alarmError says that a monitor found what somebody must look at.
type alarmError struct{ error }

// heldError says that no model was good enough.
type heldError struct{ error }

// Main runs one command line and returns the exit code.
func Main(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	s := &session{args: args, stdout: stdout, stderr: stderr, environ: environ, now: time.Now}
	err := newApp(s).RunContext(ctx, args)
	if err == nil {
		return exitOK
	}
	code := exitCode(err)
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted; results of finished stages are intact, run the same command again")
	}
	for _, line := range strings.Split(err.Error(), "\n") {
		fmt.Fprintf(stderr, "churn: %s\n", line)
	}
	if code == exitUsage {
		fmt.Fprintln(stderr, "churn: `churn help` lists the commands, `churn COMMAND --help` explains one")
	}
	return code
}

// exitCode is the one place where errors become exit codes.
func exitCode(err error) int {
	var rejected *validate.Rejection
	var refused *lms.Rejection
	var foreign cli.ExitCoder
	switch {
	case errors.As(err, &usageError{}), errors.As(err, &foreign): // urfave exits where it has no help for a name
		return exitUsage
	case errors.As(err, &configError{}):
		return exitConfig
	case errors.As(err, &rejected), errors.As(err, &refused):
		return exitRejected
	case errors.As(err, &alarmError{}):
		return exitAlarm
	case errors.As(err, &heldError{}):
		return exitHeld
	}
	return exitFailure
}

func newApp(s *session) *cli.App {
	app := &cli.App{
		Name:            "churn",
		Usage:           "who is about to leave, why, and whom to contact first",
		UsageText:       "churn [--config FILE] [--set key=value]… [--profile NAME] [--json] COMMAND",
		HideVersion:     true,
		Writer:          s.stdout,
		ErrWriter:       s.stderr,
		ExitErrHandler:  func(*cli.Context, error) {}, // Main maps errors to exit codes
		OnUsageError:    misused,
		CommandNotFound: nil,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", TakesFile: true, Usage: "read settings from `FILE` (default: config.yaml, if it is there)"},
			&cli.StringSliceFlag{Name: "set", Usage: "override a setting: `key=value`; can be repeated"},
			&choice{&cli.StringFlag{Name: "profile", Usage: "definitions to use: `NAME` = default or seed"}, []string{config.ProfileDefault, config.ProfileSeed}},
			&choice{&cli.StringFlag{Name: "log-format", Value: "auto", Usage: "auto, text or json"}, []string{"auto", "text", "json"}},
			&choice{&cli.StringFlag{Name: "log-level", Value: "auto", Usage: "debug, info, warn or error; auto = warn on a terminal, else info"}, []string{"auto", "debug", "info", "warn", "error"}},
			&choice{&cli.StringFlag{Name: "progress", Value: "auto", Usage: "auto = a bar on a terminal, or never"}, []string{"auto", "never"}},
			&cli.BoolFlag{Name: "json", Usage: "print the report as one JSON object"},
		},
		Commands: []*cli.Command{
			generateCommand(s), importCommand(s), validateCommand(s), prepareCommand(s), featuresCommand(s), labelsCommand(s), trainCommand(s), evaluateCommand(s), backtestCommand(s), reportCommand(s),
			promoteCommand(s), retrainCommand(s), registryCommand(s), scoreCommand(s), explainCommand(s), monitorCommand(s), serveCommand(s), predictionsCommand(s), keyCommand(s), healthcheckCommand(s), runAllCommand(s), configCommand(s), doctorCommand(s), completionCommand(s), manCommand(s), versionCommand(s), helpCommand(),
		},
		Action: func(c *cli.Context) error {
			if name := c.Args().First(); name != "" {
				return usageError{fmt.Errorf("there is no command %q%s", name, suggestCommand(c.App, name))}
			}
			return cli.ShowAppHelp(c)
		},
	}
	app.DisableSliceFlagSeparator = true        // --set features.windows_days=7,14 is one setting
	app.Flags = append(app.Flags, cli.HelpFlag) // which package cli leaves out where help is not its own
	for _, c := range app.Commands {
		guard(c)
	}
	explain(app.Commands, "", examples())
	return app
}

// misused says in our words what package flag found.
func misused(_ *cli.Context, err error, _ bool) error {
	words := strings.NewReplacer("flag provided but not defined: -", "there is no flag --", "flag needs an argument: -", "a value is missing after --")
	text := words.Replace(err.Error())
	for _, global := range []string{"config", "set", "profile", "log-format", "log-level", "progress", "json"} {
		if text == "there is no flag --"+global {
			text += " after a command: it is a global flag, write it before the command"
		}
	}
	return usageError{errors.New(text)}
}

// guard makes a command refuse what it does not take.
func guard(c *cli.Command) {
	c.OnUsageError = misused
	c.HideHelpCommand = len(c.Subcommands) == 0 // `churn help COMMAND` and --help are enough
	var names []string
	for _, sub := range c.Subcommands {
		guard(sub)
		if !sub.Hidden {
			names = append(names, sub.Name)
		}
	}
	if len(names) > 0 && c.Action == nil {
		c.Action = func(ctx *cli.Context) error {
			if name := ctx.Args().First(); name != "" {
				return usageError{fmt.Errorf("%s has no subcommand %q; use %s", c.Name, name, strings.Join(names, ", "))}
			}
			return cli.ShowSubcommandHelp(ctx)
		}
		return
	}
	if run := c.Action; run != nil && c.ArgsUsage == "" {
		c.Action = func(ctx *cli.Context) error {
			if ctx.Args().Present() {
				return usageError{fmt.Errorf("%s takes no argument %q; flags go before arguments, and global flags before the command", ctx.Command.Name, ctx.Args().First())}
			}
			return run(ctx)
		}
	}
}

func suggestCommand(app *cli.App, name string) string {
	i := slices.IndexFunc(app.Commands, func(c *cli.Command) bool {
		return strings.HasPrefix(c.Name, name[:1]) && (strings.Contains(c.Name, name) || strings.Contains(name, c.Name[:min(4, len(c.Name))]))
	})
	if i < 0 {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", app.Commands[i].Name)
}

// load reads the settings for a command. flags are those of the command that
// stand for settings.
func (s *session) load(c *cli.Context, flags map[string]string) error {
	if err := s.openLog(c); err != nil {
		return err
	}
	if err := s.openClock(); err != nil {
		return err
	}
	s.json, s.globals = c.Bool("json"), globals(c)
	loaded, err := config.Load(config.Request{File: c.String("config"), Environ: s.environ, Set: c.StringSlice("set"), Profile: c.String("profile"), Flags: flags})
	if err != nil {
		return configError{err}
	}
	return s.open(loaded)
}
