package cli

import (
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
	r := registry.Open(s.config.Paths.Registry)
	versions, err := r.List()
	if err != nil {
		return err
	}
	aliases, err := r.Aliases()
	if err != nil {
		return err
	}
	report := struct {
		Versions []registry.Manifest `json:"versions"`
		Aliases  map[string]string   `json:"aliases"`
	}{append([]registry.Manifest{}, versions...), aliases}
	return s.print(report, func(w io.Writer) {
		if len(versions) == 0 {
			fmt.Fprintf(w, "no models in %s yet; `churn train` makes one\n", s.config.Paths.Registry)
		}
		for _, m := range versions {
			fmt.Fprintf(w, "%s  %-9s data to %s  pr_auc %.4f  roc_auc %.4f  made %s  %s\n", m.Version, m.Kind, m.AsOf, m.Metrics["pr_auc"], m.Metrics["roc_auc"], m.Created.Format("2006-01-02 15:04"), aliasesOf(m.Version, aliases))
		}
	})
}

func aliasesOf(version string, aliases map[string]string) string {
	var names []string
	for name, v := range aliases {
		if v == version {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func (s *session) registryShow(c *cli.Context) error {
	name, err := argument(c, "version or alias, such as v0001 or "+registry.Production, "")
	if err != nil {
		return err
	}
	if err := s.load(c, nil); err != nil {
		return err
	}
	m, card, err := registry.Open(s.config.Paths.Registry).Load(name, registry.CardFile)
	if err != nil {
		return err
	}
	return s.print(m, func(w io.Writer) { fmt.Fprintf(w, "%s", card) })
}
