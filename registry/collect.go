package registry

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"churn/registry/store"
)

// GC says what Collect may remove.
type GC struct {
	KeepDays int       // versions that were made or moved so lately stay
	Actor    string    // for the ledger
	Time     time.Time // for the ledger, and the age of versions is up to it
	Now      time.Time // by the clock: leases, and leftovers of killed writers
	DryRun   bool      // look only
}

// GCReport says what Collect removed, or would.
type GCReport struct {
	DryRun  bool        `json:"dry_run"`
	Removed []Collected `json:"removed"`
	Kept    []Kept      `json:"kept"`
	Orphans []string    `json:"orphans"` // files that no version names
	// Decisions are the records that went: those that moved nothing and are older
	// than KeepDays. What an entry of the ledger rests on stays as long as it.
	Decisions int `json:"decisions"`
	Leases    int `json:"leases"` // records of leases that ended long ago
}

// Collected is a version that went.
type Collected struct {
	Version string `json:"version"`
	Bytes   int64  `json:"bytes"`
}

// Kept is a version that stays, and why.
type Kept struct {
	Version string `json:"version"`
	Why     string `json:"why"`
}

// leftoverAge is how old a file must be to count as a leftover of a killed
// writer: one that is still at work may have written it.
const leftoverAge = 24 * time.Hour

// Collect removes the versions that nobody needs: that no alias and no running
// reader names, and that were neither made nor moved in the last KeepDays days;
// then what killed writers left behind. An entry of the ledger names the versions
// before anything of them goes, so a promotion either comes before it, and its
// version stays, or after it, and is refused. A Collect that was killed is
// finished by the next one.
func (r *Registry) Collect(ctx context.Context, p GC) (GCReport, error) {
	p.Time = p.Time.UTC()
	for {
		report, err := r.tryCollect(ctx, p)
		if !taken(err) {
			return report, err
		}
	}
}

// tryCollect is Collect, but fails with fs.ErrExist where an entry of another
// came between.
func (r *Registry) tryCollect(ctx context.Context, p GC) (report GCReport, err error) {
	report = GCReport{DryRun: p.DryRun, Removed: []Collected{}, Kept: []Kept{}, Orphans: []string{}}
	entries, err := r.History(ctx)
	if err != nil {
		return report, fmt.Errorf("%w; nothing is removed while the ledger cannot be read", err)
	}
	var tail Entry
	if len(entries) > 0 {
		tail = entries[len(entries)-1]
	}
	waiting := tail.Removing
	if !p.DryRun {
		if waiting, err = r.remove(ctx, tail.Removing, p.Now); err != nil {
			return report, err
		}
	}
	condemned, err := r.judge(ctx, p, entries, tail, &report)
	if err != nil {
		return report, err
	}
	if len(condemned) > 0 && !p.DryRun {
		if err := r.condemn(ctx, p, tail, condemned, waiting); err != nil {
			return report, err
		}
	}
	return report, r.sweep(ctx, p, &report)
}

