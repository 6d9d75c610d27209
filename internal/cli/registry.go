package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"churn/registry"
)

func registryCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:  "registry",
		Usage: "look at the trained models",
		Subcommands: []*cli.Command{
			{Name: "list", Usage: "list all versions, their figures and aliases", Action: func(c *cli.Context) error { return s.registryList(c) }},
			{Name: "show", Usage: "check one version and print its model card", ArgsUsage: "VERSION|ALIAS", Action: func(c *cli.Context) error { return s.registryShow(c) }},
		},
	}
}

func (s *session) registryList(c *cli.Context) error {
	if err := s.load(c, nil); err != nil {
		return err
	}
	r, err := s.registry(c.Context)
	if err != nil {
		return err
	}
	versions, err := r.List(c.Context)
	if err != nil {
		return err
	}
	aliases, err := r.Aliases(c.Context)
	if err != nil {
		return err
	}
	report := struct {
		Versions []registry.Manifest `json:"versions"`
		Aliases  registry.Aliases    `json:"aliases"`
	}{append([]registry.Manifest{}, versions...), aliases}
	return s.print(report, func(w io.Writer) {
		if len(versions) == 0 {
			fmt.Fprintf(w, "no models in %s yet; `churn train` makes one\n", r)
		}
		for _, m := range versions {
			line := fmt.Sprintf("%s  %-9s data to %s  pr_auc %.4f  roc_auc %.4f  made %s  %s", m.Version, m.Kind, m.AsOf, m.Metrics["pr_auc"], m.Metrics["roc_auc"], m.Created.Format("2006-01-02 15:04"), strings.Join(aliases.Names(m.Version), ", "))
			fmt.Fprintln(w, strings.TrimRight(line, " "))
		}
	})
}

func (s *session) registryShow(c *cli.Context) error {
	name, err := argument(c, "version or alias, such as v0001 or "+registry.Production, "")
	if err != nil {
		return err
	}
	if err := s.load(c, nil); err != nil {
		return err
	}
	r, err := s.registry(c.Context)
	if err != nil {
		return err
	}
	v, err := r.Load(c.Context, name)
	if err != nil {
		return err
	}
	aliases, err := r.Aliases(c.Context)
	if err != nil {
		return err
	}
	return s.print(v.Manifest, func(w io.Writer) { printVersion(w, v, aliases) })
}

// printVersion shows what the registry knows of a version, and its card.
func printVersion(w io.Writer, v *registry.Version, aliases registry.Aliases) {
	m := v.Manifest
	fmt.Fprintf(w, "version   %s  %s\n", m.Version, strings.Join(aliases.Names(m.Version), ", "))
	fmt.Fprintf(w, "          digest sha256:%s\n", m.Digest)
	fmt.Fprintf(w, "          made %s by churn %s from data to %s; trained while %s was in production\n", m.Created.Format("2006-01-02 15:04"), m.Lineage.CodeVersion, m.AsOf, cmp.Or(m.Parent, "nothing"))
	if o := m.Imported; o != nil {
		fmt.Fprintf(w, "          imported; it was %s where it was made\n", o.Version)
	}
	names := slices.Collect(func(yield func(string) bool) {
		for _, f := range m.Files {
			if !yield(f.Path) {
				return
			}
		}
	})
	fmt.Fprintf(w, "          files %s\n\n%s", strings.Join(names, ", "), v.Files[registry.CardFile])
}
