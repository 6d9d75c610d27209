package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"churn/internal/atomicfile"
	"churn/registry"
	"churn/registry/store"
)

// everyVersion stands for all of them where none is named.
const everyVersion = "all"

// registryVerify recomputes everything, or one version.
func (s *session) registryVerify(c *cli.Context, r *registry.Registry, name string) (err error) {
	var v registry.VerifyReport
	err = s.stage(c.Context, "verify", func(ctx context.Context, _ func(done, total int64)) error {
		if name == everyVersion {
			v, err = r.Verify(ctx, answers)
		} else {
			v, err = r.VerifyVersion(ctx, name, answers)
		}
		return err
	})
	if err != nil {
		return err
	}
	err = s.print(v, func(w io.Writer) {
		sound := "all sound"
		if n := len(v.Faults); n > 0 {
			sound = fmt.Sprintf("%d faults", n)
		}
		fmt.Fprintf(w, "verify    %d versions with %d files, %d entries of the ledger, %d decisions: %s\n", v.Versions, v.Files, v.Entries, v.Decisions, sound)
		for _, text := range v.Notes {
			fmt.Fprintf(w, "          note: %s\n", text)
		}
	})
	return errors.Join(err, v.Err())
}

func gcFlags() []cli.Flag {
	return []cli.Flag{&cli.BoolFlag{Name: "dry-run", Usage: "only show what would go"}}
}

// registryCollect removes what nobody needs.
func (s *session) registryCollect(c *cli.Context, r *registry.Registry) error {
	p := registry.GC{KeepDays: s.config.Registry.KeepDays, Actor: s.actor(), Time: s.stamp(), Now: s.now(), DryRun: c.Bool("dry-run")}
	report, err := r.Collect(c.Context, p)
	if err != nil {
		return err
	}
	if s.config.Registry.URL == "" && !p.DryRun {
		if err := store.Sweep(s.config.Paths.Registry); err != nil {
			return err
		}
	}
	return s.print(report, func(w io.Writer) { printCollected(w, report) })
}

func printCollected(w io.Writer, r registry.GCReport) {
	verb := "removed"
	if r.DryRun {
		verb = "would remove"
	}
	for _, x := range r.Removed {
		fmt.Fprintf(w, "gc        %s %s, %s bytes\n", verb, x.Version, thousands(x.Bytes))
	}
	for _, x := range r.Kept {
		fmt.Fprintf(w, "gc        keeps %s: %s\n", x.Version, x.Why)
	}
	fmt.Fprintf(w, "gc        %s %d versions, %d files that belonged to none, %d records of old leases, %d of old decisions that moved nothing; %d versions stay\n", verb, len(r.Removed), len(r.Orphans), r.Leases, r.Decisions, len(r.Kept))
}

func exportFlags() []cli.Flag {
	return []cli.Flag{&cli.StringFlag{Name: "out", TakesFile: true, Usage: "write to `FILE` (default: churn-VERSION.tar)"}}
}

// exported is the report of export.
type exported struct {
	Version string `json:"version"`
	Path    string `json:"path"`
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256"`
}

// registryExport writes one version as one file.
func (s *session) registryExport(c *cli.Context, r *registry.Registry, name string) error {
	archive, m, err := r.Export(c.Context, name)
	if err != nil {
		return err
	}
	x := exported{Version: m.Version, Path: c.String("out")}
	if x.Path == "" {
		x.Path = "churn-" + m.Version + ".tar"
	}
	info, err := atomicfile.Write(x.Path, archive)
	if err != nil {
		return err
	}
	x.Bytes, x.SHA256 = info.Bytes, info.SHA256
	return s.print(x, func(w io.Writer) {
		fmt.Fprintf(w, "export    %s to %s, %s bytes; take it elsewhere with `churn registry import`\n", x.Version, x.Path, thousands(x.Bytes))
	})
}

// registryImport takes a version that export wrote.
func (s *session) registryImport(c *cli.Context) error {
	path, err := argument(c, "file that export wrote", "")
	if err != nil {
		return err
	}
	return s.onRegistry(func(c *cli.Context, r *registry.Registry) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		m, fresh, err := r.Import(c.Context, f, s.stamp())
		if err != nil {
			return fmt.Errorf("import %s: %w", path, err)
		}
		report := struct {
			registry.Manifest
			New bool `json:"new"`
		}{m, fresh}
		return s.print(report, func(w io.Writer) {
			what := "is " + m.Version + " now"
			if !fresh {
				what = "was here already, as " + m.Version
			}
			fmt.Fprintf(w, "import    %s %s; it answers nobody until it is promoted: `churn promote %s`\n", path, what, m.Version)
		})
	})(c)
}