// judge tells the versions that may go from those that stay.
func (r *Registry) judge(ctx context.Context, p GC, entries []Entry, tail Entry, report *GCReport) (condemned []Removal, err error) {
	versions, faults, err := r.manifests(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range faults {
		if !tail.condemned(d.Version) {
			report.Kept = append(report.Kept, Kept{d.Version, "its manifest is damaged, so that nobody knows which files are its own: " + strings.TrimPrefix(d.Error(), "registry: ")})
		}
	}
	leases, err := r.readers(ctx, p.Now)
	if err != nil {
		return nil, err
	}
	for _, m := range versions {
		if tail.condemned(m.Version) {
			continue
		}
		if why := reasonToKeep(m, p, entries, tail, leases); why != "" {
			report.Kept = append(report.Kept, Kept{m.Version, why})
			continue
		}
		var bytes int64
		for _, f := range m.Files {
			bytes += f.Bytes
		}
		condemned = append(condemned, Removal{m.Version, m.Folder})
		report.Removed = append(report.Removed, Collected{m.Version, bytes})
	}
	return condemned, nil
}

// reasonToKeep returns why a version stays, "" if it may go.
func reasonToKeep(m Manifest, p GC, entries []Entry, tail Entry, leases map[string]leaseRecord) string {
	since := p.Time.AddDate(0, 0, -p.KeepDays)
	names := tail.Aliases.Names(m.Version)
	used := slices.IndexFunc(entries, func(e Entry) bool { return (e.From == m.Version || e.To == m.Version) && e.Time.After(since) })
	lease, leased := leases[m.Version]
	switch {
	case len(names) > 0:
		return "it is " + strings.Join(names, " and ")
	case leased:
		return fmt.Sprintf("%s reads it until %s", lease.Holder, lease.Until.Format(time.RFC3339))
	case m.Created.After(since):
		return fmt.Sprintf("it was made in the last %d days", p.KeepDays)
	case used >= 0:
		return fmt.Sprintf("entry %d of the last %d days names it", entries[used].Number, p.KeepDays)
	}
	return ""
}

// condemn writes into the ledger that versions are removed, and removes them.
func (r *Registry) condemn(ctx context.Context, p GC, tail Entry, condemned, waiting []Removal) error {
	e := Entry{Actor: p.Actor, Action: ActionCollect, Time: p.Time, Aliases: tail.Aliases, Highest: tail.Highest, Collection: tail.Number + 1,
		Reason: fmt.Sprintf("not in use, and older than %d days", p.KeepDays), Removing: slices.Concat(waiting, condemned)}
	for _, x := range condemned {
		e.Collected = append(e.Collected, x.Version)
		e.Highest = max(e.Highest, number(x.Version))
	}
	if _, err := r.append(ctx, tail, e); err != nil {
		return err
	}
	_, err := r.remove(ctx, condemned, p.Now)
	return err
}

// remove deletes versions that the ledger has given up, and returns those that
// must wait for a reader: one that took its lease before the entry was there.
func (r *Registry) remove(ctx context.Context, condemned []Removal, now time.Time) (waiting []Removal, err error) {
	if len(condemned) == 0 {
		return nil, nil
	}
	leases, err := r.readers(ctx, now)
	if err != nil {
		return nil, err
	}
	for _, x := range condemned {
		if _, leased := leases[x.Version]; leased {
			waiting = append(waiting, x)
			continue
		}
		if err := r.delete(ctx, versionKey(x.Version)); err != nil {
			return nil, err
		}
		if err := r.deleteAll(ctx, x.Folder+"/"); err != nil {
			return nil, err
		}
	}
	return waiting, nil
}

func (r *Registry) delete(ctx context.Context, key string) error {
	if err := r.store.Delete(ctx, key); err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	return nil
}

func (r *Registry) deleteAll(ctx context.Context, folder string) error {
	objects, err := r.store.List(ctx, folder)
	if err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	return r.deleteKeys(ctx, keysOf(objects))
}

// sweep removes what killed writers left: files of versions that never came to
// be; records of leases that ended long ago; and old records of decisions that
// moved nothing.
func (r *Registry) sweep(ctx context.Context, p GC, report *GCReport) error {
	old := func(o store.Object) bool { return p.Now.Sub(o.Modified) > leftoverAge }
	orphans, err := r.orphans(ctx)
	if err != nil {
		return err
	}
	for _, folder := range orphans {
		if !slices.ContainsFunc(folder, func(o store.Object) bool { return !old(o) }) {
			if err := r.sweepFolder(ctx, folder, p, report); err != nil {
				return err
			}
		}
	}
	leases, err := r.oldLeases(ctx, old)
	if err != nil {
		return err
	}
	report.Leases = len(leases)
	if !p.DryRun {
		if err := r.deleteKeys(ctx, leases); err != nil {
			return err
		}
	}
	return r.sweepDecisions(ctx, p, report)
}

func keysOf(objects []store.Object) (keys []string) {
	for _, o := range objects {
		keys = append(keys, o.Key)
	}
	return keys
}

func (r *Registry) deleteKeys(ctx context.Context, keys []string) error {
	for _, key := range keys {
		if err := r.delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// sweepDecisions removes the records that no entry names and that are older
// than KeepDays, and a day, so that the entry of a decision that was just made
// is there. The ledger is read after the objects: what is named by then stays.
func (r *Registry) sweepDecisions(ctx context.Context, p GC, report *GCReport) error {
	objects, err := r.store.List(ctx, decisionsDir)
	if err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	entries, err := r.History(ctx)
	if err != nil {
		return err
	}
	age := max(leftoverAge, time.Duration(p.KeepDays)*24*time.Hour)
	young := func(o store.Object) bool { return p.Now.Sub(o.Modified) <= age }
	for _, record := range unnamed(objects, entries) {
		if slices.ContainsFunc(record, young) {
			continue
		}
		report.Decisions++
		if p.DryRun {
			continue
		}
		if err := r.deleteKeys(ctx, keysOf(record)); err != nil { // the JSON first: a page alone is known as a leftover
			return err
		}
	}
	return nil
}

// sweepFolder removes the files of an orphan, if it still is one.
func (r *Registry) sweepFolder(ctx context.Context, files []store.Object, p GC, report *GCReport) error {
	keys := keysOf(files)
	report.Orphans = append(report.Orphans, keys...)
	if p.DryRun {
		return nil
	}
	named, all, err := r.folders(ctx)
	if err != nil || !all || named[path.Dir(files[0].Key)] {
		return err
	}
	return r.deleteKeys(ctx, keys)
}

// orphans returns the files under models/ that no version names, by folder; none
// while a manifest is damaged: they may be those of its version.
func (r *Registry) orphans(ctx context.Context) (out [][]store.Object, err error) {
	objects, err := r.store.List(ctx, modelsDir)
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	named, all, err := r.folders(ctx) // after the files: a version that came between is seen
	if err != nil || !all {
		return nil, err
	}
	for i, o := range objects {
		switch dir := path.Dir(o.Key); {
		case named[dir]:
		case i > 0 && len(out) > 0 && path.Dir(objects[i-1].Key) == dir:
			out[len(out)-1] = append(out[len(out)-1], o)
		default:
			out = append(out, []store.Object{o})
		}
	}
	return out, nil
}

// folders returns those that versions name, and whether all versions could be
// asked.
func (r *Registry) folders(ctx context.Context) (named map[string]bool, all bool, err error) {
	versions, faults, err := r.manifests(ctx)
	named = map[string]bool{}
	for _, m := range versions {
		named[m.Folder] = true
	}
	return named, len(faults) == 0, err
}
