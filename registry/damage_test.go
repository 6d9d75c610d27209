package registry

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// full fills a registry with an object of every kind.
func full(t testing.TB, r *Registry) {
	t.Helper()
	ctx := context.Background()
	for _, bundle := range []string{"good", "to be damaged"} {
		register(t, r, bundle)
	}
	sum, err := r.PutDecision(ctx, []byte("{}"), []byte("# why\n"))
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range []Move{{To: "v0002"}, {From: "v0002", To: "v0001", Decision: sum}} {
		m.Action, m.Actor, m.Time = ActionPromote, "t", at(i)
		if _, err := r.Move(ctx, m); err != nil {
			t.Fatal(err)
		}
	}
	json, markdown, _ := rejected()
	if _, err := r.PutDecision(ctx, json, markdown); err != nil { // no entry names it
		t.Fatal(err)
	}
	if _, err := r.Acquire(ctx, "retrain", "t", time.Hour, at(0)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Hold(ctx, "v0002", "server", at(60), at(0)); err != nil {
		t.Fatal(err)
	}
}

// rejected is the record of a decision that moved nothing, and its digest.
func rejected() (json, markdown []byte, sum string) {
	json, markdown = []byte(`{"verdict":"REJECT"}`), []byte("# why not\n")
	return json, markdown, decisionDigest(json, markdown)
}

// uses are the ways to read an object: a damaged one must be refused by each,
// and the rest must go on.
func uses(r *Registry, key string) (refuse, goOn []func() error) {
	ctx := context.Background()
	load := func(name string) func() error {
		return func() error { _, err := r.Load(ctx, name); return err }
	}
	history := func() error { _, err := r.History(ctx); return err }
	damaged, err := r.manifest(ctx, "v0002")
	folder := damaged.Folder + "/"
	_, _, unnamed := rejected()
	switch {
	case strings.HasPrefix(key, versionsDir+"v0002"), err == nil && strings.HasPrefix(key, folder):
		return []func() error{load("v0002"), load(Previous)}, []func() error{load("v0001"), load(Production), history}
	case strings.HasPrefix(key, versionsDir), strings.HasPrefix(key, modelsDir):
		return []func() error{load("v0001"), load(Production)}, []func() error{load("v0002"), load(Previous), history}
	case key == ledgerKey(1):
		return []func() error{history}, []func() error{load("v0001"), load(Production), load(Previous)}
	case key == ledgerKey(2):
		return []func() error{history, load(Production)}, []func() error{load("v0001"), load("v0002")}
	case decisionOf(key) == unnamed[:decisionDigits]:
		return []func() error{func() error { _, _, err := r.Decision(ctx, unnamed); return err }}, []func() error{load("v0001"), load(Production), history}
	case strings.HasPrefix(key, leasesDir+"reader-"):
		return []func() error{func() error { _, err := r.Collect(ctx, GC{Time: at(0), Now: at(0)}); return err }}, []func() error{load("v0001"), load("v0002"), history}
	case strings.HasPrefix(key, decisionsDir):
		return []func() error{func() error {
			entries, err := r.History(ctx)
			if err == nil {
				_, _, err = r.Decision(ctx, entries[1].Decision)
			}
			return err
		}}, []func() error{load("v0001"), load(Production), history}
	}
	return []func() error{func() error { _, err := r.Acquire(ctx, "retrain", "x", time.Hour, at(0)); return err }}, []func() error{load("v0001"), load(Production), history}
}

// The law: one changed byte in any object, and every reading of it is refused
// and names it, while all else can be read. Every byte is tried, in one bit
// (which may be that of upper and lower case) or in all.
func TestOneFlippedByteIsRefused(t *testing.T) {
	ctx := context.Background()
	r := inMemory(t)
	full(t, r)
	flips := 0
	for key, text := range everything(t, r.store) {
		for i := 0; i < len(text); i++ {
			damaged := []byte(text)
			damaged[i] ^= []byte{0xff, 1, 0x20}[i%3]
			if err := r.store.Write(ctx, key, damaged); err != nil {
				t.Fatal(err)
			}
			flips++
			refuse, goOn := uses(r, key)
			if i%5 > 0 { // all uses at every fifth byte
				refuse = refuse[:1]
			}
			for k, use := range refuse {
				if err := use(); err == nil || !strings.Contains(err.Error(), r.store.Locate(key)) {
					t.Fatalf("%s, byte %d: use %d says %v", key, i, k, err)
				}
			}
			if i%37 > 0 {
				continue
			}
			for k, use := range goOn {
				if err := use(); err != nil {
					t.Fatalf("%s, byte %d: use %d of the others says %v", key, i, k, err)
				}
			}
			if v, err := r.Verify(ctx, nil); err != nil || len(v.Faults) == 0 || !strings.Contains(strings.Join(v.Faults, "\n"), r.store.Locate(key)) {
				t.Fatalf("%s, byte %d: verify found %q: %v", key, i, v.Faults, err)
			}
		}
		if err := r.store.Write(ctx, key, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	sound(t, r, "all put right")
	if flips < 3000 {
		t.Errorf("%d flips only", flips)
	}
}

// The law: a damaged manifest hinders no other version, its number stays taken,
// and nothing that may be its own is collected. A damaged ledger stops writers.
func TestDamagedManifestHindersNoOther(t *testing.T) {
	ctx := context.Background()
	r := lived(t) // v0003 is production, v0001 previous
	before := everything(t, r.store)
	for _, version := range []string{"v0002", "v0004"} {
		if err := r.store.Write(ctx, versionKey(version), []byte(before[versionKey(version)][1:])); err != nil {
			t.Fatal(err)
		}
	}
	versions, err := r.List(ctx)
	if len(versions) != 2 || !errors.As(err, new(*Damaged)) || !strings.Contains(err.Error(), r.store.Locate(versionKey("v0002"))) || !strings.Contains(err.Error(), r.store.Locate(versionKey("v0004"))) {
		t.Errorf("%d versions: %v", len(versions), err)
	}
	if got, err := r.Resolve(ctx, "sha256:"+versions[0].Digest); got != "v0001" || err != nil {
		t.Errorf("by digest: %s, %v", got, err)
	}
	for range 2 {
		if got := register(t, r, "e"); got != "v0005" {
			t.Errorf("a new version is %s", got)
		}
	}
	report, err := r.Collect(ctx, GC{Actor: "gc", Time: at(60), Now: later()})
	if err != nil || len(report.Removed) != 1 || report.Removed[0].Version != "v0005" || len(report.Orphans) != 0 || len(report.Kept) != 4 || !strings.Contains(report.Kept[1].Why, "its manifest is damaged") {
		t.Errorf("%+v: %v", report, err)
	}
	for key, text := range before {
		if strings.HasPrefix(key, versionsDir) {
			if err := r.store.Write(ctx, key, []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	sound(t, r, "the manifests put back")
	if err := r.store.Write(ctx, ledgerKey(3), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Register(ctx, candidate("f"), at(9)); err == nil || !strings.Contains(err.Error(), r.store.Locate(ledgerKey(3))) {
		t.Errorf("registered beside a damaged end of the ledger: %v", err)
	}
}

// The law: a missing object, and one in the place of another, are found too.
func TestVerifyFindsWhatIsMissingOrMoved(t *testing.T) {
	ctx := context.Background()
	calm := inMemory(t)
	full(t, calm)
	promote(t, calm, "v0002", 5)
	all := everything(t, calm.store)
	_, _, unnamed := rejected()
	for key := range all {
		if strings.HasPrefix(key, leasesDir) || key == ledgerKey(3) { // the end of the chain is not known, see the package comment
			continue
		}
		pageLeft := decisionOf(key) == unnamed[:decisionDigits] && strings.HasSuffix(key, ".json") // as a killed writer leaves it
		r := inMemory(t)
		for other, text := range all {
			if other != key {
				if err := r.store.Create(ctx, other, []byte(text)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if v, err := r.Verify(ctx, nil); err != nil || (len(v.Faults) == 0) != pageLeft || (len(v.Notes) == 1) != pageLeft {
			t.Errorf("without %s: %q, %q: %v", key, v.Faults, v.Notes, err)
		}
	}
	for from, to := range map[string]string{versionKey("v0001"): versionKey("v0002"), ledgerKey(1): ledgerKey(2)} {
		r := inMemory(t)
		full(t, r)
		if err := r.store.Write(ctx, to, []byte(all[from])); err != nil {
			t.Fatal(err)
		}
		if v, err := r.Verify(ctx, nil); err != nil || !strings.Contains(strings.Join(v.Faults, "\n"), r.store.Locate(to)) {
			t.Errorf("%s in the place of %s: %q %v", from, to, v.Faults, err)
		}
	}
}

// The mutant: an entry that is sealed and chained, but tells another story.
func TestVerifyReplaysTheLedger(t *testing.T) {
	ctx := context.Background()
	r := lived(t)
	tail, err := r.tail(ctx)
	if err != nil {
		t.Fatal(err)
	}
	forged := Entry{Action: ActionPromote, Alias: Production, From: "v0003", To: "v0001", Time: tail.Time, Aliases: Aliases{Production: "v0002", Previous: "v0003"}}
	if _, err := r.append(ctx, tail, forged); err != nil {
		t.Fatal(err)
	}
	if v, err := r.Verify(ctx, nil); err != nil || len(v.Faults) != 1 || !strings.Contains(v.Faults[0], "do not follow") {
		t.Errorf("%q: %v", v.Faults, err)
	}
}

// Verify asks the versions, tells leftovers from faults, and does one version.
func TestVerifyAsksAndNotes(t *testing.T) {
	ctx := context.Background()
	r := lived(t)
	for _, key := range []string{"models/0123456789abcdef/bundle.json", "versions/readme.txt", "odd"} {
		if err := r.store.Create(ctx, key, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	asked := 0
	v, err := r.Verify(ctx, func(v *Version) error {
		if asked++; v.Version == "v0002" {
			return errors.New("row 3 is 0.5, was 0.4")
		}
		return nil
	})
	if err != nil || asked != 4 || len(v.Notes) != 3 || len(v.Faults) != 1 || !strings.Contains(v.Faults[0], "v0002 does not answer as it did: row 3") || v.Err() == nil {
		t.Errorf("asked %d, %+v: %v", asked, v, err)
	}
	one, err := r.VerifyVersion(ctx, Production, nil)
	if err != nil || one.Versions != 1 || one.Files != 3 || one.Err() != nil {
		t.Errorf("%+v: %v", one, err)
	}
	if _, err := r.VerifyVersion(ctx, "v0009", nil); err == nil {
		t.Error("an absent version verifies")
	}
}

func TestResolveExplains(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "absent")
	r := open(t, dir)
	for name, want := range map[string]string{
		Production: "no model is in production yet", Challenger: "no challenger model", "v0007": "there is no version v0007", "../../etc": "neither a version nor an alias",
		"v7": "neither a version", "sha256:12": "too short", "sha256:123456": "no version has the digest",
	} {
		if _, err := r.Resolve(ctx, name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if versions, err := r.List(ctx); len(versions) != 0 || err != nil {
		t.Errorf("an absent registry lists %v, %v", versions, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("looking made the folder")
	}
}

func TestEarlierLayoutIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "aliases.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(context.Background(), dir); err == nil || !strings.Contains(err.Error(), "move it away (mv "+dir) {
		t.Errorf("got %v", err)
	}
}

// A later program's object is told from a damaged one.
func TestLaterFormat(t *testing.T) {
	err := decode([]byte(`{"number": 1, "news": true, "format": 2, "seal": ""}`), &Entry{})
	if err == nil || !strings.Contains(err.Error(), "its format is 2") {
		t.Errorf("got %v", err)
	}
}

// The law: what decodes is the one text that encode makes of it.
func FuzzDecode(f *testing.F) {
	r := lived(f)
	for _, text := range everything(f, r.store) {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, v := range []framed{&Entry{}, &Manifest{}, &leaseRecord{}} {
			if decode(text, v) != nil {
				continue
			}
			if again, err := encode(v); err != nil || string(again) != string(text) {
				t.Errorf("%q encodes as %q: %v", text, again, err)
			}
		}
	})
}
