package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
)

func manCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:  "man",
		Usage: "print the manual page",
		Action: func(c *cli.Context) error {
			page, err := c.App.ToManWithSection(1)
			if err != nil {
				return err
			}
			_, err = io.WriteString(s.stdout, ascii(page+manEnd(c.App.Commands)))
			return err
		},
	}
}

// manEnd is what package cli does not know of the program, as roff.
func manEnd(commands []*cli.Command) string {
	var b strings.Builder
	section := func(title string) { fmt.Fprintf(&b, ".SH %s\n", title) }
	item := func(what, text string) { fmt.Fprintf(&b, ".TP\n\\fB%s\\fP\n%s\n", roff(what), roff(text)) }
	section("EXIT STATUS")
	for _, x := range [][2]string{{"0", "ok"}, {"1", "failure"}, {"2", "alarm: a monitor found what somebody must look at"}, {"3", "data rejected"}, {"4", "promotion held or rejected"}, {"64", "the command line cannot be understood"}, {"78", "the settings cannot be used"}} {
		item(x[0], x[1])
	}
	section("ENVIRONMENT")
	item("CHURN_SECTION_KEY", "a setting, such as CHURN_LABELS_WINDOW_DAYS=14; flags and --set come before it, the file and the defaults after it")
	item(keysName, "API keys of the server, as lines between semicolons")
	item(epochName, "seconds since 1970 that records show instead of the time of day")
	section("FILES")
	item("config.yaml", "read where it is there and --config names no other; churn config show lists all keys")
	item("data/, artifacts/", "tables, and models, metrics and reports (paths.data, paths.artifacts)")
	section("EXAMPLES")
	all := examples()
	for _, path := range paths(commands, "") {
		for _, x := range all[path] {
			item(x.Line, x.For)
		}
	}
	return b.String()
}

// paths lists all commands that are shown, by their words, each before its subcommands.
func paths(commands []*cli.Command, parent string) (out []string) {
	for _, c := range commands {
		path := strings.TrimSpace(parent + " " + c.Name)
		switch {
		case c.Hidden || parent != "" && c.Name == "help": // that of package cli
		default:
			out = slices.Concat(out, []string{path}, paths(c.Subcommands, path))
		}
	}
	return out
}

// ascii writes all other letters by their numbers, which every formatter reads alike.
func ascii(page string) string {
	var b strings.Builder
	for _, r := range page {
		if r < utf8.RuneSelf {
			b.WriteRune(r)
			continue
		}
		fmt.Fprintf(&b, `\[u%04X]`, r)
	}
	return b.String()
}

// roff escapes text for a line of a manual page.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`).Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}
