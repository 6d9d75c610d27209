package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// helpCommand explains a command of any depth; that of package cli sees the first name only.
func helpCommand() *cli.Command {
	return &cli.Command{
		Name: "help", Aliases: []string{"h"}, ArgsUsage: "[COMMAND]", HideHelp: true,
		Usage: "list the commands, or explain one, with examples",
		Action: func(c *cli.Context) error {
			commands, names := c.App.Commands, c.Args().Slice()
			for i, name := range names {
				next := named(commands, name)
				if next == nil {
					return usageError{fmt.Errorf("there is no command %q", strings.Join(names[:i+1], " "))}
				}
				commands = next.Subcommands
			}
			return c.App.RunContext(c.Context, slices.Concat([]string{c.App.Name}, names, []string{"--help"}))
		},
	}
}

// named returns the command of a name, nil if there is none.
func named(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}
