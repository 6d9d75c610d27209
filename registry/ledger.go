package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The actions of the ledger.
const (
	ActionPromote    = "promote"    // production moves forward
	ActionRollback   = "rollback"   // production moves back
	ActionChallenger = "challenger" // the challenger is set or, with no To, cleared
	ActionCollect    = "collect"    // versions are marked as removed
)

// Aliases are the versions in use; "" where there is none.
type Aliases struct {
	Production string `json:"production"`
	Challenger string `json:"challenger"`
	Previous   string `json:"previous"`
}

// Of returns the version behind an alias, "" if there is none of the name.
func (a Aliases) Of(name string) string {
	switch name {
	case Production:
		return a.Production
	case Challenger:
		return a.Challenger
	case Previous:
		return a.Previous
	}
	return ""
}

// Names returns the aliases of a version.
func (a Aliases) Names(version string) (out []string) {
	for _, name := range []string{Production, Challenger, Previous} {
		if a.Of(name) == version {
			out = append(out, name)
		}
	}
	return out
}

// Entry is one line of the ledger. The aliases are those of the last entry.
type Entry struct {
	Number  int       `json:"number"`
	Before  string    `json:"before"` // seal of the entry before; "" in the first
	Time    time.Time `json:"time"`   // never before that of the entry before
	Actor   string    `json:"actor"`
	Action  string    `json:"action"`
	Alias   string    `json:"alias,omitempty"` // that was moved
	From    string    `json:"from,omitempty"`
	To      string    `json:"to,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Verdict string    `json:"verdict,omitempty"` // of the gate
	// Decision is the digest of the gate's record.
	Decision  string   `json:"decision,omitempty"`
	Override  bool     `json:"override,omitempty"` // moved against the verdict
	Collected []string `json:"collected,omitempty"`
	Aliases   Aliases  `json:"aliases"` // after this entry
	// Removing are the versions that count as removed although files of theirs
	// may still be there.
	Removing   []Removal `json:"removing,omitempty"`
	Highest    int       `json:"highest,omitempty"`    // number of the latest version that was ever collected
	Collection int       `json:"collection,omitempty"` // number of the last entry that collected
	sealed
}

// Removal is a version that goes, and the folder of its files.
type Removal struct {
	Version string `json:"version"`
	Folder  string `json:"folder"`
}

// condemned reports whether a version counts as removed.
func (e *Entry) condemned(version string) bool {
	return slices.ContainsFunc(e.Removing, func(x Removal) bool { return x.Version == version })
}

// Move asks for an alias to be moved.
type Move struct {
	Action string // ActionPromote, ActionRollback or ActionChallenger
	Alias  string // Production or Challenger; "" = what the action says
	From   string // what the alias must be now; "" = nothing
	To     string // "" clears the challenger

	Actor    string
	Reason   string
	Time     time.Time
	Verdict  string
	Decision string // digest of a record, see PutDecision
	Override bool
}

// alias returns the alias that a move is about.
func (m Move) alias() string {
	switch {
	case m.Alias != "":
		return m.Alias
	case m.Action == ActionChallenger:
		return Challenger
	}
	return Production
}

// made reports whether an entry is this very move.
func (m Move) made(e Entry) bool {
	return e.Action == m.Action && e.Alias == m.alias() && e.From == m.From && e.To == m.To && e.Actor == m.Actor && e.Reason == m.Reason &&
		!e.Time.Before(m.Time) && e.Verdict == m.Verdict && e.Decision == m.Decision && e.Override == m.Override
}

// Moved is the error of a Move that came too late.
type Moved struct{ Alias, Expected, Found string }

func (m *Moved) Error() string {
	return fmt.Sprintf("registry: %s moved from %s to %s meanwhile; look at `churn registry history` and decide again", m.Alias, orNothing(m.Expected), orNothing(m.Found))
}

func orNothing(version string) string {
	if version == "" {
		return "nothing"
	}
	return version
}

// errTaken says that a number is somebody else's.
var errTaken = fmt.Errorf("it is taken: %w", fs.ErrExist)

func ledgerKey(n int) string { return fmt.Sprintf("%s%08d.json", ledgerDir, n) }

// tail returns the last entry of the ledger, a zero one if there is none.
func (r *Registry) tail(ctx context.Context) (Entry, error) {
	n, err := r.length(ctx)
	if err != nil || n == 0 {
		return Entry{}, err
	}
	return r.entry(ctx, n, n)
}

// length returns the number of the last entry.
func (r *Registry) length(ctx context.Context) (n int, err error) {
	numbers, err := r.numbers(ctx, ledgerDir, "")
	if err != nil || len(numbers) == 0 {
		return 0, err
	}
	return numbers[len(numbers)-1], nil
}

// numbers returns those of the objects <folder><prefix>00000001.json, ascending.
func (r *Registry) numbers(ctx context.Context, folder, prefix string) (out []int, err error) {
	objects, err := r.store.List(ctx, folder)
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	for _, o := range objects {
		digits, ours := strings.CutPrefix(path.Base(o.Key), prefix)
		n, err := strconv.Atoi(strings.TrimSuffix(digits, ".json"))
		if ours && err == nil && o.Key == fmt.Sprintf("%s%s%08d.json", folder, prefix, n) {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out, nil
}

// entry reads entry n of a ledger whose last one is known. Only that one may
// be given up: what follows an entry is chained to it.
func (r *Registry) entry(ctx context.Context, n, last int) (e Entry, err error) {
	remedy := "restore it from a copy; do not delete it, the entries after it are chained to it. Meanwhile models are served and `churn registry rollback` works; `churn promote` and `churn registry gc` wait"
	switch {
	case n == last && n == 1:
		remedy = "restore it from a copy, or delete it and run `churn promote`"
	case n == last:
		remedy = fmt.Sprintf("restore it from a copy; it is the last one, and deleting it brings back the aliases of entry %d", n-1)
	}
	if err := r.get(ctx, ledgerKey(n), &e, remedy); err != nil {
		return Entry{}, err
	}
	if e.Number != n {
		return Entry{}, fmt.Errorf("registry: %s says entry %d: it was renamed; restore it from a copy", r.store.Locate(ledgerKey(n)), e.Number)
	}
	return e, nil
}

// Aliases returns the versions in use.
func (r *Registry) Aliases(ctx context.Context) (Aliases, error) {
	tail, err := r.tail(ctx)
	return tail.Aliases, err
}

// Move moves an alias by compare-and-swap, and writes why into the ledger; both
// are one object, so there is never one without the other. It fails with *Moved
// if the alias is not what the move expects. Entries of others that come between
// do not matter otherwise. The same move made twice in a row is one entry, so that
// one whose answer was lost can be repeated.
func (r *Registry) Move(ctx context.Context, m Move) (Entry, error) {
	m.Time = m.Time.UTC()
	for {
		e, err := r.tryMove(ctx, m)
		if !taken(err) {
			return e, err
		}
	}
}

func (r *Registry) tryMove(ctx context.Context, m Move) (Entry, error) {
	tail, err := r.tail(ctx)
	if err != nil {
		return tail, err
	}
	if m.made(tail) {
		return tail, nil
	}
	alias := m.alias()
	if now := tail.Aliases.Of(alias); now != m.From {
		return tail, &Moved{alias, m.From, now}
	}
	if err := r.movable(ctx, m, tail); err != nil {
		return tail, err
	}
	e := Entry{Actor: m.Actor, Action: m.Action, Alias: alias, From: m.From, To: m.To, Reason: m.Reason,
		Verdict: m.Verdict, Decision: m.Decision, Override: m.Override, Time: m.Time, Aliases: tail.Aliases.after(alias, m.To)}
	return r.append(ctx, tail, e)
}

// movable says why a move cannot be made.
func (r *Registry) movable(ctx context.Context, m Move, tail Entry) error {
	switch alias := m.alias(); {
	case alias != Production && alias != Challenger:
		return fmt.Errorf("registry: the alias %q is not moved by hand; move %s or %s", alias, Production, Challenger)
	case m.To == m.From:
		return fmt.Errorf("registry: %s is %s already", orNothing(m.To), alias)
	case alias == Challenger && m.To != "" && m.To == tail.Aliases.Production:
		return fmt.Errorf("registry: %s is in production already", m.To)
	case m.To == "" && alias == Production:
		return errors.New("registry: production cannot be cleared; promote another version")
	case m.To == "":
		return nil
	case number(m.To) == 0:
		return fmt.Errorf("registry: %q is not a version such as v0007", m.To)
	case tail.condemned(m.To):
		return fmt.Errorf("registry: version %s was removed by `churn registry gc`; `churn registry list` shows those that are there", m.To)
	}
	// The manifest is read after the ledger: a version that is there now can
	// only go by an entry that comes after, and then the turn is lost.
	manifest, err := r.find(ctx, m.To)
	if err == nil && m.Action == ActionRollback {
		err = r.served(ctx, m.To)
	}
	if err != nil {
		return err
	}
	_, err = r.files(ctx, manifest)
	return err
}

// served fails unless a version was in production before: a rollback asks no
// gate, so it leads only to what went through one. An entry that cannot be read
// hides what it tells, no more.
func (r *Registry) served(ctx context.Context, version string) error {
	entries, err := r.History(ctx)
	if slices.ContainsFunc(entries, func(e Entry) bool { return e.Alias == Production && (e.To == version || e.From == version) }) {
		return nil
	}
	return errors.Join(fmt.Errorf("registry: %s was never in production, so there is no way back to it; `churn promote %[1]s` asks the gate, `churn promote %[1]s --force --reason TEXT` overrules it", version), err)
}

// after returns the aliases once one of them has moved.
func (a Aliases) after(alias, to string) Aliases {
	if alias == Challenger {
		a.Challenger = to
		return a
	}
	if a.Production != "" {
		a.Previous = a.Production
	}
	a.Production = to
	if a.Challenger == to {
		a.Challenger = ""
	}
	return a
}

// append writes an entry after the last one, or fails with fs.ErrExist.
func (r *Registry) append(ctx context.Context, tail, e Entry) (Entry, error) {
	e.Number, e.Before = tail.Number+1, tail.Seal
	if e.Time.Before(tail.Time) {
		e.Time = tail.Time // clocks go back, history does not
	}
	if e.Action != ActionCollect {
		e.Removing, e.Highest, e.Collection = tail.Removing, tail.Highest, tail.Collection
	}
	if err := r.put(ctx, ledgerKey(e.Number), &e); err != nil {
		return e, fmt.Errorf("registry: %w", err)
	}
	return e, nil
}

// History returns the entries of the ledger, oldest first. Where one cannot be
// read, is missing, or does not follow on the one before, the error says so, and
// the other entries are returned nevertheless.
func (r *Registry) History(ctx context.Context) (out []Entry, err error) {
	numbers, err := r.numbers(ctx, ledgerDir, "")
	if err != nil {
		return nil, err
	}
	var faults []error
	var last Entry
	for i, n := range numbers {
		e, err := r.entry(ctx, n, numbers[len(numbers)-1])
		if err != nil {
			faults = append(faults, err)
			last = Entry{Number: n}
			continue
		}
		switch {
		case n > last.Number+1:
			faults = append(faults, fmt.Errorf("registry: %s is missing; restore it from a copy", r.store.Locate(ledgerKey(n-1))))
		case i > 0 && last.Seal != "" && !e.Follows(last), n == 1 && e.Before != "":
			faults = append(faults, fmt.Errorf("registry: %s does not follow on the entry before it: one of them was replaced; restore them from a copy", r.store.Locate(ledgerKey(n))))
		}
		out, last = append(out, e), e
	}
	return out, errors.Join(faults...)
}

// Follows reports whether an entry continues the chain after another.
func (e *Entry) Follows(before Entry) bool {
	return e.Number == before.Number+1 && e.Before == before.Seal && !e.Time.Before(before.Time)
}

// Who returns the entry that was the last one at a time: its aliases say
// which versions were in use then, and it fails if there was none yet.
func (r *Registry) Who(ctx context.Context, at time.Time) (Entry, error) {
	entries, err := r.History(ctx)
	if err != nil {
		return Entry{}, err
	}
	i, found := slices.BinarySearchFunc(entries, at, func(e Entry, at time.Time) int {
		if e.Time.After(at) {
			return 1
		}
		return -1
	})
	if found || i == 0 {
		return Entry{}, fmt.Errorf("registry: no model was in production at %s: the ledger begins later, see `churn registry history`", at.Format(time.RFC3339))
	}
	return entries[i-1], nil
}
