package registry

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"churn/registry/store"
)

// VerifyReport says what Verify looked at and found.
type VerifyReport struct {
	Versions  int      `json:"versions"`
	Files     int      `json:"files"`
	Entries   int      `json:"entries"`
	Decisions int      `json:"decisions"`
	Faults    []string `json:"faults"` // each names an object and what to do
	Notes     []string `json:"notes"`  // what is odd but no fault: leftovers
}

// verifier collects what is found.
type verifier struct {
	*Registry
	VerifyReport
	answers func(*Version) error
}

func (v *verifier) fault(err error) {
	if err == nil {
		return
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok && strings.Contains(err.Error(), "\n") {
		for _, e := range many.Unwrap() {
			v.fault(e)
		}
		return
	}
	v.Faults = append(v.Faults, strings.TrimPrefix(err.Error(), "registry: "))
}

func (v *verifier) note(key, why string) {
	v.Notes = append(v.Notes, v.store.Locate(key)+" "+why)
}

func (r *Registry) verifier(answers func(*Version) error) *verifier {
	return &verifier{Registry: r, VerifyReport: VerifyReport{Faults: []string{}, Notes: []string{}}, answers: answers}
}

// Verify recomputes everything: all seals, the chain and what follows from it,
// every file of every version, the records of all decisions. answers, if not
// nil, is asked of each version whose files are sound. The error is of looking,
// not of what was found.
func (r *Registry) Verify(ctx context.Context, answers func(*Version) error) (VerifyReport, error) {
	v := r.verifier(answers)
	objects, err := r.store.List(ctx, "")
	if err != nil {
		return v.VerifyReport, fmt.Errorf("registry: %w", err)
	}
	entries, err := r.History(ctx)
	v.fault(err)
	v.Entries = len(entries)
	v.replay(entries)
	v.decisions(ctx, objects, entries)
	manifests := v.versions(ctx, objects, entries)
	v.aliases(entries, manifests)
	v.leftovers(ctx, objects, manifests)
	return v.VerifyReport, ctx.Err()
}

// VerifyVersion does the same for one version.
func (r *Registry) VerifyVersion(ctx context.Context, name string, answers func(*Version) error) (VerifyReport, error) {
	v := r.verifier(answers)
	m, err := r.find(ctx, name)
	if err != nil {
		return v.VerifyReport, err
	}
	v.version(ctx, m)
	return v.VerifyReport, ctx.Err()
}

// replay checks that the aliases of each entry follow from those before it.
func (v *verifier) replay(entries []Entry) {
	for i, e := range entries {
		var before Entry
		if i > 0 {
			before = entries[i-1]
		}
		want := before.Aliases
		if e.Action != ActionCollect {
			want = want.after(e.Alias, e.To)
		}
		if e.Number == before.Number+1 && (e.Aliases != want || e.Action != ActionCollect && before.Aliases.Of(e.Alias) != e.From) {
			v.fault(fmt.Errorf("%s: its aliases do not follow from the entry before; restore it from a copy", v.store.Locate(ledgerKey(e.Number))))
		}
	}
}

// decisions checks the records that entries name, and those that moved nothing.
// The page is written first: one without its JSON is what a killed writer left.
func (v *verifier) decisions(ctx context.Context, objects []store.Object, entries []Entry) {
	for _, e := range entries {
		if e.Decision == "" {
			continue
		}
		v.Decisions++
		if _, _, err := v.Decision(ctx, e.Decision); err != nil {
			v.fault(fmt.Errorf("entry %d: %w", e.Number, err))
		}
	}
	for _, record := range unnamed(objects, entries) {
		if len(record) == 1 && strings.HasSuffix(record[0].Key, ".md") {
			v.note(record[0].Key, "is half of the record of a decision, whose writer was cut off; `churn registry gc` removes it once it is old")
			continue
		}
		_, _, err := v.decision(ctx, decisionOf(record[0].Key))
		if len(record) == 2 && absent(err) { // collected since it was listed
			continue
		}
		v.Decisions++
		v.fault(err)
	}
}

// versions checks those that are listed, and returns the sound manifests.
func (v *verifier) versions(ctx context.Context, objects []store.Object, entries []Entry) (manifests []Manifest) {
	tail := last(entries)
	gone := map[string]int{}
	for _, e := range entries {
		for _, version := range e.Collected {
			gone[version] = e.Number
		}
	}
	for _, o := range objects {
		name := strings.TrimSuffix(path.Base(o.Key), ".json")
		if o.Key != versionKey(name) || number(name) == 0 {
			continue
		}
		m, err := v.manifest(ctx, name)
		switch {
		case absent(err):
		case err != nil:
			v.fault(err)
		case tail.condemned(name):
			manifests = append(manifests, m)
			v.note(o.Key, "is being removed; the next `churn registry gc` finishes it")
		case gone[name] > 0:
			v.fault(fmt.Errorf("%s is there although entry %d of the ledger says that it was removed; delete it", v.store.Locate(o.Key), gone[name]))
		default:
			manifests = append(manifests, m)
			v.version(ctx, m)
		}
	}
	return manifests
}

func last(entries []Entry) (e Entry) {
	if len(entries) > 0 {
		e = entries[len(entries)-1]
	}
	return e
}

// version checks every file of a version, and asks it.
func (v *verifier) version(ctx context.Context, m Manifest) {
	v.Versions++
	files, sound := map[string][]byte{}, true
	for _, f := range m.Files {
		v.Files++
		data, err := v.file(ctx, m, f)
		v.fault(err)
		files[f.Path], sound = data, sound && err == nil
	}
	if !sound {
		return
	}
	if _, sum := contents(files); sum != m.Digest {
		v.fault(fmt.Errorf("%s: its digest is not that of its files; restore it from a copy", v.store.Locate(versionKey(m.Version))))
	}
	if v.answers != nil {
		if err := v.answers(&Version{m, files}); err != nil {
			v.fault(fmt.Errorf("version %s does not answer as it did: %w; use another version, or the program that made it (%s)", m.Version, err, m.Lineage.CodeVersion))
		}
	}
}

// aliases checks that they point to versions.
func (v *verifier) aliases(entries []Entry, manifests []Manifest) {
	tail := last(entries)
	for _, name := range []string{Production, Challenger, Previous} {
		version := tail.Aliases.Of(name)
		if version != "" && !slices.ContainsFunc(manifests, func(m Manifest) bool { return m.Version == version && !tail.condemned(version) }) {
			v.fault(fmt.Errorf("%s: %s is %s, which is not there or damaged; restore it, or move on with `churn registry rollback --to VERSION --reason TEXT`", v.store.Locate(ledgerKey(tail.Number)), name, version))
		}
	}
}

// leftovers notes what nothing names, and checks the leases.
func (v *verifier) leftovers(ctx context.Context, objects []store.Object, manifests []Manifest) {
	named := map[string]bool{}
	for _, m := range manifests {
		for _, f := range m.Files {
			named[path.Join(m.Folder, f.Path)] = true
		}
	}
	for _, o := range objects {
		switch name := strings.TrimSuffix(path.Base(o.Key), ".json"); {
		case named[o.Key]:
		case strings.HasPrefix(o.Key, modelsDir):
			v.note(o.Key, "belongs to no version; `churn registry gc` removes it once it is a day old")
		case decisionOf(o.Key) != "": // checked already
		case leaseOf(o.Key) != "":
			var l leaseRecord
			if err := v.get(ctx, o.Key, &l, "if no process holds it, delete it"); !absent(err) {
				v.fault(err)
			}
		case o.Key == versionKey(name) && number(name) > 0, isEntry(o.Key):
		default:
			v.note(o.Key, "is not of the registry")
		}
	}
}

func isEntry(key string) bool {
	var n int
	_, err := fmt.Sscanf(key, ledgerDir+"%08d.json", &n)
	return err == nil && key == ledgerKey(n)
}

// Err returns the faults as an error, nil if there are none.
func (v VerifyReport) Err() error {
	var errs []error
	for _, text := range v.Faults {
		errs = append(errs, errors.New(text))
	}
	return errors.Join(errs...)
}
