package registry

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// The law: at any time the ledger tells what was in use then, also when the
// clocks of those who wrote it went back.
func TestWhoKnowsAlsoWithBackwardsClocks(t *testing.T) {
	ctx := context.Background()
	r := inMemory(t)
	for i := range 6 {
		register(t, r, fmt.Sprint(i))
	}
	minutes := []int{10, 20, 5, 20, 40, 30} // by the writers' clocks
	counted := []int{10, 20, 20, 20, 40, 40}
	for i, minute := range minutes {
		if e := promote(t, r, versionName(i+1), minute); !e.Time.Equal(at(counted[i])) {
			t.Errorf("entry %d has the time %s", i+1, e.Time)
		}
	}
	for minute, want := range map[int]string{10: "v0001", 19: "v0001", 20: "v0004", 39: "v0004", 40: "v0006", 999: "v0006"} {
		if e, err := r.Who(ctx, at(minute)); err != nil || e.Aliases.Production != want {
			t.Errorf("at %d: %s (%v), want %s", minute, e.Aliases.Production, err, want)
		}
	}
	if _, err := r.Who(ctx, at(9)); err == nil || !strings.Contains(err.Error(), "no model was in production") {
		t.Errorf("before the first: %v", err)
	}
	sound(t, r, "after all")
}

