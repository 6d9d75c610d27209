package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/urfave/cli/v2"

	"churn/model/bundle"
	"churn/registry"
)

// answers asks a version the rows that are stored with it: whether this program
// gives the very answers that were given when the model was made.
func answers(v *registry.Version) error {
	m, err := modelOf(v)
	if err != nil {
		return err
	}
	data, err := v.File(registry.SampleFile)
	if err != nil {
		return fmt.Errorf("%w, which it must answer before it is used; train again", err)
	}
	sample, err := bundle.DecodeSample(data)
	if err == nil {
		err = m.Bundle.Answers(sample)
	}
	if err != nil {
		return fmt.Errorf("model %s: %w", v.Version, err)
	}
	return nil
}

// globals returns the global flags of this run, for a child with the same
// settings that says nothing but what is wrong.
func globals(c *cli.Context) []string {
	args := []string{"--log-level", "error", "--progress", "never"}
	for _, name := range []string{"config", "profile"} {
		if value := c.String(name); value != "" {
			args = append(args, "--"+name, value)
		}
	}
	for _, set := range c.StringSlice("set") {
		args = append(args, "--set", set)
	}
	return args
}

// answersInFreshProcess asks a version its stored sample in a process of its
// own, started from the same program with the same settings: what the server,
// which is another process, would meet. Nothing of this run, which may have just
// made the model, is there to help.
func (s *session) answersInFreshProcess(ctx context.Context, version string) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program, to start it anew: %w", err)
	}
	var output bytes.Buffer
	c := exec.CommandContext(ctx, program, append(s.globals, "registry", "verify", version)...)
	c.Env, c.Stderr = s.environ, &output
	if err := c.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		said := strings.ReplaceAll(strings.TrimSpace(output.String()), "churn: ", "")
		// Not wrapped: an *exec.ExitError passes for an error of the command line.
		return fmt.Errorf("%s fails in a fresh process (%v); the model in use stays:\n%s", version, err, said)
	}
	return nil
}
