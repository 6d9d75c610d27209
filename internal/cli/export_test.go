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

	"churn/pipeline/retrain"
)

// DueOf runs what retrain decides by, with the global flags and the as-of date
// of args, as the command does.
func DueOf(args, environ []string, stdout, stderr io.Writer, force, ifDrift bool) (d retrain.Due, err error) {
	s := &session{args: args, stdout: io.Discard, stderr: stderr, environ: environ, now: time.Now}
	app := newApp(s)
	app.Commands = append(app.Commands, &cli.Command{Name: "due", Flags: []cli.Flag{asOfFlag()}, Action: s.dated(func(c *cli.Context) error {
		d, err = s.due(c.Context, wanted{force: force, ifDrift: ifDrift})
		printDue(stdout, d)
		return err
	})})
	return d, app.RunContext(context.Background(), args)
}

// AsksInFreshProcess checks a version as promote does before it moves an alias.
func AsksInFreshProcess(args, environ []string, version string) error {
	s := &session{args: args, stdout: io.Discard, stderr: io.Discard, environ: environ, now: time.Now}
	app := newApp(s)
	app.Commands = append(app.Commands, &cli.Command{Name: "ask", Action: func(c *cli.Context) error {
		if err := s.load(c, nil); err != nil {
			return err
		}
		return s.answersInFreshProcess(c.Context, version)
	}})
	return app.RunContext(context.Background(), args)
}

// ExitCode is the code by which the program ends with an error.
func ExitCode(err error) int { return exitCode(err) }

// Commands lists all commands by their words, but for hidden ones and those that package cli adds.
func Commands() []string {
	return paths(newApp(&session{stdout: io.Discard, stderr: io.Discard, now: time.Now}).Commands, "")
}

// LinesByCommand are the lines of the examples by command.
func LinesByCommand() map[string][]string {
	out := map[string][]string{}
	for path, all := range examples() {
		for _, x := range all {
			out[path] = append(out[path], x.Line)
		}
	}
	return out
}

// Understand reads a command line as the program does, runs nothing, and returns the words of
// the command that would run.
func Understand(args []string) (path string, err error) {
	app := newApp(&session{args: args, stdout: io.Discard, stderr: io.Discard, now: time.Now})
	var record func(commands []*cli.Command, parent string)
	record = func(commands []*cli.Command, parent string) {
		for _, c := range commands {
			here := strings.TrimSpace(parent + " " + c.Name)
			c.Action = func(ctx *cli.Context) error {
				rest, err := arguments(ctx)
				if path = here; err == nil && (len(rest) > 0) != (c.ArgsUsage != "") && !strings.HasPrefix(c.ArgsUsage, "[") {
					err = fmt.Errorf("%s takes %q and is given %q", here, c.ArgsUsage, rest)
				}
				return errors.Join(err, chosen(ctx))
			}
			record(c.Subcommands, here)
		}
	}
	record(app.Commands, "")
	err = app.RunContext(context.Background(), args)
	return path, err
}

// chosen fails where a flag has a value that completion would not offer.
func chosen(ctx *cli.Context) (err error) {
	for _, c := range ctx.Lineage() {
		if c.Command == nil {
			continue
		}
		for _, f := range c.Command.Flags {
			if x, ok := f.(*choice); ok && c.IsSet(x.Name) && x.Name != "model" && !slices.Contains(x.values, c.String(x.Name)) {
				err = errors.Join(err, fmt.Errorf("--%s %q is none of %v", x.Name, c.String(x.Name), x.values))
			}
		}
	}
	return err
}
