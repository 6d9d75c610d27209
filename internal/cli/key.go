package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"churn/server"
)

func keyCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:  "key",
		Usage: "make API keys for the server",
		Subcommands: []*cli.Command{{
			Name:      "new",
			Usage:     "print a fresh key once, and the line for serve.keys_file that knows it by its digest",
			ArgsUsage: "NAME",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "scopes", Value: "predict,read", Usage: "what it allows: `LIST` of predict, read, admin"},
				&cli.StringFlag{Name: "expires", Usage: "last `DATE` on which it works, in UTC, or a time (default: never)"},
			},
			Action: func(c *cli.Context) error { return s.newKey(c) },
		}},
	}
}

func (s *session) newKey(c *cli.Context) error {
	name, err := argument(c, "name of who will use the key", "")
	if err != nil {
		return err
	}
	if err := s.load(c, nil); err != nil {
		return err
	}
	var scopes []server.Scope
	for _, word := range strings.Split(c.String("scopes"), ",") {
		scopes = append(scopes, server.Scope(strings.TrimSpace(word)))
	}
	secret, line, err := server.NewKey(name, scopes, c.String("expires"))
	if err != nil {
		return usageError{err}
	}
	report := struct {
		Key  string `json:"key"`
		Line string `json:"line"`
	}{secret, line}
	return s.print(report, func(w io.Writer) {
		fmt.Fprintf(w, "the key, for its user; it is not kept anywhere:\n  %s\nthe line for the file that serve.keys_file names, or for CHURN_API_KEYS:\n  %s\n", secret, line)
	})
}
