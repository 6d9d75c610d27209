package cli

import (
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/urfave/cli/v2"

	"churn/internal/atomicfile"
)

// version is set by the linker from git (make build).
var version = "dev"

// Version returns the version of the program.
func Version() string { return version }

// codeDigest returns the SHA-256 of the running program, by which two builds
// that both call themselves dev are told apart. It is "" where the program may
// not read itself.
func codeDigest() string {
	for _, path := range programPaths() {
		if info, err := atomicfile.Digest(path); err == nil {
			return info.SHA256
		}
	}
	return ""
}

// programPaths returns where the running program is. Linux shows it under a
// name that holds even when the file was replaced since the start.
func programPaths() []string {
	paths := []string{"/proc/self/exe"}
	if path, err := os.Executable(); err == nil {
		paths = append(paths, path)
	}
	return paths
}

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
