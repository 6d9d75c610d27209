package cli

import (
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"churn/internal/config"
)

func configCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:  "config",
		Usage: "show or check the settings",
		Subcommands: []*cli.Command{
			{Name: "show", Usage: "print every setting, its value and where it comes from", Action: func(c *cli.Context) error {
				if err := s.load(c, nil); err != nil {
					return err
				}
				entries := redacted(s.config.Entries)
				return s.print(entries, func(w io.Writer) {
					for _, e := range entries {
						fmt.Fprintf(w, "%-48s %-24s (%s)\n", e.Key, showValue(e.Value), e.Source)
					}
				})
			}},
			{Name: "check", Usage: "check the settings and name all faults", Action: func(c *cli.Context) error {
				if err := s.load(c, nil); err != nil {
					return err
				}
				file := s.config.File
				if file == "" {
					file = "built-in defaults"
				}
				report := map[string]any{"ok": true, "file": s.config.File, "keys": len(s.config.Entries)}
				return s.print(report, func(w io.Writer) {
					fmt.Fprintf(w, "the settings are sound: %d keys, from %s\n", len(s.config.Entries), file)
				})
			}},
		},
	}
}

// redacted returns the settings without secrets: of a webhook, or a gateway, only
// the host, as in the log.
func redacted(entries []config.Entry) []config.Entry {
	entries = slices.Clone(entries)
	for i := range entries {
		e := &entries[i]
		if address, ok := e.Value.(string); ok && address != "" && (e.Key == "source.url" || e.Key == "score.sink_url") {
			e.Value = withoutPassword(address)
		}
		if address, ok := e.Value.(string); ok && address != "" && (strings.HasSuffix(e.Key, ".webhook") || strings.HasSuffix(e.Key, ".pushgateway")) {
			e.Value = hostOf(address) + " (the rest is not shown)"
		}
	}
	return entries
}

// withoutPassword shows the address of a database: its parameters only where they
// are known to be no secret.
func withoutPassword(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(not an address, so it is not shown)"
	}
	harmless := []string{"application_name", "catalog", "database", "schema", "search_path", "secure", "source", "sslmode"}
	q := u.Query()
	for name := range q {
		if !slices.Contains(harmless, name) {
			q.Set(name, "xxxxx")
		}
	}
	u.RawQuery = q.Encode()
	return u.Redacted()
}

// showValue writes lists as --set takes them.
func showValue(v any) string {
	text := fmt.Sprint(v)
	if strings.HasPrefix(text, "[") {
		return strings.ReplaceAll(strings.Trim(text, "[]"), " ", ",")
	}
	return text
}
