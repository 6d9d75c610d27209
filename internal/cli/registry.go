package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"churn/registry"
)

func registryCommand(s *session) *cli.Command {
	const version = "VERSION|ALIAS"
	return &cli.Command{
		Name:  "registry",
		Usage: "the trained models: which there are, which was in use when and why, and whether they are sound",
		Subcommands: []*cli.Command{
			{Name: "list", Usage: "list all versions, their figures and aliases", Action: s.onRegistry(s.registryList)},
			{Name: "show", Usage: "check one version and print its model card", ArgsUsage: version, Action: s.onVersion("", s.registryShow)},
			{Name: "history", Usage: "list the moves of the aliases: who, when, why, from, to", Action: s.onRegistry(s.registryHistory)},
			{Name: "who", Usage: "tell which model answered at a time", Flags: whoFlags(), Action: s.onRegistry(s.registryWho)},
			{Name: "rollback", Usage: "put the previous model, or another, back into production", Flags: rollbackFlags(), Action: s.onRegistry(s.registryRollback)},
			{Name: "verify", Usage: "recompute every digest, the chain of the ledger, and the stored answers of the models", ArgsUsage: "[" + version + "]", Action: s.onVersion(everyVersion, s.registryVerify)},
			{Name: "gc", Usage: "remove versions that nobody has used for registry.keep_days, and leftovers", Flags: gcFlags(), Action: s.onRegistry(s.registryCollect)},
			{Name: "export", Usage: "write one version as one file", ArgsUsage: version, Flags: exportFlags(), Action: s.onVersion("", s.registryExport)},
			{Name: "import", Usage: "check a version that export wrote, and take it", ArgsUsage: "FILE", Action: s.registryImport},
		},
	}
}

// onRegistry makes the action of a command without arguments.
func (s *session) onRegistry(run func(*cli.Context, *registry.Registry) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		if err := s.load(c, nil); err != nil {
			return err
		}
		r, err := s.registry(c.Context)
		if err != nil {
			return err
		}
		return run(c, r)
	}
}

// onVersion makes the action of a command on a version, or on other if none is
// named.
func (s *session) onVersion(other string, run func(*cli.Context, *registry.Registry, string) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		name, err := argument(c, "version or alias, such as v0001 or "+registry.Production, other)
		if err != nil {
			return err
		}
		return s.onRegistry(func(c *cli.Context, r *registry.Registry) error { return run(c, r, name) })(c)
	}
}

// registryList prints the sound versions. A damaged one is a failure, and hides
// no other.
func (s *session) registryList(c *cli.Context, r *registry.Registry) error {
	versions, damage := r.List(c.Context)
	if damage != nil && !errors.As(damage, new(*registry.Damaged)) {
		return damage
	}
	aliases, err := r.Aliases(c.Context)
	if err != nil {
		return err
	}
	report := struct {
		Versions []registry.Manifest `json:"versions"`
		Aliases  registry.Aliases    `json:"aliases"`
		Fault    string              `json:"fault,omitempty"`
	}{Versions: append([]registry.Manifest{}, versions...), Aliases: aliases}
	if damage != nil {
		report.Fault = damage.Error()
	}
	err = s.print(report, func(w io.Writer) {
		if len(versions) == 0 && damage == nil {
			fmt.Fprintf(w, "no models in %s yet; `churn train` makes one\n", r)
		}
		for _, m := range versions {
			line := fmt.Sprintf("%s  %-9s data to %s  pr_auc %.4f  roc_auc %.4f  made %s  %s", m.Version, m.Kind, m.AsOf, m.Metrics["pr_auc"], m.Metrics["roc_auc"], m.Created.Format(minute), strings.Join(aliases.Names(m.Version), ", "))
			fmt.Fprintln(w, strings.TrimRight(line, " "))
		}
	})
	return errors.Join(err, damage)
}

// minute is how times are shown, in UTC.
const minute = "2006-01-02 15:04"

func (s *session) registryShow(c *cli.Context, r *registry.Registry, name string) error {
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
	fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("version   %s  %s", m.Version, strings.Join(aliases.Names(m.Version), ", ")), " "))
	fmt.Fprintf(w, "          digest sha256:%s\n", m.Digest)
	fmt.Fprintf(w, "          made %s by churn %s from data to %s; trained while %s was in production\n", m.Created.Format(minute), m.Lineage.CodeVersion, m.AsOf, cmp.Or(m.Parent, "nothing"))
	if o := m.Imported; o != nil {
		fmt.Fprintf(w, "          imported; it was %s where it was made on %s\n", o.Version, o.Created.Format(minute))
	}
	var names []string
	for _, f := range m.Files {
		names = append(names, f.Path)
	}
	fmt.Fprintf(w, "          files %s\n\n%s", strings.Join(names, ", "), v.Files[registry.CardFile])
}
