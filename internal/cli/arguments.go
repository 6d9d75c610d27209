package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// arguments returns the arguments of a command, and takes the flags among and
// after them, which package cli leaves alone.
func arguments(c *cli.Context) (args []string, err error) {
	rest := c.Args().Slice()
	for len(rest) > 0 {
		word := rest[0]
		rest = rest[1:]
		name, isFlag := strings.CutPrefix(word, "-")
		if !isFlag || name == "" {
			args = append(args, word)
			continue
		}
		name, value, given := strings.Cut(strings.TrimPrefix(name, "-"), "=")
		takes, known := flagTakes(c.Command, name)
		switch {
		case !known:
			return nil, misused(c, fmt.Errorf("flag provided but not defined: -%s", name), true)
		case !takes && !given:
			value = "true"
		case !given && len(rest) == 0:
			return nil, misused(c, fmt.Errorf("flag needs an argument: -%s", name), true)
		case !given:
			value, rest = rest[0], rest[1:]
		}
		if err := c.Set(name, value); err != nil {
			return nil, usageError{fmt.Errorf("--%s: %w", name, err)}
		}
	}
	return args, nil
}

// flagTakes reports whether a command has a flag, and whether it takes a value.
func flagTakes(c *cli.Command, name string) (takes, known bool) {
	i := slices.IndexFunc(c.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
	if i < 0 {
		return false, false
	}
	f, ok := c.Flags[i].(cli.DocGenerationFlag)
	return !ok || f.TakesValue(), true
}

// argument returns the one argument of a command, or other if there is none.
func argument(c *cli.Context, what, other string) (string, error) {
	args, err := arguments(c)
	switch {
	case err != nil:
		return "", err
	case len(args) == 1:
		return args[0], nil
	case len(args) == 0 && other != "":
		return other, nil
	}
	return "", usageError{fmt.Errorf("%s takes one %s", strings.TrimPrefix(c.Command.HelpName, c.App.Name+" "), what)}
}
