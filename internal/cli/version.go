package cli

import (
	"fmt"
	"io"
	"runtime"

	"github.com/urfave/cli/v2"
)

// version is set by the linker from git (make build).
var version = "dev"

// Version returns the version of the program.
func Version() string { return version }

func versionCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print the version of the program",
		Action: func(c *cli.Context) error {
			s.json = c.Bool("json")
			report := struct {
				Version string `json:"version"`
				Go      string `json:"go"`
				System  string `json:"system"`
			}{Version(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			return s.print(report, func(w io.Writer) { fmt.Fprintf(w, "churn %s (%s, %s)\n", report.Version, report.Go, report.System) })
		},
	}
}