// The law: whatever moves are asked for, the chain verifies, and the aliases
// follow the rules: previous is what production was, and no version is both
// production and challenger.
func TestAnyMoves(t *testing.T) {
	ctx := context.Background()
	r := inMemory(t)
	for i := range 4 {
		register(t, r, fmt.Sprint(i))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var want Aliases
	for i := range 150 {
		m := Move{Action: ActionPromote, From: want.Production, To: versionName(1 + rng.IntN(4)), Actor: "t", Time: at(rng.IntN(50)), Reason: fmt.Sprint(i)}
		switch rng.IntN(4) {
		case 0:
			m.Action, m.From = ActionChallenger, want.Challenger
			if rng.IntN(3) == 0 {
				m.To = ""
			}
		case 1:
			m.From = versionName(1 + rng.IntN(4)) // guessed
		}
		now := want.Of(m.alias())
		_, err := r.Move(ctx, m)
		var moved *Moved
		if (m.From != now) != errors.As(err, &moved) || (err == nil) != (m.From == now && m.To != now && (m.alias() == Production || m.To != want.Production)) {
			t.Fatalf("%+v at %+v: %v", m, want, err)
		}
		if err == nil {
			want = want.after(m.alias(), m.To)
		}
		if got, err := r.Aliases(ctx); err != nil || got != want || got.Challenger != "" && got.Challenger == got.Production {
			t.Fatalf("%+v, want %+v: %v", got, want, err)
		}
	}
	sound(t, r, "after all")
}

func TestMoveRefuses(t *testing.T) {
	r := lived(t)
	for want, m := range map[string]Move{
		"is production already":    {Action: ActionPromote, From: "v0003", To: "v0003"},
		"cannot be cleared":        {Action: ActionPromote, From: "v0003"},
		"no version v0009":         {Action: ActionPromote, From: "v0003", To: "v0009"},
		"is not a version":         {Action: ActionPromote, From: "v0003", To: Previous},
		"is not moved by hand":     {Action: ActionPromote, Alias: Previous, From: "v0001", To: "v0003"},
		"moved from v0001 to v000": {Action: ActionPromote, From: "v0001", To: "v0002"},
		"from nothing to v0003":    {Action: ActionPromote, To: "v0002"},
	} {
		if _, err := r.Move(context.Background(), m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	if h, err := r.History(context.Background()); len(h) != 2 || err != nil {
		t.Errorf("%d entries: %v", len(h), err)
	}
}

// The law: a rollback leads only to what was in production before. An entry
// that is damaged hides what it alone tells.
func TestRollbackIsNoWayRoundTheGate(t *testing.T) {
	ctx := context.Background()
	back := func(r *Registry, to string) error {
		aliases, err := r.Aliases(ctx)
		if err != nil {
			return err
		}
		_, err = r.Move(ctx, Move{Action: ActionRollback, From: aliases.Production, To: to, Actor: "t", Reason: "x", Time: at(9)})
		return err
	}
	r := lived(t) // v0001 and v0003 were in production
	if _, err := r.Move(ctx, Move{Action: ActionChallenger, To: "v0004", Actor: "t", Time: at(3)}); err != nil {
		t.Fatal(err)
	}
	for to, want := range map[string]string{"v0002": "v0002 was never in production", "v0004": "churn promote v0004 --force --reason TEXT", "v0009": "no version v0009"} {
		if err := back(r, to); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("to %s: %v", to, err)
		}
	}
	for i := range 3 { // there and back, and there
		if err := back(r, []string{"v0001", "v0003"}[i%2]); err != nil {
			t.Errorf("turn %d: %v", i, err)
		}
	}
	sound(t, r, "after all")
	if err := r.store.Write(ctx, ledgerKey(1), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if err := back(r, "v0003"); err != nil {
		t.Errorf("beside a damaged entry: %v", err)
	}
	if err := back(r, "v0002"); err == nil || !strings.Contains(err.Error(), r.store.Locate(ledgerKey(1))) {
		t.Errorf("what the damaged entry may tell of: %v", err)
	}
}

// The remedies of a damaged entry keep the chain: the last one may be given up,
// one before it may not.
func TestRemedyOfADamagedEntry(t *testing.T) {
	ctx := context.Background()
	for entries := 1; entries <= 3; entries++ {
		for damaged := 1; damaged <= entries; damaged++ {
			r := lived(t)
			if err := r.store.Delete(ctx, ledgerKey(2)); err != nil {
				t.Fatal(err)
			}
			for _, version := range []string{"v0002", "v0004"}[:entries-1] {
				promote(t, r, version, 5)
			}
			whole := everything(t, r.store)[ledgerKey(damaged)]
			if err := r.store.Write(ctx, ledgerKey(damaged), []byte(whole[:len(whole)/2])); err != nil {
				t.Fatal(err)
			}
			_, err := r.History(ctx)
			switch last := damaged == entries; {
			case err == nil:
				t.Errorf("entry %d of %d: not found", damaged, entries)
			case !last && (strings.Contains(err.Error(), "or delete") || !strings.Contains(err.Error(), "do not delete it")):
				t.Errorf("entry %d of %d: %v", damaged, entries, err)
			case last: // what is advised works
				if err := r.store.Delete(ctx, ledgerKey(damaged)); err != nil {
					t.Fatal(err)
				}
				promote(t, r, "v0003", 6)
				sound(t, r, "after the remedy")
			}
		}
	}
}

// The laws of collecting: what an alias, a reader or a young entry names stays,
// as do the young; the rest goes with its files; numbers never come back; what
// was trained again gets a new number.
func TestCollect(t *testing.T) {
	ctx := context.Background()
	r := lived(t) // v0003 is production, v0001 previous
	day := func(n int) time.Time { return at(0).AddDate(0, 0, n) }
	if _, err := r.Hold(ctx, "v0004", "server", day(50), day(1)); err != nil {
		t.Fatal(err)
	}
	collect := func(now time.Time, keep int, dry bool) (removed []string) {
		t.Helper()
		report, err := r.Collect(ctx, GC{KeepDays: keep, Actor: "gc", Time: now, Now: now, DryRun: dry})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range report.Removed {
			removed = append(removed, x.Version)
		}
		sound(t, r, "after gc")
		return removed
	}
	before := everything(t, r.store)
	for _, step := range []struct {
		at   time.Time
		keep int
		dry  bool
		want []string
	}{
		{day(20), 30, false, nil},               // all are young
		{day(40), 30, true, []string{"v0002"}},  // v0004 is held
		{day(40), 30, false, []string{"v0002"}}, //
		{day(40), 30, false, nil},               // twice is once
		{day(60), 90, false, nil},               //
		{day(60), 30, false, []string{"v0004"}}, // the reader's time is over
		{later(), 30, false, nil},               // aliases stay for ever
	} {
		if got := collect(step.at, step.keep, step.dry); !slices.Equal(got, step.want) {
			t.Errorf("on %s, keeping %d days, %v went, want %v", step.at, step.keep, got, step.want)
		}
		if step.dry && len(everything(t, r.store)) != len(before) {
			t.Error("a dry run removed something")
		}
	}
	if again := register(t, r, "d"); again != "v0005" {
		t.Errorf("what was v0004 is registered as %s", again)
	}
	for name, want := range map[string]string{"v0004": "was removed by", "v0009": "there is no version"} {
		if _, err := r.Load(ctx, name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.Hold(ctx, "v0004", "x", day(99), day(98)); err == nil {
		t.Error("a removed version is held")
	}
	sound(t, r, "at the end")
}

// A version that an entry named lately stays, also when no alias has it any
// more: it may be what answered yesterday.
func TestCollectKeepsWhatWasInUse(t *testing.T) {
	r := inMemory(t)
	for i, bundle := range []string{"a", "b", "c"} {
		promote(t, r, register(t, r, bundle), 60*24*(100+i))
	}
	report, err := r.Collect(context.Background(), GC{KeepDays: 30, Time: at(60 * 24 * 110), Now: at(60 * 24 * 110)})
	if err != nil || len(report.Removed) != 0 {
		t.Errorf("%+v: %v", report, err)
	}
	report, err = r.Collect(context.Background(), GC{KeepDays: 30, Time: at(60 * 24 * 140), Now: at(60 * 24 * 140)})
	if err != nil || len(report.Removed) != 1 || report.Removed[0].Version != "v0001" || report.Removed[0].Bytes == 0 {
		t.Errorf("%+v: %v", report, err)
	}
}

// Leftovers go once they are old, and only they; old records of leases go, and
// a lease's numbers go on.
func TestCollectSweeps(t *testing.T) {
	ctx := context.Background()
	r := lived(t)
	if err := r.store.Create(ctx, "models/0123456789abcdef/bundle.json", []byte("half a version")); err != nil {
		t.Fatal(err)
	}
	l, err := r.Acquire(ctx, "retrain", "t", time.Minute, at(0))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Renew(ctx, time.Minute, at(0)), l.Release(ctx)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Hold(ctx, "v0001", "server", at(1), at(0)); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		now             time.Time
		orphans, leases int
	}{{time.Time{}, 0, 0}, {later(), 1, 3}, {later(), 0, 0}} {
		report, err := r.Collect(ctx, GC{KeepDays: 99999, Time: at(1), Now: step.now})
		if err != nil || len(report.Orphans) != step.orphans || report.Leases != step.leases || len(report.Kept) != 4 {
			t.Errorf("%s: %+v: %v", step.now, report, err)
		}
	}
	if l, err = r.Acquire(ctx, "retrain", "u", time.Minute, at(0)); err != nil || l.record.Number != 4 {
		t.Errorf("%+v: %v", l, err)
	}
	sound(t, r, "after all")
}

// The laws of old decisions: those that moved nothing go once they are older
// than keep_days and a day, also what is left of one; those that an entry rests
// on stay for ever.
func TestCollectSweepsDecisions(t *testing.T) {
	ctx := context.Background()
	r := lived(t)
	json, markdown, _ := rejected()
	if _, err := r.PutDecision(ctx, json, markdown); err != nil {
		t.Fatal(err)
	}
	moved, err := r.PutDecision(ctx, []byte("{}"), []byte("# moved\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Move(ctx, Move{Action: ActionPromote, From: "v0003", To: "v0001", Actor: "t", Time: at(3), Decision: moved}); err != nil {
		t.Fatal(err)
	}
	if err := r.store.Create(ctx, decisionsDir+"0123456789abcdef.md", []byte("half")); err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		now        time.Time
		keep, want int
		dry        bool
	}{{time.Now(), 0, 0, false}, {later(), 99999, 0, false}, {later(), 30, 2, true}, {later(), 30, 2, false}, {later(), 30, 0, false}} {
		report, err := r.Collect(ctx, GC{KeepDays: step.keep, Time: at(1), Now: step.now, DryRun: step.dry})
		if err != nil || report.Decisions != step.want {
			t.Errorf("step %d: %d decisions went, want %d: %v", i, report.Decisions, step.want, err)
		}
		sound(t, r, "after gc")
	}
	if _, _, err := r.Decision(ctx, moved); err != nil {
		t.Error(err)
	}
	if objects, err := r.store.List(ctx, decisionsDir); len(objects) != 2 || err != nil {
		t.Errorf("left %v: %v", objects, err)
	}
}

// The laws of leases: one holder at a time; over by itself, or by release; a
// lost one cannot be renewed.
func TestLease(t *testing.T) {
	ctx := context.Background()
	r := inMemory(t)
	take := func(holder string, minute int) (*Lease, error) {
		return r.Acquire(ctx, "retrain", holder, 10*time.Minute, at(minute))
	}
	a, err := take("a", 0)
	if err != nil || !a.Until().Equal(at(10)) {
		t.Fatal(err)
	}
	var held *HeldError
	if _, err := take("b", 9); !errors.As(err, &held) || held.Holder != "a" || !held.Until.Equal(at(10)) {
		t.Errorf("while a holds it: %v", err)
	}
	if err := a.Renew(ctx, 10*time.Minute, at(9)); err != nil {
		t.Error(err)
	}
	if _, err := take("b", 12); !errors.As(err, &held) {
		t.Errorf("after the renewal: %v", err)
	}
	b, err := take("b", 19)
	if err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"renew": a.Renew(ctx, time.Minute, at(19)), "held": a.Held(ctx, at(19))} {
		if err == nil || !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), `"b"`) {
			t.Errorf("%s of a lost lease: %v", what, err)
		}
	}
	if err := a.Release(ctx); err != nil { // harmless
		t.Error(err)
	}
	if err := errors.Join(b.Held(ctx, at(20)), b.Release(ctx)); err != nil {
		t.Error(err)
	}
	if _, err := take("a", 20); err != nil {
		t.Errorf("after the release: %v", err)
	}
	if _, err := take("a", 21); err != nil {
		t.Errorf("the holder again: %v", err)
	}
}

// The law: export and import give the same version elsewhere, under its own
// number, and twice is once; exporting is the same bytes twice.
func TestExportImport(t *testing.T) {
	ctx := context.Background()
	from, to := lived(t), inMemory(t)
	register(t, to, "other")
	archive, m, err := from.Export(ctx, Production)
	if err != nil || m.Version != "v0003" {
		t.Fatal(m.Version, err)
	}
	if again, _, err := from.Export(ctx, "v0003"); err != nil || !bytes.Equal(again, archive) {
		t.Error("another archive of the same version")
	}
	for _, fresh := range []bool{true, false} {
		got, isNew, err := to.Import(ctx, bytes.NewReader(archive), at(5))
		if err != nil || isNew != fresh || got.Version != "v0002" || got.Digest != m.Digest || got.Imported.Version != "v0003" || got.Imported.Seal != m.Seal || !got.Created.Equal(at(5)) {
			t.Errorf("%+v: %v", got, err)
		}
	}
	v, err := to.Load(ctx, "v0002")
	if err != nil || string(v.Files[BundleFile]) != "c" || v.Lineage.Seed != m.Lineage.Seed {
		t.Errorf("%+v: %v", v, err)
	}
	if back, fresh, err := from.Import(ctx, bytes.NewReader(archive), at(6)); err != nil || fresh || back.Version != "v0003" {
		t.Errorf("imported where it came from: %s %v %v", back.Version, fresh, err)
	}
	promote(t, to, "v0002", 1)
	sound(t, to, "after import")
}

// The law: an archive that is cut, longer, or has one other byte is refused,
// and nothing is registered.
func TestImportRefusesChanges(t *testing.T) {
	ctx := context.Background()
	archive, _, err := lived(t).Export(ctx, "v0001")
	if err != nil {
		t.Fatal(err)
	}
	r := inMemory(t)
	refused := func(what string, data []byte) {
		t.Helper()
		if _, _, err := r.Import(ctx, bytes.NewReader(data), at(0)); err == nil || !strings.Contains(err.Error(), "not a sound archive") {
			t.Fatalf("%s: %v", what, err)
		}
	}
	for i := 0; i < len(archive); i += 1 + i/2048 { // the manifest and headers before it by every byte, the rest by a sample
		changed := bytes.Clone(archive)
		changed[i] ^= 1
		refused(fmt.Sprint("flipped at ", i), changed)
	}
	for n := 0; n < len(archive); n += 97 {
		refused(fmt.Sprint("cut to ", n), archive[:n])
	}
	refused("one more byte", append(bytes.Clone(archive), 0))
	refused("two archives", append(bytes.Clone(archive), archive...))
	for name, h := range map[string]tar.Header{
		"a link": {Typeflag: tar.TypeSymlink, Name: archiveManifest, Linkname: "/etc/passwd"}, "a way out": {Name: "../../x"}, "a folder": {Typeflag: tar.TypeDir, Name: archiveManifest},
	} {
		var out bytes.Buffer
		if err := tar.NewWriter(&out).WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		refused(name, append(out.Bytes(), archive...))
	}
	if objects, err := r.store.List(ctx, ""); len(objects) != 0 || err != nil {
		t.Errorf("left %v: %v", objects, err)
	}
}

// Import never panics, and what it takes is what export writes.
func FuzzImport(f *testing.F) {
	archive, _, err := lived(f).Export(context.Background(), "v0001")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(archive)
	f.Add(archive[:700])
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := parseArchive(data)
		if err != nil {
			return
		}
		if again, err := v.archive(); err != nil || !bytes.Equal(again, data) {
			t.Errorf("taken, but export writes another: %v", err)
		}
	})
}
