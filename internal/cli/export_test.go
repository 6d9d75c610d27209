package cli

import (
	"context"
	"io"
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
